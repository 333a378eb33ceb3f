"""The judge over a rig: does a case show a finding on a target that is well, and how surely?

Every play goes through the watchdog's investigator, which brings the target back when a play
has harmed it; so each question finds a target that is well. A leak shows only in many plays
of a case and is asked in that way; all else is asked by one play with all patience.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuzz.case import Case
from fuzz.finding import CRASH, Finding, Kind
from fuzz.rig import Recovery, Rig
from fuzz.triage.reduce import Judge
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Confidence:
    """A case showed its finding in ``shown`` of ``plays`` plays on a fresh node."""

    shown: int
    plays: int

    @property
    def rate(self) -> float:
        """Return the share of plays that showed it, 0 to 1; 0 where none was made."""
        return self.shown / self.plays if self.plays else 0.0

    @property
    def by_chance(self) -> bool:
        """Tell whether it needs a timing, a race or other chance: it shows in only some plays."""
        return 0 < self.shown < self.plays

    def sentence(self) -> str:
        """Return how sure we are, in one sentence without a full stop."""
        said = f"shown in {self.shown} of {self.plays} plays on a fresh node"
        if self.by_chance:
            return f"{said}: it needs a timing, a race or other chance"
        return said


class RigJudge:
    """Judges cases for one finding at a time, on one rig, which is started already.

    It is a :class:`fuzz.triage.reduce.Judge`. The same defect with an effect that is less bad
    is a no, unless ``any_effect`` will do.
    """

    def __init__(self, rig: Rig, finding: Finding, any_effect: bool = False) -> None:
        self._rig = rig
        self._finding = finding
        self._any_effect = any_effect
        self._watchdog = Watchdog(rig)
        self._investigator = Investigator(rig, self._watchdog, _nothing, _unnoticed)

    def shows(self, case: Case) -> bool:
        """Play ``case``; tell whether the finding shows. Raises what the rig cannot survive."""
        findings = self.findings(case)
        if self._any_effect:
            return self._finding.fingerprint in {found.fingerprint for found in findings}
        return self._finding.shows_in(findings)

    def shows_afresh(self, case: Case) -> bool:
        """Play ``case`` on a fresh node, where that can be had; tell whether the finding shows."""
        self._begin_afresh()
        return self.shows(case)

    def findings(self, case: Case) -> tuple[Finding, ...]:
        """Play ``case`` in the way that shows findings of this kind; return all that showed."""
        if self._finding.kind is Kind.LEAK:
            return self._investigator.judge_growth(case)
        return self._investigator.judge_alone(case)

    def confidence(self, case: Case, plays: int) -> Confidence:
        """Play ``case`` so many times, beginning on a fresh node where that can be had."""
        self._begin_afresh()
        return Confidence(sum(self.shows(case) for _ in range(plays)), plays)

    def _begin_afresh(self) -> None:
        if self._rig.target.restartable:
            self._rig.recover(fresh_node=True)
            self._watchdog.forget_levels()


def judge_of(rig: Rig, case: Case, finding: Finding) -> RigJudge:
    """Return the judge of ``finding`` for all that is made of ``case``.

    What a crash does to others may depend on chance. Where ``case`` brings that back it is asked
    for, since a smaller case might show the crash alone; else the crash itself will do.
    """
    judge = RigJudge(rig, finding)
    alone = finding.cause.what != CRASH or finding.kind is Kind.PROCESS_CRASH
    return judge if alone or judge.shows(case) else RigJudge(rig, finding, any_effect=True)


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


def _nothing(_finding: Finding) -> bool:
    return False


def _unnoticed(_recovery: Recovery) -> None:
    """What minimising does to the target is counted by nobody."""
