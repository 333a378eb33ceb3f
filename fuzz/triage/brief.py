"""A quick look at a new finding while the campaign waits: small, and told in a pattern.

The whole examination (:mod:`fuzz.triage.dossier`) takes as long as it needs; a campaign spares
some seconds. What they give is worth more than the cases they cost: a small case is a better
report, and the pattern keeps the search from finding the same bug over and over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from fuzz.case import Case
from fuzz.finding import Finding
from fuzz.rig import Recovery, Rig
from fuzz.triage.generalise import generalise
from fuzz.triage.judge import CarefulJudge, judge_of
from fuzz.triage.minimise import Minimised, minimise
from fuzz.triage.pattern import Pattern
from fuzz.triage.reduce import Budget

#: For each of the two steps: a crash that stays alone is small and told in one second of it.
BUDGET = Budget(plays=400, seconds=8.0)


@dataclass(frozen=True, slots=True)
class Brief:
    """The smallest case found, and its pattern; ``filter`` is that if it may be used as one."""

    minimised: Minimised
    pattern: Pattern
    filter: Pattern | None


def made_small(
    rig: Rig,
    case: Case,
    finding: Finding,
    over: Callable[[], bool],
    recovered: Callable[[Recovery], None],
) -> Case:
    """Return the smallest case that can quickly be had that shows ``finding``, as ``case`` does.

    On a target that is not ours to bring back, that is ``case``.
    """
    if not rig.target.restartable or over():
        return case
    judge = judge_of(rig, case, finding, recovered)
    return minimise(case, judge, replace(BUDGET, over=over)).case


def brief(
    rig: Rig,
    case: Case,
    finding: Finding,
    ordinary: Iterable[Case],
    over: Callable[[], bool],
    recovered: Callable[[Recovery], None],
) -> Brief:
    """Return what can be had quickly about ``finding``, which ``case`` showed.

    ``ordinary`` are cases that a filter must let through; ``over`` tells that nobody waits for it
    any more, and ``recovered`` is told how the target was brought back meanwhile.
    """
    budget = replace(BUDGET, over=over)
    judge = judge_of(rig, case, finding, recovered)
    small = minimise(case, judge, budget)
    further = CarefulJudge(judge) if small.careful else judge
    edges = len(rig.endpoint.edges())
    pattern = generalise(
        small.case, further, budget, usual=rig.endpoint.transport, known_edges=edges
    )
    usable = pattern.complete and pattern.usable(ordinary)
    return Brief(small, pattern, pattern if usable else None)
