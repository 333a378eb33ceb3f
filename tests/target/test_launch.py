"""Start commands that work, each in its way, and those that do not: one clear sentence each.

Small servers of Python stand in for the nodes: what is told here is of ports and processes.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzz.clock import Clock
from fuzz.errors import IrisFuzzError
from fuzz.settings import StartSettings
from fuzz.target.base import Address
from fuzz.target.processes import MARK
from fuzz.target.started import StartedTarget
from tests.clocks import LeapingClock
from tests.target.layout import free_edge_ports
from tests.target.started_support import (
    SOON_SECONDS,
    first_line,
    gone,
    listens,
    python,
    serves,
    watched,
)

Start = Callable[..., StartedTarget]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts commands in the test's folder; all is ended afterwards."""
    targets: list[StartedTarget] = []

    def started(
        *commands: str, ports: tuple[int, ...], clock: Clock | None = None
    ) -> StartedTarget:
        where = tuple(("127.0.0.1", port) for port in ports)
        targets.append(StartedTarget(StartSettings(commands, tmp_path), where, clock))
        targets[-1].start({})
        return targets[-1]

    yield started
    for target in targets:
        target.stop()


def refusal(start: Start, *commands: str, port: int, clock: Clock | None = None) -> str:
    """Return what is told of commands that do not bring up a target."""
    with pytest.raises(IrisFuzzError) as told:
        start(*commands, ports=(port,), clock=clock)
    assert told.value.exit_code == 2
    return str(told.value)


@pytest.mark.parametrize(
    "way",
    [
        "setsid {} & echo $! >pid",
        "echo $$ >pid; exec {}",
        "nohup {} >log 2>&1 & echo $! >pid; exit 0",
    ],
)
def test_a_server_is_up_when_its_port_accepts_and_gone_when_it_is_stopped(
    start: Start, way: str, tmp_path: Path
) -> None:
    (port,) = free_edge_ports(1)
    target = start(way.format(serves(port)), ports=(port,))
    assert listens(port)
    assert target.poll() is None
    with watched(int(first_line(tmp_path / "pid"))) as held:
        target.stop()
        assert gone(held, 0)
    assert not listens(port)


def test_commands_run_in_order_each_when_the_one_before_has_done_its_part(
    start: Start, tmp_path: Path
) -> None:
    first, second = free_edge_ports(2)
    commands = (
        "echo returns >>order",
        f"echo background >>order; {serves(first)} &",
        f"echo foreground >>order; exec {serves(second)}",
    )
    target = start(*commands, "echo last >>order", ports=(first, second))
    order = (tmp_path / "order").read_text().split()
    assert order == ["returns", "background", "foreground", "last"]
    target.stop()
    assert target.start({}).further[0].port == second
    assert (tmp_path / "order").read_text().split() == order * 2


def test_the_next_port_is_that_of_websocket_if_it_was_opened_by_then(tmp_path: Path) -> None:
    first, second = free_edge_ports(2)
    both = serves(first + 1, f"t = socket.create_server(('127.0.0.1', {first}))")
    commands = (f"{both} & {serves(second)} &",)
    where = (("127.0.0.1", first), ("127.0.0.1", second))
    target = StartedTarget(StartSettings(commands, tmp_path), where)
    try:
        with socket.create_server(("127.0.0.1", second + 1)):
            address = target.start({})
    finally:
        target.stop()
    others = (Address("127.0.0.1", second),)
    assert address == Address("127.0.0.1", first, first + 1, further=others)


#: A command, and the sentence that tells what is wrong with it.
BROKEN = {
    "not found": ("no-such-iris start", r"exit code 127 .*, for a command was not found"),
    "fails": (
        "echo no cookie; exit 3",
        r"ended with exit code 3 before the target was ready; run it by hand in .*\n"
        r"Its last lines:\n  no cookie$",
    ),
    "make fails": ("make start_core", r"exit code 2 [\s\S]*No rule to make target"),
    "killed": ("kill -ABRT $$", r"ended with SIGABRT before the target was ready"),
    "killed below a shell": ("sh -c 'kill -KILL $$'; exit $?", r"exit code 137 \(SIGKILL\)"),
    "starts nothing": (
        "echo started, or so it says",
        r"nothing that they started is left, and nobody listens on port \d+; "
        r"do they start your Iris\?\nIts last lines:\n  started, or so it says$",
    ),
    "what it starts ends at once": ("exit 1 &", r"nothing that they started is left"),
}


@pytest.mark.parametrize(("command", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_start_command_is_told_with_its_last_words(
    start: Start, command: str, told: str
) -> None:
    (port,) = free_edge_ports(1)
    sentence = refusal(start, command, port=port)
    assert re.search(told, sentence), sentence


def test_a_command_that_hangs_is_told(start: Start, tmp_path: Path) -> None:
    (port,) = free_edge_ports(1)
    command = "echo trying; touch hangs; read forever"
    clock = LeapingClock((tmp_path / "hangs").exists)
    sentence = refusal(start, command, port=port, clock=clock)
    assert sentence == (
        f"waited 60 s in vain for `{command}` to return, or to bring up a node; what was "
        "started listens nowhere: if it needs longer, give --start-timeout SECONDS\n"
        "Its last lines:\n  trying"
    )


@pytest.mark.parametrize(
    ("way", "awaited"),
    [("{} &", "a listener on port {}"), ("exec {}", "`.*` to return, or to bring up a node")],
)
def test_a_server_on_another_port_is_told_with_that_port(
    start: Start, way: str, awaited: str
) -> None:
    port, other = free_edge_ports(2)
    clock = LeapingClock(lambda: listens(other))
    sentence = refusal(start, way.format(serves(other)), port=port, clock=clock)
    told = (
        rf"waited 60 s in vain for {awaited.format(port)}; what was started listens on port "
        rf"{other} \(python\S*, process \d+\): give the right one with --port or --edge"
    )
    assert re.fullmatch(told, sentence, re.DOTALL)
    assert not listens(other)


def test_a_server_that_listens_nowhere_is_told(start: Start, tmp_path: Path) -> None:
    (port,) = free_edge_ports(1)
    clock = LeapingClock((tmp_path / "runs").exists)
    sentence = refusal(start, "sleep 600 & touch runs", port=port, clock=clock)
    assert f"listener on port {port}; what was started listens nowhere" in sentence


def test_when_one_dies_at_once_the_others_are_ended(start: Start, tmp_path: Path) -> None:
    first, second = free_edge_ports(2)
    commands = (f"echo $$ >pid; exec {serves(first)}", "exit 7")
    with pytest.raises(IrisFuzzError, match="`exit 7` ended with exit code 7"):
        start(*commands, ports=(first, second))
    assert not listens(first)
    assert not Path(f"/proc/{first_line(tmp_path / 'pid')}").exists()


#: Writes what is wrong to its log, a file of a database, and, when it has, a mark.
WRITES_A_LOG = """
import os, time
os.write(1, b"the \\x1b[31mcookie is wrong\\n")
data = open("data", "wb", 0)
data.write(bytes(9) + b"no log")
open("written", "w").close()
time.sleep(600)
"""


def test_the_log_that_a_process_writes_in_the_folder_is_told(start: Start, tmp_path: Path) -> None:
    """Of files that it writes, those that hold no text are no logs."""
    (port,) = free_edge_ports(1)
    clock = LeapingClock((tmp_path / "written").exists)
    sentence = refusal(start, f"{python(WRITES_A_LOG)} >iris.log &", port=port, clock=clock)
    assert sentence.endswith("Its last lines:\n  the \\x1b[31mcookie is wrong")


def test_a_port_that_is_taken_is_told_with_who_has_it(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sentence = refusal(start, "touch was-run", port=port)
    assert f"port {port} is in use already, by " in sentence
    assert f"process {os.getpid()}: end it" in sentence
    assert f"--target 127.0.0.1:{port}" in sentence
    assert not (tmp_path / "was-run").exists()


#: Listens until its input ends.
SERVES_ON = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("up", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_harness_has_left_is_waited_for(start: Start) -> None:
    """Its guardian is ending it: that is no reason to give up."""
    (port,) = free_edge_ports(1)
    with subprocess.Popen(["true"]) as killed:
        killed.wait()
    environment = {**os.environ, MARK: f"{killed.pid}-0123.0"}
    command = [sys.executable, "-c", SERVES_ON, str(port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as left:
        assert left.stdin is not None
        assert left.stdout is not None
        left.stdout.readline()
        asked = []

        def end_it_when_it_was_seen() -> bool:
            asked.append(left.poll())
            if len(asked) == 2:  # the deadline was made, and the port was found in use
                left.stdin.close()
            return False

        start(f"{serves(port)} &", ports=(port,), clock=LeapingClock(end_it_when_it_was_seen))
        assert asked[:2] == [None, None]
        assert left.wait(SOON_SECONDS) == 0
    assert listens(port)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing", "does not exist"),
        ("file", "is no folder"),
        ("x" * 300, r"cannot be entered \(File name too long\)"),
    ],
)
def test_a_folder_that_is_none_is_named(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "file").touch()
    (port,) = free_edge_ports(1)
    target = StartedTarget(StartSettings(("true",), tmp_path / name), (("127.0.0.1", port),))
    with pytest.raises(IrisFuzzError, match=f"--cwd {tmp_path / name} {told}"):
        target.start({})
    target.stop()


def test_where_no_folder_can_be_made_it_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    (port,) = free_edge_ports(1)
    assert "no folder for what a target needs can be made" in refusal(start, "true", port=port)
