"""What each byte of a segment is: the map that mutators, the minimiser and ``show`` read.

Theory of operation. :func:`spans` walks a segment along the plans of
:mod:`grammar.layout` and cuts it into leaves: opcode, length, content, one after another
and without gaps, so the spans always add up to the segment. It is total. A field that the
input cuts short gives spans for what is there; a length that lies past the end has its
field clipped; bytes that no layout explains are one TAIL. No span is empty: an empty
field shows only in its length, whose ``counts`` says where its content would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import NamedTuple

from grammar import limits
from grammar.cbor import walk
from grammar.layout import (
    COUNTED,
    LITERAL,
    REST,
    Field,
    Inside,
    Plan,
    Role,
    measure,
    plan_at,
)
from grammar.opcodes import Direction

#: What divides a field further, by what is in it.
_Insides = Mapping[Inside, Callable[[list["Span"], Field, bytes, int, int], None]]
# To ask an enum for its member takes longer than to compare with it.
_PLAIN, _LENGTH = Inside.PLAIN, Role.LENGTH
_HEAD, _VALUE, _TEXT = Role.CBOR_HEAD, Role.CBOR_VALUE, Role.TEXT

#: Spans of one segment before the rest is one TAIL: a segment of empty three-byte frames would
#: otherwise cost a fuzzer a tenth of a second, and nobody mutates its ten-thousandth field.
MAX_SPANS = 8_192


class Span(NamedTuple):
    """A leaf: ``length`` bytes at ``offset`` of the segment, at least one.

    A tuple, for each mutation makes some tens of these, and those are made in half the time.

    ``path`` is ``FRAME.field``, with ``.length``, ``.head`` or an index where the field
    divides further. ``counts`` is the (offset, length) of the bytes that a LENGTH or the
    CBOR_HEAD of a string counts, clipped to what is there; None for everything else.
    """

    path: str
    offset: int
    length: int
    role: Role
    counts: tuple[int, int] | None = None


#: Makes a span of its fields: as calling the class does, in half the time.
_span: Callable[[tuple[str, int, int, Role, tuple[int, int] | None]], Span]
_span = partial(tuple.__new__, Span)


def spans(data: bytes, direction: Direction) -> tuple[Span, ...]:
    """Cut ``data`` into its spans. Total: any bytes give spans that tile them exactly."""
    return _cut(data, direction, _INSIDES)


def outline(data: bytes, direction: Direction) -> tuple[Span, ...]:
    """Do as :func:`spans` does, with all that is in a field of CBOR as one span."""
    return _cut(data, direction, _OUTLINED)


def _cut(data: bytes, direction: Direction, insides: _Insides) -> tuple[Span, ...]:
    out: list[Span] = []
    offset, stop = 0, len(data)
    while offset < stop and len(out) < MAX_SPANS:
        plan = plan_at(data, offset, direction)
        if plan is None:
            out.append(Span("UNKNOWN.opcode", offset, 1, Role.OPCODE))
            _leaf(out, "UNKNOWN.tail", Role.TAIL, offset + 1, stop)
            return tuple(out)
        offset = _frame(out, plan, data, offset, insides)
    _leaf(out, "tail", Role.TAIL, offset, stop)
    return tuple(out)


def frame_bounds(data: bytes, direction: Direction) -> tuple[tuple[int, int, int | None], ...]:
    """Return (offset, length, opcode) of each frame in ``data``. Total.

    The last one may be cut short or unknown, and then runs to the end. The opcode is the
    first byte, known or not, and None for the server's bare texts.
    """
    bounds: list[tuple[int, int, int | None]] = []
    offset, stop = 0, len(data)
    while offset < stop:
        plan = plan_at(data, offset, direction)
        end = stop if plan is None else measure(plan, data, offset)[0]
        opcode = data[offset] if plan is None else plan.frame.opcode
        bounds.append((offset, end - offset, opcode))
        offset = end
    return tuple(bounds)


def _leaf(out: list[Span], path: str, role: Role, offset: int, end: int) -> None:
    if end > offset:
        out.append(_span((path, offset, end - offset, role, None)))


def _frame(out: list[Span], plan: Plan, data: bytes, offset: int, insides: _Insides) -> int:
    """Append the spans of the frame at ``offset``; return its end, or that of the data."""
    stop = len(data)
    for field in plan.fields:
        if offset >= stop:
            break
        shape = field.shape
        if shape is COUNTED:
            offset = _counted(out, field, data, offset, insides)
            continue
        end = stop if shape is REST else min(offset + field.width, stop)
        role = field.role
        if shape is LITERAL and not field.literal.startswith(data[offset:end]):
            role = Role.TAIL
        if shape is REST and field.inside is Inside.CREDENTIALS:
            _credentials(out, field, data, offset, end)
        else:
            _leaf(out, field.path, role, offset, end)
        offset = end
    return offset


def _counted(out: list[Span], field: Field, data: bytes, offset: int, insides: _Insides) -> int:
    """Append a length and its content; return the end of what is there of both."""
    stop = len(data)
    start = offset + field.width
    if start > stop:
        out.append(_span((field.length_path, offset, stop - offset, _LENGTH, (stop, 0))))
        return stop
    end = min(start + int.from_bytes(data[offset:start], "big"), stop)
    out.append(_span((field.length_path, offset, field.width, _LENGTH, (start, end - start))))
    divide = None if field.inside is _PLAIN else insides.get(field.inside)
    if divide is None:
        _leaf(out, field.path, field.role, start, end)
    else:
        divide(out, field, data, start, end)
    return end


def _credentials(out: list[Span], field: Field, data: bytes, offset: int, end: int) -> None:
    """Divide ``user`` or ``user:token`` at the first colon."""
    colon = data.find(b":", offset, end)
    user_end = end if colon < 0 else colon
    _leaf(out, "LOGIN.user", field.role, offset, user_end)
    if colon >= 0:
        _leaf(out, "LOGIN.separator", Role.LITERAL, colon, colon + 1)
        _leaf(out, "LOGIN.token", Role.KEY, colon + 1, end)


def _messages(out: list[Span], field: Field, data: bytes, offset: int, end: int) -> None:
    """Divide a batch into its counted messages, as far as the protocol's limit and a bit."""
    for path, length_path in _numbered(field.path):
        if offset >= end:
            return
        start = min(offset + 2, end)
        size = int.from_bytes(data[offset:start], "big") if start - offset == 2 else 0
        stop = min(start + size, end)
        counts = (start, stop - start)
        out.append(_span((length_path, offset, start - offset, _LENGTH, counts)))
        _leaf(out, path, _TEXT, start, stop)
        offset = stop
    _leaf(out, f"{field.path}.tail", Role.TAIL, offset, end)


@cache
def _numbered(path: str) -> tuple[tuple[str, str], ...]:
    """Return the paths of the messages of a batch, each with that of its length."""
    paths = [f"{path}[{index}]" for index in range(limits.BATCH_MESSAGES + 24)]
    return tuple((path, f"{path}.length") for path in paths)


def _cbor(out: list[Span], field: Field, data: bytes, offset: int, end: int) -> None:
    """Divide one CBOR item into heads and contents; what follows or is broken is a tail."""
    walked = walk(data, offset, end)
    for index, item in enumerate(walked.items):
        path = f"{field.path}[{index}]"
        start = item.offset + item.head
        counts = (start, item.content) if item.counted else None
        out.append(_span((f"{path}.head", item.offset, item.head, _HEAD, counts)))
        if item.content:
            out.append(_span((path, start, item.content, _VALUE, None)))
    cut = walked.fault is not None and walked.fault.early
    path, role = ("head", Role.CBOR_HEAD) if cut else ("tail", Role.TAIL)
    _leaf(out, f"{field.path}.{path}", role, walked.end, end)


_INSIDES: _Insides = {Inside.CBOR: _cbor, Inside.MESSAGES: _messages}
_OUTLINED: _Insides = {Inside.MESSAGES: _messages}
