"""Plays cases against two targets, and tells what differs between them."""

from __future__ import annotations

from fuzz.case import Case, StepKind, Transport
from fuzz.errors import TargetError
from fuzz.finding import Kind
from fuzz.heard import normalised
from fuzz.rig import Rig
from fuzz.triage.differ import Compared, Shown, Verdict, differ, weigh
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

#: Plays of a case that differs, beyond the first: what falls as a coin does on either side shows
#: one side of it in all seven plays on A, and the other in all on B, once in eight thousand.
AGAIN = 6
#: The same where a finding is what differs: oracles leave chance out, and a hang takes seconds.
AGAIN_FOUND = 2


class Versus:
    """Compares two rigs, which are started already. Each case is played on one, then the other."""

    def __init__(self, left: Rig, right: Rig) -> None:
        self._rigs = (left, right)
        self._sides = tuple(Investigator(rig, Watchdog(rig)) for rig in self._rigs)

    def compare(self, name: str, case: Case) -> Compared:
        """Play ``case`` on both sides, and where they differ once more, some times.

        Raises :class:`TargetError` if a target has not come back from an earlier case.
        """
        for side in self._sides:
            if side.lost is not None:
                raise TargetError(str(side.lost))
        size = case.sent_bytes()
        if not all(_playable(case, rig) for rig in self._rigs):
            return Compared(name, size, Verdict.LEFT_OUT)
        left, right = ([_play(side, case)] for side in self._sides)
        if differ(left[0], right[0]):
            again = AGAIN if left[0].findings == right[0].findings else AGAIN_FOUND
            for _ in range(again):
                if any(side.lost is not None for side in self._sides):
                    break  # what was seen once is told
                left.append(_play(self._sides[0], case))
                right.append(_play(self._sides[1], case))
        return weigh(name, size, left, right)


def _playable(case: Case, rig: Rig) -> bool:
    """Tell whether a target has what ``case`` needs: a WebSocket port, or the means to restart."""
    if case.restarts() and not rig.can_restart:
        return False
    return not _over_websocket(case) or rig.endpoint.websocket_port is not None


def _over_websocket(case: Case) -> bool:
    opens = (step for step in case.steps if step.kind is StepKind.OPEN)
    return any(step.transport is not Transport.TCP for step in opens)


def _play(side: Investigator, case: Case) -> Shown:
    observation, findings = side.witness(case)
    # What a case costs depends on what the node did before: that is left to campaigns.
    kept = [one for one in findings if one.kind is not Kind.COST]
    told = {one.fingerprint: f"{one.kind.value}: {one.title}" for one in kept}
    return Shown(normalised(observation), tuple(sorted(told.items())))
