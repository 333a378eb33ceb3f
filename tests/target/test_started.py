"""A checkout with a Makefile of its own, of a core and edges: up, served, watched, and ended."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.beam import AgentFiles
from fuzz.errors import TargetError
from fuzz.observation import NodeExit
from fuzz.settings import StartSettings
from fuzz.target.base import Address
from fuzz.target.processes import marked
from fuzz.target.started import StartedTarget
from tests.target.layout import Checkout, free_edge_ports, lay_out
from tests.target.reference_support import Client, memory_folder, n16
from tests.target.started_support import (
    SOON_SECONDS,
    gone,
    killed_at_the_end,
    nothing_is_left,
    watched,
)

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """Return a checkout whose nodes have a port mapper of their own, so that it may be ended."""
    (port,) = free_edge_ports(1)
    monkeypatch.setenv("ERL_EPMD_PORT", str(port))
    monkeypatch.setenv("LC_ALL", "C")  # what make says is looked at
    with memory_folder() as folder:
        yield lay_out(Path(folder) / "iris", tag=f"_{os.getpid()}")


@pytest.fixture
def agents(tmp_path: Path) -> dict[str, str]:
    """Return the environment that carries agents into nodes."""
    return AgentFiles(tmp_path).environment()


def target_of(checkout: Checkout, *commands: str, edges: int) -> StartedTarget:
    """Return the target that ``commands`` bring up, with so many edges."""
    where = tuple(("127.0.0.1", port) for port in checkout.ports[:edges])
    return StartedTarget(StartSettings(commands, checkout.folder), where)


def name_of(checkout: Checkout, node: str) -> str:
    """Return the whole name of a node."""
    return f"{node}_{os.getpid()}@localhost"


def end_of(target: StartedTarget, pid: int, number: signal.Signals) -> NodeExit:
    """Send a signal to a node, and return what is told of its end."""
    os.kill(pid, number)
    end = target.await_exit(SOON_SECONDS)
    assert end is not None
    assert target.poll() is end
    return end


def test_three_nodes_are_up_and_serve_and_nothing_of_them_stays(
    checkout: Checkout, agents: dict[str, str], tmp_path: Path
) -> None:
    goals = ("start_core", "start_edge1", "start_edge2")
    target = target_of(checkout, *map(checkout.make, goals), edges=2)
    first, second = checkout.ports
    try:
        address = target.start(agents)
        other = Address("127.0.0.1", second, second + 1)
        assert address == Address("127.0.0.1", first, first + 1, further=(other,))
        with Client(first, b"ann") as ann, Client(second, b"bob") as bob:
            ann.send(b"\x02" + n16(b"bob") + n16(b"hello"))
            assert bob.frame()[2] == b"hello"
        nodes = target.nodes()
        announced = {found.os_pid: found.node for found in AgentFiles(tmp_path).announced()}
        expected = [name_of(checkout, node) for node in ("iris_edge1", "iris_edge2", "iris_core")]
        assert [announced[pid] for pid in nodes] == expected
        everything = [one.pid for one in marked(target.mark)]
        assert target.poll() is None
        with watched(*everything) as held:
            target.stop()
            assert gone(held, 0)
    finally:
        target.stop()
    assert target.nodes() == ()
    assert nothing_is_left(target.mark)


def test_a_node_that_is_killed_is_told_and_all_comes_up_again(
    checkout: Checkout, agents: dict[str, str]
) -> None:
    commands = (checkout.make("start_core"), checkout.make("start_edge1"))
    target = target_of(checkout, *commands, edges=1)
    try:
        address = target.start(agents)
        edge, _ = target.nodes()
        end = end_of(target, edge, signal.SIGABRT)
        assert (end.signal, end.status) == ("SIGABRT", None)
        assert end.node == name_of(checkout, "iris_edge1")
        assert end.log_tail[-1].startswith(f"IRIS_REF READY tcp={address.port} ")
        target.stop()
        assert target.start(agents) == address
        assert target.poll() is None
        _, core = target.nodes()
        end = end_of(target, core, signal.SIGUSR1)
        assert (end.signal, end.status) == (None, 1)
        assert end.node == name_of(checkout, "iris_core")
        assert end.slogan == "Received SIGUSR1"
        assert "Crash dump is being written" in end.log_tail[-1]
    finally:
        target.stop()
    assert nothing_is_left(target.mark)


def test_the_one_node_that_has_ended_is_brought_up_again_by_its_own_command(
    checkout: Checkout, agents: dict[str, str]
) -> None:
    goals = ("run_core", "start_edge1")
    target = target_of(checkout, *map(checkout.make, goals), edges=1)
    try:
        target.start(agents)
        assert not target.revive()
        edge, core = target.nodes()
        # The core writes a dump, which is not to be told of its next end.
        assert end_of(target, core, signal.SIGUSR1).slogan == "Received SIGUSR1"
        assert target.revive()
        assert target.poll() is None
        assert target.nodes()[0] == edge
        _, core = target.nodes()
        end = end_of(target, core, signal.SIGKILL)
        assert (end.node, end.slogan) == (name_of(checkout, "iris_core"), None)
        # Of two that have ended, neither is.
        with watched(edge) as held:
            os.kill(edge, signal.SIGKILL)
            assert gone(held)
        assert not target.revive()
    finally:
        target.stop()
    assert nothing_is_left(target.mark)


def test_a_node_in_the_foreground_and_one_that_is_detached(
    checkout: Checkout, agents: dict[str, str]
) -> None:
    """The first is a child of make, which alone knows how it ended."""
    commands = (checkout.make("run_core"), checkout.make("detach_edge1"))
    target = target_of(checkout, *commands, edges=1)
    try:
        target.start(agents)
        edge, core = target.nodes()
        end = end_of(target, core, signal.SIGKILL)
        assert end.node == name_of(checkout, "iris_core")
        assert (end.signal, end.status) == (None, None)
        # Not always the last line: a make below another one says at last which folder it leaves.
        assert any("Killed" in line for line in end.log_tail)
        with watched(edge) as held:
            target.stop()
            assert gone(held, 0)
    finally:
        target.stop()
    assert nothing_is_left(target.mark)


#: Starts an Iris, and tells its mark.
HARNESS = """
import signal, sys
from pathlib import Path
from fuzz.settings import StartSettings
from fuzz.target.started import StartedTarget
port, folder, *commands = sys.argv[1:]
target = StartedTarget(StartSettings(tuple(commands), Path(folder)), (("127.0.0.1", int(port)),))
target.start({})
print(target.mark, flush=True)
signal.pause()
"""


def test_a_harness_that_is_killed_leaves_no_node(checkout: Checkout) -> None:
    goals = map(checkout.make, ("start_core", "start_edge1"))
    arguments = [str(checkout.ports[0]), str(checkout.folder), *goals]
    with killed_at_the_end([sys.executable, "-c", HARNESS, *arguments]) as harness:
        assert harness.stdout is not None
        mark = harness.stdout.readline().decode().strip()
        programs = {one.pid: one.program for one in marked(mark)}
        with watched(*programs) as held:
            harness.kill()
            assert gone(held)
    assert Counter(programs.values()) >= Counter({"beam.smp": 2, "epmd": 1})
    assert nothing_is_left(mark)


def test_what_a_node_says_that_does_not_come_up_is_told(
    checkout: Checkout, agents: dict[str, str]
) -> None:
    """An edge without its core: the start command returns well, and the log says why."""
    target = target_of(checkout, checkout.make("start_edge1"), edges=1)
    with pytest.raises(TargetError) as told:
        target.start(agents)
    sentence, _, words = str(told.value).partition("\nIts last lines:\n")
    edge, core = (name_of(checkout, node) for node in ("iris_edge1", "iris_core"))
    command = checkout.make("start_edge1")
    assert sentence == (
        f"{edge}, which `{command}` started, ended by exit code 3 before the target was ready"
    )
    assert f"  IRIS_REF ERROR the core {core} cannot be reached" in words
    assert nothing_is_left(target.mark)
