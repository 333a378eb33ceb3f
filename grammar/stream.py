"""Frames out of a TCP stream, however it is cut: feed segments, get frames.

Theory of operation. Bytes that are not a whole frame yet are kept. LOGIN and ACK, which
have no length, end with the segment that completes what was kept, and so do unknown
frames; the rest is indifferent to where it is cut. A fault (bytes that can never be a
frame, or more of one frame than may be buffered) ends the stream. Frames found before the
fault are never lost: the call that finds them returns them, and the fault is raised by
the next call.
"""

from __future__ import annotations

from grammar import limits
from grammar.codec import parse
from grammar.errors import CeilingError, DecodeError, GrammarError, StreamError
from grammar.frames import Frame, UnknownFrame
from grammar.layout import measure, plan_at
from grammar.opcodes import Direction

_CEILINGS = {Direction.CLIENT: limits.BUFFER, Direction.SERVER: limits.SERVER_BUFFER}


class Stream:
    """One direction of one connection.

    ``ceiling`` is the number of bytes that one frame may hold; without one it is the
    server's published buffer for what clients send, and :data:`limits.SERVER_BUFFER` for
    what a server sends. It counts whole frames as well as parts, so that it trips on the
    same bytes however they are cut.
    """

    def __init__(self, direction: Direction, ceiling: int | None = None) -> None:
        self._direction = direction
        self._ceiling = _CEILINGS[direction] if ceiling is None else ceiling
        self._buffer = b""
        self._taken = 0
        self._fault: GrammarError | None = None
        self._told = False

    @property
    def pending(self) -> int:
        """Return how many bytes wait for the rest of their frame."""
        return len(self._buffer)

    @property
    def fault(self) -> GrammarError | None:
        """Return what ended the stream, or None while it is sound."""
        return self._fault

    def feed(self, segment: bytes) -> list[Frame]:
        """Take one segment and return the frames that are complete with it.

        Raise what ended the stream: :class:`DecodeError` or :class:`CeilingError`, whose
        offsets count from the start of the stream, or :class:`StreamError` after :meth:`close`.
        """
        self._raise_fault()
        frames: list[Frame] = []
        data, offset = self._buffer + segment, 0
        while offset < len(data):
            end = self._next(data, offset, frames)
            if end is None:
                break
            offset = end
        self._buffer = data[offset:]
        self._taken += offset
        if not frames:
            self._raise_fault()
        return frames

    def close(self) -> bytes:
        """End the stream and return the bytes of a frame that was never completed.

        Raise a fault that no call to :meth:`feed` has raised yet.
        """
        if not self._told:
            self._raise_fault()
        left, self._buffer = self._buffer, b""
        self._fault = self._fault or StreamError("the stream is closed")
        self._told = True
        return left

    def _raise_fault(self) -> None:
        if self._fault is not None:
            self._told = True
            raise self._fault

    def _next(self, data: bytes, offset: int, frames: list[Frame]) -> int | None:
        """Append the frame at ``offset`` and return its end; None where none can be had."""
        plan = plan_at(data, offset, self._direction)
        end, missing = (len(data), None) if plan is None else measure(plan, data, offset)
        # The length goes first: a frame that is too long trips on that before it is all there.
        if end - offset > self._ceiling:
            self._fault = CeilingError(self._taken + offset, self._ceiling)
            return None
        if missing is not None:
            return None
        if plan is None:
            frames.append(UnknownFrame(self._direction, data[offset:]))
            return end
        try:
            frames.append(parse(plan, data, offset, end))
        except DecodeError as error:
            self._fault = DecodeError(self._taken + error.offset, error.path, error.reason)
            return None
        return end
