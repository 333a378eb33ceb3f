"""A share of what a campaign spends, for work that must not eat it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fuzz.clock import Clock

T = TypeVar("T")

#: Seconds of work that may be saved up: what comes all at once after an hour of calm is to be done
#: in good time, and the search is to go on beside it.
_SAVED = 5.0


class Allowance:
    """Leave for work: ``share`` of what goes by on ``clock``, from now on.

    That is mostly seconds, but may be anything that is counted upwards. ``saved`` is how much of it
    may be saved up for later.
    """

    def __init__(self, clock: Clock, share: float, saved: float = _SAVED) -> None:
        self._clock = clock
        self._share = share
        self._saved = saved
        self._since = clock.now()
        self._spent = 0.0

    def left(self) -> bool:
        """Tell whether there is any left; what is begun then may take more."""
        earned = self._share * (self._clock.now() - self._since)
        self._spent = max(self._spent, earned - self._saved)
        return self._spent <= earned

    def spend(self, work: Callable[[], T]) -> T:
        """Do ``work``, and count what it takes."""
        start = self._clock.now()
        try:
            return work()
        finally:
            self._spent += self._clock.now() - start
