"""Passes that make a case smaller in its messages: many in a row become one batch of them.

A limit on messages is passed by hundreds of them. As frames, each of them would cost a play to
leave out, and a reader a line; as a batch they are one frame, whose number of messages is found by
bisection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby

from fuzz.case import StepKind
from fuzz.triage.reduce import Reduction, lowest
from grammar import (
    BatchSend,
    CborMsg,
    Direction,
    E2eeMsg,
    SendMessage,
    SendSeq,
    decode,
    encode,
    frame_bounds,
)
from grammar.errors import GrammarError


class _Which(Enum):
    """Which frames are put into a batch; those first that leave out the most."""

    ALL = auto()
    #: Those of which a batch says all that they say.
    WHOLE = auto()
    SINGLE = auto()


@dataclass(frozen=True, slots=True)
class _Sending:
    """A frame of a segment; ``target`` is None for one that brings nothing to a user."""

    data: bytes
    which: _Which = _Which.ALL
    target: bytes | None = None
    messages: tuple[bytes, ...] = ()

    def target_in(self, which: _Which) -> bytes | None:
        """Return the target, None if the frame is not one of these."""
        return self.target if self.which.value >= which.value else None


def pack_messages(reduction: Reduction) -> None:
    """Send in one batch what is sent in a row of frames to the same user."""
    for index, step in enumerate(reduction.steps):
        if step.kind is StepKind.SEND:
            any(reduction.offer_data(index, data) for data in _packed(step.data))


def fewer_messages(reduction: Reduction) -> None:
    """Leave out messages of a batch from its end on, and empty those that are left."""
    for index, step in enumerate(reduction.steps):
        if step.kind is StepKind.SEND:
            for frame in range(len(frame_bounds(step.data, Direction.CLIENT))):
                _shrink_batch(reduction, index, frame)


def _shrink_batch(reduction: Reduction, index: int, frame: int) -> None:
    data = reduction.steps[index].data
    bounds = frame_bounds(data, Direction.CLIENT)
    if frame >= len(bounds):
        return
    offset, length, _ = bounds[frame]
    batch = _decoded(data[offset : offset + length])
    if not isinstance(batch, BatchSend) or not batch.messages:
        return

    def put(messages: Sequence[bytes]) -> bool:
        smaller = encode(BatchSend(batch.target, tuple(messages)))
        return reduction.offer_data(index, data[:offset] + smaller + data[offset + length :])

    messages = batch.messages
    empty = (b"",) * len(messages)
    if messages != empty and put(empty):
        messages = empty
    lowest(1, len(messages), lambda count: put(messages[:count]))


def _packed(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` with its messages in batches, those first that leave out the most."""
    sendings = [
        _sending(data[offset : offset + length])
        for offset, length, _ in frame_bounds(data, Direction.CLIENT)
    ]
    for which in _Which:
        packed = b"".join(_rows(sendings, which))
        if packed != data:
            yield packed


def _rows(sendings: Sequence[_Sending], which: _Which) -> Iterator[bytes]:
    for target, row in groupby(sendings, key=lambda one: one.target_in(which)):
        together = list(row)
        if target is None or len(together) == 1:
            yield from (one.data for one in together)
        else:
            yield encode(BatchSend(target, tuple(m for one in together for m in one.messages)))


def _sending(data: bytes) -> _Sending:
    frame = _decoded(data)
    if isinstance(frame, SendMessage):
        return _Sending(data, _Which.SINGLE, frame.target, (frame.message,))
    if isinstance(frame, BatchSend):
        return _Sending(data, _Which.WHOLE, frame.target, frame.messages)
    if isinstance(frame, SendSeq | CborMsg):
        return _Sending(data, _Which.ALL, frame.target, (b"",))
    if isinstance(frame, E2eeMsg):
        return _Sending(data, _Which.ALL, frame.recipient, (b"",))
    return _Sending(data)


def _decoded(data: bytes) -> object:
    """Return the frame, None if it is none that decodes and encodes to the same."""
    try:
        frame, *_ = decode(data, Direction.CLIENT)
    except GrammarError:
        return None
    return frame if encode(frame) == data else None
