"""What a client heard, without what changes from play to play: to be compared and kept.

Two plays of one case cannot give the same bytes: users have fresh names, ids are the server's
to choose, and time goes by. :func:`normalised` puts the tokens of users back, numbers ids of
messages and groups by their first appearance in the play (in the order of connections, then of
bytes), and tells of a time only whether there is one. What is left is the same in each play of a
server that does the same.

A value is printable text. Bytes are told as they are, escaped where that cannot be printed. CBOR
(RFC 8949) that the server itself has put together is told by its values, with the keys of a map
in order, since theirs says nothing. A delivery that travels inside a message is told as the frame
that it is: ``message`` is its name, and ``message.sender`` is a field of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from fuzz.case import unbind
from fuzz.describe import printable
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.replies import Heard, Reply
from grammar import (
    NEED_DATA,
    AuthFailed,
    Direction,
    Frame,
    GroupDelivery,
    GroupJoin,
    GroupRosterReply,
    LoginRateLimited,
    MessageKind,
    PrekeyResponse,
    ReliableMsg,
    ServerFrame,
    Stream,
    cbor,
    decode_envelope,
    delivery,
    frame_bounds,
)
from grammar.errors import CborError, GrammarError

#: Bytes that are no frame, or not a whole one.
REST = "REST"
#: A value that is a time or a span of time: that there is one is all that is told.
GIVEN = "given"

#: Fields that hold a time, or a span of time; 0 says that there is none.
_TIMES = frozenset({"last_seen", "timestamp", "retry_after"})
#: Fields that hold an id which the server has made.
_IDS = frozenset({"msg_id", "group_id"})
#: Fields whose CBOR is the server's own; that of an E2EE_MSG is its sender's, byte for byte.
_CBOR = frozenset({(PrekeyResponse, "bundle"), (GroupRosterReply, "roster")})
_CBOR |= {(GroupDelivery, "header")}
#: Tags that mean another part of the value (of cbor2: strings, and any item): with them, a few
#: bytes hold what has no end, or is too long to be written out.
_REFERENCES = frozenset({25, 29})
#: Messages of WebSocket that carry what is said.
_DATA = (MessageKind.BINARY, MessageKind.TEXT, MessageKind.CONTINUATION)
#: The texts without an opcode, which have no name in the table of opcodes.
_BARE: Mapping[type, str] = {AuthFailed: "AUTH_FAILED", LoginRateLimited: "LOGIN_RATE_LIMITED"}
#: Shorter ids may be part of other bytes by chance: these are known only in a field of their own.
_ID_BYTES = 4


def normalised(observation: Observation) -> tuple[Heard, ...]:
    """Return what each connection heard, in the order in which they were opened."""
    frames = [_frames(trace) for trace in observation.traces]
    words = _Words(observation.users, (frame for some, _ in frames for frame in some))
    return tuple(
        Heard(
            trace.number,
            (*map(words.reply, some), *((words.rest(rest),) if rest else ())),
            _ending(trace),
            trace.left is None and trace.ending in (Ending.CLOSED, Ending.RESET),
        )
        for trace, (some, rest) in zip(observation.traces, frames, strict=True)
    )


def tree(data: bytes) -> object:
    """Return the value of CBOR from the server; raise :class:`CborError` where it is no tree."""
    for item in cbor.walk(data, max_items=len(data)).items:
        if item.kind is cbor.Kind.TAG and item.argument in _REFERENCES:
            raise CborError(item.offset, "cbor", "it refers to another part of itself")
    return cbor.loads(data)


def _frames(trace: ConnectionTrace) -> tuple[list[ServerFrame], bytes]:
    """Return the frames of the server's, and what is no frame: from the first on that is none."""
    data, around = trace.replies(), b""
    if not (trace.plain or trace.messages) and data.startswith(b"HTTP/"):
        data, around = _unwrapped(data)
    frames: list[ServerFrame] = []
    stream = Stream(Direction.SERVER)
    try:
        came: list[Frame] = stream.feed(data)
    except GrammarError:
        return [], around + data
    for frame in came:
        if not isinstance(frame, ServerFrame):
            break
        frames.append(frame)
    return frames, around + data[_length(data, len(frames)) :]


def _unwrapped(data: bytes) -> tuple[bytes, bytes]:
    """Return the payload of the messages in a WebSocket session, and what there is around them.

    A case that does its own framing gets the server's as it is (RFC 6455).
    """
    head, blank_line, data = data.partition(b"\r\n\r\n")
    payload, around, offset = b"", head + blank_line, 0
    while True:
        try:
            decoded = decode_envelope(data, offset)
        except GrammarError:
            break
        if decoded is NEED_DATA:
            break
        envelope, end = decoded
        if envelope.kind in _DATA:
            payload += envelope.payload
        else:
            around += data[offset:end]
        offset = end
    return payload, around + data[offset:]


def _length(data: bytes, count: int) -> int:
    """Return how many bytes the first ``count`` frames in ``data`` take."""
    return sum(length for _, length, _ in frame_bounds(data, Direction.SERVER)[:count])


def _title(frame: ServerFrame) -> str:
    return frame.opcode.name if frame.opcode is not None else _BARE[type(frame)]


def _names(frame: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(frame))


def _ending(trace: ConnectionTrace) -> str:
    if trace.ending is Ending.RESET:
        return Ending.CLOSED.value
    return f"{trace.ending.value}: {trace.waited_for}" if trace.waited_for else trace.ending.value


class _Words:
    """Tells the frames of one play in words that are the same in the next one."""

    def __init__(self, users: Iterable[bytes], frames: Iterable[ServerFrame]) -> None:
        self._ids: dict[bytes, bytes] = {}
        numbers = {"msgid": 0, "group": 0}
        for frame in frames:
            if isinstance(frame, ReliableMsg):
                what, made = "msgid", frame.msg_id
            elif isinstance(frame, GroupJoin):
                what, made = "group", frame.group_id
            else:
                continue
            if made not in self._ids:
                numbers[what] += 1
                self._ids[made] = f"<{what}:{numbers[what]}>".encode()
        self._names = {name: unbind(name, (name,)) for name in users}
        self._names |= {m: token for m, token in self._ids.items() if len(m) >= _ID_BYTES}
        longest = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest)) or b"(?!)")

    def reply(self, frame: ServerFrame) -> Reply:
        """Return a frame with its values as they are told."""
        values: list[tuple[str, str]] = []
        for name in _names(frame):
            inside = delivery(frame) if isinstance(frame, ReliableMsg) else None
            if inside is None or name != "message":
                values.append((name, self._value(frame, name)))
                continue
            carried = self.reply(inside)
            values.append((name, carried.frame))
            values += ((f"{name}.{inner}", text) for inner, text in carried.fields)
        return Reply(_title(frame), tuple(values))

    def rest(self, data: bytes) -> Reply:
        """Return bytes that are no frame."""
        return Reply(REST, (("bytes", self._text(data)),))

    def _value(self, frame: ServerFrame, name: str) -> str:
        value = getattr(frame, name)
        if isinstance(value, int):
            return GIVEN if name in _TIMES and value else str(value)
        if name in _IDS and value in self._ids:
            return self._ids[value].decode()
        return self._cbor(value) if (type(frame), name) in _CBOR else self._text(value)

    def _cbor(self, data: bytes) -> str:
        try:
            return self._item(tree(data))
        except (CborError, ValueError, RecursionError):  # a number too long to print; too deep
            return self._text(data)

    def _item(self, value: object) -> str:
        if isinstance(value, Mapping):
            pairs = sorted((self._item(key), self._item(one)) for key, one in value.items())
            return "{" + ", ".join(f"{key}: {one}" for key, one in pairs) + "}"
        if isinstance(value, list | tuple):
            return "[" + ", ".join(map(self._item, value)) + "]"
        if isinstance(value, bytes):
            return f"b'{self._text(value)}'"
        if isinstance(value, str):
            return f"'{self._text(value.encode())}'"
        return str(value)

    def _text(self, data: bytes) -> str:
        data = self._pattern.sub(lambda found: self._names[found.group()], data)
        return printable(data.decode("latin-1").replace("\\", "\\\\"))
