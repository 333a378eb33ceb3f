"""Connections to a server, and one play of the steps of a case."""

from __future__ import annotations

import base64
import os
import secrets
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fuzz.recipes import SURE, token, with_tokens
from fuzz.report.standalone.wire import LOGIN_OK, REFUSALS, bound, learned, of, owed, unframed

#: Seconds in which an answer comes that is owed; what comes later is looked for at the end.
SOON = 1.0
#: Seconds that any reply may take, and a connection to end after it was half-closed.
PATIENCE = 5.0
STATUS_OF_NOBODY = b"\x05\x00\x06nobody"

#: Over what a connection comes.
TCP, WEBSOCKET = 0, 1

#: Kind, connection, bytes in hex, number.
Step = tuple[str, int, str, int]


class Client:
    """One connection, raw or WebSocket, with ``tls`` over TLS."""

    def __init__(
        self,
        address: tuple[str, int],
        websocket: bool = False,
        upgrade: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sock = socket.create_connection(address, PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=address[0])
        self.framed = websocket and upgrade
        self.heard = b""
        self.raw = b""
        #: What it has asked for; a LOGIN and an ACK have no length, and are owed nothing.
        self.sent = b""
        self.ended = ""
        self.left = False
        if self.framed:
            key = base64.b64encode(os.urandom(16)).decode()
            self.sock.sendall(
                f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade"
                f"\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            self.read_until(lambda: b"\r\n\r\n" in self.raw)
            self.raw = self.raw.partition(b"\r\n\r\n")[2]
            self.heard = unframed(self.raw)

    def send(self, data: bytes) -> None:
        """Send a segment, as one masked message over WebSocket."""
        if self.framed:
            size = len(data)
            if size < 126:
                head = bytes([0x82, 0x80 | size])
            elif size < 65536:
                head = bytes([0x82, 0xFE]) + struct.pack(">H", size)
            else:
                head = bytes([0x82, 0xFF]) + struct.pack(">Q", size)
            data = head + bytes(4) + data  # the masking key is 0
        try:
            self.sock.sendall(data)
        except OSError as error:
            self.ended = self.ended or f"cut ({error.strerror})"

    def read_until(self, enough: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Read until ``enough()``, the end of the stream, or the deadline; tell if enough."""
        deadline = time.monotonic() + seconds
        while not enough() and not self.ended:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return False
            self.take()
        return enough()

    def take(self) -> None:
        """Read what is there."""
        self.sock.settimeout(0)
        try:
            data = self.sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return  # it was a word between the two sides of TLS
        except ssl.SSLZeroReturnError:
            data = b""
        except OSError as error:
            self.ended = f"cut ({error.strerror})"
            return
        finally:
            self.sock.settimeout(PATIENCE)
        if not data:
            self.ended = "closed"
        self.raw += data
        self.heard = unframed(self.raw) if self.framed else self.raw

    def drain(self) -> None:
        """Read what has come by now; a server that talks without end is left to talk."""
        deadline = time.monotonic() + PATIENCE
        while not self.ended and select.select([self.sock], [], [], 0)[0]:
            self.take()
            if time.monotonic() >= deadline:
                return

    def answered(self) -> bool:
        """Tell whether nothing is owed to it, as far as that can be told."""
        return not of(self.heard, LOGIN_OK) or not owed(self.sent, self.heard)

    def half_close(self) -> bool:
        """Say that nothing more will be sent, and read to the end; tell if there was one."""
        self.drain()
        self.left = not self.ended
        try:
            self.say_goodbye()
        except OSError:
            return True  # the server was first
        self.read_until(lambda: False)
        return bool(self.ended)

    def say_goodbye(self) -> None:
        """Half-close: over TLS by its own word, whose answer is read like all that comes."""
        if not isinstance(self.sock, ssl.SSLSocket):
            self.sock.shutdown(socket.SHUT_WR)
            return
        self.sock.settimeout(0)
        with suppress(ssl.SSLWantReadError):
            self.sock.unwrap()

    def reset(self) -> None:
        """Cut the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.left, self.ended = True, "reset by us"

    def ask(self, data: bytes) -> bool:
        """Send a segment; tell whether it was answered."""
        before = len(self.heard)
        self.send(data)
        return self.read_until(lambda: len(self.heard) > before)

    def status(self) -> bool:
        """Ask for a status; tell whether it was answered."""
        return self.ask(STATUS_OF_NOBODY)


@dataclass(frozen=True)
class Server:
    """Where the server is; ``secret`` is that of its tokens, if it asks for any.

    ``further`` are the ports of the other edges of its cluster, on the same host.
    With ``tls``, its ports speak that; with ``over_web``, clients come over WebSocket.
    """

    address: tuple[str, int]
    web: tuple[str, int]
    secret: bytes | None = None
    further: tuple[int, ...] = ()
    tls: ssl.SSLContext | None = None
    over_web: bool = False

    def edge(self, number: int) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return the addresses of an edge, for TCP and WebSocket; 0 is the first.

        Where there are fewer, it is counted on from the first again.
        """
        number %= 1 + len(self.further)
        if number == 0:
            return self.address, self.web
        host, port = self.address[0], self.further[number - 1]
        return (host, port), (host, port + 1)

    def client(self, transport: int = TCP, edge: int = 0) -> Client:
        """Return a new client; a server that speaks TLS need not do so to WebSockets."""
        plain, web = self.edge(edge)
        if transport == TCP:
            return Client(plain, tls=self.tls)
        try:
            return Client(web, True, transport == WEBSOCKET, self.tls)
        except ssl.SSLError:
            return Client(web, True, transport == WEBSOCKET)

    def credentials(self, user: bytes) -> bytes:
        """Return the text of a LOGIN that is to succeed."""
        return user if self.secret is None else user + b":" + self.token(SURE, user)

    def token(self, kind: bytes, user: bytes) -> bytes:
        """Return a JSON web token of a kind for ``user``."""
        return token(kind, user, self.secret, time.time())

    def said_to(self, credentials: bytes) -> bytes:
        """Return what a new client gets in answer to a LOGIN, nothing if nothing comes."""
        try:
            client = self.client()
        except OSError:
            return b""
        client.ask(b"\x01" + credentials)
        client.sock.close()
        return client.heard

    def asks_for_tokens(self) -> bool:
        """Tell whether a LOGIN as good as can be made is refused for its token."""
        return self.said_to(self.credentials(b"canary02")).startswith(REFUSALS[0])

    def serves(self) -> bool:
        """Tell whether a new client is served."""
        try:
            client = self.client()
        except OSError:
            return False
        # An edge whose core is gone answers, and lets nobody in.
        answered = client.ask(b"\x01" + self.credentials(b"canary01"))
        well = answered and bool(of(client.heard, LOGIN_OK)) and client.status()
        client.sock.close()
        return well

    def bystanders(self) -> list[Client]:
        """Return clients that do nothing wrong: before LOGIN, after it, and over WebSocket."""
        login = b"\x01" + self.credentials(b"bystander")
        clients = [self.client(), self.client()]
        with suppress(OSError):  # not every server speaks it
            clients.append(self.client(WEBSOCKET))
        for client in clients[1:]:
            client.ask(login)
        return [client for client in clients if client.status()]


class Play:
    """One play of the steps, with a control connection that tells when all was handled."""

    def __init__(self, server: Server, steps: Sequence[Step], told: bool = True) -> None:
        self.server, self.steps, self.told = server, steps, told
        self.control = server.client()
        tail = "".join(secrets.choice("ghijklmnopqrstuv") for _ in range(7)).encode()
        self.values = {
            b"<user:%c>" % letter: bytes([letter]).swapcase() + tail
            for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        }
        self.made: dict[bytes, bytes] = {}
        self.links: dict[int, Client] = {}
        self.silent: list[int] = []
        self.seconds = 0.0
        #: Clients that do nothing wrong meanwhile.
        self.bystanders: list[Client] = []

    def link(self, number: int, value: int = TCP) -> Client:
        """Return a connection of the case, opened on first use: ``value`` is that of an open."""
        if number not in self.links:
            edge, transport = divmod(value, 256)
            usual = WEBSOCKET if self.server.over_web else TCP
            self.links[number] = self.server.client(transport or usual, edge)
        return self.links[number]

    def run(self) -> None:
        """Play all steps, then half-close what is open."""
        since = time.monotonic()
        for kind, number, data, value in self.steps:
            for link in self.links.values():
                link.drain()
                self.values.update(learned(link.heard))
            self.step(kind, number, self.bound(kind, bytes.fromhex(data)), value)
        for number, link in self.links.items():
            if not link.ended:
                self.end(number, link)
        self.control.sock.close()
        self.seconds = time.monotonic() - since

    def bound(self, kind: str, data: bytes) -> bytes:
        """Return the bytes of a step as they are sent now."""
        if kind == "login" and data in self.values and data.startswith(b"<user:"):
            return self.server.credentials(self.values[data])
        return with_tokens(bound(data, self.values), self.server.secret, time.time(), self.made)

    def step(self, kind: str, number: int, data: bytes, value: int) -> None:
        """Play one step."""
        if kind == "restart":
            self.restart()
            return
        if self.told:
            shown = data[:32].hex(" ") if data else value or ""
            print(f"  connection {number}: {kind}", shown)
        if kind == "pause":
            time.sleep(value / 1000)  # the case itself says so
            return
        link = self.link(number, value if kind == "open" else TCP)
        if kind == "login":
            link.ask(b"\x01" + data)
        elif kind == "send":
            link.send(data)
            link.sent += b"" if data[:1] in (b"\x01", b"\x03") else data
            self.settle()
        elif kind == "wait":
            self.settle()
        elif kind == "half_close":
            self.end(number, link)
            self.control.status()
        elif kind == "reset":
            link.reset()
            self.control.status()

    def restart(self) -> None:
        """Have a person restart the server, which ends all connections; raise OSError for nobody.

        It must be an orderly stop: who kills a server takes more from it than the case does.
        """
        for link in self.links.values():
            link.drain()
        there = [link for link in self.links.values() if not link.ended]
        print("  restart the server now, in order, and press Enter when that is done", flush=True)
        if not sys.stdin.readline():
            raise OSError("the case restarts the server, and nobody is there to do it")
        for link in there:
            link.left = True
            link.read_until(lambda: False)
            link.ended = link.ended or "not closed by the restart"
        self.control = Client(self.server.address)
        if self.bystanders:
            self.bystanders = self.server.bystanders()

    def settle(self) -> None:
        """Wait until all that was sent is handled: a server may still write what it answers to."""
        self.control.status()
        for link in self.links.values():
            if not link.left and not link.read_until(link.answered, SOON):
                link.sent = b""  # it was given its time

    def end(self, number: int, link: Client) -> None:
        """Half-close a connection; over TLS that ends what is on its way to it as well."""
        if self.server.tls is not None and not link.ended:
            self.settle()
        if not link.half_close():
            self.silent.append(number)
