"""A case in words: what each step does, and what each byte of a segment is.

It is total: the grammar's spans are, and everything here is built on them, so that a
broken frame reads as what it is and where it lies. All text is printable ASCII; bytes from
the wire are escaped, since a terminal obeys some of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from fuzz.case import ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN, Case, Step, StepKind, Transport
from grammar.cbor import Item, Kind, walk
from grammar.envelope import MessageKind, envelope_spans, told_size
from grammar.layout import Role
from grammar.opcodes import MALFORMED_FROM_CLIENT, ClientOpcode, Direction, ServerOpcode
from grammar.spans import Span, spans

#: Bytes of a value that are shown: a name in full as a rule, and a line stays a line.
_VALUE_BYTES = 32
#: Frames of a segment, and values of a field, that a step's one line names.
_SOME = 4

_TOKENS = (*ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN)
_CLIENT_NAMES = {int(opcode): opcode.name for opcode in ClientOpcode}
_SERVER_NAMES = {int(opcode): opcode.name for opcode in ServerOpcode}
_CBOR_NAMES = {
    Kind.UNSIGNED: "integer",
    Kind.NEGATIVE: "integer",
    Kind.BYTES: "bytes",
    Kind.TEXT: "text",
    Kind.ARRAY: "array",
    Kind.MAP: "map",
    Kind.TAG: "tag",
    Kind.SIMPLE: "simple value",
    Kind.FLOAT: "float",
}
_CBOR_SIMPLE = {20: "false", 21: "true", 22: "null", 23: "undefined"}

_WEBSOCKET = "WEBSOCKET."
_TRANSPORTS = {
    Transport.TCP: "TCP",
    Transport.WEBSOCKET: "WebSocket",
    Transport.WEBSOCKET_RAW: "the WebSocket port, its framing in the case's own bytes",
}


@dataclass(frozen=True, slots=True)
class FieldText:
    """One span in words. ``note`` says what a length counts; ``lies`` if it is not there."""

    span: Span
    value: str
    note: str = ""
    lies: bool = False


def describe_steps(case: Case) -> list[str]:
    """Return one line of plain text for each step of ``case``."""
    framed = own_framing(case)
    return [
        describe_place(step) + describe_step(step, step.connection in framed) for step in case.steps
    ]


def describe_place(step: Step) -> str:
    """Return the connection that ``step`` is on, up to what it does; empty if it is on none."""
    return "" if step.kind is StepKind.RESTART else f"connection {step.connection}: "


def own_framing(case: Case) -> frozenset[int]:
    """Return the connections whose WebSocket frames are in the case's own bytes."""
    opened: dict[int, Transport] = {}
    for step in case.steps:
        is_open = step.kind is StepKind.OPEN
        opened.setdefault(step.connection, step.transport if is_open else Transport.TCP)
    return frozenset(n for n, over in opened.items() if over is Transport.WEBSOCKET_RAW)


def describe_step(step: Step, framed: bool = False) -> str:
    """Return what ``step`` does, without its connection; ``framed`` as in :func:`explain`."""
    match step.kind:
        case StepKind.OPEN:
            # The first edge is the only one, mostly; people count from one, as its name may do.
            edge = f", to edge {step.edge + 1} of the cluster" if step.edge else ""
            return f"open over {_TRANSPORTS[step.transport]}{edge}"
        case StepKind.LOGIN:
            return f"log in as {quoted(step.data)}"
        case StepKind.SEND:
            return f"send {_amount(len(step.data), 'byte')}: {_summary(step.data, framed)}"
        case StepKind.WAIT:
            return "wait for a reply"
        case StepKind.HALF_CLOSE:
            return "half-close: send nothing more, read on"
        case StepKind.RESET:
            return "reset: cut the connection at once"
        case StepKind.PAUSE:
            return f"pause for {step.value} ms"
        case StepKind.RESTART:
            return "restart the server's applications, which ends all connections"


def explain_tokens(case: Case) -> list[str]:
    """Return a line for each token that ``case`` holds, telling what it stands for."""
    data = b"\n".join(step.data for step in case.steps)
    meanings = {
        GROUP_TOKEN: "the id of the group that the server made last in this case",
        MSGID_TOKEN: "the id of the message that the server delivered last in this case",
    }
    fresh = "a user whose name is fresh on each play"
    return [
        f"{token.decode('ascii')} is {meanings.get(token, fresh)}"
        for token in _TOKENS
        if token in data
    ]


def explain(segment: bytes, framed: bool = False) -> tuple[FieldText, ...]:
    """Return the fields of a client's ``segment`` in order; they tile it exactly.

    ``framed`` tells that it is of a connection whose WebSocket frames are the case's own.
    """
    mapped = _mapped(segment)
    found = envelope_spans(mapped) if framed else spans(mapped, Direction.CLIENT)
    return tuple(_field(segment, span) for span in found)


def printable(text: str) -> str:
    """Return ``text`` as ASCII without control characters, line ends included."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isascii() and c.isprintable() else _escape(c) for c in text)


def quoted(data: bytes, limit: int = _VALUE_BYTES) -> str:
    """Return ``data`` in quotation marks, escaped, at most ``limit`` bytes of it."""
    shown = data[:limit].decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
    rest = "" if len(data) <= limit else f"... ({_amount(len(data), 'byte')})"
    return f'"{printable(shown)}"{rest}'


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{{{number:x}}}"


def _mapped(segment: bytes) -> bytes:
    """Take the colons out of tokens, for in a LOGIN the first colon ends the user."""
    for token in _TOKENS:
        if token in segment:
            segment = segment.replace(token, token.replace(b":", b"."))
    return segment


def _field(segment: bytes, span: Span) -> FieldText:
    content = segment[span.offset : span.offset + span.length]
    match span.role:
        case Role.OPCODE if span.path.startswith(_WEBSOCKET):
            return FieldText(span, *_envelope_opcode(content[0]))
        case Role.LENGTH if span.path.startswith(_WEBSOCKET):
            return _length(span, told_size(content), len(segment))
        case Role.OPCODE:
            return FieldText(span, *_opcode(content[0]))
        case Role.LENGTH:
            return _length(span, int.from_bytes(content, "big"), len(segment))
        case Role.INTEGER:
            return FieldText(span, str(int.from_bytes(content, "big")))
        case Role.CBOR_HEAD:
            return _head(segment, span)
        case Role.TAIL:
            return FieldText(span, _hex(content), "no field")
        case Role.KEY if not (content.isascii() and content.decode("ascii").isprintable()):
            return FieldText(span, _hex(content))
    return FieldText(span, quoted(content))


def _opcode(number: int) -> tuple[str, str]:
    name = _CLIENT_NAMES.get(number)
    if name is not None:
        return f"{number:02x} {name}", ""
    if number in MALFORMED_FROM_CLIENT:
        server = _SERVER_NAMES.get(number, "reserved")
        return f"{number:02x} {server}", "not a client's: malformed"
    return f"{number:02x}", "unknown opcode"


def _envelope_opcode(first: int) -> tuple[str, str]:
    """Tell the first byte of a frame of WebSocket: FIN, three reserved bits, and the opcode."""
    known = first & 15 in tuple(MessageKind)
    name = f"{first:02x} {MessageKind(first & 15).name}" if known else f"{first:02x}"
    odd = "" if known else "unknown opcode"
    reserved = "reserved bits" if first & 0x70 else ""
    fragment = "" if first & 0x80 else "more fragments follow"
    return name, ", ".join(filter(None, (odd, reserved, fragment)))


def _length(span: Span, says: int, end: int) -> FieldText:
    offset, there = span.counts or (end, 0)
    if says > there:
        note = f"lies: only {_amount(there, 'byte')} of it there"
        return FieldText(span, str(says), note, lies=True)
    return FieldText(span, str(says), f"counts {_amount(there, 'byte')} at {offset}")


def _head(segment: bytes, span: Span) -> FieldText:
    """Read one CBOR head on its own; what stands inside it has spans of its own."""
    if segment[span.offset] == 0xFF:
        return FieldText(span, "break")
    items = walk(segment, span.offset, span.offset + span.length).items
    if not items:
        return FieldText(span, _hex(segment[span.offset : span.offset + span.length]), "cut short")
    item = items[0]
    value = _cbor_value(item)
    if span.counts is None:
        return FieldText(span, value)
    counted = _length(span, item.argument or 0, len(segment))
    return FieldText(span, value, counted.note, counted.lies)


def _cbor_value(item: Item) -> str:
    name = _CBOR_NAMES[item.kind]
    if item.argument is None:
        return f"{name} until a break"
    argument = item.argument
    match item.kind:
        case Kind.BYTES | Kind.TEXT:
            return f"{name} of {argument}"
        case Kind.ARRAY | Kind.MAP:
            return f"{name} of {_amount(argument, 'pair' if item.kind is Kind.MAP else 'item')}"
        case Kind.NEGATIVE:
            return f"{name} {-1 - argument}"
        case Kind.SIMPLE if argument in _CBOR_SIMPLE:
            return _CBOR_SIMPLE[argument]
        case Kind.FLOAT:
            return f"{name} {argument:0{2 * (item.head - 1)}x}"
    return f"{name} {argument}"


def _summary(segment: bytes, framed: bool = False) -> str:
    """Return the frames of a segment in one line, the lies among their lengths included."""
    frames = _frames(explain(segment, framed))
    some = [_frame(segment, fields) for fields in islice(frames, _SOME)]
    more = sum(1 for _ in frames)
    if more:
        some.append(f"and {_amount(more, 'frame')} more")
    return "; ".join(some) or "nothing"


def _frames(fields: Iterable[FieldText]) -> Iterator[list[FieldText]]:
    frame: list[FieldText] = []
    for field in fields:
        if field.span.role is Role.OPCODE and frame:
            yield frame
            frame = []
        frame.append(field)
    if frame:
        yield frame


def _frame(segment: bytes, fields: list[FieldText]) -> str:
    opcode, rest = fields[0], fields[1:]
    if opcode.span.role is not Role.OPCODE and opcode.span.path.startswith("HTTP."):
        return "a request of HTTP"
    name = opcode.value.partition(" ")[2] or f"opcode {opcode.value}"
    note = f" [{opcode.note}]" if opcode.note else ""
    groups: dict[str, list[FieldText]] = {}
    for field in rest:
        groups.setdefault(_name(field.span.path), []).append(field)
    values = (_group(segment, name, group) for name, group in groups.items())
    return f"{name}({', '.join(value for value in values if value)}){note}"


def _name(path: str) -> str:
    return path.partition(".")[2].partition(".")[0].partition("[")[0] or path


def _group(segment: bytes, name: str, fields: list[FieldText]) -> str:
    """Return ``name=value`` of one field of a frame, which may have many spans."""
    lies = "".join(f" [length {f.value}: {f.note}]" for f in fields if f.lies)
    parts = [f for f in fields if f.span.role not in (Role.LENGTH, Role.LITERAL)]
    if not parts and fields[0].span.role is Role.LITERAL:
        return ""
    if not parts and fields[0].span.path.startswith(_WEBSOCKET):
        return lies.strip()
    if any(f.span.role in (Role.CBOR_HEAD, Role.CBOR_VALUE) for f in parts):
        start, last = parts[0].span.offset, parts[-1].span
        return f"{name}=cbor {_hex(segment[start : last.offset + last.length])}{lies}"
    values = [f.value for f in parts[:_SOME]]
    if len(parts) > _SOME:
        values.append(f"and {len(parts) - _SOME} more")
    return f"{name}={' '.join(values) or quoted(b'')}{lies}"


def _hex(data: bytes) -> str:
    rest = "" if len(data) <= _VALUE_BYTES else f"... ({_amount(len(data), 'byte')})"
    return data[:_VALUE_BYTES].hex() + rest


def _amount(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
