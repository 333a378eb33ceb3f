"""Mutations of bytes that go to a decoder: frames one after the other, and no dialogue around them.

The operations are those that change a segment of a case; what is sent in another segment, or by
another client, would not reach the decoder. Each mutation has *relatives*, which are cheap to make
and what decoders stumble over: the same bytes cut short, and with more behind them.
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from random import Random

from fuzz.case import MAX_FILE_BYTES, Step, StepKind
from fuzz.generate import fields, frames, items, rawbytes
from fuzz.generate.anatomy import bounds_of
from fuzz.generate.constants import Saying, say
from fuzz.generate.dictionary import Dictionary, iris_dictionary
from fuzz.generate.draft import ByteMutate, Draft, Operation, encoded_size
from fuzz.generate.mutate import MAX_DRAWS
from fuzz.generate.values import fresh_frame


def empty_field(draft: Draft) -> bool:
    """Leave a field without a byte, the lengths around it kept true."""
    place = draft.pick_frame()
    if place is None or not place.anatomy.parts:
        return False
    return draft.set_frame(place, place.anatomy.replace(draft.pick(place.anatomy.parts), b""))


#: All operations that stay within one segment. What is empty is of more use to a decoder than to
#: who comes behind it.
OPERATIONS: tuple[Operation, ...] = (
    Operation("field-empty", 60, empty_field),
    *fields.OPERATIONS,
    *items.OPERATIONS,
    *frames.OPERATIONS,
    *rawbytes.OPERATIONS,
)
_CUMULATED = tuple(accumulate(operation.weight for operation in OPERATIONS))
#: Odds of one more operation, after each.
_ANOTHER = 0.4
#: Bytes up to which a mutation has all of its relatives: most are shorter, and those of a large one
#: would take the time of hundreds.
SHORT = 1_024
#: Cuts of one mutation, besides the one that leaves out its last byte.
CUTS = 4


class PayloadMutator:
    """Changes bytes at random; all chance comes from ``rng`` and from ``byte_mutate``."""

    def __init__(
        self, rng: Random, byte_mutate: ByteMutate, dictionary: Dictionary | None = None
    ) -> None:
        self._rng = rng
        self._byte_mutate = byte_mutate
        self._dictionary = iris_dictionary() if dictionary is None else dictionary

    def mutate(self, data: bytes, max_bytes: int) -> bytes:
        """Return other bytes, at least one and at most ``max_bytes`` (one if that is less)."""
        draft = self._draft(data)
        self._change(draft)
        while self._rng.random() < _ANOTHER:
            self._change(draft)
        return self._sent(draft, max_bytes)

    def cross(self, a: bytes, b: bytes, max_bytes: int) -> bytes:
        """Return the first frames of ``a`` and the last of ``b``."""
        if not a or not b:
            return self.mutate(a or b, max_bytes)
        end, start = (self._bound(data) for data in (a, b))
        return (a[:end] + b[start:])[: max(1, max_bytes)] or a[:1]

    def say(self, data: bytes, saying: Saying, max_bytes: int) -> bytes:
        """Return ``data`` with a constant of the node in it, or else a mutation of it."""
        draft = self._draft(data)
        before = list(draft.steps)
        for _ in range(MAX_DRAWS):
            if say(draft, saying) and sum(len(step.data) for step in draft.steps) <= max_bytes:
                break
            draft.steps[:] = before
        else:
            self._change(draft)
        return self._sent(draft, max_bytes)

    def relatives(self, data: bytes, other: bytes) -> list[bytes]:
        """Return ``data``, cut in a few places, and with a byte or with ``other`` behind it."""
        size = len(data)
        if size > SHORT or len(other) > SHORT:
            return [data, data[:-1]] if size > 1 else [data]
        made = [data, data + data[:1], data + other]
        if size > 1:
            chance = self._rng.random
            made.append(data[:-1])
            made += [data[: 1 + int(chance() * (size - 1))] for _ in range(CUTS)]
        return made

    def _draft(self, data: bytes) -> Draft:
        steps = [Step(StepKind.SEND, 0, data)] if data else []
        return Draft(steps, self._rng, self._byte_mutate, self._dictionary, MAX_FILE_BYTES)

    def _change(self, draft: Draft) -> None:
        if not draft.steps:
            draft.steps.append(Step(StepKind.SEND, 0, fresh_frame(draft)))
            return
        before = list(draft.steps)
        for _ in range(MAX_DRAWS):
            operation = OPERATIONS[bisect(_CUMULATED, self._rng.random() * _CUMULATED[-1])]
            if operation.apply(draft) and encoded_size(draft.steps) <= draft.max_bytes:
                return
            draft.steps[:] = before

    def _sent(self, draft: Draft, max_bytes: int) -> bytes:
        """Return all that the draft sends; what it left without a byte begins anew."""
        data = b"".join(step.data for step in draft.steps)
        return (data or fresh_frame(draft))[: max(1, max_bytes)]

    def _bound(self, data: bytes) -> int:
        """Return where a frame of ``data`` begins or ends."""
        bounds = bounds_of(data)
        offset, length, _ = bounds[int(self._rng.random() * len(bounds))]
        return offset + length if self._rng.random() < 0.5 else offset
