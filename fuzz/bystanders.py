"""Clients that do nothing wrong, and must not notice what others send.

A bystander keeps its connection for the whole campaign. On each check it asks for its own
status and wants the answer in time; a connection that has ended was cut off by what
somebody else sent. The canary is the other kind of innocent client: a new one, that
connects, logs in and asks for a status.
"""

from __future__ import annotations

import select
from collections.abc import Iterator

from fuzz.case import Transport
from fuzz.clock import Clock, Deadline
from fuzz.evidence import Pulse
from fuzz.executor.connection import Connection
from fuzz.executor.endpoint import Endpoint, Patience
from fuzz.executor.names import Names
from fuzz.executor.secure import dial
from fuzz.executor.tokens import Tokens
from fuzz.observation import Ending
from grammar import Direction, GetStatus, StatusResponse, Stream, encode
from grammar.errors import GrammarError


class Bystander:
    """One connection that is kept, logged in (with what ``tokens`` gives its user) or not."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        user: bytes | None,
        tokens: Tokens,
        transport: Transport = Transport.TCP,
    ) -> None:
        self.name = name
        self._user = user
        self._tokens = tokens
        self._ask = encode(GetStatus(user or b"nobody"))
        self._link = dial(0, endpoint, transport)
        #: Questions without an answer so far: one that comes late is not the next one's.
        self._owed = 0

    def open(self, deadline: Deadline) -> bool:
        """Connect and, if it has a user, log in; tell whether both were answered."""
        link = self._link
        while link.awaits and link.ending is None:
            if not await_socket(link, deadline, write=link.connecting):
                return False
            link.go_on()
            if link.awaits and deadline.expired():
                return False  # who talks without end is never waited for in vain
        if self._user is not None and link.ending is None:
            self._send(b"\x01" + self._tokens.credentials(self._user))
            while not link.take():
                if deadline.expired() or not await_socket(link, deadline):
                    return False
        return link.ending is None

    def _send(self, data: bytes) -> None:
        self._link.send(self._link.framed(data))

    def ask(self) -> None:
        """Send the question; :meth:`answered` reads the reply."""
        if self._link.ending is None:
            self._send(self._ask)
            self._owed += 1

    def answered(self, deadline: Deadline) -> bool:
        """Tell whether a whole status reply came in time, to this question and to all before."""
        stream = Stream(Direction.SERVER)
        while self._link.ending is None:
            if not await_socket(self._link, deadline):
                return False
            came = _statuses(stream, self._link.take())
            self._owed = max(0, self._owed - came)
            if not self._owed:
                return True
            if deadline.expired():
                return False
        return False

    @property
    def cut(self) -> bool:
        """Tell whether the connection has ended."""
        return self._link.ending is not None

    @property
    def refusal(self) -> str:
        """Return why the server does not take its TLS; empty if it does."""
        return self._link.waited_for

    def close(self) -> None:
        """Let go of the connection."""
        self._link.end(Ending.DROPPED)


class Bystanders:
    """The group of them on each edge: logged in and not, over TCP or TLS, and over WebSocket."""

    def __init__(self, endpoint: Endpoint, names: Names, clock: Clock) -> None:
        self._endpoint = endpoint
        self._names = names
        self._clock = clock
        self._members: tuple[Bystander, ...] = ()
        self._unserved: tuple[str, ...] = ()

    def open(self, deadline: Deadline) -> bool:
        """Replace all members by new ones; tell whether all could be opened."""
        self.close()
        self._unserved = ()
        users = iter(self._names.fresh().values())
        self._members = tuple(
            member for edge in self._endpoint.edges() for member in self._seated(edge, users)
        )
        return all(member.open(deadline) for member in self._members)

    def _seated(self, edge: Endpoint, users: Iterator[bytes]) -> Iterator[Bystander]:
        tokens, web = self._names.tokens, Transport.WEBSOCKET
        at = f" on {edge.name}" if edge.name else ""
        kind = "a client" if edge.tls is None else "a TLS client"
        yield Bystander(f"{kind} that is logged in{at}", edge, next(users), tokens)
        yield Bystander(f"{kind} before its login{at}", edge, None, tokens)
        if edge.websocket_port is not None:
            logged_in = f"a WebSocket client that is logged in{at}"
            yield Bystander(logged_in, edge, next(users), tokens, web)
            yield Bystander(f"a WebSocket client before its login{at}", edge, None, tokens, web)

    def check(self, patience: Patience) -> bool:
        """Ask all of them, then wait for all; tell whether everybody was answered."""
        deadline = Deadline.after(self._clock, patience.reply, "the bystanders' status replies")
        for member in self._members:
            member.ask()
        # All are waited for, so that everybody who was cut off is known.
        self._unserved = tuple(m.name for m in self._members if not m.answered(deadline))
        return not self._unserved

    def cut(self) -> tuple[str, ...]:
        """Return the names of the members that are not served any more.

        Their connection has ended, or the last check waited in vain for an answer on it.
        """
        return tuple(m.name for m in self._members if m.cut or m.name in self._unserved)

    def close(self) -> None:
        """Let go of all connections."""
        for member in self._members:
            member.close()
        self._members = ()


def canary(endpoint: Endpoint, names: Names, deadline: Deadline) -> Pulse:
    """Be a new client once: connect, log in, ask for a status, go."""
    member = Bystander("canary", endpoint, next(iter(names.fresh().values())), names.tokens)
    try:
        if not member.open(deadline):
            return Pulse.REFUSED if member.cut else Pulse.MUTE
        member.ask()
        if member.answered(deadline):
            return Pulse.WELL
        return Pulse.REFUSED if member.cut else Pulse.MUTE
    finally:
        member.close()


def await_socket(link: Connection, deadline: Deadline, write: bool = False) -> bool:
    """Wait until ``link`` can be read (or written); False if it has ended, or the time has."""
    if link.ending is not None:
        return False
    poll = select.poll()
    poll.register(link.fileno(), select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(deadline.left() * 1000))


def _statuses(stream: Stream, data: bytes) -> int:
    """Return how many status replies ``data`` completes; what is no frame is none."""
    try:
        return sum(isinstance(frame, StatusResponse) for frame in stream.feed(data))
    except GrammarError:
        return 0
