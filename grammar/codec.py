"""Frames to bytes and back; the one place where construct's exceptions are caught.

Theory of operation. A position is first measured along its plan, which tells a frame that
is not all there (NEED_DATA) from one that is. Only a complete frame is read, along its plan as
well, so whatever is then refused can never become a frame: a DecodeError. What cannot be written
along its plan, construct is asked about, whose declarations the plans were read from.
"""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any, Final, Literal

from construct import ConstructError

from grammar.errors import DecodeError, EncodeError, IncompleteError
from grammar.frames import (
    E2eeDelivery,
    Frame,
    GroupDelivery,
    Login,
    ReliableMsg,
    SenderKeyDelivery,
    UnknownFrame,
)
from grammar.layout import (
    BARE_PLANS,
    PLANS,
    Field,
    Plan,
    Shape,
    locate,
    measure,
    plan_at,
    values,
    written,
)
from grammar.opcodes import Direction


class NeedData(Enum):
    """The type of :data:`NEED_DATA`, so that a type checker can tell it from a frame."""

    NEED_DATA = "need data"


#: What :func:`decode_one` gives when the bytes end before the frame does.
NEED_DATA: Final = NeedData.NEED_DATA

_PLAN_OF: dict[type, Plan] = {
    plan.frame: plan for plans in (*PLANS.values(), BARE_PLANS) for plan in plans.values()
}
#: What can be wrong with a frame that is complete by its lengths: with a literal, and with a batch.
_COMPLAINTS = {
    Shape.LITERAL: "the text is not the one that this opcode announces",
    Shape.COUNTED: "a message runs past the end of its batch",
}
_FIELD_NAMES: dict[type, tuple[str, ...]] = {
    frame: tuple(field.name for field in fields(frame)) for frame in _PLAN_OF
}


def encode(frame: Frame) -> bytes:
    """Return ``frame`` as it is on the wire; raise :class:`EncodeError` where it has no form.

    Only what the wire cannot say is refused, such as 65,536 bytes under a two-byte length.
    What is merely over a published limit is encoded.
    """
    if isinstance(frame, UnknownFrame):
        return frame.data
    plan = _PLAN_OF[type(frame)]
    given: dict[str, Any] = {name: getattr(frame, name) for name in _FIELD_NAMES[type(frame)]}
    if isinstance(frame, Login):
        given = {"credentials": _credentials(frame)}
    try:
        return written(plan, given)
    except (OverflowError, TypeError, AttributeError):
        return _declared(plan, given)


def _declared(plan: Plan, given: dict[str, Any]) -> bytes:
    """Return what construct builds; raise :class:`EncodeError` that names what it cannot."""
    try:
        return bytes(plan.struct.build(given))
    except (ConstructError, TypeError) as error:
        raise _encode_error(plan, given, error) from None


def decode(data: bytes, direction: Direction) -> tuple[Frame, ...]:
    """Return the frames of one segment that holds nothing but whole frames.

    Raise :class:`IncompleteError`, whose offset is the start of the frame, when the last one is
    cut short, and :class:`DecodeError` where bytes can never become a frame.
    """
    frames: list[Frame] = []
    offset = 0
    while offset < len(data):
        decoded = _next(data, direction, offset)
        if isinstance(decoded, Field):
            reason = f"only {len(data) - offset} bytes of the frame are there"
            raise IncompleteError(offset, decoded.path, reason)
        frame, offset = decoded
        frames.append(frame)
    return tuple(frames)


def decode_one(
    data: bytes, direction: Direction, offset: int = 0
) -> tuple[Frame, int] | Literal[NeedData.NEED_DATA]:
    """Return the frame at ``offset`` and its end, or NEED_DATA.

    The end of ``data`` is taken as the end of a segment, which is where LOGIN, ACK and
    unknown frames end. Raise :class:`DecodeError` for a frame that is complete and wrong.
    """
    if not 0 <= offset < len(data):
        return NEED_DATA
    decoded = _next(data, direction, offset)
    return NEED_DATA if isinstance(decoded, Field) else decoded


def delivery(frame: ReliableMsg) -> E2eeDelivery | GroupDelivery | SenderKeyDelivery | None:
    """Return the frame that travels inside a RELIABLE_MSG, or None for a plain message.

    A plain message may by chance read like one: the wire does not tell them apart.
    """
    try:
        frames = decode(frame.message, Direction.SERVER)
    except DecodeError:
        return None
    if len(frames) == 1 and isinstance(frames[0], E2eeDelivery | GroupDelivery | SenderKeyDelivery):
        return frames[0]
    return None


def _next(data: bytes, direction: Direction, offset: int) -> tuple[Frame, int] | Field:
    """Return the frame at ``offset`` and its end, or the field in which the data ends."""
    plan = plan_at(data, offset, direction)
    if plan is None:
        return UnknownFrame(direction, data[offset:]), len(data)
    end, missing = measure(plan, data, offset)
    if missing is not None:
        return missing
    return parse(plan, data, offset, end), end


def parse(plan: Plan, data: bytes, offset: int, end: int) -> Frame:
    """Return the frame from ``offset`` to ``end``, which is complete by its lengths.

    Raise :class:`DecodeError` if a field does not hold what it is declared to.
    """
    found = values(plan, data, offset, end)
    if isinstance(found, Field):
        where = locate(plan, data, offset, found.name)
        raise DecodeError(where, found.path, _COMPLAINTS[found.shape])
    if plan.frame is Login:
        user, colon, token = found[0].partition(b":")
        return Login(user, token if colon else None)
    return plan.frame(*found)


def _credentials(frame: Login) -> bytes:
    if b":" in frame.user:
        raise EncodeError("LOGIN.user", "a colon ends the name and begins the token")
    return frame.user if frame.token is None else frame.user + b":" + frame.token


def _field_name(error: ConstructError) -> str:
    """Return the field that construct blames: its path reads ``(parsing) -> field -> ...``."""
    return str(error.path).split(" -> ")[1]


def _encode_error(plan: Plan, given: dict[str, Any], error: Exception) -> EncodeError:
    if not isinstance(error, ConstructError):
        return EncodeError(plan.name, f"a field has the wrong type: {error}")
    name = _field_name(error)
    width = next(field.width for field in plan.fields if field.name == name)
    value = given[name]
    if isinstance(value, bytes):
        reason = f"{len(value)} bytes are more than a length of {width} bytes can say"
    else:
        reason = f"its value does not fit a field of {width} bytes"
    return EncodeError(f"{plan.name}.{name}", reason)
