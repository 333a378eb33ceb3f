"""Strategies for frames, read off the plans of :mod:`grammar.layout`.

Each field gets its values by its shape and its role, within its published limit; a few sizes are
next to that limit, where servers break. ``given`` puts strategies of one's own in the place of
those for fields of these names: ``frames_of(SendMessage, {"target": st.just(b"bob")})``.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fuzz.generate.strategies.cbor import cbor_items, cbor_maps
from grammar import ClientFrame, Direction, Frame, ServerFrame, encode, spans
from grammar.layout import BARE_PLANS, PLANS, Field, Inside, Plan, Role, Shape
from grammar.limits import boundaries, field_limit
from grammar.spans import Span

#: Strategies by the name of a field.
Given = Mapping[str, SearchStrategy[object]]

#: Bytes of a field that has no reason to be long: a byte more than any one-byte length counts.
_SHORT = 256
#: Bytes of a field next to its limit at most: what is above floods, and tells no more.
_LONG = 8_193
#: Messages of a batch, and bends of a few frames.
_FEW = 4

directions = st.sampled_from(Direction)

_BY_FRAME: Mapping[type[ClientFrame] | type[ServerFrame], Plan] = {
    plan.frame: plan
    for plan in (
        *PLANS[Direction.CLIENT].values(),
        *PLANS[Direction.SERVER].values(),
        *BARE_PLANS.values(),
    )
}


def frames_of(
    kind: type[ClientFrame] | type[ServerFrame], given: Given | None = None, plain: bool = True
) -> SearchStrategy[Frame]:
    """Return frames of one class.

    ``plain`` ones mean something: a field that holds CBOR holds some. Without it, such a field
    has any bytes, which the wire can say as well.
    """
    values: dict[str, SearchStrategy[object]] = {}
    for field in _BY_FRAME[kind].fields:
        if field.inside is Inside.CREDENTIALS:
            values |= {"user": _users(), "token": st.none() | st.binary(max_size=40)}
        elif field.role is not Role.OPCODE and field.shape is not Shape.LITERAL:
            values[field.name] = _values(field, plain)
    own = {name: strategy for name, strategy in (given or {}).items() if name in values}
    return st.builds(kind, **{**values, **own})


def frames(
    direction: Direction = Direction.CLIENT,
    delimited: bool = False,
    given: Given | None = None,
    plain: bool = True,
) -> SearchStrategy[Frame]:
    """Return frames of one direction; ``delimited`` leaves out those that end with a segment."""
    kinds = [
        kind
        for kind in _BY_FRAME
        if kind.direction is direction and not (delimited and open_ended(kind))
    ]
    return st.sampled_from(kinds).flatmap(lambda kind: frames_of(kind, given, plain))


def open_ended(kind: type[ClientFrame] | type[ServerFrame]) -> bool:
    """Tell whether frames of this class have no length: they end with their segment."""
    return any(field.shape is Shape.REST for field in _BY_FRAME[kind].fields)


@st.composite
def near_frames(draw: st.DrawFn, direction: Direction = Direction.CLIENT) -> bytes:
    """Draw bytes that are frames but for a few bends: at a field, a length, an end."""
    data = b"".join(encode(frame) for frame in draw(st.lists(frames(direction), max_size=_FEW)))
    for _ in range(draw(st.integers(0, _FEW))):
        parts = spans(data, direction)
        if parts:
            data = draw(st.sampled_from(_BENDS))(draw, data, draw(st.sampled_from(parts)))
    return data


def _overwritten(draw: st.DrawFn, data: bytes, part: Span) -> bytes:
    end = part.offset + part.length
    return data[: part.offset] + draw(st.binary(max_size=_FEW)) + data[end:]


def _lying(draw: st.DrawFn, data: bytes, part: Span) -> bytes:
    """Give a number other bytes of the same width: what it counts stays as it is."""
    width = min(part.length, 8)
    value = draw(st.sampled_from(boundaries(field_limit(part.path), width)))
    return data[: part.offset] + value.to_bytes(width, "big") + data[part.offset + width :]


def _cut(draw: st.DrawFn, data: bytes, part: Span) -> bytes:
    return data[: part.offset + draw(st.integers(0, part.length))]


def _doubled(_draw: st.DrawFn, data: bytes, part: Span) -> bytes:
    end = part.offset + part.length
    return data[:end] + data[part.offset :]


_BENDS = (_overwritten, _lying, _cut, _doubled)


def _values(field: Field, plain: bool) -> SearchStrategy[object]:
    if field.role is Role.INTEGER:
        return st.integers(0, (1 << 8 * field.width) - 1) | st.sampled_from(
            boundaries(None, field.width)
        )
    limit = field_limit(field.path) or _SHORT
    if field.inside is Inside.MESSAGES:
        return st.lists(st.binary(max_size=20), max_size=_FEW).map(tuple)
    if field.inside is Inside.CBOR and plain:
        # The protocol's fields hold maps; a roster, which has no limit of its own, is an array.
        return cbor_maps() if field_limit(field.path) else cbor_items()
    sizes = [size for size in (limit - 1, limit, limit + 1) if size <= _LONG]
    texts: SearchStrategy[object] = st.binary(max_size=min(limit, _SHORT))
    return texts | st.sampled_from(sizes).map(lambda size: b"A" * size) if sizes else texts


def _users() -> SearchStrategy[bytes]:
    """Return users for a LOGIN: the first colon of its text ends the name."""
    return st.binary(max_size=40).filter(lambda user: b":" not in user)
