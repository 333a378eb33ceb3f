"""Playing one case, as a generator that says what it waits for.

A player never blocks. It yields a :class:`Wait` for a socket, or :data:`BARRIER` where it
must not go on before the node has read and handled all that was sent so far: between two
segments (the cut is part of the case, and a kernel would join them), before a connection
is cut, and between the closing of two connections (what one sent to the other must have
arrived). The batch runs many players and serves all their barriers with one round trip. With
:data:`RESTART` it asks for a restart of the server.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from math import inf

from fuzz.case import (
    ALL_USER_TOKENS,
    GROUP_TOKEN,
    MSGID_TOKEN,
    Case,
    Step,
    StepKind,
    Transport,
    bind,
)
from fuzz.clock import Clock, Deadline
from fuzz.executor.connection import Connection
from fuzz.executor.endpoint import CONFIRMING, Endpoint, Patience
from fuzz.executor.owed import owed
from fuzz.executor.secure import dial
from fuzz.executor.tokens import Tokens
from fuzz.observation import ConnectionTrace, Ending, Sent
from grammar import Direction, GroupJoin, ReliableMsg, ServerOpcode, decode, frame_bounds
from grammar.errors import GrammarError


@dataclass(slots=True)
class Wait:
    """Wait until ``connection`` can be read (or written), for at most ``seconds``."""

    connection: Connection | None
    seconds: float
    write: bool = False


class Pause(Enum):
    """What else a player can ask for; see the top of this module."""

    BARRIER = "barrier"
    RESTART = "restart"


BARRIER = Pause.BARRIER
RESTART = Pause.RESTART
#: Steps that see for themselves to it that what was sent before has been handled.
_SETTLING = (StepKind.WAIT, StepKind.RESTART)

#: Bytes. A server is held back only where our socket is full, and that has room for more than this.
_HELD_BACK = 32_768

#: The replies that give a token its value.
_TEACHING = frozenset({ServerOpcode.GROUP_JOIN, ServerOpcode.RELIABLE_MSG})

#: The texts of a LOGIN that are to succeed wherever the secret of the target is known.
_USERS = frozenset(ALL_USER_TOKENS)

#: Sent to the player: True when the wait was answered, False when its time ran out. At a barrier,
#: whether the node is at rest: it may be long at work, and then nobody knows what was handled.
Play = Generator[Wait | Pause, bool, None]


class Player:
    """Plays ``case`` against ``endpoint``; drive :meth:`run`, then read :meth:`traces`.

    ``exact`` tells that a barrier answers for all that was handled, and not only read: else who
    has all patience waits for what must be answered as well.
    """

    def __init__(
        self,
        case: Case,
        endpoint: Endpoint,
        patience: Patience,
        names: dict[bytes, bytes],
        clock: Clock,
        tokens: Tokens,
        exact: bool,
    ) -> None:
        self._case = case
        self._endpoint = endpoint
        self._patience = patience
        self._users = frozenset(names.values())
        self._values = names
        self._clock = clock
        self._tokens = tokens
        self._exact = exact
        #: The tokens of this play, by what asked for them: what is shown twice is the same.
        self._made: dict[bytes, bytes] = {}
        self._began = clock.now()
        self._order = 0
        self._connections: dict[int, Connection] = {}
        #: The connection that sent or ended last, until a barrier has told that all was handled.
        self._unsettled: int | None = None
        #: The orders of the restarts so far.
        self.restarts: list[int] = []

    def run(self) -> Play:
        """Play the steps, then half-close what is open, in order of opening."""
        for step in self._case.steps:
            # A connection's own end comes after all that it sent, without any help.
            ends = step.kind is StepKind.HALF_CLOSE and step.connection == self._unsettled
            if not ends and step.kind not in _SETTLING:
                yield from self._settle()
            yield from _STEPS[step.kind](self, step)
        yield from self._finish()

    def traces(self) -> tuple[ConnectionTrace, ...]:
        """Return what was seen on each connection, in order of opening."""
        return tuple(
            ConnectionTrace(
                number,
                link.ending or Ending.UNUSED,
                tuple(link.pieces),
                link.waited_for,
                tuple(link.sent),
                link.left,
                link.plain,
                link.framing is not None and link.framing.sound,
                link.edge,
                tuple(link.heard),
            )
            for number, link in self._connections.items()
        )

    def users(self) -> frozenset[bytes]:
        """Return the names that stand for the users of the case."""
        return self._users

    def close(self) -> None:
        """Let go of every socket, also when the play was given up."""
        for link in self._connections.values():
            link.end(Ending.DROPPED)

    def _link(
        self, step: Step, transport: Transport = Transport.TCP, edge: int = 0
    ) -> Generator[Wait | Pause, bool, Connection]:
        link = self._connections.get(step.connection)
        if link is not None:
            return link
        if transport is Transport.TCP:
            transport = self._endpoint.usual
        link = dial(step.connection, self._endpoint.edge(edge), transport)
        link.edge = edge % len(self._endpoint.edges()) if edge else 0
        self._connections[step.connection] = link
        while link.awaits and link.ending is None:
            yield from self._next_stage(link)
        return link

    def _next_stage(self, link: Connection) -> Play:
        """Wait for what has to come before ``link`` is open: the first such thing."""
        seconds = self._patience.connect if link.connecting else self._patience.reply
        deadline = self._deadline(seconds, link.awaits)
        while link.awaits == deadline.what and link.ending is None:
            if (yield Wait(link, deadline.left(), link.connecting)):
                link.go_on()
            if deadline.expired() and link.awaits == deadline.what:
                self._silent(link, deadline.what)

    def _open(self, step: Step) -> Play:
        yield from self._link(step, step.transport, step.edge)

    def _login(self, step: Step) -> Play:
        first = step.connection not in self._connections
        link = yield from self._link(step)
        text = self._bound(step.data)
        if step.data in _USERS:
            text = self._tokens.credentials(text)
        yield from self._write(link, b"\x01" + text, login=True)
        if link.ending is None and first:
            deadline = self._deadline(self._patience.reply, "the reply to LOGIN")
            yield from self._reply(link, deadline)
            if self._endpoint.defers:
                # Who leaves before what waited has come was not owed it.
                self._unsettled = link.number
                yield from self._settle()
            elif link.ending is not Ending.DEADLINE:
                self._handled(link)
        elif link.ending is None:
            # What was sent before may hold a frame that is not complete: then this LOGIN is
            # only more of it, and no reply is owed.
            yield from self._wait(step)

    def _send(self, step: Step) -> Play:
        link = yield from self._link(step)
        yield from self._write(link, self._bound(step.data))
        self._unsettled = link.number

    def _wait(self, _step: Step) -> Play:
        yield from self._rest(self._connections.values())
        for link in self._connections.values():
            self._take(link)

    def _half_close(self, step: Step) -> Play:
        link = yield from self._link(step)
        yield from self._to_end(link)
        self._unsettled = link.number

    def _reset(self, step: Step) -> Play:
        link = yield from self._link(step)
        if link.ending is None:
            self._take(link)
            if link.ending is None:
                link.left = self._next_order()
                link.reset()
        self._unsettled = link.number

    def _pause(self, step: Step) -> Play:
        yield Wait(None, step.value / 1000)

    def _restart(self, _step: Step) -> Play:
        """Have the server restarted, and read what it had to say before on each connection.

        What it does not end itself is cut: that a server keeps it is for nobody to judge.
        """
        yield from self._rest(self._connections.values())
        for link in self._connections.values():
            self._take(link)  # one that the server has ended before was not ended by this
        there = [link for link in self._connections.values() if link.ending is None]
        order = self._next_order()
        self.restarts.append(order)
        for link in there:
            link.left = order
        yield RESTART
        deadline = self._deadline(self._patience.close, "the ends of streams after a restart")
        for link in there:
            while link.ending is None and not deadline.expired():
                if (yield Wait(link, deadline.left())):
                    self._take(link)
            if link.ending is None:
                link.reset()

    def _finish(self) -> Play:
        still_open = [link for link in self._connections.values() if link.ending is None]
        for link in still_open:
            if self._unsettled != link.number:
                yield from self._settle()
            yield from self._to_end(link)
            self._unsettled = link.number

    def _settle(self) -> Play:
        """Wait until all that was sent so far has been handled, if anything was sent."""
        if self._unsettled is not None:
            yield from self._rest([self._connections[self._unsettled]])

    def _rest(self, sent: Iterable[Connection]) -> Play:
        """Wait until all that was ``sent`` has been handled, as far as that can be told."""
        rests = yield BARRIER
        self._unsettled = None
        for link in sent if rests else ():
            self._handled(link)
        if not self._exact and self._patience == CONFIRMING:
            yield from self._answered(self._connections.values())

    def _answered(self, links: Iterable[Connection]) -> Play:
        """Wait for the answers that must come, where no barrier tells that all was handled."""
        deadline = self._deadline(self._patience.reply, "the answers that must come")
        for link in links:
            while link.ending is None and owed(link.sent, b"".join(link.pieces)):
                if (yield Wait(link, deadline.left())):
                    self._take(link)
                if deadline.expired():
                    return  # a law tells of what is never answered

    def _handled(self, link: Connection) -> None:
        """Note that what ``link`` sent last has been handled by now."""
        if self._exact and link.sent and link.sent[-1].done == inf:
            last, now = link.sent[-1], self._clock.now() - self._began
            link.sent[-1] = Sent(last.order, last.data, last.login, last.at, now)

    def _write(self, link: Connection, data: bytes, login: bool = False) -> Play:
        if link.ending is None:
            at = self._clock.now() - self._began
            link.sent.append(Sent(self._next_order(), data, login, at))
        data = link.framed(data)
        while link.ending is None and data:
            data = data[link.send(data) :]
            if data and not (yield Wait(link, self._patience.reply, write=True)):
                # A server that has stopped reading is judged by how it ends.
                return
        self._take_last_words(link)

    def _reply(self, link: Connection, deadline: Deadline) -> Play:
        """Wait until something is said on ``link``; what ends within a message says nothing yet."""
        said = b""
        while not said and link.ending is None:
            if (yield Wait(link, deadline.left())):
                said = self._take(link)
            if not said and deadline.expired():
                self._silent(link, deadline.what)

    def _collect(self, link: Connection) -> Play:
        """Take all that is owed on ``link``, whose end ends what is on its way to us.

        So all that was sent must have been handled, and what came of it have been read: after
        the barrier it is in our socket, or held back where that was full and comes when there is
        room. Where there is no such barrier, the answers that must come are waited for. Who talks
        without end is cut short.
        """
        taken, deadline = _HELD_BACK, self._deadline(self._patience.close, "what was held back")
        while taken >= _HELD_BACK and link.ending is None and not deadline.expired():
            yield from self._rest([link])
            if not self._exact:
                yield from self._answered([link])
            taken = len(self._take(link))

    def _to_end(self, link: Connection) -> Play:
        if link.hasty and link.ending is None:
            yield from self._collect(link)
        if link.ending is None:
            link.left = self._next_order()
            link.half_close()
            self._take_last_words(link)
        deadline = self._deadline(self._patience.close, "the end of the stream after half-close")
        while link.ending is None:
            yield from self._reply(link, deadline)
            if deadline.expired():
                # It talks, but it does not end.
                self._silent(link, deadline.what)

    def _next_order(self) -> int:
        self._order += 1
        return self._order

    def _deadline(self, seconds: float, what: str) -> Deadline:
        return Deadline.after(self._clock, seconds, what)

    def _silent(self, link: Connection, what: str) -> None:
        if link.ending is None:
            link.waited_for = what
            link.end(Ending.DEADLINE)

    def _take_last_words(self, link: Connection) -> None:
        """Take what the peer said before a write to it failed; else leave it for a read."""
        if link.ending is not None:
            self._take(link)

    def _take(self, link: Connection) -> bytes:
        data = link.take()
        if data:
            link.pieces.append(data)
            link.heard.append(self._order)
        return data

    def _bound(self, data: bytes) -> bytes:
        """Return ``data`` with its tokens bound to what is known by now.

        Replies are read only when something of theirs is wanted: it costs more than all else.
        """
        if GROUP_TOKEN in data or MSGID_TOKEN in data:
            for link in self._connections.values():
                self._values |= learn(b"".join(link.pieces))
        return self._tokens.bind(bind(data, self._values), self._made)


_STEPS: dict[StepKind, Callable[[Player, Step], Play]] = {
    StepKind.OPEN: Player._open,
    StepKind.LOGIN: Player._login,
    StepKind.SEND: Player._send,
    StepKind.WAIT: Player._wait,
    StepKind.HALF_CLOSE: Player._half_close,
    StepKind.RESET: Player._reset,
    StepKind.PAUSE: Player._pause,
    StepKind.RESTART: Player._restart,
}


def learn(replies: bytes) -> dict[bytes, bytes]:
    """Return the tokens that the server's frames in ``replies`` give a value to: the last ones."""
    latest = {
        opcode: replies[offset : offset + length]
        for offset, length, opcode in frame_bounds(replies, Direction.SERVER)
        if opcode in _TEACHING
    }
    values: dict[bytes, bytes] = {}
    for segment in latest.values():
        try:
            (frame,) = decode(segment, Direction.SERVER)
        except GrammarError:
            continue  # cut short, or not what it says: it teaches nothing
        if isinstance(frame, GroupJoin):
            values[GROUP_TOKEN] = frame.group_id
        elif isinstance(frame, ReliableMsg):
            values[MSGID_TOKEN] = frame.msg_id
    return values
