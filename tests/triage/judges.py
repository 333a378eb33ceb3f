"""Judges that need no target: a predicate over cases, counted."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.case import USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.clock import FakeClock
from fuzz.triage.generalise import generalise
from fuzz.triage.pattern import Pattern
from fuzz.triage.pattern_frames import Seen, frames_of
from fuzz.triage.reduce import Budget

A, B = USER_TOKENS[:2]
PLENTY = Budget(plays=20_000, seconds=1e9)


class FakeJudge:
    """Says of a case what ``predicate`` says; each play takes ``seconds`` on ``clock``."""

    def __init__(self, predicate: Callable[[Case], bool], seconds: float = 0.01) -> None:
        self.predicate = predicate
        self.clock = FakeClock()
        self.plays: list[Case] = []
        self._seconds = seconds

    def shows(self, case: Case) -> bool:
        assert case.steps, "an empty case cannot be played"
        self.plays.append(case)
        self.clock.advance(self._seconds)
        return self.predicate(case)

    def shows_afresh(self, case: Case) -> bool:
        return self.shows(case)


def by_frame(predicate: Callable[[Seen], bool]) -> FakeJudge:
    """Return a judge of cases in which some frame is as ``predicate`` says."""
    return FakeJudge(lambda case: any(map(predicate, frames_of(case))))


def send(data: bytes, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, data)


def login(user: bytes = A, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def opened(connection: int = 0, transport: Transport = Transport.WEBSOCKET) -> Step:
    return Step(StepKind.OPEN, connection, value=transport)


def pause(milliseconds: int) -> Step:
    return Step(StepKind.PAUSE, value=milliseconds)


def pattern_of(case: Case, judge: FakeJudge) -> Pattern:
    pattern = generalise(case, judge, PLENTY, judge.clock)
    assert pattern.complete
    assert pattern.matches(case)
    return pattern


def content(frame: Seen, start: int = 1) -> bytes:
    """Return what follows a two-byte length at ``start``, as much as the length says."""
    size = int.from_bytes(frame.data[start : start + 2], "big")
    return frame.data[start + 2 : start + 2 + size]


def typing(predicate: Callable[[Seen], bool]) -> FakeJudge:
    return by_frame(lambda frame: frame.opcode == 0x70 and predicate(frame))
