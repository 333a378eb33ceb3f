"""All that is found out about one finding, so that it can be mended without the fuzzer.

The order matters: how surely the case shows the finding comes first, since what shows by
chance is asked for several times in all that follows; then the case is made small, since every
later question plays it; then it is asked how surely the small one shows the finding, and what
of it is needed. When one of these fails, all that was known before it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fuzz.case import Case
from fuzz.errors import AgentError, IrisFuzzError
from fuzz.finding import Cause, Finding, Kind
from fuzz.rig import Rig
from fuzz.triage.generalise import generalise
from fuzz.triage.judge import (
    MOST_PLAYS,
    SEEN_ONCE,
    CarefulJudge,
    Confidence,
    RigJudge,
    TargetLostError,
    judge_of,
)
from fuzz.triage.minimise import Minimised, minimise
from fuzz.triage.pattern import Pattern
from fuzz.triage.reduce import Budget, size_of
from fuzz.watchdog.decoding import NOTHING, Known
from fuzz.watchdog.plainer import Ways

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

    ``finding`` is what the original case showed, ``shown`` what the smallest one did: the same
    defect, with the evidence of that play, and with a lesser effect where that comes by
    chance. ``after`` is None when no agent answered behind that play: the node is gone.
    ``failure`` is what ended the examination before its time.
    """

    finding: Finding
    shown: Finding
    original: Case
    minimised: Minimised
    confidence: Confidence
    pattern: Pattern | None = None
    before: Counts | None = None
    after: Counts | None = None
    failure: IrisFuzzError | None = None

    @property
    def case(self) -> Case:
        """Return the smallest case that shows the finding."""
        return self.minimised.case

    def needed(self) -> str:
        """Return what of the case is needed, in one sentence without a full stop."""
        return "the case was not varied" if self.pattern is None else self.pattern.sentence()


def seen_once(
    case: Case, finding: Finding, failure: IrisFuzzError | None = None, original: Case | None = None
) -> Dossier:
    """Return what is known of ``finding`` when ``case`` has shown it once.

    ``original`` is the case that it was made of, if it was.
    """
    before, after = size_of(original or case), size_of(case)
    small = Minimised(replace(case, raw=False), before, after, 0, 0.0, complete=False)
    return Dossier(finding, finding, original or case, small, SEEN_ONCE, failure=failure)


class Examiner:
    """Makes dossiers on one rig, which is started already; each step has a budget of its own."""

    def __init__(self, rig: Rig, budget: Budget) -> None:
        self._rig = rig
        self._budget = budget

    def findings(
        self, case: Case, wanted: Cause | None = None, known: Known = NOTHING
    ) -> tuple[Finding, ...]:
        """Return what ``case`` shows: in one play, or if nothing, in many.

        The cause ``wanted`` is known to show, perhaps by chance: so it is played some times more
        until that does, and with its variants if that is what it takes; ``known`` is what there is
        of evidence.
        """
        probe = RigJudge(self._rig, Finding(Kind.LEAK, "", _NOTHING))
        alone = RigJudge(self._rig, Finding(Kind.PROCESS_CRASH, "", wanted or _NOTHING, known))
        first = alone.findings(case) or probe.findings(case)
        found = {one.fingerprint: one for one in first}
        for _ in range(MOST_PLAYS - 1):
            if wanted is None or wanted.fingerprint() in found:
                break
            found |= {one.fingerprint: one for one in alone.findings(case)}
        return tuple(sorted(found.values(), key=lambda one: one.kind.rank))

    def plainest(self, case: Case, finding: Finding) -> tuple[Case, Finding]:
        """Return the plainest case that shows the defect of ``finding``, and its finding there."""
        return Ways(RigJudge(self._rig, finding).findings).plainest(case, finding)

    def examine(self, case: Case, finding: Finding) -> Dossier:
        """Return all that can be found out about ``finding``, which ``case`` showed."""
        return self._as_far_as_it_goes(case, finding, whole=True)

    def minimise(self, case: Case, finding: Finding) -> Dossier:
        """Return the smallest case that shows ``finding``, and how surely it does."""
        return self._as_far_as_it_goes(case, finding, whole=False)

    def _as_far_as_it_goes(self, case: Case, finding: Finding, whole: bool) -> Dossier:
        known = seen_once(case, finding)
        try:
            for step in self._steps(case, finding, whole):
                known = step
        except TargetLostError as lost:
            if known.confidence == SEEN_ONCE and finding.shows_in(lost.findings):
                return seen_once(lost.case, finding, lost, case)
            return replace(known, failure=lost)
        except IrisFuzzError as error:
            return replace(known, failure=error)
        return known

    def _steps(self, case: Case, finding: Finding, whole: bool) -> Iterator[Dossier]:
        """Yield what is known after each step of the examination."""
        judge = judge_of(self._rig, case, finding)
        plays = _COSTLY_PLAYS if finding.kind in _COSTLY else _PLAYS
        sure = judge.confidence(case, plays)
        small = minimise(
            replace(case, raw=False), judge, self._budget, plays=sure.plays_for_a_question()
        )
        if small.case != replace(case, raw=False):
            sure = judge.confidence(small.case, plays, afresh=small.careful)
        known = Dossier(finding, judge.seen or finding, case, small, sure)
        yield known
        if not whole:
            return
        further = CarefulJudge(judge) if small.careful else judge
        questions = sure.plays_for_a_question()
        endpoint = self._rig.endpoint
        pattern = generalise(
            small.case,
            further,
            self._budget,
            plays=questions,
            usual=endpoint.transport,
            known_edges=len(endpoint.edges()),
        )
        known = replace(known, pattern=pattern)
        yield known
        before = self._counts()
        self._rig.play([small.case])
        after = self._counts()
        yield replace(known, before=before, after=after)
        judge.shows(small.case)  # the target is brought back if that play has harmed it

    def _counts(self) -> Counts | None:
        if self._rig.agent is None:
            return None
        try:
            vitals = self._rig.agent.vitals()
        except AgentError:
            return None
        total = vitals.memory.get("total", 0)
        return Counts(vitals.processes, vitals.ports, vitals.atoms, total)
