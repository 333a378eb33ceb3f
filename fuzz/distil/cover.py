"""The choice itself: a small set of cases that has all features between them.

Which smallest set does is a question that takes for ever (set cover); the greedy answer is close
and takes no time. At each turn the case is taken that brings most new features for each byte.
What was taken early may be needless in the end, so each is asked again, the largest first.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fuzz.engines.feedback import Features, loud

#: Bits of a bucket: a feature is one number, that of its counter and one of these.
_BITS = 8


def numbered(features: Features) -> frozenset[int]:
    """Return features as one number each: a counter, and the bucket that its count falls into."""
    buckets = loud(features, {index for index, _ in features})
    return frozenset(index << _BITS | bucket for index, bucket in buckets.items() if bucket)


def point_of(feature: int) -> int:
    """Return the counter that a numbered feature is of."""
    return feature >> _BITS


@dataclass(frozen=True, slots=True)
class Reach:
    """What a case reaches, as sorted numbers (see :func:`numbered`), and its ``size`` in bytes.

    ``surely`` holds what each of its plays reached, ``by_chance`` what only some of them did.
    """

    size: int
    surely: array[int]
    by_chance: array[int]


def reach_of(size: int, plays: Sequence[frozenset[int]]) -> Reach:
    """Return what the ``plays`` of one case come down to; there is at least one."""
    surely = frozenset.intersection(*plays)
    every = frozenset.union(*plays)
    return Reach(size, array("I", sorted(surely)), array("I", sorted(every - surely)))


def needed(reaches: Sequence[Reach]) -> list[int]:
    """Return the positions of cases that reach together what all do, the smallest set we find.

    A feature that some case reaches surely is left to such a case; what none does is left to one
    that did by chance. None of those returned can be left out. The same cases give the same
    answer, and of two that are as good the first is taken.
    """
    sure = frozenset(feature for reach in reaches for feature in reach.surely)
    # Arrays, for a set of each of twenty thousand cases would fill a memory.
    answers = [
        reach.surely + array("I", (f for f in reach.by_chance if f not in sure))
        for reach in reaches
    ]
    return sorted(_without_needless(_greedy(answers, reaches), answers, reaches))


def _greedy(answers: Sequence[array[int]], reaches: Sequence[Reach]) -> list[int]:
    """Take the best at each turn. What a case brings only shrinks, so an old rate is a ceiling."""
    missing = {feature for answer in answers for feature in answer}
    queue = [(-_rate(len(one), reaches[at]), at) for at, one in enumerate(answers) if one]
    heapq.heapify(queue)
    taken: list[int] = []
    while missing:
        _, at = heapq.heappop(queue)
        brings = sum(map(missing.__contains__, answers[at]))
        now = (-_rate(brings, reaches[at]), at)
        if not brings:
            continue
        if queue and now > queue[0]:
            heapq.heappush(queue, now)
            continue
        taken.append(at)
        missing.difference_update(answers[at])
    return taken


def _without_needless(
    taken: Iterable[int], answers: Sequence[array[int]], reaches: Sequence[Reach]
) -> list[int]:
    kept = sorted(taken, key=lambda at: (-reaches[at].size, at))
    holders = Counter(feature for at in kept for feature in answers[at])
    for at in list(kept):
        if all(holders[feature] > 1 for feature in answers[at]):
            holders.subtract(answers[at])
            kept.remove(at)
    return kept


def _rate(features: int, reach: Reach) -> float:
    return features / max(reach.size, 1)
