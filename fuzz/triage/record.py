"""Recording: from what a server answers to what a golden case expects.

What is recorded is what the published protocol asks of every server, as far as that can be told
from one: fields that it leaves open are left out, and a dialogue that does not go the same way
each time, that an oracle finds fault with, or that depends on time is not recorded at all.
"""

from __future__ import annotations

from dataclasses import replace

from fuzz.case import Case
from fuzz.errors import TargetError
from fuzz.heard import REST, normalised
from fuzz.observation import Ending
from fuzz.replies import Expectation, Heard, Reply
from fuzz.rig import Rig
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

#: Plays of a case that is recorded: what goes two ways by chance rarely goes one way in all.
PLAYS = 5
#: Times and texts, which are the server's to choose.
_OPEN = frozenset(
    {
        ("STATUS_RESPONSE", "last_seen"),
        ("READ_RECEIPT_RELAY", "timestamp"),
        ("ERROR", "reason"),
    }
)
#: Frames that depend on time, or are none.
_NOT_KEPT = frozenset({"RATE_LIMITED", "LOGIN_RATE_LIMITED", REST})


class NotRecordedError(Exception):
    """A dialogue that is not to be kept, with the reason in one sentence."""


class Recorder:
    """Records cases on one rig, which is started already."""

    def __init__(self, rig: Rig) -> None:
        self._investigator = Investigator(rig, Watchdog(rig))

    def record(self, name: str, case: Case) -> Expectation:
        """Play ``case``, and return what is to be heard in it.

        Raises :class:`NotRecordedError`, and :class:`TargetError` where the target has gone.
        """
        case = replace(case, expects=None)
        first = self._heard(case)
        if any(self._heard(case) != first for _ in range(PLAYS - 1)):
            raise NotRecordedError("it does not go the same way each time")
        frames = {reply.frame for heard in first for reply in heard.replies}
        for frame in sorted(frames & _NOT_KEPT):
            raise NotRecordedError(f"a {frame} in it depends on time, or is no frame")
        if any(heard.first for heard in first):
            raise NotRecordedError("the server ends a connection in it before its client does")
        return Expectation(name, tuple(map(_kept, first)))

    def _heard(self, case: Case) -> tuple[Heard, ...]:
        if self._investigator.lost is not None:
            raise TargetError(str(self._investigator.lost))
        observation, findings = self._investigator.witness(case)
        if findings:
            raise NotRecordedError(f"it shows a finding: {findings[0].title}")
        if observation.cut_short or observation.endings() & {Ending.DEADLINE, Ending.REFUSED}:
            raise NotRecordedError("a connection in it is refused, or not answered in time")
        if Ending.UNUSED in observation.endings():
            raise NotRecordedError("a connection in it is over WebSocket, and there is no port")
        return normalised(observation)


def _kept(heard: Heard) -> Heard:
    return replace(heard, replies=tuple(map(_without_what_is_open, heard.replies)))


def _without_what_is_open(reply: Reply) -> Reply:
    kept = tuple((name, text) for name, text in reply.fields if not _is_open(reply, name, text))
    return replace(reply, fields=kept)


def _is_open(reply: Reply, name: str, text: str) -> bool:
    """Tell whether the protocol leaves a field open.

    A status in the place of a key bundle is part of it; which keys a bundle holds, and in what
    form, is for the law on them to say.
    """
    if (reply.frame, name) == ("PREKEY_RESPONSE", "bundle"):
        return "'status'" not in text
    return (reply.frame, name) in _OPEN
