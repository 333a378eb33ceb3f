"""Whose fault was it? From an alarm after a batch to the case that causes it.

A batch plays sixteen cases at once, and an alarm says only that one of them did harm. The
batch is judged as a whole first: if all that the oracles say is known already, it is
counted, and the campaign goes on. Else each case is played alone, with more patience,
until everything new has a case that shows it. What no case shows alone is tried as all of
them together, and is kept as that even when it does not come back: evidence is never
lost. Two kinds are told only when they come back, since a busy machine makes suspicions of
them: a hang, and a leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fuzz.case import (
    ALL_USER_TOKENS,
    MAX_CONNECTIONS,
    MAX_FILE_BYTES,
    MAX_STEPS,
    USER_TOKENS,
    Case,
    Step,
    bind,
    encode_case,
)
from fuzz.errors import IrisFuzzError, TargetError
from fuzz.evidence import Evidence, Growth, Pulse
from fuzz.executor.endpoint import CONFIRMING, SEARCHING
from fuzz.finding import Finding, Kind
from fuzz.observation import Ending, Observation
from fuzz.oracles import judge
from fuzz.oracles.leak import leak_of
from fuzz.rig import Recovery, Rig
from fuzz.watchdog.watchdog import COUNTED, Glance, Watchdog

#: Kinds that rest on a count or on a wait, and so must be seen twice.
_SEEN_TWICE = frozenset({Kind.HANG, Kind.LEAK})


@dataclass(frozen=True, slots=True)
class Attributed:
    """A finding and the case that shows it; ``reproduced`` of ``plays`` plays showed it.

    ``case`` is None for a known finding, which is only counted.
    """

    finding: Finding
    case: Case | None
    reproduced: int = 0
    plays: int = 0


class Investigator:
    """Attributes alarms to cases, and leaves a target that is well.

    ``known`` tells whether a finding has been saved before, and as no less bad than now.
    """

    def __init__(
        self,
        rig: Rig,
        watchdog: Watchdog,
        known: Callable[[Finding], bool],
        recovered: Callable[[Recovery], None],
    ) -> None:
        self._rig = rig
        self._watchdog = watchdog
        self._known = known
        self._recovered = recovered
        self.replays = 0

    def investigate(
        self, batch: Sequence[Case], observations: Sequence[Observation], glance: Glance
    ) -> Iterator[Attributed]:
        """Yield what the alarm after ``batch`` comes down to."""
        evidence = self._watchdog.settle(observations, glance.events)
        findings = judge(evidence)
        sought = {f.fingerprint: f for f in findings if not self._known(f)}
        shown: set[str] = set()
        for finding in findings:
            if self._known(finding):
                yield Attributed(finding, None)
        try:
            self.heal(evidence)
            yield from self._attribute(batch, observations, glance, sought, shown)
        except IrisFuzzError:
            # It cannot be brought back, so nothing can be played again: all is told as it is.
            for fingerprint, finding in sought.items():
                if fingerprint not in shown and finding.kind not in _SEEN_TWICE:
                    yield Attributed(finding, merge(batch))
            raise

    def _attribute(
        self,
        batch: Sequence[Case],
        observations: Sequence[Observation],
        glance: Glance,
        sought: Mapping[str, Finding],
        shown: set[str],
    ) -> Iterator[Attributed]:
        """Yield the cases that show what is ``sought``, or else grows; ``shown`` fills up."""
        grown = self._unknown_growth(glance.grown)
        if not (sought or grown):
            return
        for case, observation in _most_suspicious_first(batch, observations):
            evidence = self._look(case, observation, grown)
            if evidence is None:
                continue
            for finding in judge(evidence):
                shown.add(finding.fingerprint)
                if self._known(finding):
                    yield Attributed(finding, None)
                else:
                    yield Attributed(finding, case, 1, 1)
            self.heal(evidence)
            if sought and shown.issuperset(sought):
                return
        for fingerprint, finding in sought.items():
            if fingerprint not in shown and finding.kind not in _SEEN_TWICE:
                yield self._together(batch, finding)

    def judge_alone(self, case: Case) -> tuple[Finding, ...]:
        """Play ``case`` once with all patience and return what the oracles say."""
        evidence = self._look(case, None, ())
        if evidence is None:
            return ()
        findings = judge(evidence)
        try:
            self.heal(evidence)
        except TargetError:
            # What was seen is told; that the target is gone shows with whatever comes next.
            if not findings:
                raise
        return findings

    def judge_growth(self, case: Case) -> tuple[Finding, ...]:
        """Play ``case`` many times and return what leaks."""
        growth, reports = self._watchdog.confirm_growth(case, COUNTED)
        return judge(self._watchdog.settle((), reports, growth))

    def heal(self, evidence: Evidence) -> None:
        """Bring the target back if ``evidence`` shows that it is not well."""
        stuck = bool(evidence.suspects) or _silent(evidence)
        gone = evidence.node_exit is not None or evidence.node_silent
        if gone or evidence.pulse is not Pulse.WELL or evidence.applications_lost or stuck:
            self._recovered(self._rig.recover(fresh_node=gone))
        elif evidence.bystanders_cut:
            try:
                self._rig.reseat()
            except TargetError:
                self._recovered(self._rig.recover())
        else:
            return
        self._watchdog.forget_levels()

    def _look(
        self, case: Case, before: Observation | None, grown: Sequence[str]
    ) -> Evidence | None:
        """Play ``case`` once; return what was seen if anything is out of order."""
        self.replays += 1
        patient = before is None or Ending.DEADLINE in before.endings()
        observations = self._rig.play([case], CONFIRMING if patient else SEARCHING)
        if not patient and _silent_in(observations):
            # Silence within the short deadline is only a suspicion, here as in a batch.
            observations = self._rig.play([case], CONFIRMING)
        glance = self._watchdog.glance(observations)
        growth: tuple[Growth, ...] = ()
        if not glance.alarmed:
            suspected = [what for what in glance.grown if what in grown]
            if not suspected:
                return None
            growth, reports = self._watchdog.confirm_growth(case, suspected)
            return self._watchdog.settle(observations, (*glance.events, *reports), growth)
        return self._watchdog.settle(observations, glance.events, growth)

    def _together(self, batch: Sequence[Case], finding: Finding) -> Attributed:
        case = merge(batch)
        again = {found.fingerprint for found in self.judge_alone(case)}
        return Attributed(finding, case, int(finding.fingerprint in again), 1)

    def _unknown_growth(self, grown: Sequence[str]) -> tuple[str, ...]:
        return tuple(what for what in grown if not self._known(leak_of(what)))


def merge(batch: Sequence[Case]) -> Case:
    """Return the cases of ``batch`` one after the other, on connections and as users of their own.

    Cut to the limits of a case: what does not fit is left out, the latest first.
    """
    steps: list[Step] = []
    base = size = 0
    strangers = list(ALL_USER_TOKENS)
    for case in batch:
        named = [token for token in USER_TOKENS if any(token in s.data for s in case.steps)]
        width = max(step.connection for step in case.steps) + 1
        size += len(encode_case(case))
        if (
            base + width > MAX_CONNECTIONS
            or len(steps) + len(case.steps) > MAX_STEPS
            or len(named) > len(strangers)
            or size > MAX_FILE_BYTES
        ):
            break
        users = dict(zip(named, strangers, strict=False))
        del strangers[: len(named)]
        steps += [
            replace(s, connection=base + s.connection, data=bind(s.data, users)) for s in case.steps
        ]
        base += width
    return Case(tuple(steps))


def _silent(evidence: Evidence) -> bool:
    return _silent_in(evidence.observations)


def _silent_in(observations: Sequence[Observation]) -> bool:
    return any(Ending.DEADLINE in observation.endings() for observation in observations)


def _most_suspicious_first(
    batch: Sequence[Case], observations: Sequence[Observation]
) -> list[tuple[Case, Observation]]:
    """Order cases by how badly they ended: silent ones first, then those cut off."""
    order = (Ending.DEADLINE, Ending.RESET, Ending.REFUSED)

    def rank(pair: tuple[Case, Observation]) -> int:
        endings = pair[1].endings()
        return min((n for n, ending in enumerate(order) if ending in endings), default=len(order))

    return sorted(zip(batch, observations, strict=True), key=rank)
