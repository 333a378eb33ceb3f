"""A crowd: thousands of clients that come at once, each for the same few frames.

A player knows all of its case, and waits for one thing at a time; a batch of them is made for
some dozens of connections. The clients of a crowd do the same and know little: each connects,
logs in, asks for its own status, takes the message that was stored for it and acknowledges it.
One thread and one epoll serve all of them.

A server that is run down may turn clients away, and they come again, as clients do: what counts
is that all are served in the end, and that nobody is cut off who was served. An ACK has no length
and ends with its segment, so a client sends nothing behind its first one.
"""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from fuzz.clock import Clock, Deadline
from fuzz.errors import HarnessFault
from fuzz.evidence import STORED_MESSAGE, Rush
from fuzz.executor.connection import Connection
from fuzz.executor.endpoint import Endpoint
from fuzz.executor.secure import dial
from fuzz.executor.tokens import Tokens
from fuzz.observation import Ending
from grammar import (
    Ack,
    Direction,
    Frame,
    GetStatus,
    LoginOk,
    ReliableMsg,
    StatusResponse,
    Stream,
    encode,
)
from grammar.errors import GrammarError

#: What a client waits for before it is served.
CONNECTED, LOGGED_IN, ANSWERED = "a connection", "LOGIN_OK", "the answer to GET_STATUS"
#: Served, and there is nothing to wait for.
_NOTHING = ""
#: One that was turned away comes again after so long: a crowd that is turned away as a whole must
#: not keep the server from anything else.
_AGAIN_SECONDS = 0.2
#: Connections from one address: less than the 28,232 ports that Linux has for them by default.
_PORTS = 20_000


class _Client:
    """One of the crowd: its connection, if it has one, and what it ``waits`` for.

    ``owed`` is the message that is stored for it, empty when it has come, or when there is none.
    """

    def __init__(self, number: int, user: bytes, credentials: Callable[[bytes], bytes]) -> None:
        self.number = number
        self.user = user
        self.link: Connection | None = None
        self.descriptor = -1
        self.waits = CONNECTED
        self.owed = b""
        self.misled = False
        self._credentials = credentials
        self._stream = Stream(Direction.SERVER)
        self._acknowledged = False

    def begin(self, link: Connection) -> None:
        """Take a new connection."""
        self.link, self.descriptor = link, link.fileno()
        self.waits = CONNECTED
        self._stream = Stream(Direction.SERVER)
        self._acknowledged = False

    def log_in(self) -> None:
        """Send LOGIN, in a segment of its own."""
        self.waits = LOGGED_IN
        self._send(b"\x01" + self._credentials(self.user))

    def take(self, data: bytes) -> None:
        """Go on with what came. A server that says what is no frame is done with."""
        try:
            for frame in self._stream.feed(data) if data else ():
                self._answer(frame)
        except GrammarError:
            self._opened.end(Ending.DROPPED)

    def _answer(self, frame: Frame) -> None:
        if isinstance(frame, LoginOk) and self.waits == LOGGED_IN:
            self.waits = ANSWERED
            self._send(encode(GetStatus(self.user)))
        elif isinstance(frame, StatusResponse) and self.waits == ANSWERED:
            if frame.user == self.user:
                self.waits = STORED_MESSAGE if self.owed else _NOTHING
        elif isinstance(frame, ReliableMsg) and self.waits not in (CONNECTED, LOGGED_IN):
            self._receive(frame)

    def _receive(self, frame: ReliableMsg) -> None:
        self.misled = self.misled or not frame.message.endswith(self.user)
        if frame.message == self.owed:
            self.owed = b""
            self.waits = _NOTHING if self.waits == STORED_MESSAGE else self.waits
        if not self._acknowledged:
            self._acknowledged = True
            self._send(encode(Ack(frame.msg_id)))

    def _send(self, data: bytes) -> None:
        framed = self._opened.framed(data)
        if self._opened.send(framed) != len(framed):
            raise HarnessFault("this machine has no memory left for what a client has to send")

    @property
    def _opened(self) -> Connection:
        assert self.link is not None
        return self.link


class Crowd:
    """The clients of ``users``, one each; ``tokens`` lets them log in."""

    def __init__(
        self, endpoint: Endpoint, users: Sequence[bytes], tokens: Tokens, clock: Clock
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._clients = [_Client(n, user, tokens.credentials) for n, user in enumerate(users)]
        self._epoll = select.epoll()
        self._open: dict[int, _Client] = {}
        self._waiting: set[_Client] = set()
        self._turned_away: list[tuple[float, _Client]] = []
        self._rushes = self._again = self._cut = 0

    def come(
        self,
        what: str,
        seconds: float,
        owed: Mapping[bytes, bytes],
        halfway: Callable[[], tuple[str, ...]] = tuple,
    ) -> Rush:
        """Let all come at once, and return how they were served within ``seconds``.

        ``owed`` has the messages that are stored for some of the users. When half of the crowd is
        served, ``halfway`` is asked which bystanders are not.
        """
        deadline = Deadline.after(self._clock, seconds, "the crowd to be served")
        start = self._clock.now()
        bystanders: tuple[str, ...] | None = None
        self._rushes += 1
        self._again = self._cut = 0
        for client in self._clients:
            client.owed, client.misled = owed.get(client.user, b""), False
            self._waiting.add(client)
            self._connect(client)
        while self._waiting and not deadline.expired():
            self._serve(min(_AGAIN_SECONDS, deadline.left()))
            if bystanders is None and 2 * len(self._waiting) <= len(self._clients):
                bystanders = halfway()
        waits = Counter(client.waits for client in self._clients if client in self._waiting)
        misled = sum(client.misled for client in self._clients)
        return Rush(
            what, len(self._clients), self._clock.now() - start, seconds, len(owed), dict(waits),
            self._again, self._cut, misled, bystanders or (),
        )  # fmt: skip

    def cut_off(self) -> int:
        """Return how many have been cut off since they were served, up to now."""
        self._serve(0.0)
        return self._cut

    def leave(self) -> None:
        """Drop all connections at once: every other one by a reset, the rest by a close."""
        for client in self._clients:
            if client.link is not None and client.link.ending is None:
                if client.number % 2:
                    client.link.reset()
                else:
                    client.link.end(Ending.DROPPED)
            client.link = None
        self._open.clear()
        self._waiting.clear()
        self._turned_away.clear()

    def close(self) -> None:
        """Leave for good."""
        self.leave()
        self._epoll.close()

    def _connect(self, client: _Client) -> None:
        usual, source = self._endpoint.usual, self._source(client.number)
        link = dial(client.number, self._endpoint, usual, source)
        client.begin(link)
        if link.ending is None:
            self._open[client.descriptor] = client
            self._epoll.register(link, select.EPOLLOUT if link.connecting else select.EPOLLIN)
            if not link.awaits:
                client.log_in()
        self._look_at(client, link)

    def _source(self, number: int) -> str | None:
        """Return the address to connect from: a port that was closed just now is not free yet."""
        if not self._endpoint.host.startswith("127."):
            return None
        block = self._rushes * (1 + len(self._clients) // _PORTS) + number // _PORTS
        return f"127.0.{1 + block // 250 % 250}.{1 + block % 250}"

    def _serve(self, seconds: float) -> None:
        """Wait for news, go on with those who have some, and let others come again."""
        for descriptor, _ in self._epoll.poll(seconds, len(self._clients)):
            client = self._open[descriptor]
            link = client.link
            assert link is not None
            if not link.awaits:
                client.take(link.take())
            else:
                self._epoll.modify(link, select.EPOLLIN)
                link.go_on()
                if link.ending is None and not link.awaits:
                    client.log_in()
            self._look_at(client, link)
        now = self._clock.now()
        due = [client for at, client in self._turned_away if at <= now]
        self._turned_away = [(at, client) for at, client in self._turned_away if at > now]
        for client in due:
            self._connect(client)

    def _look_at(self, client: _Client, link: Connection) -> None:
        """Note that a client is served, or that its connection has ended."""
        if not client.waits:
            self._waiting.discard(client)
        if link.ending is None:
            return
        self._open.pop(client.descriptor, None)
        client.link = None
        if client not in self._waiting:
            self._cut += 1
        else:
            self._again += 1
            self._turned_away.append((self._clock.now() + _AGAIN_SECONDS, client))
