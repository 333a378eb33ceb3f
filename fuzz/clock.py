"""Time as a thing that can be handed in: deadlines name what they wait for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds; tests hand in :class:`FakeClock`."""

    def now(self) -> float:
        """Return monotonic time in seconds."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Return :func:`time.monotonic`."""
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time last set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``."""
        self._now += seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time by which ``what`` must have happened."""

    clock: Clock
    at: float
    what: str

    @classmethod
    def after(cls, clock: Clock, seconds: float, what: str) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(clock, clock.now() + seconds, what)

    def left(self) -> float:
        """Return the seconds that remain, never below zero."""
        return max(0.0, self.at - self.clock.now())

    def expired(self) -> bool:
        """Tell whether the time is over."""
        return self.clock.now() >= self.at
