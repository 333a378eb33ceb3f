"""Batches with news that wait to be looked into, case by case.

To play the cases of a batch again, one by one, takes longer than to play the next batch. In the
first seconds of a campaign nearly each batch has news, and the search would stand still over what
is found by the way a moment later; so this has a share of the plays. It is counted in plays and not
in seconds, so that a search goes the same way on a slow machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from fuzz.case import Case
from fuzz.clock import Clock
from fuzz.engines.allowance import Allowance
from fuzz.engines.feedback import News

#: One play in three is to see what a case does alone, at most: one for two that are new.
_SHARE = 1 / 3
#: What is saved up is enough for eight large batches.
_SAVED = 256
#: No more batches wait than are played in a second.
_MOST = 64


class Unexplained:
    """Hands batches on to ``look``, the oldest first. ``plays`` counts all plays."""

    def __init__(self, plays: Clock, look: Callable[[Sequence[Case], News], None]) -> None:
        self._look = look
        self._allowance = Allowance(plays, _SHARE, _SAVED)
        self._waiting: deque[tuple[Sequence[Case], News]] = deque()

    def add(self, cases: Sequence[Case], news: News) -> None:
        """Let the ``news`` of ``cases`` be looked into in its turn."""
        self._waiting.append((cases, news))

    def work(self) -> None:
        """Look into what waits, as far as there are plays for it."""
        waiting = self._waiting
        while waiting and (self._allowance.left() or len(waiting) > _MOST):
            self._allowance.spend(partial(self._look, *waiting.popleft()))
