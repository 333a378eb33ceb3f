"""Clocks that spare a test the time which it would otherwise have to sit out."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.clock import SystemClock

#: Longer than any deadline.
_LEAP_SECONDS = 10_000.0
#: In a row. A crowd asks for the time three times a round, and reads what is there in each: what
#: was said before the first of these looks has been taken before the last.
_LOOKS = 6


class LeapingClock:
    """The machine's clock, until something has ``happened``: then any deadline is over."""

    def __init__(self, happened: Callable[[], bool]) -> None:
        self._happened = happened

    def now(self) -> float:
        """Return seconds that never go back."""
        return SystemClock().now() + (_LEAP_SECONDS if self._happened() else 0.0)


class Lull:
    """Tells that nothing goes on any more: ``rests`` was true at several looks, each alike.

    ``told`` counts what has happened, so that a lull between two events is not taken for the end.
    """

    def __init__(self, rests: Callable[[], bool], told: Callable[[], int]) -> None:
        self._rests = rests
        self._told = told
        self._last = -1
        self._looks = 0

    def __call__(self) -> bool:
        """Look once more; once over, it stays over."""
        if self._looks < _LOOKS:
            told, rests = self._told(), self._rests()
            self._looks = self._looks + 1 if rests and told == self._last else 0
            self._last = told
        return self._looks >= _LOOKS
