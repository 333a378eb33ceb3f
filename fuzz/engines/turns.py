"""Whose turn it is to be mutated.

libFuzzer chooses all units alike, as if each took the same time. A case of four clients costs as
much as five of one, and a flood of frames as much as a hundred; so each is granted its share of
time and not of turns.
"""

from __future__ import annotations

from random import Random

from fuzz.case import Case

#: The cost of a login and a frame or two on one connection, in steps: as cheap as can be.
_CHEAP = 5
#: Bytes that take about as long as one more step.
_BYTES_A_STEP = 128


class Turns:
    """Grants turns by ``chance``."""

    def __init__(self, chance: Random) -> None:
        self._random = chance
        #: The last cheap case that was chosen: of a corpus that holds none, each is granted all.
        self._cheap: Case | None = None

    def grant(self, case: Case, size: int) -> Case:
        """Return ``case``, of ``size`` bytes, or the last cheap one in place of a costly one."""
        cost = len(case.steps) + 2 * len(case.connections()) + size // _BYTES_A_STEP
        if cost <= _CHEAP:
            self._cheap = case
        elif self._cheap is not None and self._random.random() > _CHEAP / cost:
            return self._cheap
        return case
