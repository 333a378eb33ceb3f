"""What the engine has seen, and whether a reading is new.

Two memories are kept, since a batch and a case are counted differently: sixteen cases that
each pass a point once make a count of sixteen. A batch that looks new only says "look
closer"; what a case did alone is what libFuzzer is told, in its own counters and buckets.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fuzz.observation import Observation
from grammar import Direction, frame_bounds

Features = tuple[tuple[int, int], ...]

#: Counters for the shape of a dialogue, where there is no agent: as many as a hash can
#: spread a few hundred shapes over without many collisions.
SHAPES = 4096

#: Cases in flight: at sixteen the node is never idle, and a batch is still quickly told apart.
BATCH = 16
#: After so many batches in a row in which there was nothing to tell apart, twice as many: what is
#: done once for a batch (barriers, bystanders, the reading) is shared by more. A sum over still
#: more would hide, in counters of eight bits, that one passed a point more often than any before.
WIDE, CALM_BATCHES = 32, 8

#: libFuzzer's buckets of a counter: 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more.
_BUCKET = bytes(
    0 if n == 0 else 1 if n == 1 else 2 if n == 2 else 4 if n == 3 else 8 if n < 8
    else 16 if n < 16 else 32 if n < 32 else 64 if n < 128 else 128
    for n in range(256)
)  # fmt: skip


class Memory:
    """The buckets of each counter that were seen of cases played alone."""

    def __init__(self, size: int) -> None:
        self._seen = bytearray(size)

    def learn(self, features: Iterable[tuple[int, int]]) -> set[int]:
        """Take in ``features``; return the counters that showed a new bucket."""
        seen, new = self._seen, set()
        for index, count in features:
            bucket = _BUCKET[count]
            if bucket & ~seen[index]:
                seen[index] |= bucket
                new.add(index)
        return new

    def knows(self, index: int) -> bool:
        """Tell whether a case has hit the counter ``index`` alone."""
        return self._seen[index] > 0


@dataclass(frozen=True, slots=True)
class News:
    """What is new in a batch: counters never ``hit`` before, and whether any is ``louder``."""

    hit: frozenset[int]
    louder: bool

    def __bool__(self) -> bool:
        return self.louder or bool(self.hit)


class BatchMemory:
    """Which counters were hit in whole batches, and what a single case can account for.

    A count of a batch is the sum over its cases. One above ``cases`` times the most that any
    case reached alone means that one of these reached more: the only thing that a sum says
    for certain, and the only one that is worth playing them all again.
    """

    def __init__(self, size: int) -> None:
        self._hit = bytearray(size)
        self._most = bytearray(size)

    def learn(self, features: Iterable[tuple[int, int]], cases: int) -> News:
        """Take in the sums over ``cases`` cases; tell what is new in them."""
        hit, most, new, louder = self._hit, self._most, [], False
        for index, count in features:
            if not hit[index]:
                hit[index] = 1
                new.append(index)
            elif most[index] and count > cases * most[index]:
                louder = True
        return News(frozenset(new), louder)

    def account(self, features: Iterable[tuple[int, int]]) -> None:
        """Take in the counts of one case played alone."""
        most = self._most
        for index, count in features:
            if count > most[index]:
                most[index] = count

    def covered(self) -> list[int]:
        """Return the indices of all counters that were ever hit."""
        return [index for index, hit in enumerate(self._hit) if hit]

    def count(self) -> int:
        """Return how many counters were ever hit."""
        return self._hit.count(1)


class Breadth:
    """How many cases are played at once: few while batches must be told apart, else more."""

    def __init__(self) -> None:
        self._calm = 0

    def cases(self) -> int:
        """Return the size of the next batch."""
        return BATCH if self._calm < CALM_BATCHES else WIDE

    def note(self, calm: bool) -> None:
        """Take in whether a batch was calm: nothing in it was new, or had to be looked into."""
        self._calm = self._calm + 1 if calm else 0


def features_of(coverage: bytes) -> Features:
    """Return ``(index, count)`` pairs from the agent's sparse form, four bytes each."""
    words = struct.unpack(f">{len(coverage) // 4}I", coverage)
    return tuple(zip([word >> 8 for word in words], coverage[3::4], strict=True))


def loud(features: Features, wanted: set[int]) -> dict[int, int]:
    """Return the bucket of each of the ``wanted`` counters that was hit."""
    return {index: _BUCKET[count] for index, count in features if index in wanted}


def shape_of(observations: Sequence[Observation]) -> Features:
    """Return the shape of dialogues as features: what came back, in what order, and the end."""
    return tuple((zlib.crc32(repr(_shape(o)).encode()) % SHAPES, 1) for o in observations)


def _shape(observation: Observation) -> tuple[object, ...]:
    return tuple(
        (
            trace.ending.value,
            tuple(
                opcode
                for piece in trace.received
                for _, _, opcode in frame_bounds(piece, Direction.SERVER)
            ),
        )
        for trace in observation.traces
    )
