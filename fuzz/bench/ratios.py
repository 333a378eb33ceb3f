"""Ratios of what was measured side by side, and when one may be told.

Theory of operation. No figure of one machine says anything about another, and a busy one changes
from minute to minute. So each round measures both sides within seconds of each other and gives one
ratio; what is told is the median of the rounds, and their *spread*: the highest of them divided by
the lowest. Every round counts, the odd one too.

A ratio of 1.4 *claims* that two things differ by a factor of 1.4, and so does one of 1/1.4. If the
rounds among themselves differ by more than that, nothing is claimed: the ratio is not told. Where
it is asked whether two things are about the same, the claim is what would be too much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from fuzz.errors import HarnessFault

#: A single round has no spread, and so nothing that its ratio could be held against.
LEAST_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Ratio:
    """One ratio for each round, all above zero.

    ``matters`` is the least factor, from 1 on, that would be of interest: 1.1 where two things are
    to be the same within 10%. ``at_least`` tells that what was measured ended before the end of it:
    the true ratio is no lower.
    """

    rounds: tuple[float, ...]
    matters: float = 1.0
    at_least: bool = False

    def __post_init__(self) -> None:
        if not self.rounds or not all(0 < one < math.inf for one in self.rounds):
            raise HarnessFault(f"ratios are numbers above zero, and not {self.rounds}")

    @property
    def median(self) -> float:
        """Return the middle of the rounds."""
        return median(self.rounds)

    @property
    def low(self) -> float:
        """Return the lowest round."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """Return the highest round."""
        return max(self.rounds)

    @property
    def spread(self) -> float:
        """Return by which factor the rounds differ among themselves, from 1 on."""
        return self.high / self.low

    @property
    def claim(self) -> float:
        """Return by which factor two things are said to differ, from 1 on."""
        return max(self.median, 1 / self.median, self.matters)

    def refusal(self) -> str:
        """Return why the ratio may not be told, as a sentence; empty if it may."""
        if len(self.rounds) < LEAST_ROUNDS:
            return "no ratio is told: one round has no spread, so it takes two at least"
        if self.spread <= self.claim:
            return ""
        return (
            f"no ratio is told: {len(self.rounds)} rounds gave {self.low:.2f} to {self.high:.2f}, "
            f"a spread of {self.spread:.2f} times, and the claim would be {self.claim:.2f} times"
        )


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio is wanted to be: ``at_least`` or at most so much."""

    ratio: float
    at_least: bool = True

    def verdict(self, seen: Ratio) -> str:
        """Return ``reached`` or ``missed``, or ``open`` where the rounds disagree on it."""
        good = [one >= self.ratio if self.at_least else one <= self.ratio for one in seen.rounds]
        if all(good):
            return "reached"
        return "open" if any(good) else "missed"


def geometric_mean(values: Sequence[float]) -> float:
    """Return the mean of factors, all above zero: of 2 and 1/2 it is 1."""
    return math.exp(sum(map(math.log, values)) / len(values))


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds until something was found; ``found`` is false if it was not within them."""

    seconds: float
    found: bool


#: Below this a time to a finding is that of a batch or two, and of chance alone.
LEAST_SECONDS = 0.25


def slower(ours: Iterable[Time], theirs: Iterable[Time]) -> tuple[float, bool] | None:
    """Return how many times as long ``theirs`` took on the mean, and whether that is a least.

    Both are in the same order. What neither has found tells nothing; where that is all, the
    result is None. What one has not found counts as if it had been found at the end of its time:
    if it is theirs, the true factor is higher; if it is ours too, that can't be said any more.
    """
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.found or b.found]
    if not pairs:
        return None
    factors = [max(b.seconds, LEAST_SECONDS) / max(a.seconds, LEAST_SECONDS) for a, b in pairs]
    least = all(a.found for a, _ in pairs) and not all(b.found for _, b in pairs)
    return geometric_mean(factors), least
