"""The judge over a rig: does a case show a finding on a target that is well, and how surely?

Every play goes through the watchdog's investigator, which brings the target back when a play
has harmed it; so each question finds a target that is well. A leak shows only in many plays
of a case, and a relation in plays of its variants: they are asked in that way; all else is asked
by one play with all patience.

Where the target cannot be brought back, nothing more is asked: a dead server says yes to
every question about dead servers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from fuzz.case import Case
from fuzz.errors import TargetError
from fuzz.finding import CRASH, Finding, Kind
from fuzz.rig import Recovery, Rig
from fuzz.triage.reduce import Judge
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

#: The chance that a question about a finding that shows by chance is answered by a false no:
#: some hundred are asked to make a case small, and one false no only leaves it larger.
_MISS = 0.01
#: Plays for one question at most: what shows in less than one of three costs too much.
MOST_PLAYS = 10


class TargetLostError(TargetError):
    """The target is gone for good; ``case`` was played last, and showed ``findings``."""

    def __init__(self, why: TargetError, case: Case, findings: tuple[Finding, ...]) -> None:
        super().__init__(str(why))
        self.case = case
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Confidence:
    """A case showed its finding in ``shown`` of ``plays`` plays.

    ``nodes`` counts the fresh nodes that these plays were made on, 0 where the target was
    taken as it ran.
    """

    shown: int
    plays: int
    nodes: int = 0

    @property
    def rate(self) -> float:
        """Return the share of plays that showed it, 0 to 1; 0 where none was made."""
        return self.shown / self.plays if self.plays else 0.0

    @property
    def by_chance(self) -> bool:
        """Tell whether it needs a timing, a race or other chance: it shows in only some plays."""
        return 0 < self.shown < self.plays

    @property
    def ground(self) -> str:
        """Return on what it was measured."""
        if self.nodes == 0:
            return "the running target"
        if self.nodes == self.plays:
            return "a fresh node"
        return "one fresh node for all of them" if self.nodes == 1 else f"{self.nodes} fresh nodes"

    def sentence(self) -> str:
        """Return how sure we are, in one sentence without a full stop."""
        if self == SEEN_ONCE:
            return "seen once; how surely it shows was not measured"
        said = f"shown in {self.shown} of {self.plays} plays on {self.ground}"
        if self.by_chance:
            return f"{said}: it needs a timing, a race or other chance"
        return said

    def plays_for_a_question(self) -> int:
        """Return how many plays of a case it takes that all of them miss its finding but rarely.

        It was seen before it was measured, so that play counts too.
        """
        if self.shown == self.plays:
            return 1
        rate = (self.shown + 1) / (self.plays + 1)
        return min(MOST_PLAYS, math.ceil(math.log(_MISS) / math.log(1 - rate)))


#: What is known of a finding when the target is gone, or examining it failed.
SEEN_ONCE = Confidence(1, 1)


class RigJudge:
    """Judges cases for one finding at a time, on one rig, which is started already.

    It is a :class:`fuzz.triage.reduce.Judge`. The same defect with an effect that is less bad
    is a no, unless ``any_effect`` will do. ``seen`` is the finding as a yes showed it, with the
    worst effect. ``recovered`` is told how the target was brought back.
    """

    def __init__(
        self,
        rig: Rig,
        finding: Finding,
        any_effect: bool = False,
        recovered: Callable[[Recovery], None] = lambda _: None,
    ) -> None:
        self._rig = rig
        self._finding = finding
        self._any_effect = any_effect
        self._watchdog = Watchdog(rig)
        self._told = recovered
        self._investigator = Investigator(rig, self._watchdog, recovered=self._recovered)
        self._fresh = False
        self.seen: Finding | None = None

    def shows(self, case: Case) -> bool:
        """Play ``case``; tell whether the finding shows. Raises what the rig cannot survive."""
        findings = self.findings(case)
        same = [found for found in findings if found.fingerprint == self._finding.fingerprint]
        if not same or not (self._any_effect or self._finding.shows_in(same)):
            return False
        self.seen = min((*same, *filter(None, (self.seen,))), key=lambda found: found.kind.rank)
        return True

    def shows_afresh(self, case: Case) -> bool:
        """Play ``case`` on a fresh node, where that can be had; tell whether the finding shows."""
        self._begin_afresh()
        return self.shows(case)

    def findings(self, case: Case) -> tuple[Finding, ...]:
        """Play ``case`` in the way that shows findings of this kind; return all that showed.

        Raises :class:`TargetLostError`, which has them, where the target does not come back.
        """
        self._fresh = False
        if self._finding.kind is Kind.LEAK:
            found = self._investigator.judge_growth(case)
        else:
            cause, known = self._finding.cause, self._finding.evidence
            found = self._investigator.judge_as(case, cause, known, brief=True)
        if self._investigator.lost is not None:
            raise TargetLostError(self._investigator.lost, case, found)
        return found

    def confidence(self, case: Case, plays: int, afresh: bool = False) -> Confidence:
        """Play ``case`` so many times, beginning on a fresh node where that can be had.

        ``afresh`` asks for a fresh node for each play. ``seen`` then tells of these plays only.
        """
        self.seen = None
        shown = nodes = 0
        for number in range(plays):
            if afresh or number == 0:
                self._begin_afresh()
            nodes += self._fresh
            shown += self.shows(case)
        return Confidence(shown, plays, nodes)

    def _begin_afresh(self) -> None:
        if self._rig.target.restartable:
            recovery = self._rig.recover(fresh_node=True)
            self._recovered(replace(recovery, why="to see a case on a fresh node"))
            self._watchdog.forget_levels()

    def _recovered(self, recovery: Recovery) -> None:
        self._fresh = recovery.how == "node"
        self._told(recovery)


def judge_of(
    rig: Rig,
    case: Case,
    finding: Finding,
    recovered: Callable[[Recovery], None] = lambda _: None,
) -> RigJudge:
    """Return the judge of ``finding`` for all that is made of ``case``.

    What a crash does to others may depend on chance. Where ``case`` brings that back it is asked
    for, since a smaller case might show the crash alone; else the crash itself will do.
    """
    judge = RigJudge(rig, finding, recovered=recovered)
    alone = finding.cause.what != CRASH or finding.kind is Kind.PROCESS_CRASH
    if alone or judge.shows(case):
        return judge
    return RigJudge(rig, finding, any_effect=True, recovered=recovered)


class CarefulJudge:
    """Asks another judge, and has each yes of it confirmed on a fresh node."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def shows(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding, and does so on a fresh node too."""
        return self._judge.shows(case) and self._judge.shows_afresh(case)

    def shows_afresh(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding on a fresh node."""
        return self._judge.shows_afresh(case)
