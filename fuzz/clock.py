"""Time as a thing that can be handed in: deadlines name what they wait for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

#: What the units of a span of time are called, and how many seconds each has.
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def span(seconds: float) -> str:
    """Return a span of time as a person says it, by its two largest units: ``2 h 5 m``."""
    left = round(seconds)
    if left == 0:
        return f"{seconds:.2g} s"
    parts = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        parts.append(f"{count} {name}" if count else "")
    first = next(index for index, part in enumerate(parts) if part)
    return " ".join(filter(None, parts[first : first + 2]))


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
