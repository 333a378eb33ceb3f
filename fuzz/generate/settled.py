"""Settled dialogues: what each client hears is up to no server's freedom, and to no timing.

Two plays can be compared only where one correct server must answer both alike. So a settled
dialogue keeps to these rules, and of any other case nothing is said:

- users come over TCP, or over a WebSocket whose framing is ours, and go by half-closing: when a
  server learns of a reset is a matter of timing, and so is what runs out during a pause;
- each connection has one LOGIN, of a user of the case without a token, and before it no frame but
  GET_STATUS (rule 4; how others are refused there is open); a user is on one connection at a time
  (who of two receives is open);
- all that is sent is whole frames that the protocol knows; over a WebSocket each message is one.
  Frames may be refused for what they say, but none is near the size at which a server may give
  up on a connection (limits.BUFFER);
- the messages in all are far from what the rate limit (rule 7) and the messages that await an ACK
  (limits.UNACKED) leave open;
- an id of the server's (``<group:1>``, ``<msgid:1>``) stands in a field of its own, and what was
  heard by then is known: messages may follow a LOGIN_OK at once or later, so there was a WAIT
  since the last LOGIN.

What only a play can tell, a connection that the peer ends or a refusal by the rate limit, is for
:mod:`fuzz.oracles.relation`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fuzz.case import (
    ALL_USER_TOKENS,
    GROUP_TOKEN,
    MSGID_TOKEN,
    USER_TOKENS,
    Case,
    Step,
    StepKind,
    Transport,
)
from grammar import (
    Ack,
    BatchSend,
    CborMsg,
    ClientFrame,
    Direction,
    E2eeMsg,
    Frame,
    GetStatus,
    GroupCreate,
    GroupLeave,
    GroupMsg,
    GroupRoster,
    Login,
    SenderKeyDist,
    SendMessage,
    SendSeq,
    Stream,
)
from grammar.errors import GrammarError

#: Half of what a server may hold of one connection: nobody has a reason to give up on it.
_MOST_BYTES = 32_768
#: A fifth of the bucket; with four receivers, less than half of what may await an ACK.
_MOST_MESSAGES = 100
#: Connections and steps: a variant has several times as many steps, each a round trip.
_MOST_CONNECTIONS, _MOST_STEPS = 8, 48
#: Tokens of whoever is not of the case, and tokens of authentication.
_FOREIGN = re.compile(b"|".join((*ALL_USER_TOKENS[len(USER_TOKENS) :], b"<jwt:")))
#: The tokens whose values are of the server's making, and of another length than they.
_IDS = re.compile(GROUP_TOKEN + b"|" + MSGID_TOKEN)
_METERED = SendMessage | SendSeq | CborMsg | E2eeMsg | GroupMsg | SenderKeyDist
_OF_GROUPS = GroupCreate | GroupLeave | GroupMsg | GroupRoster | SenderKeyDist


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled dialogue.

    ``users`` are those that it names, and ``lines`` its connections with who logs in there.
    ``idle`` tells of each place between two steps, the ends included, on which connections a
    user is logged in who has sent nothing but whole frames by then. ``closing`` are the steps
    whose segment ends with an ACK, which takes all that follows it. ``left`` are the connections
    that are half-closed, ``messages`` those over a WebSocket. ``grouped`` tells that it speaks of
    groups, ``bound`` that an id of the server's is in it.
    """

    case: Case
    users: tuple[bytes, ...]
    lines: tuple[tuple[int, bytes], ...]
    idle: tuple[frozenset[int], ...]
    closing: frozenset[int]
    left: frozenset[int]
    messages: frozenset[int]
    grouped: bool
    bound: bool

    @property
    def spare(self) -> int:
        """Return the first of the connection numbers that are not in use."""
        return 1 + max(step.connection for step in self.case.steps)


def settled(case: Case) -> Settled | None:
    """Return what is known of a settled dialogue; None for any other case."""
    if len(case.steps) > _MOST_STEPS or len(case.connections()) > _MOST_CONNECTIONS:
        return None
    reader = _Reader()
    if not all(map(reader.take, case.steps)) or not reader.at_rest():
        return None
    lines = tuple((n, line.user) for n, line in reader.lines.items() if line.user is not None)
    named = b"".join(step.data for step in case.steps)
    return Settled(
        case,
        tuple(user for user in USER_TOKENS if user in named),
        lines,
        tuple(reader.idle),
        frozenset(reader.closing),
        frozenset(number for number, line in reader.lines.items() if line.left),
        frozenset(number for number, line in reader.lines.items() if line.messages),
        reader.grouped,
        _IDS.search(named) is not None,
    )


@dataclass(slots=True)
class _Line:
    """A connection while its dialogue is read."""

    stream: Stream
    messages: bool = False
    user: bytes | None = None
    left: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads a dialogue step by step; each answers whether it is settled so far."""

    lines: dict[int, _Line] = field(default_factory=dict)
    idle: list[frozenset[int]] = field(default_factory=lambda: [frozenset()])
    closing: set[int] = field(default_factory=set)
    sent: int = 0
    grouped: bool = False
    #: There was a LOGIN since the last WAIT: nobody can tell which messages were read by now.
    unsure: bool = False

    def take(self, step: Step) -> bool:
        """Take the next step."""
        good = self._taken(step)
        self.idle.append(
            frozenset(
                number
                for number, line in self.lines.items()
                if line.user is not None and not line.left and not line.stream.pending
            )
        )
        return good

    def at_rest(self) -> bool:
        """Tell whether somebody came, nothing is half said, and not too much was."""
        came = any(line.user is not None for line in self.lines.values())
        whole = not any(line.stream.pending for line in self.lines.values())
        return came and whole and self.sent <= _MOST_MESSAGES

    def _taken(self, step: Step) -> bool:
        match step.kind:
            case StepKind.OPEN:
                known = (Transport.TCP, Transport.WEBSOCKET)
                fresh = step.connection not in self.lines
                self._line(step).messages = step.transport is Transport.WEBSOCKET
                return fresh and step.transport in known
            case StepKind.LOGIN:
                return self._login(step)
            case StepKind.SEND:
                return self._send(step)
            case StepKind.HALF_CLOSE:
                line = self._line(step)
                line.left = True
                return not line.stream.pending
            case StepKind.WAIT:
                self._line(step)
                self.unsure = False
                return True
            case _:
                return False

    def _line(self, step: Step) -> _Line:
        return self.lines.setdefault(step.connection, _Line(Stream(Direction.CLIENT)))

    def _login(self, step: Step) -> bool:
        there = {line.user for line in self.lines.values() if not line.left}
        line = self._line(step)
        first = line.user is None and not line.left and not line.stream.pending
        line.user = step.data
        self.unsure = True
        return first and step.data in USER_TOKENS and step.data not in there

    def _send(self, step: Step) -> bool:
        line, place = self._line(step), len(self.idle) - 1
        if line.left or len(step.data) > _MOST_BYTES or _FOREIGN.search(step.data):
            return False
        if self.unsure and MSGID_TOKEN in step.data:
            return False
        try:
            frames = line.stream.feed(step.data)
        except GrammarError:
            return False
        if line.stream.fault is not None or line.stream.pending > _MOST_BYTES:
            return False
        if line.messages and (len(frames) != 1 or line.stream.pending):
            return False
        ack = frames[-1] if frames and isinstance(frames[-1], Ack) else None
        if ack is not None:
            self.closing.add(place)
        if not _ids_stand_alone(step.data, b"" if ack is None else ack.msg_id):
            return False
        return all(self._may_say(line, frame) for frame in frames)

    def _may_say(self, line: _Line, frame: Frame) -> bool:
        if not isinstance(frame, ClientFrame) or isinstance(frame, Login):
            return False
        self.grouped = self.grouped or isinstance(frame, _OF_GROUPS)
        if isinstance(frame, BatchSend):
            self.sent += len(frame.messages)
        self.sent += isinstance(frame, _METERED)
        return line.user is not None or isinstance(frame, GetStatus)


def _ids_stand_alone(data: bytes, acknowledged: bytes) -> bool:
    """Tell whether each id of the server's is the whole of its field, as :func:`bind` needs it.

    What ends with an ACK may end with the id that is ``acknowledged``.
    """
    for found in _IDS.finditer(data):
        start, end = found.span()
        counted = data[max(0, start - 2) : start] == (end - start).to_bytes(2, "big")
        if not counted and not (end == len(data) and found.group() == acknowledged):
            return False
    return True
