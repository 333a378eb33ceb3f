"""A ceiling on how many cases are played in a second, for a target that must not be overrun."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.clock import Clock


class Pace:
    """Lets ``rate`` cases a second begin, on average; None is without a ceiling.

    Cases that were not played while there was time for them are not made up for: a pause is not
    followed by a burst.
    """

    def __init__(self, rate: float | None, clock: Clock, wait: Callable[[float], object]) -> None:
        """``wait`` is called with the seconds to let pass, if there are any."""
        self._rate = rate
        self._clock = clock
        self._wait = wait
        self._next = clock.now()

    def begin(self, cases: int) -> None:
        """Return when the next ``cases`` may begin."""
        if self._rate is None:
            return
        now = self._clock.now()
        if self._next > now:
            self._wait(self._next - now)
        self._next = max(self._next, now) + cases / self._rate
