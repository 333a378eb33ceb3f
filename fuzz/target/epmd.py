"""The port mapper of Erlang: one for all nodes of a machine, whoever started it.

A node that is started where there is none starts one, so it bears the mark of our start
commands; and it serves nodes of other people afterwards, who lose their names if it ends.
Source: "Distribution Protocol", EPMD, NAMES_REQ in the user's guide of ERTS.
"""

from __future__ import annotations

import re
import socket

from fuzz.target.processes import Started, all_listening, listening

#: It answers in microseconds, from memory.
_SECONDS = 2.0
_NAMES_REQUEST = b"\x00\x01n"
_CHUNK = 65_536
_LINE = re.compile(rb"name (.+) at port (\d+)")


def names(port: int) -> dict[str, int]:
    """Return the names that the mapper on ``port`` knows, with their ports for distribution.

    None are known where nobody answers.
    """
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
            connection.sendall(_NAMES_REQUEST)
            while data := connection.recv(_CHUNK):
                answer += data
    except OSError:
        return {}
    return {name.decode("utf-8", "replace"): int(at) for name, at in _LINE.findall(answer)}


def serves_others(mapper: Started) -> bool:
    """Tell whether a mapper knows a node that lives; ours have been ended before it is asked.

    It may not have noticed yet that a node is gone: then nobody listens on the node's port.
    """
    alive = all_listening()
    return any(at in alive for port in listening(mapper.process) for at in names(port).values())
