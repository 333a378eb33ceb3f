"""What must hold of the codec whatever bytes come in; a breach is an ``AssertionError``.

The first byte of an input says who has sent the rest, and where it is cut.
"""

from __future__ import annotations

from itertools import pairwise

from grammar import Ack, Direction, Frame, Login, Stream, UnknownFrame, decode, encode, spans
from grammar.errors import DecodeError, GrammarError

#: Frames without a length, which end where their segment does.
_OPEN_ENDED = (Login, Ack, UnknownFrame)
#: Cuts of one input: more say nothing that these do not.
_MAX_CUTS = 16


def round_trip(data: bytes) -> None:
    """Check that what is decoded encodes to the same bytes, and that spans tile them."""
    direction, rest = _sender(data), data[1:]
    offset = 0
    for span in spans(rest, direction):
        assert span.length > 0, "a span is empty"
        assert span.offset == offset, "spans leave a gap, or overlap"
        offset += span.length
    assert offset == len(rest), "spans do not add up to the segment"
    try:
        frames = decode(rest, direction)
    except DecodeError:
        return  # `cutting` says what must hold of it
    assert b"".join(map(encode, frames)) == rest, "what was decoded encodes to something else"


def cutting(data: bytes) -> None:
    """Check that a stream gives the same frames however it is cut, and loses no byte.

    The byte behind the first says how often it is cut, the next ones where.
    """
    direction = _sender(data)
    count = min(int.from_bytes(data[1:2], "big"), _MAX_CUTS)
    at, rest = data[2 : 2 + count], data[2 + count :]
    cuts = sorted({0, len(rest), *(place * (len(rest) + 1) // 256 for place in at)})
    pieces = _played(direction, [rest[a:b] for a, b in pairwise(cuts)])
    whole = _played(direction, [rest])
    for frames, fault, pending in (pieces, whole):
        taken = b"".join(map(encode, frames))
        assert rest.startswith(taken), "a stream gives what it was not fed"
        assert fault or len(taken) + pending == len(rest), "a stream has lost bytes"
    if not any(isinstance(frame, _OPEN_ENDED) for frame in (*whole[0], *pieces[0])):
        assert pieces == whole, "where a stream is cut makes a difference"


def _sender(data: bytes) -> Direction:
    return Direction.SERVER if data[:1] and data[0] % 2 else Direction.CLIENT


def _played(direction: Direction, segments: list[bytes]) -> tuple[list[Frame], str, int]:
    """Return the frames that a stream gives, its fault in words, and how many bytes it keeps."""
    stream = Stream(direction)
    frames: list[Frame] = []
    try:
        for segment in segments:
            frames += stream.feed(segment)
    except GrammarError:
        pass  # it is the stream's fault, and asked for below
    return frames, str(stream.fault or ""), 0 if stream.fault else stream.pending
