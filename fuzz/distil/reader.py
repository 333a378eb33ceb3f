"""What a case reaches, read from plays of it alone, and what is wrong with one that does harm.

Each case is played some times, since a node does not go the same way each time: timers fire, and
processes race. What each play reached it reaches surely, the rest by chance; see
:class:`fuzz.distil.cover.Reach`. Without an agent in the node, the shape of the replies stands in
for coverage, as it does in the search.

A process that runs since before the code was instrumented, and never leaves its loop, is counted
only once it is started anew: after harm, all cases seem to reach its points. So the same dialogue,
:data:`_PROBE`, is played at the start and whenever something was out of order (the server may have
started a process anew by itself), and a point that it hits at one time and not at another is not
counted for anybody.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.distil.cover import Reach, numbered, point_of, reach_of
from fuzz.engines.feedback import Features, features_of, shape_of
from fuzz.evidence import Cost
from fuzz.executor.endpoint import CONFIRMING, SEARCHING
from fuzz.finding import Finding
from fuzz.observation import Observation
from fuzz.oracles.laws import judge_laws
from fuzz.rig import Recovery, Rig
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.suspicion import is_doubtful, is_silent
from fuzz.watchdog.watchdog import Glance, Watchdog
from grammar import SendMessage, encode

_A, _B = USER_TOKENS[:2]
#: What goes through most processes of a chat server: two log in, and one writes to the other.
_PROBE = Case(
    (
        Step(StepKind.LOGIN, 0, _A),
        Step(StepKind.LOGIN, 1, _B),
        Step(StepKind.SEND, 0, encode(SendMessage(_B, b"probe"))),
    )
)
#: Plays of it that tell a point that it always hits, or never, from one that it hits by chance.
_PROBES = 3


@dataclass(frozen=True, slots=True)
class Harm:
    """Why a case is left out: what it shows, or that a play of it was never in order."""

    findings: tuple[Finding, ...] = ()

    def sentence(self) -> str:
        """Return it in words, without a full stop."""
        if not self.findings:
            return "the target was out of order after it, twice, and no finding says why"
        return "; ".join(f"{f.kind.value} {f.fingerprint}: {f.title}" for f in self.findings)


class Reader:
    """Plays cases on one rig, which is started already, and leaves a target that is well.

    ``recovered`` is told how the target was brought back after a case that did harm.
    """

    def __init__(
        self, rig: Rig, plays: int, recovered: Callable[[Recovery], None] = lambda _: None
    ) -> None:
        self._rig = rig
        self._plays = plays
        self._watchdog = Watchdog(rig)
        self._investigator = Investigator(rig, self._watchdog, recovered=recovered)
        self._unprobed = True
        self._always: set[int] = set()
        self._never: set[int] | None = None
        self._uneven: set[int] = set()
        self.blind = rig.agent is None
        """True where the shape of replies is read, and no coverage."""

    def read(self, case: Case, size: int) -> Reach | Harm:
        """Return what ``case``, a file of ``size`` bytes, reaches, or the harm that it does.

        Raises :class:`fuzz.errors.TargetError` once the target is gone for good: after harm, with
        the next case.
        """
        if self._investigator.lost is not None:
            raise self._investigator.lost
        self._probe()
        plays: list[frozenset[int]] = []
        while len(plays) < self._plays:
            features = self._play(case)
            if isinstance(features, Harm):
                return features
            plays.append(numbered(features))
        return reach_of(size, plays)

    def counted(self, features: Iterable[int]) -> array[int]:
        """Return those of ``features`` whose points count, as far as that is known by now."""
        return array("I", (one for one in features if point_of(one) not in self._uneven))

    def _probe(self) -> None:
        """See which points are counted by the target as it is now, if it may be another."""
        if self.blind or not self._unprobed:
            return
        plays = []
        for _ in range(_PROBES):
            features = self._play(_PROBE)
            if isinstance(features, Harm):
                break  # it tells nothing then, and no case is to be blamed for it
            plays.append({index for index, _ in features})
        self._unprobed = False
        if len(plays) < _PROBES:
            return
        always, ever = set.intersection(*plays), set.union(*plays)
        never = set(range(len(self._rig.points))) - ever
        if self._never is not None:
            self._uneven |= (always & self._never) | (never & self._always)
        self._always, self._never = self._always | always, (self._never or set()) | never

    def _play(self, case: Case) -> Features | Harm:
        """Play ``case`` once; where something is out of order, look into it and play it again."""
        for patience in (SEARCHING, CONFIRMING):
            self._watchdog.rebase()
            observations = self._rig.play([case], patience)
            glance = self._watchdog.glance(observations)
            cost = Cost(glance.reductions, case.sent_bytes(), where=glance.hottest)
            if not (glance.alarmed or cost.excessive() or any(map(judge_laws, observations))):
                return self._features(observations, glance)
            findings = self._looked_into(case, observations, glance, cost)
            if findings:
                return Harm(findings)
        return Harm()

    def _looked_into(
        self, case: Case, observations: Sequence[Observation], glance: Glance, cost: Cost
    ) -> tuple[Finding, ...]:
        """Return what is wrong; what a busy machine may have made must come back in a new play."""
        self._unprobed = True
        evidence = self._watchdog.settle(observations, glance.events, cost=cost)
        findings = self._investigator.weigh(evidence)
        if self._investigator.lost is not None:
            return findings
        if is_silent(observations[0]) or all(map(is_doubtful, findings)):
            return self._investigator.judge_alone(case)
        return findings

    def _features(self, observations: Sequence[Observation], glance: Glance) -> Features:
        if self.blind:
            return shape_of(observations)
        return features_of(glance.reading.coverage) if glance.reading is not None else ()
