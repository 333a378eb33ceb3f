"""The case: what is generated, played, mutated, minimised, saved and replayed.

A case is an ordered list of steps over one or more connections. Segment boundaries are
part of it, since LOGIN and ACK carry no length and a TCP boundary ends them.

Two things make a case repeatable against a live server without storing a seed or an
index: the bytes themselves, and *tokens*. A token stands in the bytes for something that
is only known while playing. ``<user:A>`` is a user whose name is fresh on each play (so a
case does not meet its own leftovers), ``<group:1>`` the id of the group that the server
made last in this case, ``<msgid:1>`` the id of the message it delivered last. User names
have the length of their token; the others are bound by :func:`bind`, which also puts
right a two-byte length that stands directly before the token and is true of it.

The file: :data:`MAGIC`, the version (one byte), the number of steps (two), and each step as
its kind (one byte, :class:`StepKind`), connection (one), value (two), length of its data (four)
and its data; all numbers are big-endian.

A file that does not start with :data:`MAGIC` is a raw payload: one segment on one
logged-in connection.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from construct import (
    Const,
    ConstructError,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32ub,
    Prefixed,
    PrefixedArray,
    Struct,
    Terminated,
)

from fuzz.errors import CaseFileError
from fuzz.replies import Expectation

MAGIC = b"IRISCASE"
VERSION = 1

#: Connections of one case: room for a whole batch of cases that did harm only together.
MAX_CONNECTIONS = 64
#: Steps of one case: the same; what is generated stays far below.
MAX_STEPS = 1024
#: A pause lasts at most this many milliseconds, and all of a case together no more than five
#: of the longest, so that no case can stall a campaign.
MAX_PAUSE_MS = 2_000
MAX_PAUSES_MS = 5 * MAX_PAUSE_MS
#: Restarts of one case: what is right after the second is no news after a third, and each takes
#: as long as a hundred other steps.
MAX_RESTARTS = 4
#: Above the largest field of the protocol (a 1 MiB batch) and its framing, four times over.
MAX_FILE_BYTES = 4 * 1024 * 1024

#: Edges that a case can name. A cluster on one machine has two or three, as a rule.
MAX_EDGES = 16

#: Users a case can name. Each token is eight bytes, and so is the name put in its place.
USER_TOKENS = tuple(b"<user:%c>" % letter for letter in b"ABCDEFGH")
#: With those that only a merged case has: each of the cases in it keeps users of its own.
ALL_USER_TOKENS = USER_TOKENS + tuple(
    b"<user:%c>" % letter for letter in b"IJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
GROUP_TOKEN = b"<group:1>"
MSGID_TOKEN = b"<msgid:1>"
_USER = re.compile(rb"<user:[A-Za-z]>")
_TOKEN = re.compile(b"|".join((_USER.pattern, GROUP_TOKEN, MSGID_TOKEN)))


class StepKind(IntEnum):
    """What a step does; the number is what the file holds."""

    OPEN = 0
    LOGIN = 1
    SEND = 2
    WAIT = 3
    HALF_CLOSE = 4
    RESET = 5
    PAUSE = 6
    RESTART = 7  # of the server's applications, in the node that lives on


#: By their numbers, which is quicker than to ask the class.
_KINDS = tuple(StepKind)


class Transport(IntEnum):
    """How an OPEN step connects; kept in the lower byte of the step's ``value``."""

    TCP = 0
    WEBSOCKET = 1  # the upgrade is made, and each segment goes as one masked binary message
    WEBSOCKET_RAW = 2  # the WebSocket port, with the upgrade and the framing left to the case


@dataclass(frozen=True, slots=True)
class Step:
    """One step on one connection.

    ``data`` is the segment of a SEND and ``user`` or ``user:token`` of a LOGIN. ``value``
    is the milliseconds of a PAUSE; of an OPEN (see :func:`opening`) it is the
    :class:`Transport`, and in its higher byte the number of the edge to connect to. A connection
    that is used before it is opened is opened over TCP, to the first edge. A RESTART ends all
    connections that are open, in an orderly stop of the server: it belongs to none, and its
    ``connection`` is 0.
    """

    kind: StepKind
    connection: int = 0
    data: bytes = b""
    value: int = 0

    @property
    def transport(self) -> Transport:
        """Return how an OPEN connects."""
        return Transport(self.value & 0xFF)

    @property
    def edge(self) -> int:
        """Return the edge that an OPEN connects to: 0 is the first.

        Where the target has fewer, it is counted on from the first again: a case of two edges can
        be played on any target.
        """
        return self.value >> 8


def opening(connection: int, transport: Transport = Transport.TCP, edge: int = 0) -> Step:
    """Return the step that opens ``connection`` to an edge."""
    return Step(StepKind.OPEN, connection, value=edge << 8 | transport)


@dataclass(frozen=True, slots=True)
class Case:
    """An ordered list of steps; at its end, every open connection is half-closed."""

    steps: tuple[Step, ...]
    #: True for a payload that was wrapped, so that it is said to the user.
    raw: bool = False
    #: What its clients are to hear, if that is known: kept beside its file and not in it.
    expects: Expectation | None = field(default=None, compare=False)

    def connections(self) -> tuple[int, ...]:
        """Return the connection numbers in use, in order of first use."""
        return connections_of(self.steps)

    def restarts(self) -> int:
        """Return how often the case has the server restarted."""
        return sum(step.kind is StepKind.RESTART for step in self.steps)

    def edges(self) -> int:
        """Return how many edges it takes to play it as it is meant: 1 for most."""
        return 1 + max((s.edge for s in self.steps if s.kind is StepKind.OPEN), default=0)

    def users(self) -> tuple[bytes, ...]:
        """Return the tokens of users that are in its steps, in order of first use."""
        found = (_USER.findall(step.data) for step in self.steps if b"<" in step.data)
        return tuple(dict.fromkeys(token for tokens in found for token in tokens))

    def sent_bytes(self) -> int:
        """Return how many bytes its steps hold: what all of its clients send."""
        return sum(len(step.data) for step in self.steps)


def connections_of(steps: Iterable[Step]) -> tuple[int, ...]:
    """Return the numbers of the connections that ``steps`` use, in order of first use."""
    used = (step.connection for step in steps if step.kind is not StepKind.RESTART)
    return tuple(dict.fromkeys(used))


_CASE = Struct(
    "magic" / Const(MAGIC),
    "version" / Int8ub,
    "steps"
    / PrefixedArray(
        Int16ub,
        Struct(
            "kind" / Int8ub,
            "connection" / Int8ub,
            "value" / Int16ub,
            "data" / Prefixed(Int32ub, GreedyBytes),
        ),
    ),
    Terminated,
)

#: The same, for writing: version and number of steps; kind, connection, value, bytes of data.
_HEAD = struct.Struct(">BH")
_STEP_HEAD = struct.Struct(">BBHI")


def encode_case(case: Case) -> bytes:
    """Return the file form of a case. Never fails for steps within the limits.

    This is what building :data:`_CASE` gives, written out: a campaign encodes each case
    that it plays, and building takes longer than all the rest of making one.
    """
    parts = [MAGIC, _HEAD.pack(VERSION, len(case.steps))]
    for step in case.steps:
        parts += (
            _STEP_HEAD.pack(step.kind, step.connection, step.value, len(step.data)),
            step.data,
        )
    return b"".join(parts)


def decode_case(data: bytes) -> Case:
    """Return the case in ``data``; raise :class:`CaseFileError` with the reason.

    Bytes without :data:`MAGIC` are a raw payload. A start of the magic and nothing more is
    a case cut short, not a payload. Nothing else leaves this function.
    """
    if not data:
        raise CaseFileError("the case is empty: it holds no step and no payload")
    if MAGIC.startswith(data):
        raise CaseFileError("the case is cut short: it ends inside its first bytes, the magic")
    if len(data) > MAX_FILE_BYTES:
        raise CaseFileError(f"the case is {len(data)} bytes; at most {MAX_FILE_BYTES} are played")
    if not data.startswith(MAGIC):
        return raw_case(data)
    if data[len(MAGIC) :][:1] not in (b"", bytes([VERSION])):
        raise CaseFileError(
            f"the case has format version {data[len(MAGIC)]}; this harness reads {VERSION}"
        )
    found = _found(data)
    if found is None:
        raise CaseFileError(f"the case is damaged or cut short{_damage(data)}")
    return Case(
        _checked(
            Step(_kind(kind), connection, content, value)
            for kind, connection, value, content in found
        )
    )


def _found(data: bytes) -> list[tuple[int, int, int, bytes]] | None:
    """Return kind, connection, value and data of each step, or None where that is no case.

    This is what parsing with :data:`_CASE` gives, written out for the same reason as in
    :func:`encode_case`: a campaign decodes what it comes back to.
    """
    found: list[tuple[int, int, int, bytes]] = []
    end = len(MAGIC) + _HEAD.size
    try:
        _, steps = _HEAD.unpack_from(data, len(MAGIC))
        for _ in range(steps):
            kind, connection, value, size = _STEP_HEAD.unpack_from(data, end)
            start = end + _STEP_HEAD.size
            end = start + size
            found.append((kind, connection, value, data[start:end]))
    except struct.error:
        return None
    return found if end == len(data) else None


def _damage(data: bytes) -> str:
    """Return what construct says of a case that is damaged."""
    try:
        _CASE.parse(data)
    except ConstructError as error:
        return f" ({type(error).__name__})"
    return ""


def raw_case(payload: bytes) -> Case:
    """Return ``payload`` as one segment on one logged-in connection."""
    steps = (Step(StepKind.LOGIN, 0, USER_TOKENS[0]), Step(StepKind.SEND, 0, payload))
    return Case(steps, raw=True)


def read_case(path: Path) -> Case:
    """Read a case file; raise :class:`CaseFileError` that names the file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CaseFileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return decode_case(data)
    except CaseFileError as error:
        raise CaseFileError(f"{path}: {error}") from None


def bind(data: bytes, values: Mapping[bytes, bytes]) -> bytes:
    """Put ``values`` in the place of their tokens in ``data``.

    A two-byte length directly before a token that counts exactly the token is put right;
    any other length is left as it is, for a lie must stay one. Unknown tokens stay. It is
    one pass: a value that holds a token (a server may make an id of a name) is not bound
    again.
    """
    if b"<" not in data or not values:
        return data
    if data in values:
        return values[data]  # a LOGIN is no more than this
    pieces: list[bytes] = []
    end = 0
    for found in _TOKEN.finditer(data):
        token, start = found.group(), found.start()
        value = values.get(token)
        if value is None:
            continue
        if len(value) != len(token) and data[start - 2 : start] == _length(token):
            pieces += (data[end : start - 2], _length(value), value)
        else:
            pieces += (data[end:start], value)
        end = found.end()
    return b"".join(pieces) + data[end:]


def unbind(data: bytes, names: Iterable[bytes]) -> bytes:
    """Put the tokens of users back in the place of ``names``, which begin with their letters.

    The letter is in the other case there; see :mod:`fuzz.executor.names`.
    """
    for name in names:
        data = data.replace(name, b"<user:%b>" % name[:1].swapcase())
    return data


def _length(name: bytes) -> bytes:
    return len(name).to_bytes(2, "big")


def _check_opening(step: Step) -> None:
    if step.value & 0xFF >= len(Transport):
        raise CaseFileError(f"the case opens a connection of unknown transport {step.value & 0xFF}")
    if step.edge >= MAX_EDGES:
        raise CaseFileError(
            f"the case opens a connection to edge {step.edge}; the highest is {MAX_EDGES - 1}"
        )


def _kind(number: int) -> StepKind:
    if number >= len(_KINDS):
        raise CaseFileError(f"the case has a step of unknown kind {number}")
    return _KINDS[number]


def _checked(steps: Iterable[Step]) -> tuple[Step, ...]:
    checked = tuple(steps)
    if not checked:
        raise CaseFileError("the case holds no step")
    if len(checked) > MAX_STEPS:
        raise CaseFileError(f"the case has {len(checked)} steps; at most {MAX_STEPS} are played")
    pauses = sum(step.value for step in checked if step.kind is StepKind.PAUSE)
    if pauses > MAX_PAUSES_MS:
        raise CaseFileError(f"the case pauses {pauses} ms in all; at most {MAX_PAUSES_MS} are kept")
    restarts = Case(checked).restarts()
    if restarts > MAX_RESTARTS:
        raise CaseFileError(
            f"the case restarts the server {restarts} times; at most {MAX_RESTARTS} are played"
        )
    for step in checked:
        if step.connection >= MAX_CONNECTIONS:
            raise CaseFileError(
                f"the case uses connection {step.connection}; the highest is {MAX_CONNECTIONS - 1}"
            )
        if step.kind is StepKind.PAUSE and step.value > MAX_PAUSE_MS:
            raise CaseFileError(f"the case pauses {step.value} ms; at most {MAX_PAUSE_MS} are kept")
        if step.kind is StepKind.OPEN:
            _check_opening(step)
    return checked
