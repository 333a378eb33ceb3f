"""The frames of a segment and the fields of a frame, found once and kept for a while.

Theory of operation. The mutators are the hot path, and finding the fields is the dearest
part of it. A case under change shares most of its frames with the one it came from, so
what is cached is the anatomy of a *frame*, by its bytes: changing one frame of a segment
leaves those of all the others good. Only the beginning of a very long frame or segment is
looked into (:data:`WINDOW`), with counts that still tell the truth about all of it.

:meth:`Anatomy.splice` is the other half: it puts bytes in the place of others and adjusts
every length around them that was true, from the inside out. A length that lied stays as
it is, for a lie must stay one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import NamedTuple

from grammar import Direction, Role, Span, frame_bounds, outline, spans
from grammar.layout import PLANS, Inside

#: Frames up to this many bytes go into the large cache: a case has a few of them, and an
#: evolved corpus some hundreds.
SMALL = 512
#: Bytes of a frame that are looked into: a field that begins later is met by byte mutation.
WINDOW = 4_096
#: Bytes of a segment in which frames are told apart; the rest is part of the last one.
SEGMENT_WINDOW = 16_384

#: The path and role of each field of a client frame, and whether it holds CBOR, by the path of
#: its length.
_FIELDS = {
    field.length_path: (field.path, field.role, field.inside is Inside.CBOR)
    for plan in PLANS[Direction.CLIENT].values()
    for field in plan.fields
}
_CBOR_LENGTHS = frozenset(path for path, (_, _, holds_cbor) in _FIELDS.items() if holds_cbor)
#: Opcodes with a field that holds CBOR.
CBOR_OPCODES = frozenset(
    opcode
    for opcode, plan in PLANS[Direction.CLIENT].items()
    if any(field.inside is Inside.CBOR for field in plan.fields)
)
#: The roles of what a field holds that ends with its segment.
_UNCOUNTED = (Role.NAME, Role.KEY, Role.TEXT)
# To ask an enum for its member takes longer than to compare with it.
_HEAD, _VALUE = Role.CBOR_HEAD, Role.CBOR_VALUE
_LENGTH, _TEXT = Role.LENGTH, Role.TEXT
_MAX_ARGUMENT = {1: 23, 2: 0xFF, 3: 0xFFFF, 5: 0xFFFF_FFFF, 9: 0xFFFF_FFFF_FFFF_FFFF}


class Part(NamedTuple):
    """The content of a field: ``length`` bytes at ``offset``, which may be none.

    ``counter`` is the LENGTH or CBOR_HEAD span that counts it, None for a field that ends
    with its segment.
    """

    path: str
    offset: int
    length: int
    role: Role
    holds_cbor: bool
    counter: Span | None


class Anatomy:
    """The fields of the frame ``data``, and what counts them.

    Most operations ask for a small part of it, so that each part is found when it is asked for,
    and what is within CBOR last.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def outline(self) -> tuple[Span, ...]:
        """Return spans that tile the frame, with all that is in a field of CBOR as one."""
        return _cut(self.data, outline)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Return the spans that tile the frame."""
        whole = not any(span.role is _VALUE for span in self.outline)
        return self.outline if whole else _cut(self.data, spans)

    @cached_property
    def lengths(self) -> tuple[Span, ...]:
        """Return the spans with the role LENGTH, in order."""
        return tuple([span for span in self.outline if span.role is _LENGTH])

    @cached_property
    def counters(self) -> tuple[Span, ...]:
        """Return the spans that count others, in order: lengths, and the heads of strings."""
        if self.spans is self.outline:
            return self.lengths
        return tuple([span for span in self.spans if span.counts is not None])

    @cached_property
    def fields(self) -> tuple[Part, ...]:
        """Return the contents of all fields: what is counted first."""
        return _parts(self.lengths, self.outline)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Return the contents of all fields and of the strings in CBOR: what is counted first."""
        whole = self.spans is self.outline
        return self.fields if whole else _parts(self.counters, self.spans)

    @property
    def cbor(self) -> list[Part]:
        """Return the contents of the fields that hold CBOR."""
        return [_part(span) for span in self.lengths if span.path in _CBOR_LENGTHS]

    def content(self, part: Part) -> bytes:
        """Return the bytes of ``part``."""
        return self.data[part.offset : part.offset + part.length]

    def is_true(self, counter: Span) -> bool:
        """Tell whether a length counts exactly what is there."""
        return counter.counts is not None and self.value(counter) == counter.counts[1]

    def value(self, counter: Span) -> int:
        """Return the number that a LENGTH or the CBOR_HEAD of a string holds."""
        start, end = counter.offset, counter.offset + counter.length
        if counter.role is _HEAD:
            if counter.length == 1:
                return self.data[start] & 31
            start += 1
        return int.from_bytes(self.data[start:end], "big")

    def splice(self, offset: int, length: int, new: bytes) -> bytes:
        """Return the frame with ``new`` in place of ``length`` bytes at ``offset``.

        Every length around the place that was true is true again, except where its width
        cannot say so; then it is the largest that it can say.
        """
        end = offset + length
        out = self.data[:offset] + new + self.data[end:]
        delta = len(new) - length
        if not delta:
            return out
        for counter in reversed(self._around(offset)):
            counts = counter.counts
            if counts is None or counter.offset >= offset or counts[0] + counts[1] < end:
                continue
            start, size = counts
            if start <= offset and self.is_true(counter):
                adjusted = _adjusted(self.data[counter.offset], counter, size + delta)
                out = out[: counter.offset] + adjusted + out[start:]
                delta += len(adjusted) - counter.length
        return out

    def _around(self, offset: int) -> tuple[Span, ...]:
        """Return the spans that may count what is at ``offset``, and others."""
        for span in self.outline:
            if span.role is _VALUE and span.offset < offset <= span.offset + span.length:
                return self.counters
        return self.lengths

    def replace(self, part: Part, new: bytes) -> bytes:
        """Return the frame with another content of ``part``, all lengths kept true."""
        return self.splice(part.offset, part.length, new)

    def overwrite(self, offset: int, length: int, new: bytes) -> bytes:
        """Return the frame with ``new`` in place of bytes, and every length left as it is."""
        return self.data[:offset] + new + self.data[offset + length :]


def cbor_head(major: int, argument: int, width: int = 1) -> bytes:
    """Return the head of a CBOR item, at least ``width`` (1, 2, 3, 5 or 9) bytes long.

    An argument above 64 bits becomes the largest of them.
    """
    argument = min(argument, _MAX_ARGUMENT[9])
    width = next(w for w, top in _MAX_ARGUMENT.items() if w >= width and argument <= top)
    if width == 1:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | 23 + (width - 1).bit_length()]) + argument.to_bytes(width - 1, "big")


def _adjusted(first: int, counter: Span, size: int) -> bytes:
    if counter.role is _HEAD:
        return cbor_head(first >> 5, size, counter.length)
    return min(size, (1 << 8 * counter.length) - 1).to_bytes(counter.length, "big")


def _cut(data: bytes, cut: Callable[[bytes, Direction], tuple[Span, ...]]) -> tuple[Span, ...]:
    if len(data) <= WINDOW:
        return cut(data, Direction.CLIENT)
    return tuple(_unclipped(span, data) for span in cut(data[:WINDOW], Direction.CLIENT))


def _parts(counters: tuple[Span, ...], found: tuple[Span, ...]) -> tuple[Part, ...]:
    """Return what ``counters`` count, and what else of the spans ``found`` is a whole field."""
    parts = [_part(span) for span in counters]
    counted = {part.offset for part in parts}
    for span in found:
        if span.role in _UNCOUNTED and span.offset not in counted:
            parts.append(Part(span.path, span.offset, span.length, span.role, False, None))
    return tuple(parts)


def _part(counter: Span) -> Part:
    start, size = counter.counts or (counter.offset + counter.length, 0)
    known = _FIELDS.get(counter.path)
    if known is not None:
        path, role, holds_cbor = known
        return Part(path, start, size, role, holds_cbor, counter)
    path = counter.path[: counter.path.rindex(".")]
    return Part(path, start, size, _VALUE if counter.role is _HEAD else _TEXT, False, counter)


def _unclipped(span: Span, data: bytes) -> Span:
    """Return ``span`` with what lies beyond the window put back."""
    length = span.length
    if span.offset + length == WINDOW:
        length = len(data) - span.offset if span.counts is None else length
    counts = span.counts
    if counts is not None and counts[0] + counts[1] == WINDOW:
        size = int.from_bytes(data[span.offset : span.offset + span.length], "big")
        if span.role is Role.CBOR_HEAD:
            size = int.from_bytes(data[span.offset + 1 : span.offset + span.length], "big")
        counts = (counts[0], min(size, len(data) - counts[0]))
    return Span(span.path, span.offset, length, span.role, counts)


_anatomy_small = lru_cache(maxsize=2_048)(Anatomy)
_anatomy_large = lru_cache(maxsize=64)(Anatomy)


def anatomy_of(data: bytes) -> Anatomy:
    """Return the anatomy of the frame that ``data`` begins with, and of all after it."""
    return _anatomy_small(data) if len(data) <= SMALL else _anatomy_large(data)


def _bounds(data: bytes) -> tuple[tuple[int, int, int], ...]:
    found = frame_bounds(data[:SEGMENT_WINDOW], Direction.CLIENT)
    bounds = [(offset, length, opcode or 0) for offset, length, opcode in found]
    if len(data) > SEGMENT_WINDOW:
        offset, _, opcode = bounds[-1]
        bounds[-1] = (offset, len(data) - offset, opcode)
    return tuple(bounds)


_bounds_small = lru_cache(maxsize=4_096)(_bounds)
_bounds_large = lru_cache(maxsize=64)(_bounds)


def bounds_of(data: bytes) -> tuple[tuple[int, int, int], ...]:
    """Return (offset, length, opcode) of each frame in a segment that is not empty."""
    return _bounds_small(data) if len(data) <= SMALL else _bounds_large(data)
