"""One non-blocking client connection, raw or WebSocket; :mod:`fuzz.executor.secure` adds TLS."""

from __future__ import annotations

import errno
import socket
import struct

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Request, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from fuzz.case import Transport
from fuzz.errors import HarnessFault
from fuzz.executor.endpoint import Endpoint
from fuzz.observation import Ending, Sent

#: What a connection awaits until it is open.
ACCEPTED, UPGRADED = "an accepted connection", "the WebSocket upgrade"

CHUNK = 65_536
#: Chunks read at once, 256 KiB: a peer that never stops must not keep us from the others.
CHUNKS = 4
#: Linger on, for no time: closing sends a reset.
_RESET = struct.pack("ii", 1, 0)
#: Linux's option by which a port is chosen at the connect, where only the pair of addresses must
#: be new, and not at the bind; Python 3.11 has no name for it.
_IP_BIND_ADDRESS_NO_PORT = 24


class Connection:
    """A socket and what came back on it.

    ``ending`` is None while it is open. Nothing here waits: the player decides what to
    wait for, with :meth:`fileno`. ``awaits`` names what is still to come before segments can be
    sent, and is empty then: until it is, :meth:`go_on` is to be called when the socket can be
    read, or written while ``connecting``. ``source`` is the address to connect from; the system
    chooses one if it is None.
    """

    #: Whether to end the sending half ends the other too, with what is still on its way.
    hasty = False

    def __init__(
        self,
        number: int,
        endpoint: Endpoint,
        transport: Transport = Transport.TCP,
        source: str | None = None,
    ) -> None:
        self.number = number
        self.ending: Ending | None = None
        self.waited_for = ""
        self.pieces: list[bytes] = []
        #: The order (see :class:`fuzz.observation.Sent`) after which each piece was read;
        #: 0 for what came with the upgrade.
        self.heard: list[int] = []
        self.sent: list[Sent] = []
        self.left: int | None = None
        self.edge = 0
        self.plain = transport is Transport.TCP
        self.framing = _Framing(endpoint.host) if transport is Transport.WEBSOCKET else None
        self.awaits = ""
        self._last_words = b""
        self._socket = _new_socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            self._socket.bind((source, 0))
        port = endpoint.port if transport is Transport.TCP else endpoint.websocket_port
        if self._connect(endpoint.host, port):
            self.awaits = ACCEPTED
        elif self.ending is None:
            self._established()

    @property
    def connecting(self) -> bool:
        """Tell whether the peer has not accepted it yet."""
        return self.awaits == ACCEPTED

    def _connect(self, host: str, port: int | None) -> bool:
        if port is None:
            self.end(Ending.UNUSED)  # this target has no such port: nobody refused anything
            return False
        code = self._socket.connect_ex((host, port))
        if code == errno.EINPROGRESS:
            # On the loopback the handshake is over by now: asking again saves a wait.
            code = self._socket.connect_ex((host, port))
        if code in (0, errno.EISCONN):
            return False
        if code in (errno.EINPROGRESS, errno.EALREADY):
            return True
        if code == errno.EADDRNOTAVAIL:
            self.end(Ending.REFUSED)
            raise HarnessFault(
                "this machine has no free port left for a connection; "
                "widen net.ipv4.ip_local_port_range"
            )
        self._fail(code)
        return False

    def go_on(self) -> None:
        """Go on with the opening, as far as that goes without a wait."""
        if not self.connecting:
            self._upgrading()
        elif code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail(code)
        else:
            self._established()

    def _established(self) -> None:
        """Begin what has to be said before the first segment."""
        self.awaits = ""
        if self.framing is not None:
            self.awaits = UPGRADED
            self.send(self.framing.request())

    def _upgrading(self) -> None:
        assert self.framing is not None
        if data := self.take():
            self.pieces.append(data)
            self.heard.append(0)
        if self.framing.open:
            self.awaits = ""

    def framed(self, segment: bytes) -> bytes:
        """Return the bytes that carry ``segment``: a message, over WebSocket."""
        return segment if self.framing is None else self.framing.wrap(segment)

    def take(self) -> bytes:
        """Read what is there, as :meth:`receive` does, and unwrap it over WebSocket."""
        data = self.receive()
        return data if self.framing is None or not data else self.framing.unwrap(data)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def send(self, data: bytes) -> int:
        """Write what fits into the socket; return how many bytes went."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broken(error.errno)
            return len(data)

    def receive(self) -> bytes:
        """Read what is there, at most 256 KiB; sets ``ending`` at the end of the stream."""
        whole, self._last_words = self._last_words, b""
        for _ in range(CHUNKS):
            if self.ending is not None:
                break
            try:
                data = self._socket.recv(CHUNK)
            except BlockingIOError:
                break
            except OSError as error:
                self._fail(error.errno)
                break
            if not data:
                self.end(Ending.CLOSED)
                break
            whole += data
        return whole

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._broken(error.errno)

    def reset(self) -> None:
        """Cut the connection with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.end(Ending.DROPPED)

    def end(self, ending: Ending) -> None:
        """Close the socket, remembering why, unless that is known already."""
        if self.ending is None:
            self.ending = ending
            self._socket.close()

    def _broken(self, code: int | None) -> None:
        """Note that the peer has gone; the next :meth:`receive` returns what it said before."""
        self._last_words = self.receive()
        if self.ending is None:
            self._fail(code)
        elif code == errno.ECONNRESET:
            # The failed write has used the reset up, and the read saw a clean end.
            self.ending = Ending.RESET

    def _fail(self, code: int | None) -> None:
        refused = code in (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH)
        self.end(Ending.REFUSED if refused else Ending.RESET)


def _new_socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise HarnessFault(
            f"no socket can be had ({error.strerror}); raise the limit on open files (ulimit -n)"
        ) from None


class _Framing:
    """The client's side of RFC 6455: the upgrade, and one message for each segment.

    ``open`` tells that the peer has answered; ``sound`` that it has accepted, and that nothing
    went either way since but messages.
    """

    def __init__(self, host: str) -> None:
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._host = host
        self.open = False
        self.sound = False

    def request(self) -> bytes:
        """Return the bytes that ask for the upgrade."""
        return bytes(self._protocol.send(Request(host=self._host, target="/")))

    def wrap(self, segment: bytes) -> bytes:
        """Return ``segment`` as one masked binary message."""
        try:
            return bytes(self._protocol.send(BytesMessage(data=segment)))
        except LocalProtocolError:
            # The server has closed the session; the bytes go out as they are.
            self.sound = False
            return segment

    def unwrap(self, data: bytes) -> bytes:
        """Return the payloads of the messages that ``data`` completes."""
        try:
            self._protocol.receive_data(data)
        except (LocalProtocolError, RemoteProtocolError, ValueError):
            # No WebSocket speech (ValueError: a header that is no text), or speech after the end
            # of the session: kept as it is.
            self.sound = False
            return data
        payload = b""
        for event in self._protocol.events():
            self.open = True
            if isinstance(event, AcceptConnection):
                self.sound = True
            elif isinstance(event, BytesMessage):
                payload += bytes(event.data)
            elif isinstance(event, TextMessage):
                payload += event.data.encode()
        return payload
