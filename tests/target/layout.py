"""A second layout of the reference Iris: a checkout whose Makefile starts a core and edges.

It is as the Iris of a user is: each node is put into the background, with a short name, a cookie
on its command line, and a log file in place of a terminal. Everything that two tests must not
share comes from make variables.
"""

from __future__ import annotations

import os
import random
import shlex
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fuzz.target.reference_build import compile_reference

#: One of so many workers of the tests.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
#: Below those that the system gives to connections: none of these is taken before it is used. Each
#: worker has a part of its own.
_PORTS = range(20_000 + 2 * _WORKER, 32_000, 2 * _WORKERS)

_MAKEFILE = r"""# An Iris of three nodes; the core comes first.
TAG ?=
HOST ?= $(shell hostname -s)
COOKIE ?= iris_secret
PORT1 ?= 8085
PORT2 ?= 8087
PLANTS ?=

CORE := iris_core$(TAG)@$(HOST)
PLANTED := $(if $(PLANTS),plants $(PLANTS))
ERL := erl +S 1:1 +sbwt none -noshell -setcookie $(COOKIE) -pa ebin -s iris_ref main

.PHONY: start_core start_edge1 start_edge2 run_core detach_edge1

logs data:
	@mkdir -p $@

start_core: logs data
	@echo "starting the core"
	@$(ERL) -sname $(CORE) -extra role core data_dir data/core $(PLANTED) > logs/core.log 2>&1 &

start_edge1: logs data
	@$(ERL) -sname iris_edge1$(TAG)@$(HOST) -extra role edge core $(CORE) port $(PORT1) \
		data_dir data/edge1 $(PLANTED) > logs/edge1.log 2>&1 &

start_edge2: logs data
	@$(ERL) -sname iris_edge2$(TAG)@$(HOST) -extra role edge core $(CORE) port $(PORT2) \
		data_dir data/edge2 $(PLANTED) > logs/edge2.log 2>&1 &

# In the foreground, as in a terminal of its own; and as a daemon that no shell waits for.
run_core: logs data
	$(ERL) -sname $(CORE) -extra role core data_dir data/core $(PLANTED)

detach_edge1: logs data
	@setsid $(ERL) -detached -sname iris_edge1$(TAG)@$(HOST) -extra role edge core $(CORE) \
		port $(PORT1) data_dir data/edge1 $(PLANTED)
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with a Makefile, and what tests hand to it."""

    folder: Path
    ports: tuple[int, int]
    variables: str

    def make(self, goal: str) -> str:
        """Return the command that makes a goal."""
        return f"make {goal} {self.variables}"


def lay_out(folder: Path, tag: str, plants: str = "") -> Checkout:
    """Write the checkout to ``folder``; the names of its nodes end with ``tag``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Makefile").write_text(_MAKEFILE)
    (folder / "ebin").symlink_to(compile_reference())
    first, second = free_edge_ports(2)
    pairs = {"TAG": tag, "HOST": "localhost", "PORT1": first, "PORT2": second, "PLANTS": plants}
    words = [f"{name}={value}" for name, value in pairs.items()]
    return Checkout(folder, (first, second), shlex.join(words))


def free_edge_ports(count: int) -> tuple[int, ...]:
    """Return ports that are free, as is the next one of each, for WebSocket."""
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with ExitStack() as held:
            try:
                for one in (port, port + 1):
                    held.enter_context(socket.create_server(("127.0.0.1", one)))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return tuple(ports)
    raise AssertionError("no port is free")
