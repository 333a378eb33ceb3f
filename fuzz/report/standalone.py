"""Play one case against an Iris server and show what it does: standard library only.

This is the whole of a reproducer but for its data: :mod:`fuzz.report.reproducer` copies the
source of this module into the file that it writes, and puts the steps behind it.
"""

from __future__ import annotations

import argparse
import base64
import ipaddress
import os
import secrets
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

#: Seconds that any reply may take, and a connection to end after it was half-closed.
PATIENCE = 5.0
#: Seconds in which an effect on others shows, once its frame was handled.
LATE = 1.0
#: Plays of a leak: what grows by one a play stands out.
LEAK_PLAYS = 100
SHOWN, NOT_SHOWN, NO_SERVER, LOOK_AT_THE_NODE = 0, 1, 2, 3
#: Server frames: the lengths of their counted fields, then how many bytes follow.
SERVER_FRAMES: dict[int, tuple[tuple[int, ...], int]] = {
    0x03: ((), 8), 0x06: ((2,), 9), 0x10: ((2, 4), 0), 0x22: ((4,), 0), 0x31: ((2, 2), 0),
    0x32: ((), 2), 0x35: ((2, 4), 0), 0x72: ((2,), 1), 0x75: ((2, 2), 8), 0xFE: ((2,), 0),
    0xFF: ((), 4),
}  # fmt: skip


#: Kind, connection, bytes in hex, number.
Step = tuple[str, int, str, int]


class Client:
    """One connection, raw or WebSocket."""

    def __init__(
        self, address: tuple[str, int], websocket: bool = False, upgrade: bool = True
    ) -> None:
        self.sock = socket.create_connection(address, PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.framed = websocket and upgrade
        self.heard = b""
        self.raw = b""
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
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            self.ended = f"cut ({error.strerror})"
            return
        if not data:
            self.ended = "closed"
        self.raw += data
        self.heard = unframed(self.raw) if self.framed else self.raw

    def drain(self) -> None:
        """Read what has come by now."""
        while not self.ended and select.select([self.sock], [], [], 0)[0]:
            self.take()

    def half_close(self) -> bool:
        """Say that nothing more will be sent, and read to the end; tell if there was one."""
        self.drain()
        self.left = not self.ended
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return True  # the server was first
        self.read_until(lambda: False)
        return bool(self.ended)

    def reset(self) -> None:
        """Cut the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.left, self.ended = True, "reset by us"

    def status(self) -> bool:
        """Ask for a status; tell whether it was answered."""
        before = len(self.heard)
        self.send(b"\x05\x00\x06nobody")
        return self.read_until(lambda: len(self.heard) > before)


def unframed(raw: bytes) -> bytes:
    """Return the payloads of whole WebSocket messages."""
    payload, at = b"", 0
    while at + 2 <= len(raw):
        size, head = raw[at + 1] & 127, 2
        if size == 126:
            size, head = int.from_bytes(raw[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(raw[at + 2 : at + 10], "big"), 10
        if at + head + size > len(raw):
            break
        if raw[at] & 15 in (0, 1, 2):
            payload += raw[at + head : at + head + size]
        at += head + size
    return payload


def opcodes(heard: bytes) -> list[int]:
    """Return the opcodes of the server's frames, as far as they can be told."""
    found, at = [], 0
    while at < len(heard) and heard[at] in SERVER_FRAMES:
        counted, rest = SERVER_FRAMES[heard[at]]
        found.append(heard[at])
        at += 1
        for width in counted:
            at += width + int.from_bytes(heard[at : at + width], "big")
        at += rest
    return found


def learned(heard: bytes) -> dict[bytes, bytes]:
    """Return the id of the last group and of the last message that the server told."""
    values: dict[bytes, bytes] = {}
    at = 0
    while at < len(heard) and heard[at] in SERVER_FRAMES:
        counted, rest = SERVER_FRAMES[heard[at]]
        opcode, at = heard[at], at + 1
        fields: list[bytes] = []
        for width in counted:
            size = int.from_bytes(heard[at : at + width], "big")
            fields.append(heard[at + width : at + width + size])
            at += width + size
        at += rest
        if at <= len(heard) and opcode == 0x31:
            values[b"<group:1>"] = fields[0]
        elif at <= len(heard) and opcode == 0x10:
            values[b"<msgid:1>"] = fields[0]
    return values


def bound(data: bytes, values: dict[bytes, bytes]) -> bytes:
    """Put values in the place of their tokens, and a true length before one right."""
    for token, value in values.items():
        counted = len(token).to_bytes(2, "big") + token
        data = data.replace(counted, len(value).to_bytes(2, "big") + value).replace(token, value)
    return data


class Play:
    """One play of the steps, with a control connection that tells when all was handled."""

    def __init__(
        self, address: tuple[str, int], web: tuple[str, int], steps: Sequence[Step]
    ) -> None:
        self.address, self.web, self.steps = address, web, steps
        self.control = Client(address)
        tail = "".join(secrets.choice("ghijklmnopqrstuv") for _ in range(7)).encode()
        self.values = {
            b"<user:%c>" % letter: bytes([letter]).swapcase() + tail
            for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        }
        self.links: dict[int, Client] = {}
        self.silent: list[int] = []

    def link(self, number: int, transport: int = 0) -> Client:
        """Return a connection of the case, opened on first use."""
        if number not in self.links:
            address = self.web if transport else self.address
            self.links[number] = Client(address, transport > 0, transport == 1)
        return self.links[number]

    def run(self) -> None:
        """Play all steps, then half-close what is open."""
        for kind, number, data, value in self.steps:
            for link in self.links.values():
                link.drain()
                self.values.update(learned(link.heard))
            self.step(kind, number, bound(bytes.fromhex(data), self.values), value)
        for number, link in self.links.items():
            if not link.ended:
                self.end(number, link)

    def step(self, kind: str, number: int, data: bytes, value: int) -> None:
        """Play one step."""
        print(f"  connection {number}: {kind}", data[:32].hex(" ") if data else value or "")
        if kind == "pause":
            time.sleep(value / 1000)  # the case itself says so
            return
        link = self.link(number, value if kind == "open" else 0)
        if kind == "login":
            before = len(link.heard)
            link.send(b"\x01" + data)
            link.read_until(lambda: len(link.heard) > before)
        elif kind == "send":
            link.send(data)
            self.control.status()
        elif kind == "wait":
            self.control.status()
        elif kind == "half_close":
            self.end(number, link)
        elif kind == "reset":
            link.reset()
            self.control.status()

    def end(self, number: int, link: Client) -> None:
        """Half-close a connection."""
        if not link.half_close():
            self.silent.append(number)


def serves(address: tuple[str, int]) -> bool:
    """Tell whether a new client is served."""
    try:
        client = Client(address)
    except OSError:
        return False
    client.send(b"\x01canary01")
    return client.read_until(lambda: bool(client.heard)) and client.status()


def becomes(true: Callable[[], bool]) -> bool:
    """Ask until something is so, or time is up: what a frame sets off may come a little later."""
    deadline = time.monotonic() + LATE
    while not true():
        if time.monotonic() > deadline:
            return False
    return True


def verdict(kind: str, play: Play, bystander: Client, address: tuple[str, int]) -> tuple[int, str]:
    """Return whether the effect has shown, and what was seen."""
    if kind in ("node_down", "app_down"):
        gone = becomes(lambda: not serves(address))
        return (SHOWN if gone else NOT_SHOWN), (
            "no new client is served any more" if gone else "a new client is served"
        )
    if kind == "listener_restart":
        cut = becomes(lambda: not bystander.status())
        return (SHOWN if cut else NOT_SHOWN), (
            "a client that did nothing was cut off" if cut else "the bystander is still served"
        )
    if kind == "hang" and play.silent:
        return SHOWN, f"connections {play.silent} were silent for {PATIENCE:.0f} s"
    closed = [
        n
        for n, link in play.links.items()
        if link.ended and not link.left and 0xFE not in opcodes(link.heard)
    ]
    if kind == "process_crash" and closed:
        return SHOWN, f"the server closed connections {closed}; its log tells why"
    if kind == "process_crash" and all(link.left for link in play.links.values()):
        return LOOK_AT_THE_NODE, "no connection was lost; a service behind it may have: see its log"
    if kind in ("hang", "process_crash"):
        return NOT_SHOWN, "every connection was answered, or refused with an error"
    if kind == "cost":
        return LOOK_AT_THE_NODE, "nothing to be seen from outside: look at the node's log"
    return LOOK_AT_THE_NODE, "compare what came back, above, with what this finding says"


def main(steps: Sequence[Step], kind: str, title: str) -> int:
    """Play the steps as the command line asks, and return the exit code."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=8085)
    parser.add_argument("--ws-port", type=int, help="default: the port plus one")
    parser.add_argument("--allow-host", action="store_true", help="allow a host elsewhere")
    options = parser.parse_args()
    host = options.host
    loopback = host == "localhost" or (
        host.replace(".", "").isdigit() and ipaddress.ip_address(host).is_loopback
    )
    if not loopback and not options.allow_host:
        print(f"{host} is not on the loopback interface; --allow-host says that it is yours")
        return NO_SERVER
    address, web = (host, options.port), (host, options.ws_port or options.port + 1)
    print(title)
    try:
        bystander = Client(address)
        bystander.send(b"\x01bystander")
        bystander.read_until(lambda: bool(bystander.heard))
        plays = LEAK_PLAYS if kind == "leak" else 1
        for _ in range(plays):
            play = Play(address, web, steps)
            play.run()
    except OSError as error:
        if serves(address):
            print(f"could not play: {error}")
            return NO_SERVER
        if kind in ("node_down", "app_down"):
            print("SHOWN: no new client is served any more")
            return SHOWN
        print(f"no server answers on {host}:{options.port}: {error}")
        return NO_SERVER
    for number, link in play.links.items():
        print(f"connection {number}: {link.ended or 'open'}; received {link.heard[:200].hex(' ')}")
    if kind == "leak":
        print(f"played {LEAK_PLAYS} times; read the growth on the node: erlang:memory(),")
        print("erlang:system_info(atom_count), ets:info(Table, size), process_count, port_count")
        return LOOK_AT_THE_NODE
    code, seen = verdict(kind, play, bystander, address)
    print({SHOWN: "SHOWN", NOT_SHOWN: "NOT SHOWN"}.get(code, "PLAYED") + f": {seen}")
    return code
