"""Minimising: the smallest case that still shows the finding of a large one.

The passes go from the coarse to the fine, since what is left out first need not be looked
into: messages in a row become one batch, then go connections, steps, time, messages, frames, the
cuts between segments, fields with their lengths repaired, bytes, and then what makes the rest
plain to read: the fewest users, a plain transport, simple values. All of them again, until nothing
changes any more: what one pass leaves out often frees another. See :mod:`fuzz.triage.reduce` for
why that ends, and always in the same result.

Most plays are made on one node, one after the other, since a fresh node costs a second. Some
defects make that a trap: their effect comes late, or only after many plays, and so falls upon
a case that did nothing. So what is left is played on a fresh node, early and at the end. If it
shows nothing there, all begins again with care: each yes is confirmed on a fresh node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fuzz.case import Case
from fuzz.clock import Clock, SystemClock
from fuzz.triage.reduce import Budget, Judge, Reduction, Size, Trials, size_of
from fuzz.triage.reduce_batches import fewer_messages, pack_messages
from fuzz.triage.reduce_bytes import (
    drop_bytes,
    drop_frames,
    drop_items,
    plain_bytes,
    plainer_frames,
    shrink_fields,
)
from fuzz.triage.reduce_cuts import shrink_cut_frames
from fuzz.triage.reduce_steps import (
    drop_connections,
    drop_steps,
    fewer_users,
    gather_segments,
    join_connections,
    join_segments,
    login_steps,
    plain_ways,
    renumber,
    shorten_pauses,
)

_Pass = Callable[[Reduction], None]
#: What takes away most: after these it is worth a fresh node to see whether it is all true.
_COARSE: tuple[_Pass, ...] = (pack_messages, drop_connections, drop_steps)
_FINE: tuple[_Pass, ...] = (
    shorten_pauses,
    fewer_messages,
    gather_segments,
    join_connections,
    drop_frames,
    pack_messages,
    fewer_messages,
    join_segments,
    login_steps,
    plainer_frames,
    drop_items,
    shrink_fields,
    shrink_cut_frames,
    drop_bytes,
    fewer_users,
    plain_ways,
    plain_bytes,
    renumber,
)


@dataclass(frozen=True, slots=True)
class Minimised:
    """The smallest case found, and what it took.

    ``shown`` is False when the given case itself did not show its finding: then ``case`` is
    that case, unchanged. ``complete`` is False when the budget was spent before the end.
    ``careful`` tells that plays on one node misled each other, so that each yes had to be
    confirmed on a fresh one; whoever asks further must do the same.
    """

    case: Case
    before: Size
    after: Size
    plays: int
    seconds: float
    shown: bool = True
    complete: bool = True
    careful: bool = False

    def sentence(self) -> str:
        """Return by how much the case shrank, in one sentence without a full stop."""
        if not self.shown:
            return f"not minimised: the case did not show its finding in {self.plays} plays"
        if not self.plays:
            return "not minimised: nothing more could be played"
        parts = (
            _shrunk(self.before.connections, self.after.connections, "connection"),
            _shrunk(self.before.steps, self.after.steps, "step"),
            _shrunk(self.before.frames, self.after.frames, "frame"),
            _shrunk(self.before.bytes, self.after.bytes, "byte"),
        )
        stopped = "" if self.complete else "; stopped at the budget, so it may shrink further"
        return f"minimised to {', '.join(parts)}, in {self.plays} plays{stopped}"


def minimise(
    case: Case,
    judge: Judge,
    budget: Budget | None = None,
    clock: Clock | None = None,
    plays: int = 1,
) -> Minimised:
    """Return the smallest case that shows what ``judge`` looks for.

    ``plays`` is how often each question is asked for a finding that shows in only some plays.
    Deterministic as far as the judge is: the same case gives the same result.
    """
    trials = Trials(judge, budget or Budget(), clock or SystemClock(), plays)
    shown = trials.shows(case)
    smallest = _smallest(case, trials) if shown else case
    if smallest is None:
        trials.be_careful()
        shown = trials.shows(case)
        smallest = (_smallest(case, trials) if shown else None) or case
    return Minimised(
        smallest,
        size_of(case),
        size_of(smallest),
        trials.spent,
        trials.seconds(),
        shown=shown or trials.exhausted,
        complete=not trials.exhausted,
        careful=trials.careful,
    )


def _smallest(case: Case, trials: Trials) -> Case | None:
    """Return the smallest case found, None if it does not show the finding on a fresh target."""
    reduction = Reduction(case, trials)
    _run(reduction, _COARSE)
    coarse = reduction.steps
    if coarse != case.steps and not (trials.careful or trials.confirms(Case(coarse))):
        return None
    before = None
    while before != reduction.steps and not trials.exhausted:
        before = reduction.steps
        _run(reduction, (*_COARSE, *_FINE))
    smallest = case if reduction.steps == case.steps else Case(reduction.steps)
    if reduction.steps != coarse and not (trials.careful or trials.confirms(smallest)):
        return None
    return smallest


def _run(reduction: Reduction, passes: tuple[_Pass, ...]) -> None:
    for reduce in passes:
        reduce(reduction)


def _shrunk(before: int, after: int, noun: str) -> str:
    plural = noun if after == 1 else f"{noun}s"
    return f"{after} {plural}" if before == after else f"{after} {plural} (from {before})"
