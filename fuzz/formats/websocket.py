"""WebSocket on the wire: the messages of what a client has sent, and what it sends for messages."""

from __future__ import annotations

from collections.abc import Sequence

from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Pong,
    Request,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

#: wsproto tells of a breach in its own words, except where a header is no text.
_BREACHES = (LocalProtocolError, RemoteProtocolError, ValueError)
#: What a server's yes to an upgrade begins with.
_ACCEPTED = b"HTTP/1.1 101"
#: Bytes: no server says more before it goes on as a WebSocket.
_MAX_HEAD = 64 * 1024


def is_upgrade(stream: bytes) -> bool:
    """Tell whether what a client has sent begins with a request to be upgraded."""
    head = stream.partition(b"\r\n\r\n")[0].lower()
    return head.startswith(b"get ") and b"\nupgrade:" in head and b"websocket" in head


def messages_of(segments: Sequence[bytes], heard: bytes) -> list[list[bytes]] | None:
    """Return the messages that each of a client's ``segments`` completes.

    None where that would not be what was sent: the server has refused, as it says in ``heard``; or
    the client did not keep to RFC 6455, sent text, a ping or a message in fragments, or cut a
    message in two. Its answers to pings, and its last word, are no part of its messages.
    """
    if heard and not heard.startswith(_ACCEPTED[: len(heard)]):
        return None
    server = WSConnection(ConnectionType.SERVER)
    found: list[list[bytes]] = []
    upgraded = closed = False
    for segment in segments:
        found.append([])
        part = b""
        events = _events(server, segment)
        if upgraded and not events:
            return None  # it was cut within the head of a message
        for event in events:
            if isinstance(event, Request) and not upgraded:
                server.send(AcceptConnection())
                upgraded = True
            elif isinstance(event, BytesMessage) and event.frame_finished:
                if not event.message_finished or closed:
                    return None
                found[-1].append(part + bytes(event.data))
                part = b""
            elif isinstance(event, BytesMessage):
                part += bytes(event.data)
            elif isinstance(event, CloseConnection):
                closed = True
            elif not isinstance(event, Pong):
                return None
        if part:
            return None
    return found if upgraded else None


class Replies:
    """What a server says after it has accepted an upgrade, out of its bytes."""

    def __init__(self) -> None:
        self._head = b""
        self._frames: Connection | None = None
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """Return the contents of the messages in ``data``; none once it is no WebSocket."""
        if self._over:
            return b""
        if self._frames is None:
            self._head += data
            _, ended, data = self._head.partition(b"\r\n\r\n")
            if not ended:
                self._over = len(self._head) > _MAX_HEAD
                return b""
            self._frames = Connection(ConnectionType.CLIENT)
        try:
            self._frames.receive_data(data)
            said = [e.data for e in self._frames.events() if isinstance(e, BytesMessage)]
        except _BREACHES:
            self._over = True
            return b""
        return b"".join(map(bytes, said))


class Pair:
    """The two sides of a session, so that messages can be written as they go over the wire."""

    def __init__(self, host: str) -> None:
        self._client = WSConnection(ConnectionType.CLIENT)
        self._server = WSConnection(ConnectionType.SERVER)
        self.request = bytes(self._client.send(Request(host=host, target="/")))
        """What the client asks for the upgrade with."""
        self._server.receive_data(self.request)
        self.answer = bytes(self._server.send(AcceptConnection()))
        """What the server says to it."""
        self._client.receive_data(self.answer)

    def said(self, message: bytes) -> bytes:
        """Return a message of the client on the wire, masked."""
        return bytes(self._client.send(BytesMessage(data=message)))

    def answered(self, message: bytes) -> bytes:
        """Return a message of the server on the wire."""
        return bytes(self._server.send(BytesMessage(data=message)))


def _events(server: WSConnection, segment: bytes) -> Sequence[Event]:
    """Return what ``segment`` brings; a breach of the protocol is an event of its own."""
    events: list[Event] = []
    try:
        server.receive_data(segment)
        for event in server.events():
            events.append(event)
    except _BREACHES:
        events.append(Event())
    return events
