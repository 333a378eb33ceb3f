"""The port mapper of Erlang: who on this machine has a name, and where it listens for other nodes.

There is one for all nodes of a machine, whoever started it. It answers in microseconds, from
memory. Formats: "Distribution Protocol", EPMD, in the user's guide of ERTS.
"""

from __future__ import annotations

import os
import re
import socket
import struct

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import SettingsError

#: It listens on the loopback interface, whatever else it listens on.
EPMD_HOST = "127.0.0.1"
#: The variable that says where, for nodes and for us.
_VARIABLE = "ERL_EPMD_PORT"
_PORT = 4369
#: What may be a port: more digits are none, and too many are no number to Python.
_DIGITS = re.compile(r"\d{1,5}")
#: Whoever needs longer than that is no port mapper, or a stopped one.
_SECONDS = 2.0
#: A timeout of zero would mean not to wait at all, and be another error.
_LEAST_SECONDS = 0.001
_NAMES_REQUEST = b"\x00\x01n"
_PORT_REQUEST, _PORT_REPLY = 122, 119
_CHUNK = 65_536
_LINE = re.compile(rb"name (.+) at port (\d+)")


def epmd_port() -> int:
    """Return where nodes that this process starts look for it; raise :class:`SettingsError`."""
    told = os.environ.get(_VARIABLE) or str(_PORT)
    if not (_DIGITS.fullmatch(told) and 0 < int(told) < 65_536):
        raise SettingsError(f"{_VARIABLE} is {told!r} in the environment, which is no port")
    return int(told)


def names(port: int) -> dict[str, int] | None:
    """Return the names that the mapper on ``port`` knows, with their ports for distribution.

    None if nobody listens there. Raises :class:`SettingsError` for somebody who is no mapper, or
    who does not answer.
    """
    try:
        answer = _ask_for_names(port)
    except ConnectionRefusedError:
        return None
    except OSError as error:
        raise SettingsError(f"whoever listens on port {port} does not answer: {error}") from None
    if answer[:4] != port.to_bytes(4, "big"):
        raise SettingsError(
            f"who listens on port {port} is no epmd: nodes of a cluster will not find one another; "
            f"end it, or choose another port with {_VARIABLE}"
        )
    return {name.decode("utf-8", "replace"): int(at) for name, at in _LINE.findall(answer)}


def _ask_for_names(port: int) -> bytes:
    """Return all that is answered until the connection ends."""
    deadline = Deadline.after(SystemClock(), _SECONDS, "epmd to answer")
    answer = b""
    with socket.create_connection((EPMD_HOST, port), _SECONDS) as connection:
        connection.sendall(_NAMES_REQUEST)
        while data := connection.recv(_CHUNK):
            answer += data
            if deadline.expired():  # a timeout is of one wait, and there need not be any
                raise TimeoutError("it talks without end")
            connection.settimeout(max(deadline.left(), _LEAST_SECONDS))
    return answer


def port_of(alive: str, port: int, deadline: Deadline) -> int | None:
    """Return the port for distribution of the node ``alive``, a name without its host.

    None if the mapper on ``port`` does not know it; :class:`OSError` if none answers there.
    """
    name, seconds = alive.encode(), max(deadline.left(), _LEAST_SECONDS)
    with socket.create_connection((EPMD_HOST, port), seconds) as connection:
        connection.sendall(struct.pack(">HB", len(name) + 1, _PORT_REQUEST) + name)
        reply = exactly(connection, 2, deadline)
        known = reply == bytes((_PORT_REPLY, 0))
        return int.from_bytes(exactly(connection, 2, deadline), "big") if known else None


def exactly(connection: socket.socket, size: int, deadline: Deadline) -> bytes:
    """Return ``size`` bytes; raise :class:`OSError` if the other side says less in time."""
    data = b""
    while len(data) < size:
        connection.settimeout(max(deadline.left(), _LEAST_SECONDS))
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("it hung up")
        data += more
        if len(data) < size and deadline.expired():  # a timeout is of one wait only
            raise TimeoutError("it takes too long over what it says")
    return data


def distribution_ports() -> frozenset[int]:
    """Return where nodes of this machine listen for one another, so far as a mapper tells."""
    try:
        return frozenset((names(epmd_port()) or {}).values())
    except SettingsError:
        return frozenset()
