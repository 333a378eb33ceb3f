"""All that is found out about one finding, so that it can be mended without the fuzzer.

The order matters: the case is made small first, since every later question plays it; then
it is asked how surely it shows the finding on a fresh node, and then what of it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fuzz.case import Case
from fuzz.errors import AgentError
from fuzz.finding import Cause, Finding, Kind
from fuzz.rig import Rig
from fuzz.triage.generalise import generalise
from fuzz.triage.judge import CarefulJudge, Confidence, RigJudge, judge_of
from fuzz.triage.minimise import Minimised, minimise
from fuzz.triage.pattern import Pattern
from fuzz.triage.reduce import Budget

#: Plays that tell how sure a finding is; where each costs seconds, three.
_PLAYS = 5
_COSTLY_PLAYS = 3
#: The cause of what is looked for while nothing is known yet.
_NOTHING = Cause("nothing")
_COSTLY = frozenset({Kind.HANG, Kind.LEAK, Kind.NODE_DOWN, Kind.APP_DOWN})


@dataclass(frozen=True, slots=True)
class Counts:
    """What the node is made of at one moment; bytes for ``memory``."""

    processes: int
    ports: int
    atoms: int
    memory: int


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is known of a finding. ``before`` and ``after`` are around one play.

    ``after`` is None when no agent answered behind that play: the node is gone.
    """

    finding: Finding
    original: Case
    minimised: Minimised
    confidence: Confidence
    pattern: Pattern
    before: Counts | None
    after: Counts | None

    @property
    def case(self) -> Case:
        """Return the smallest case that shows the finding."""
        return self.minimised.case


class Examiner:
    """Makes dossiers on one rig, which is started already; each step has a budget of its own."""

    def __init__(self, rig: Rig, budget: Budget) -> None:
        self._rig = rig
        self._budget = budget

    def findings(self, case: Case) -> tuple[Finding, ...]:
        """Return what ``case`` shows: in one play, or if nothing, in many."""
        probe = RigJudge(self._rig, Finding(Kind.LEAK, "", _NOTHING))
        alone = RigJudge(self._rig, Finding(Kind.PROCESS_CRASH, "", _NOTHING))
        return alone.findings(case) or probe.findings(case)

    def examine(self, case: Case, finding: Finding) -> Dossier:
        """Return all that can be found out about ``finding``, which ``case`` showed."""
        judge = judge_of(self._rig, case, finding)
        small = self._minimise(case, judge)
        plays = _COSTLY_PLAYS if finding.kind in _COSTLY else _PLAYS
        confidence = judge.confidence(small.case, plays)
        further = CarefulJudge(judge) if small.careful else judge
        pattern = generalise(small.case, further, self._budget)
        before = self._counts()
        self._rig.play([small.case])
        after = self._counts()
        judge.shows(small.case)  # the target is brought back if that play has harmed it
        return Dossier(finding, case, small, confidence, pattern, before, after)

    def minimise(self, case: Case, finding: Finding) -> Minimised:
        """Return the smallest case that shows ``finding``."""
        return self._minimise(case, judge_of(self._rig, case, finding))

    def _minimise(self, case: Case, judge: RigJudge) -> Minimised:
        result = minimise(replace(case, raw=False), judge, self._budget)
        return result if result.shown else replace(result, case=case)

    def _counts(self) -> Counts | None:
        if self._rig.agent is None:
            return None
        try:
            vitals = self._rig.agent.vitals()
        except AgentError:
            return None
        total = vitals.memory.get("total", 0)
        return Counts(vitals.processes, vitals.ports, vitals.atoms, total)
