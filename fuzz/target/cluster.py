"""The embedded target as a cluster: a core that holds what is stored, and edges for the clients.

Each is a node of its own, joined by Erlang distribution. They find one another through a port
mapper (epmd) that only they use: so their names are plain, any number of clusters runs on one
machine, and nothing of it stays behind.
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from fuzz.clock import Clock, Deadline, SystemClock
from fuzz.errors import TargetError
from fuzz.observation import NodeExit
from fuzz.settings import TlsSettings
from fuzz.target.base import Address
from fuzz.target.dump import dump_environment, read_dump
from fuzz.target.embedded import (
    BOOT_SECONDS,
    MEMORY_BYTES,
    READY,
    STOP_SECONDS,
    Options,
    node_folder,
    reference_command,
    trusting,
    why_not_ready,
)
from fuzz.target.process import ChildProcess, killed_by
from fuzz.target.reference_build import compile_reference

#: An edge has its WebSocket port beside its own, so the next edge is two further.
PORT_STEP = 2
#: The port mapper answers within milliseconds of its start.
_EPMD_SECONDS = 10.0
#: It is looked for this often meanwhile.
_LOOK_SECONDS = 0.01
#: A port that was free may be somebody else's when the port mapper wants it: then another is tried.
_EPMD_TRIES = 5
#: Nobody guesses it; who joins a cluster may run anything in it.
_COOKIE_BYTES = 16
_CORE = "iris_core"
_HOST = "localhost"


def edge_clock(number: int, skew: float) -> dict[str, str]:
    """Return the arguments that set the clock of an edge; ``number`` counts the edges from 0.

    It is ``skew`` seconds ahead for the first, behind for the second, and so on in turn. The core
    has the time of this machine.
    """
    offset = round(skew * 1000)
    return {"clock_offset_ms": str(-offset if number % 2 else offset)}


@dataclass(slots=True)
class _Node:
    """A node of the cluster: its name without the host, its folder and, once started, its process.

    ``ports`` are those for TCP and WebSocket: a restart must come up on the same ones. ``tls``
    tells that both speak that.
    """

    name: str
    folder: Path
    process: ChildProcess
    ports: tuple[int, int] = (0, 0)
    tls: bool = False

    def exit(self) -> NodeExit | None:
        """Return how it ended, None while it runs."""
        if self.process.returncode() is None:
            return None
        code = self.process.wait(0) or 0
        dump = read_dump(_dump(self.folder))
        slogan = dump.get("slogan")
        return NodeExit(
            status=code if code >= 0 else None,
            signal=killed_by(code),
            slogan=str(slogan) if slogan else None,
            dump=dump,
            log_tail=self.process.lines[-40:],
            node=self.name,
        )


class ClusterTarget:
    """The reference Iris as a core with ``edges``, the first of them on ``port``.

    The others are on every second port behind it; 0 lets the system choose all of them. Their
    clocks are off by ``clock_skew`` seconds, as :func:`edge_clock` says. The rest is as for
    :class:`fuzz.target.embedded.EmbeddedTarget`.
    """

    restartable = True
    forgets = True

    def __init__(
        self,
        edges: int,
        port: int = 8085,
        plants: tuple[str, ...] = (),
        options: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        tls: TlsSettings | None = None,
        websocket: bool = False,
        clock_skew: float = 0.0,
    ) -> None:
        self.name = f"embedded, {edges} edges" if edges > 1 else "embedded, 1 edge"
        self._options = Options(plants, options, tls is not None)
        self._tls = tls
        self._websocket = websocket
        self._clock_skew = clock_skew
        self._ports = [(port + PORT_STEP * number if port else 0, 0) for number in range(edges)]
        self._clock = clock or SystemClock()
        self._cookie = secrets.token_hex(_COOKIE_BYTES)
        self._folder: Path | None = None
        self._epmd: ChildProcess | None = None
        self._nodes: list[_Node] = []

    def start(self, environment: Mapping[str, str]) -> Address:
        """Start the core, then the edges; return when all say that they are ready."""
        with ExitStack() as stack:
            stack.callback(self.stop)
            self._folder = node_folder()
            epmd_port = self._start_epmd(self._folder)
            names = {"ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
            common = {**names, **environment}
            self._start_node(_CORE, {"role": "core"}, common)
            self._await_ready(self._nodes[0])
            for number, (port, web) in enumerate(self._ports):
                edge = {"role": "edge", "core": f"{_CORE}@{_HOST}", "port": str(port)}
                edge |= edge_clock(number, self._clock_skew)
                if web:
                    edge["ws_port"] = str(web)
                self._start_node(f"iris_edge{number + 1}", edge, common)
            asks = [self._await_ready(node) for node in self._nodes[1:]]
            self._ports = [node.ports for node in self._nodes[1:]]
            stack.pop_all()
        secret = self._options.secret if all(asks) else None
        first, *others = (self._address(node, secret) for node in self._nodes[1:])
        return replace(first, further=tuple(others))

    def _address(self, edge: _Node, secret: bytes | None) -> Address:
        return Address(
            "127.0.0.1",
            *edge.ports,
            secret,
            self._options.revoked,
            tls=trusting(self._tls, edge.folder / "data") if edge.tls else None,
            websocket=self._websocket,
        )

    def nodes(self) -> tuple[int, ...]:
        """Return the numbers of its processes that live; the port mapper is no node."""
        return tuple(node.process.pid for node in self._nodes if node.process.returncode() is None)

    def poll(self) -> NodeExit | None:
        """Return how a node ended, or None while all of them run."""
        return next(filter(None, (node.exit() for node in self._nodes)), None)

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Wait at most ``seconds`` for a node to end; return how it did."""
        ended = self.poll()
        if ended is None and self._nodes and seconds > 0:
            _wait_for_any([node.process.pid for node in self._nodes], seconds)
            ended = self.poll()
        return ended

    def stop(self) -> None:
        """End all nodes, the edges first, and remove their folder."""
        for node in reversed(self._nodes):
            node.process.close_input()
        for node in reversed(self._nodes):
            node.process.wait(STOP_SECONDS)
            node.process.kill()
        self._nodes = []
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def retire(self) -> None:
        """See :meth:`fuzz.target.base.Target.retire`: nothing is kept for it."""
        self.stop()

    def _start_node(
        self, name: str, words: Mapping[str, str], environment: Mapping[str, str]
    ) -> None:
        assert self._folder is not None
        folder = self._folder / name
        folder.mkdir()
        arguments = {**self._options.words(), **words, "data_dir": str(folder / "data")}
        command = reference_command(compile_reference(), arguments)
        command[1:1] = [
            *("-sname", f"{name}@{_HOST}", "-setcookie", self._cookie),
            *("-kernel", "inet_dist_use_interface", "{127,0,0,1}"),
        ]
        variables = {**dump_environment(_dump(folder)), **environment}
        process = ChildProcess(command, variables, str(folder), memory_bytes=MEMORY_BYTES)
        self._nodes.append(_Node(name, folder, process))

    def _await_ready(self, node: _Node) -> bool:
        """Wait until a node is ready, and note its ports; tell whether it asks for tokens."""
        deadline = Deadline.after(self._clock, BOOT_SECONDS, f"{node.name} to be ready")
        line = node.process.wait_for_line(("IRIS_REF READY", "IRIS_REF ERROR"), deadline)
        ready = READY.match(line or "")
        if ready is None:
            raise TargetError(why_not_ready(line, node.process, deadline))
        node.ports = int(ready[1]), int(ready[2])
        node.tls = ready[4] == "true"
        return ready[3] == "true"

    def _start_epmd(self, folder: Path) -> int:
        """Start a port mapper on a free port, and return that."""
        for _ in range(_EPMD_TRIES):
            port = _free_port()
            command = ["epmd", "-port", str(port), "-address", "127.0.0.1"]
            self._epmd = ChildProcess(command, {}, str(folder))
            deadline = Deadline.after(self._clock, _EPMD_SECONDS, "the port mapper to answer")
            while self._epmd.wait(_LOOK_SECONDS) is None:
                if _answers(port):
                    return port
                if deadline.expired():
                    raise TargetError(f"epmd did not come up: waited in vain for {deadline.what}")
            self._epmd.kill()
        last = next(reversed(self._epmd.lines if self._epmd else ()), "it printed nothing")
        raise TargetError(f"epmd ended at once, {_EPMD_TRIES} times: {last}")


def _dump(folder: Path) -> Path:
    return folder / "erl_crash.dump"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for_any(pids: list[int], seconds: float) -> None:
    """Wait until one of our children has ended, for at most ``seconds``."""
    with ExitStack() as stack:
        poll = select.poll()
        for descriptor in _descriptors(pids, stack):
            poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1000)


def _descriptors(pids: list[int], stack: ExitStack) -> Iterator[int]:
    for pid in pids:
        descriptor = os.pidfd_open(pid)
        stack.callback(os.close, descriptor)
        yield descriptor
