"""What is not looked at for a while, since it was looked at just now: each time twice as long.

A resource is never excused for good: what came back by itself after one case may be lost for
ever after another. But looking costs seconds, and the same resource would be suspected again
at once. Doubling bounds the looks at one resource in an hour to nine.
"""

from __future__ import annotations

from fuzz.clock import Clock

#: The first pause; a campaign of a minute has time for two more looks.
_FIRST_SECONDS = 10.0


class Pauses:
    """The pauses of one campaign, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def begin(self, name: str) -> None:
        """Leave ``name`` alone from now on, for twice as long as the last time."""
        self._last[name] = 2 * self._last.get(name, _FIRST_SECONDS / 2)
        self._until[name] = self._clock.now() + self._last[name]

    def holds(self, name: str) -> bool:
        """Tell whether ``name`` is still to be left alone."""
        return self._clock.now() < self._until.get(name, float("-inf"))
