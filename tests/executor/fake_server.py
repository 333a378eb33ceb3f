"""A scripted server on the loopback interface, for tests of what talks to one.

Each connection runs the script in a thread of its own. Nothing here waits without a
deadline, and :meth:`ScriptedServer.quiet` is a real barrier: it returns when every script
waits for bytes and none are there to be read.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from fuzz.clock import Deadline, SystemClock
from fuzz.executor import Endpoint
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.tls import ClientTls

#: Nothing on the loopback interface takes this long unless it has gone wrong.
SECONDS = 5.0

LOGIN_OK = b"\x03LOGIN_OK"


def soon(what: str, seconds: float = SECONDS) -> Deadline:
    """Return a deadline for something that happens at once."""
    return Deadline.after(SystemClock(), seconds, what)


class Peer:
    """The server's side of one connection."""

    def __init__(self, server: ScriptedServer, number: int, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        self.number = number
        self.socket = connection
        self.segments: list[bytes] = []
        self.was_reset = False
        self.waiting = False
        self.holding = False
        self.done = False
        self._server = server

    def read(self) -> bytes:
        """Return what came with the next segment; empty when the client has ended."""
        self._waits(True)
        assert select.select([self.socket], [], [], SECONDS)[0], "waited in vain for a segment"
        # Before the bytes are taken: at every moment the server is seen to be busy with them.
        self._waits(False)
        try:
            data = self.socket.recv(1 << 20)
        except (ConnectionResetError, ssl.SSLEOFError):
            # The second is what OpenSSL makes of a reset, and of any end without close_notify.
            self.was_reset, data = True, b""
        if data:
            self.segments.append(data)
        return data

    def say(self, data: bytes) -> None:
        """Send ``data``."""
        self.socket.sendall(data)

    def reset(self) -> None:
        """Cut the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _waits(self, waits: bool) -> None:
        with self._server.news:
            self.waiting = waits
            self._server.news.notify_all()

    def hold(self) -> None:
        """Do nothing until the test is over."""
        with self._server.news:
            self.holding = True
            self._server.news.notify_all()
        self._server.let_go.wait(SECONDS)

    @property
    def rests(self) -> bool:
        """Tell whether there is nothing that its script could do now."""
        return self.done or self.holding or (self.waiting and not self.unread())

    def unread(self) -> bool:
        """Tell whether bytes, or the end, are there to be read."""
        return bool(select.select([self.socket], [], [], 0)[0])


Script = Callable[[Peer], None]


def polite(peer: Peer) -> None:
    """Answer LOGIN, take everything else without a word, and close after the client."""
    while data := peer.read():
        if data[:1] == b"\x01":
            peer.say(LOGIN_OK)


def echo(peer: Peer) -> None:
    """Send everything back."""
    while data := peer.read():
        peer.say(data)


def mute(peer: Peer) -> None:
    """Read everything, and neither answer nor close before the test ends."""
    while peer.read():
        pass
    peer.hold()


class ScriptedServer:
    """Runs ``script`` for each connection; a context that leaves no thread behind.

    With ``tls`` it speaks that, and clients come as the ``client`` says.
    """

    def __init__(
        self, script: Script, tls: ssl.SSLContext | None = None, client: ClientTls | None = None
    ) -> None:
        self.peers: list[Peer] = []
        self.news = threading.Condition()
        self.let_go = threading.Event()
        self._script = script
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wake, self._woken = socket.socketpair()
        self._accepting = False
        port = self._listener.getsockname()[1]
        self.endpoint = Endpoint("127.0.0.1", port, port, tls=client, websocket_tls=client)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_go.set()
        self._wake.close()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a script of the fake server did not end"
        self._listener.close()
        self._woken.close()

    def quiet(self, _meanwhile: Meanwhile = nothing) -> bool:
        """Return True when all that was sent has been read and handled; see :class:`Executor`."""
        deadline = soon("the fake server to be quiet")
        with self.news:
            while not self._rests():
                if not self.news.wait(deadline.left()):
                    raise AssertionError(f"waited in vain for {deadline.what}")
        return True

    def rests(self) -> bool:
        """Tell whether there is nothing now that it could do."""
        with self.news:
            return self._rests()

    def ended(self, number: int) -> Peer:
        """Return the peer of connection ``number`` when its script has come to its end."""
        deadline = soon(f"the script of connection {number} to end")
        with self.news:
            while len(self.peers) <= number or not self.peers[number].done:
                if not self.news.wait(deadline.left()):
                    raise AssertionError(f"waited in vain for {deadline.what}")
            return self.peers[number]

    def _rests(self) -> bool:
        if not self._accepting or select.select([self._listener], [], [], 0)[0]:
            return False
        return all(peer.rests for peer in self.peers)

    def _accept(self) -> None:
        while True:
            with self.news:
                self._accepting = True
                self.news.notify_all()
            ready, _, _ = select.select([self._listener, self._woken], [], [])
            if self._woken in ready:
                return
            with self.news:
                self._accepting = False
                connection, _ = self._listener.accept()
                peer = Peer(self, len(self.peers), connection)
                self.peers.append(peer)
            self._start(partial(self._serve, peer))

    def _serve(self, peer: Peer) -> None:
        try:
            if self._tls is not None:
                peer.socket = self._tls.wrap_socket(
                    peer.socket, server_side=True, suppress_ragged_eofs=False
                )
            self._script(peer)
        except (ConnectionError, ssl.SSLError):
            pass  # the client has gone while the script spoke, or there was nobody to speak to
        finally:
            with self.news:
                peer.socket.close()
                peer.done = True
                self.news.notify_all()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()
