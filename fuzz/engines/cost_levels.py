"""How much work a case makes for each of its bytes, as levels that libFuzzer can climb.

Coverage says that a loop was run and, in buckets, how often; it does not say that a few bytes
kept the node busy. With ``--maximise cost`` what a case costs when it is played alone becomes
a level: quarter-octaves of the reductions for each byte sent, octaves of the time until all
was answered. A step counts as some bytes more: what each LOGIN costs is no discovery, and what
grows faster than what is sent is. Each level has a counter of its own. Only a level above all
those before is rewarded: a case that costs less than the costliest has nothing to teach.

There is more than one hill. What is highest at first, a flood of messages, costs no more than
its size, and whatever grows out of it is a flood. So for each function of the server, the case
that is costliest of those in which it ran most often is kept as a *hill*. A part of the mutations
start from one of them, and are played as batches of one.

A batch of many tells only the sum of its reductions: a case of it is played again when it may
have reached a new level, if it alone did all that is left of the sum, had the others cost
what is ordinary. Reductions vary by a few in a hundred from play to play, and now and then by
far more (a garbage collection, a timer of the node), times vary with whatever else the
machine does: so a level counts when two plays have reached it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from fuzz.case import Case
from fuzz.engines.feedback import Features
from fuzz.observation import Observation
from fuzz.watchdog.suspicion import answered_in
from fuzz.watchdog.watchdog import calm

#: What the harness itself causes with each play (bystanders, the reading), in reductions.
_PLAY = 2_500
#: A connection with a login, which costs the same whatever follows it.
_CONNECTION = 2_500
#: What a step counts for, in bytes: with them an ordinary LOGIN costs less for each byte than a
#: flood of messages does.
STEP_BYTES = 64
#: The lowest level, in reductions a byte: half of what an ordinary short frame costs.
_FLOOR = 64.0
#: Quarter-octaves are steps of a fifth, which a play and its repetition do not differ by.
_STEPS = 4
#: Sixteen octaves above the lowest: a byte that costs four million reductions.
_WORK_LEVELS = 16 * _STEPS
#: The lowest level of time, in seconds a byte: three times what a case of ordinary frames takes
#: on a busy machine, so that load alone reaches no level.
_SLOW = 0.001
#: Octaves of time: the last is a minute a byte, and no wait lasts so long.
_TIME_LEVELS = 16
#: Counters that the levels need.
LEVELS = _WORK_LEVELS + _TIME_LEVELS
#: Plays of one case for each case of a batch, at most: a play alone takes as long as four side
#: by side, so looking closer takes half as long as the search itself.
_PLAYS_SHARE = 0.125
#: A case that was by itself reached what it reached; it is only confirmed, by two plays.
_ASCENT_PLAYS = 2
#: The share of mutations that start from a hill, and are played alone: by the same count, more
#: than half of the time goes into climbing, which is what was asked for, and the rest is left to
#: find another hill.
CLIMB_SHARE = 0.25
#: A hill that is climbed in vain loses as much of its height: a reading that was too high by
#: chance is forgotten, and in a minute the case of a hill changes now and then.
_WEAR = 0.99
#: What a case ordinarily costs is followed in steps of this: a running median, which one batch
#: of a thousand times the cost does not move.
_FOLLOW = 1.05


@dataclass(frozen=True, slots=True)
class Spent:
    """What a case played alone cost for each byte of its :func:`weight`: reductions, seconds."""

    reductions: float
    seconds: float

    def levels(self) -> tuple[int, int]:
        """Return the level of work and that of time; -1 is below the lowest."""
        work = _level(self.reductions / _FLOOR, _STEPS, _WORK_LEVELS)
        return work, _level(self.seconds / _SLOW, 1, _TIME_LEVELS)


def spent_by(case: Case, observation: Observation, reductions: int) -> Spent:
    """Return what one play of ``case`` cost, beyond what any play with its connections does."""
    size = weight(case)
    work = max(0, reductions - _PLAY - _CONNECTION * len(case.connections()))
    return Spent(work / size, answered_in(case, observation) / size)


@dataclass(slots=True)
class _Hill:
    """The costliest case of one function, its weight, and what it costs for each byte."""

    case: Case
    weight: int
    height: float


class CostLevels:
    """The highest levels so far; their counters start at ``base``.

    ``costliest`` is the case that reached the highest level of work, ``most`` its reductions
    for each byte of its weight.
    """

    def __init__(self, base: int) -> None:
        self._base = base
        self._highest = (-1, -1)
        self._ordinary = float(_CONNECTION)
        self._allowed = 0.0
        self._hills: dict[str, _Hill] = {}
        self.costliest: Case | None = None
        self.most = 0.0

    def note(self, case: Case, observation: Observation, reductions: int, where: str) -> None:
        """Take in what one play of ``case`` cost, most of it in the function ``where``."""
        height = spent_by(case, observation, reductions).reductions
        hill = self._hills.get(where)
        higher = height > (0 if hill is None else hill.height)
        if higher and calm(observation):
            self._hills[where] = _Hill(case, weight(case), height)

    def hill(self, chance: Random) -> Case | None:
        """Return the case of a hill to climb, mostly of a light one; None before there is any.

        Each is granted its share of time: a heavy one takes as long as many of the others.
        """
        if not self._hills:
            return None
        hills = list(self._hills.values())
        (hill,) = chance.choices(hills, [1 / hill.weight for hill in hills])
        hill.height *= _WEAR
        return hill.case

    def climb(
        self,
        cases: Sequence[Case],
        observations: Sequence[Observation],
        reductions: int,
        alone: Callable[[Case], Spent | None],
    ) -> Iterator[tuple[Case, Features]]:
        """Yield the cases of a batch that reach a new highest level, with their counters.

        ``reductions`` is what the batch cost; ``alone`` plays one case, and returns None when
        it is no ground to build upon.
        """
        left = float(reductions - _PLAY - _CONNECTION * sum(len(c.connections()) for c in cases))
        others = len(cases) - 1
        ordinary = self._ordinary
        if others:
            self._follow(left / len(cases))
        self._allowed += _PLAYS_SHARE * len(cases) if others else _ASCENT_PLAYS
        # The fewest bytes first: the same work makes the highest level there.
        for case, seen in sorted(
            zip(cases, observations, strict=True), key=lambda pair: weight(pair[0])
        ):
            may = Spent(
                max(0.0, left - ordinary * others) / weight(case),
                answered_in(case, seen) / weight(case),
            )
            if self._allowed < 1 or not (calm(seen) and self._is_higher(may)):
                continue
            first = self._play(case, alone)
            if first is None:
                continue
            left -= first.reductions * weight(case)
            others -= 1
            again = self._play(case, alone) if self._is_higher(first) else None
            if again is None:
                continue
            reached = self._reach(case, _lesser(first, again))
            if reached:
                yield case, reached

    def _play(self, case: Case, alone: Callable[[Case], Spent | None]) -> Spent | None:
        self._allowed -= 1
        return alone(case)

    def _is_higher(self, spent: Spent) -> bool:
        return any(now > best for now, best in zip(spent.levels(), self._highest, strict=True))

    def _reach(self, case: Case, spent: Spent) -> Features:
        """Take in what two plays have shown; return the counters of new highest levels."""
        work, time = spent.levels()
        most_work, most_time = self._highest
        self._highest = (max(work, most_work), max(time, most_time))
        reached = []
        if work > most_work:
            self.costliest, self.most = case, spent.reductions
            reached.append((self._base + work, 1))
        if time > most_time:
            reached.append((self._base + _WORK_LEVELS + time, 1))
        return tuple(reached)

    def _follow(self, mean: float) -> None:
        """Move what is ordinary towards the ``mean`` of a batch."""
        if mean > self._ordinary:
            self._ordinary *= _FOLLOW
        else:
            self._ordinary = max(1.0, self._ordinary / _FOLLOW)


def weight(case: Case) -> int:
    """Return the bytes that ``case`` counts for: those that it sends, and some for each step."""
    return case.sent_bytes() + STEP_BYTES * max(1, len(case.steps))


def _level(ratio: float, steps: int, levels: int) -> int:
    """Return on which of ``levels`` a ratio to the lowest is, ``steps`` an octave."""
    return min(levels - 1, int(steps * math.log2(ratio))) if ratio >= 1 else -1


def _lesser(a: Spent, b: Spent) -> Spent:
    return Spent(min(a.reductions, b.reductions), min(a.seconds, b.seconds))
