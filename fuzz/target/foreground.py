"""The embedded target in the foreground: one node, or a core with edges around it."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import SettingsError
from fuzz.scratch import passing_folder
from fuzz.target.cluster import PORT_STEP, edge_clock
from fuzz.target.embedded import BOOT_SECONDS, MEMORY_BYTES, reference_command
from fuzz.target.process import ChildProcess
from fuzz.target.reference_build import compile_reference

#: After its input is closed, a node flushes Mnesia and ends.
_STOP_SECONDS = 10.0
#: How long one node is looked at before it is the next one's turn.
_LOOK_SECONDS = 0.2
#: Names and addresses of a cluster stay on this machine.
_ENVIRONMENT = {"ERL_EPMD_ADDRESS": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What to run: ``edges`` 0 is a single node; else a core, and edges on every other port.

    The clocks of the edges are off by ``clock_skew`` seconds, one ahead, the next one behind.
    """

    port: int
    edges: int = 0
    options: tuple[tuple[str, str], ...] = ()
    clock_skew: float = 0.0


def run_foreground(layout: Layout, echo: Callable[[str], None], data: Path | None = None) -> int:
    """Run the target until a node of it ends or the user interrupts; return its exit code.

    ``echo`` is handed what the nodes print. An edge needs its core, so each node is started
    when the one before it is ready.
    """
    with passing_folder("target") as scratch, _interrupt() as told:
        nodes: list[ChildProcess] = []
        try:
            for command in _commands(layout, data or Path(scratch)):
                nodes.append(ChildProcess(command, _ENVIRONMENT, scratch, echo, MEMORY_BYTES))
                if not _comes_up(nodes[-1], told):
                    return 0 if told() else nodes[-1].wait(_STOP_SECONDS) or 1
            while not told():
                for node in nodes:
                    code = node.wait(_LOOK_SECONDS)
                    if code is not None:
                        return code
            return 0
        finally:
            for node in reversed(nodes):
                node.close_input()
                node.wait(_STOP_SECONDS)
                node.kill()


@contextmanager
def _interrupt() -> Iterator[Callable[[], bool]]:
    """Note an interrupt, and do not raise it; yield what tells whether there was one.

    Raised while the end of a process is being looked up, it would leave that for ever locked.
    """
    told: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: told.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _comes_up(node: ChildProcess, told: Callable[[], bool]) -> bool:
    """Wait until a node is ready; False if it ends, takes too long, or there is an interrupt."""
    clock = SystemClock()
    deadline = Deadline.after(clock, BOOT_SECONDS, "a node to be ready")
    while not (told() or deadline.expired() or node.returncode() is not None):
        look = Deadline.after(clock, _LOOK_SECONDS, deadline.what)
        if node.wait_for_line(("IRIS_REF READY",), look) is not None:
            return True
    return False


def _commands(layout: Layout, data: Path) -> list[list[str]]:
    ebin = compile_reference()
    common = {**dict(layout.options), "stop_on_eof": "true"}
    if layout.edges == 0:
        return [_command(ebin, data / "single", {**common, "port": str(layout.port)})]
    if layout.port == 0:
        raise SettingsError("edges want a port of their own: give --port a number")
    tag = secrets.token_hex(3)
    core, cookie = f"iris_core_{tag}@localhost", secrets.token_hex(8)
    words = [_command(ebin, data / "core", {**common, "role": "core"}, (core, cookie))]
    for number in range(layout.edges):
        options = {"role": "edge", "core": core, "port": str(layout.port + PORT_STEP * number)}
        options |= edge_clock(number, layout.clock_skew)
        name = f"iris_edge{number + 1}_{tag}@localhost"
        words.append(
            _command(ebin, data / f"edge{number + 1}", {**common, **options}, (name, cookie))
        )
    return words


def _command(
    ebin: Path, data: Path, options: Mapping[str, str], node: tuple[str, str] | None = None
) -> list[str]:
    command = reference_command(ebin, {**options, "data_dir": str(data)})
    if node is not None:
        name, cookie = node
        command[1:1] = ["-sname", name, "-setcookie", cookie]
    return command
