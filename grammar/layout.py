"""The declarations of :mod:`grammar.wire`, read once into flat plans for walking bytes.

Theory of operation. A construct parser answers "what is the value", builds objects on the
way and stops at the first fault. A fuzzer also asks, for any bytes, "where does this frame
end" and "what is each byte", many thousand times a second. Both questions need no more
than a list of fields with their widths, so at import each declared Struct is turned into
a :class:`Plan`, a tuple of :class:`Field`; nothing about a layout is written a second
time. :func:`plan_at` finds the plan for a position, :func:`measure` its extent, and
:func:`values` what is in a frame that is whole, which :func:`written` writes: the same that the
declaration parses and builds, in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from construct import Const, Prefixed

from grammar import wire
from grammar.frames import BARE_TEXTS, CLIENT_OPCODES, SERVER_OPCODES, ClientFrame, ServerFrame
from grammar.opcodes import ClientOpcode, Direction, ServerOpcode


class Role(StrEnum):
    """What the bytes of a span are for."""

    OPCODE = "opcode"
    LENGTH = "length"
    INTEGER = "integer"
    #: A user, a group or a message id.
    NAME = "name"
    #: What one person writes to another.
    TEXT = "text"
    #: The initial byte of a CBOR item with its argument.
    CBOR_HEAD = "cbor_head"
    #: The content of a CBOR string.
    CBOR_VALUE = "cbor_value"
    #: Key material, ciphertext, tokens.
    KEY = "key"
    #: Bytes that are the same in every frame of the kind.
    LITERAL = "literal"
    #: Bytes that no layout explains.
    TAIL = "tail"


class Shape(Enum):
    """How the end of a field is found."""

    COUNTED = "counted"
    FIXED = "fixed"
    LITERAL = "literal"
    REST = "rest"


#: The shapes by themselves: to ask the enum for its member takes longer than to compare with it.
COUNTED, FIXED, LITERAL, REST = Shape


class Inside(Enum):
    """How the bytes of a field divide further."""

    PLAIN = "plain"
    CBOR = "cbor"
    MESSAGES = "messages"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a frame.

    ``width`` is in bytes: of the length of a COUNTED field, of a FIXED one itself, of a
    LITERAL's bytes; 0 for REST. ``literal`` are the bytes of a LITERAL and of an opcode.
    ``path`` is ``FRAME.field``.
    """

    name: str
    path: str
    length_path: str
    shape: Shape
    role: Role
    inside: Inside
    width: int
    literal: bytes = b""


@dataclass(frozen=True, slots=True)
class Plan:
    """One frame: its class, its declaration, and its fields in order, the opcode first."""

    name: str
    frame: type[ClientFrame] | type[ServerFrame]
    struct: Any
    fields: tuple[Field, ...]


_INTEGER, _MESSAGES = Role.INTEGER, Inside.MESSAGES

#: Bytes of the length of each message in a batch.
MESSAGE_WIDTH = int(wire.TEXT16.lengthfield.sizeof())

_ROLES: dict[Any, tuple[Role, Inside]] = {
    wire.NAME16: (Role.NAME, Inside.PLAIN),
    wire.TEXT16: (Role.TEXT, Inside.PLAIN),
    wire.TEXT32: (Role.TEXT, Inside.PLAIN),
    wire.KEY32: (Role.KEY, Inside.PLAIN),
    wire.CBOR16: (Role.CBOR_VALUE, Inside.CBOR),
    wire.CBOR32: (Role.CBOR_VALUE, Inside.CBOR),
    wire.BATCH32: (Role.TEXT, Inside.MESSAGES),
    wire.REST_NAME: (Role.NAME, Inside.PLAIN),
    wire.CREDENTIALS: (Role.NAME, Inside.CREDENTIALS),
}


def _field(frame: str, declared: Any) -> Field:
    """Read one named construct; its shape object tells the role."""
    name, shape = declared.name, declared.subcon
    path = f"{frame}.{name}"
    role, inside = _ROLES.get(shape, (Role.INTEGER, Inside.PLAIN))
    literal = b""
    if isinstance(shape, Prefixed):
        kind, width = Shape.COUNTED, shape.lengthfield.sizeof()
    elif shape in _ROLES:
        kind, width = Shape.REST, 0
    elif isinstance(shape, Const) and isinstance(shape.value, bytes):
        kind, width, role, literal = Shape.LITERAL, len(shape.value), Role.LITERAL, shape.value
    else:
        kind, width, role = Shape.FIXED, shape.sizeof(), Role.INTEGER
        if isinstance(shape, Const):
            role, literal = Role.OPCODE, bytes(shape.build(None))
    return Field(name, path, f"{path}.length", kind, role, inside, width, literal)


def _plan(name: str, frame: type[ClientFrame] | type[ServerFrame], struct: Any) -> Plan:
    fields = tuple(_field(name, declared) for declared in struct.subcons)
    return Plan(name, frame, struct, fields)


#: The plans that an opcode announces.
PLANS: Mapping[Direction, Mapping[int, Plan]] = {
    Direction.CLIENT: {
        int(opcode): _plan(opcode.name, CLIENT_OPCODES[opcode], wire.CLIENT[opcode])
        for opcode in ClientOpcode
    },
    Direction.SERVER: {
        int(opcode): _plan(opcode.name, SERVER_OPCODES[opcode], wire.SERVER[opcode])
        for opcode in ServerOpcode
    },
}
#: The plans of the server's bare texts, by their first byte, which is no opcode.
BARE_PLANS: Mapping[int, Plan] = {
    text[0]: _plan(name, BARE_TEXTS[text], struct)
    for name, struct in wire.BARE.items()
    for text in (struct.subcons[0].subcon.value,)
}

#: The same without a look-up by direction, whose hash takes longer than the rest.
_CLIENT_PLANS, _SERVER_PLANS = PLANS[Direction.CLIENT], PLANS[Direction.SERVER]


def plan_at(data: bytes, offset: int, direction: Direction) -> Plan | None:
    """Return the plan of the frame that begins at ``offset``, which must be inside ``data``.

    None for an unknown opcode. A bare text is recognised by all of it that is there.
    """
    if direction is Direction.CLIENT:
        return _CLIENT_PLANS.get(data[offset])
    plan = _SERVER_PLANS.get(data[offset])
    if plan is None:
        bare = BARE_PLANS.get(data[offset])
        if bare is not None:
            literal = bare.fields[0].literal
            if literal.startswith(data[offset : offset + len(literal)]):
                return bare
    return plan


def measure(plan: Plan, data: bytes, offset: int) -> tuple[int, Field | None]:
    """Return where the frame at ``offset`` ends, and None.

    When the bytes end before it does: their end, and the field that is cut short. Counted
    bytes are stepped over and not looked at.
    """
    stop = len(data)
    for field in plan.fields:
        shape = field.shape
        if shape is REST:
            return stop, None
        end = offset + field.width
        if shape is COUNTED and end <= stop:
            end += int.from_bytes(data[offset:end], "big")
        if end > stop:
            return stop, field
        offset = end
    return offset, None


def values(plan: Plan, data: bytes, offset: int, stop: int) -> list[Any] | Field:
    """Return what the fields of the complete frame from ``offset`` to ``stop`` hold, in order.

    Opcode and literals are left out. If a field does not hold what it is declared to, that field.
    """
    found: list[Any] = []
    for field in plan.fields:
        shape = field.shape
        if shape is COUNTED:
            start = offset + field.width
            offset = start + int.from_bytes(data[offset:start], "big")
            content: Any = data[start:offset]
            if field.inside is _MESSAGES:
                content = _messages(content)
                if content is None:
                    return field
            found.append(content)
            continue
        if shape is REST:
            found.append(data[offset:stop])
            break
        start, offset = offset, offset + field.width
        if shape is LITERAL:
            if data[start:offset] != field.literal:
                return field
        elif field.role is _INTEGER:
            found.append(int.from_bytes(data[start:offset], "big"))
    return found


def written(plan: Plan, given: Mapping[str, Any]) -> bytes:
    """Return the frame whose fields hold what is ``given``: the other way round.

    Raise OverflowError or TypeError for what has no form on the wire.
    """
    parts: list[bytes] = []
    for field in plan.fields:
        if field.literal:
            parts.append(field.literal)
            continue
        value = given[field.name]
        if field.role is Role.INTEGER:
            value = value.to_bytes(field.width, "big")
        elif field.inside is Inside.MESSAGES:
            value = b"".join(len(one).to_bytes(MESSAGE_WIDTH, "big") + one for one in value)
        if field.shape is Shape.COUNTED:
            parts.append(len(value).to_bytes(field.width, "big"))
        parts.append(value)
    return b"".join(parts)


def _messages(blob: bytes) -> tuple[bytes, ...] | None:
    """Return the counted messages that fill ``blob``; None if the last runs past its end."""
    messages: list[bytes] = []
    offset, stop = 0, len(blob)
    while offset < stop:
        start = offset + MESSAGE_WIDTH
        offset = start + int.from_bytes(blob[offset:start], "big")
        if start > stop or offset > stop:
            return None
        messages.append(blob[start:offset])
    return tuple(messages)


def locate(plan: Plan, data: bytes, offset: int, name: str) -> int:
    """Return where the field ``name`` of the complete frame at ``offset`` begins."""
    for field in plan.fields:
        if field.name == name:
            break
        end = offset + field.width
        if field.shape is Shape.COUNTED:
            end += int.from_bytes(data[offset:end], "big")
        offset = end
    return offset
