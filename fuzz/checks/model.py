"""The check ``model``: users who behave, in any order that Hypothesis can think of.

Theory of operation. A :class:`hypothesis.stateful.RuleBasedStateMachine` (:mod:`fuzz.checks.users`)
knows who is connected, as whom, and who may be in the group; its rules are what users do: come, go,
write, acknowledge or not, publish keys, join, leave, be cut off within a frame; and now and then
the server is restarted, if it is ours. A rule adds steps to a case and plays nothing. When the
machine is done, the case is played once, with names that are fresh, and the laws
(:mod:`fuzz.oracles.laws`) say what a correct server would have brought to whom. They are the
model's memory: what it knows while it makes up a case is only what may come next.

So an example costs one play, and what it leaves is an ordinary case, which every other tool can
play. It is made small as any other case is (:mod:`fuzz.triage.minimise`), step by step and byte by
byte, in a tenth of the plays that it takes to shrink rules. A finding that is known is passed over,
so that the next one is looked for behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from fuzz.case import Case, Step, StepKind, connections_of, encode_case
from fuzz.checks.base import Check, Ground, Trial
from fuzz.checks.users import Dialogue
from fuzz.generate.edges import spread
from fuzz.triage.judge import judge_of
from fuzz.triage.minimise import minimise
from fuzz.triage.reduce import Budget

#: Examples between two looks at the time, and rules of one: as many as the longest dialogue by
#: hand, three times over.
_EXAMPLES, _RULES = 50, 24
#: For making a finding small: a case of a few users takes some hundred plays at most, each of
#: them some milliseconds where nothing has to be waited for.
_BUDGET = Budget(plays=600, seconds=60.0)


class FoundError(AssertionError):
    """A case shows a finding that is not known: it ends the search of Hypothesis."""


@dataclass(slots=True)
class Table:
    """Plays the cases of examples, each once, and keeps what they showed.

    Hypothesis plays an example again to be sure of it. What was seen of a case stays: a finding
    that shows by chance is then no riddle to it.
    """

    ground: Ground
    #: Connections of a case take turns with so many edges.
    edges: int = 1
    known: set[str] = field(default_factory=set)
    trials: list[Trial] = field(default_factory=list)
    found: Trial | None = None
    _seen: dict[bytes, Trial] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget what was seen: other examples are other cases."""
        self.trials.clear()
        self._seen.clear()
        self.found = None

    def play(self, case: Case) -> None:
        """Play ``case`` unless that was done; raise :class:`FoundError` for what is not known.

        What goes wrong without any restart too is told of a case without one.
        """
        case = spread(case, self.edges) if self.edges > 1 else case
        trial = self._asked(case)
        if trial.findings and case.restarts():
            plain = self._asked(without_restarts(case))
            trial = plain if plain.findings else trial
        fresh = [f for f in trial.findings if f.fingerprint not in self.known]
        if fresh:
            self.found = Trial(trial.name, trial.case, tuple(fresh))
            raise FoundError(fresh[0].title)

    def _asked(self, case: Case) -> Trial:
        data = encode_case(case)
        trial = self._seen.get(data)
        if trial is None:
            trial = self._seen[data] = self.ground.ask("dialogue", case)
            self.trials.append(trial)
        return trial


def without_restarts(case: Case) -> Case:
    """Return ``case`` with everybody leaving where the server is restarted in it."""
    steps: list[Step] = []
    for step in case.steps:
        if step.kind is StepKind.RESTART:
            steps += (Step(StepKind.HALF_CLOSE, number) for number in connections_of(steps))
        else:
            steps.append(step)
    return Case(tuple(steps))


def _run(ground: Ground) -> Iterator[Trial]:
    """Yield the plays of examples until time is up; a finding comes with its smallest case."""
    table = Table(ground, len(ground.rig.endpoint.edges()))
    while not ground.deadline.expired():
        table.clear()
        with suppress(FoundError):  # the table has it
            _explore(table)
        yield from (Trial(trial.name, trial.case) for trial in table.trials)
        if table.found is not None:
            table.known.update(finding.fingerprint for finding in table.found.findings)
            yield from _small(ground, table.found)


def _small(ground: Ground, found: Trial) -> Iterator[Trial]:
    """Yield the findings of a trial, each with the smallest case that shows it."""
    for finding in found.findings:
        judge = judge_of(ground.rig, found.case, finding)
        small = minimise(found.case, judge, _BUDGET, ground.rig.clock)
        yield Trial(found.name, small.case, (judge.seen or finding,))


def _explore(table: Table) -> None:
    own = {"play": staticmethod(table.play), "can_restart": table.ground.rig.can_restart}
    machine = seed(table.ground.random.getrandbits(32))(type("Dialogue", (Dialogue,), own))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=_RULES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        ),
    )


MODEL = Check("model", "users who behave, in any order: nothing is lost, nobody is lied to", _run)
