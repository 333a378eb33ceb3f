"""The patterns of bugs that are known: cases that match are let through only now and then.

A shallow bug would otherwise eat the campaign: each hit costs a look and perhaps a restart,
and hides what else the case might have shown. Some are let through all the same, so that it
is known that the bug is still there.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz.case import Case
from fuzz.triage.pattern import Pattern, Sieve

#: Mutations that are tried in the place of one that shows a known bug.
_MAKES = 8
#: One in so many cases that match is played.
_LET_THROUGH = 100


class Filters:
    """The patterns of this campaign."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._patterns: tuple[Pattern, ...] = ()
        self._sieve = Sieve(())

    def add(self, pattern: Pattern) -> None:
        """Hold back cases that match from now on."""
        if pattern in self._patterns:
            return  # two workers have learned the same
        self._patterns = (*self._patterns, pattern)
        self._sieve = Sieve(self._patterns)

    def blocks(self, case: Case) -> bool:
        """Tell whether ``case`` is to be held back this time."""
        if self._sieve.catch(case) is None:
            return False
        return self._chance.randrange(_LET_THROUGH) > 0

    def through(self, make: Callable[[], Case]) -> Case:
        """Return a case that ``make`` makes, one that no filter holds back if there is any."""
        case = make()
        for _ in range(_MAKES):
            if not self.blocks(case):
                break
            case = make()
        return case
