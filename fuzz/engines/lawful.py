"""Which plays of a campaign are held to the laws of the protocol, and what is done of it.

A law needs all frames of a play, which takes longer than the rest of the judgement: a tenth of
what it takes to play most cases, but for a flood of frames as long as fifty of the others. So
there is a share of the time for it, small plays come first, and what was not judged by then is
let go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from fuzz.clock import Clock
from fuzz.engines.allowance import Allowance
from fuzz.observation import Observation
from fuzz.oracles.laws import judge_laws
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed

#: The share of the time in which plays are held to the laws.
_SHARE = 0.2


class Lawful:
    """Looks for plays that break a law in a way that is not known yet.

    ``found`` is told of those that are known, which are only counted.
    """

    def __init__(
        self,
        investigator: Investigator,
        found: Callable[[Attributed], None],
        clock: Clock,
        chance: Random,
    ) -> None:
        self._investigator = investigator
        self._found = found
        self._random = chance
        self._allowance = Allowance(clock, _SHARE)

    def broken_in_time(self, observations: Sequence[Observation]) -> bool:
        """Tell whether a play breaks a law, of as many as there is time for.

        A large one comes rarely before a small one.
        """
        for observation in sorted(observations, key=lambda o: o.size() * self._random.random()):
            if not self._allowance.left():
                return False
            if self._allowance.spend(partial(self.broken, (observation,))):
                return True
        return False

    def broken(self, observations: Sequence[Observation]) -> bool:
        """Tell whether any of all these plays breaks a law."""
        for observation in observations:
            for finding in judge_laws(observation):
                known = self._investigator.knows(finding)
                if known is None:
                    return True
                self._found(Attributed(known, None))
        return False
