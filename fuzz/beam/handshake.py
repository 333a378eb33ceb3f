"""Find a node of this machine, and learn what it calls itself, without being a node.

The port mapper tells where a name listens (see :mod:`fuzz.epmd`). The node itself tells its full
name in the first messages of the distribution handshake, before it asks for a cookie; so what is
wrong with a name, or with being let in, can be said in plain words. After its answer we hang up.
Formats: "Distribution Protocol" in the ERTS user's guide, OTP 23 and later.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from fuzz.clock import Deadline
from fuzz.epmd import EPMD_HOST, epmd_port, exactly, port_of
from fuzz.errors import AgentError

#: What OTP 26 asks of any node (with FUN_TAGS and the like that OTP 25 still asks for), and
#: neither PUBLISHED nor anything that we would have to live up to: hidden, and soon gone.
_FLAGS = 0x04 | 0x10 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
_FLAGS |= 0x10000 | 0x20000 | 0x40000 | 0x1000000 | 0x2000000 | 1 << 34


@dataclass(frozen=True, slots=True)
class Found:
    """A node of this machine: its full name, and the address at which it answered."""

    name: str
    address: str

    @property
    def host(self) -> str:
        """Return what it calls this machine."""
        return self.name.partition("@")[2]

    @property
    def long(self) -> bool:
        """Tell whether it has a long name: who talks to it must have one too."""
        return "." in self.host


def find(name: str, caller: str, deadline: Deadline) -> Found:
    """Return the node ``name``, with or without its host; raise :class:`AgentError`.

    ``caller`` is the name that we give ours in front of its host.
    """
    alive, separator, host = name.partition("@")
    if separator and not is_here(host):
        raise AgentError(
            f"the node {name} is not on this machine: the agent listens on 127.0.0.1 only; "
            "run iris-fuzz where the node is, or leave out --node to see it from outside"
        )
    port = _listens(alive, deadline)
    found = _ask(name, host, port, caller, deadline)
    if separator and found.name != name:
        raise AgentError(f"the node {name} calls itself {found.name}; say --node {found.name}")
    return found


def is_here(host: str) -> bool:
    """Tell whether ``host`` is this machine, or a name that only a node knows it by."""
    addresses = _addresses(host)
    return not addresses or any(map(_is_ours, addresses))


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


def _is_ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _listens(alive: str, deadline: Deadline) -> int:
    """Return the port of a node, as the port mapper knows it."""
    mapper = epmd_port()
    try:
        port = port_of(alive, mapper, deadline)
    except OSError as error:
        raise AgentError(
            f"no epmd answers on {EPMD_HOST}:{mapper} ({error.strerror or error}), so no node of "
            "this machine has a name; start the node with -sname or -name"
        ) from None
    if port is None:
        raise AgentError(
            f"epmd knows no node {alive} on this machine; `epmd -names` lists those that it knows"
        )
    return port


def _ask(name: str, host: str, port: int, caller: str, deadline: Deadline) -> Found:
    """Begin a handshake with the node on ``port``, wherever on this machine it listens."""
    addresses = [EPMD_HOST, *filter(_is_ours, _addresses(host or socket.gethostname()))]
    for address in dict.fromkeys(addresses):
        try:
            connection = socket.create_connection((address, port), max(deadline.left(), 0.001))
        except OSError:
            continue
        with connection:
            ours = f"{caller}@{host or 'localhost'}"
            return Found(_full_name(connection, name, ours, deadline), address)
    raise AgentError(f"epmd says that the node {name} listens on port {port}, but nobody does")


def _full_name(connection: socket.socket, name: str, ours: str, deadline: Deadline) -> str:
    hello = struct.pack(">cQIH", b"N", _FLAGS, 1, len(ours.encode())) + ours.encode()
    try:
        connection.sendall(struct.pack(">H", len(hello)) + hello)
        status = _message(connection, deadline)
        if status == b"snot_allowed":
            raise AgentError(
                f"the node {name} refuses nodes that it was not told of (net_kernel:allow/1)"
            )
        if status not in (b"sok", b"sok_simultaneous"):
            raise ConnectionError(f"it says {status!r}")
        # Its flags, a challenge, its creation: then the length of its name, and that.
        challenge = _message(connection, deadline)
        at = struct.calcsize(">cQIIH")
        if challenge[:1] != b"N" or len(challenge) <= at:
            raise ConnectionError(f"it says {challenge!r}")
        return challenge[at:].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(
            f"the node {name} does not speak the distribution protocol of OTP 23 or later "
            f"({error}); is it over TLS?"
        ) from None


def _message(connection: socket.socket, deadline: Deadline) -> bytes:
    size = int.from_bytes(exactly(connection, 2, deadline), "big")
    return exactly(connection, size, deadline)
