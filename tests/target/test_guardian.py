"""What start commands start is found and ended: daemons too, and when the harness is killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fuzz.epmd import names
from fuzz.errors import HarnessFault, TargetError
from fuzz.target.guarded import Guardian
from fuzz.target.guardian import _HEEDED
from fuzz.target.processes import listening, marked, new_mark
from tests.target.layout import free_edge_ports
from tests.target.started_support import (
    environment,
    first_line,
    gone,
    killed_at_the_end,
    nothing_is_left,
    pause,
    soon,
    watched,
)

Run = Callable[[str], None]


@pytest.fixture
def mark() -> str:
    return new_mark()


@pytest.fixture
def guardian(mark: str) -> Iterator[Guardian]:
    one = Guardian(mark)
    yield one
    one.end()


@pytest.fixture
def run(guardian: Guardian, mark: str, tmp_path: Path) -> Run:
    """Return a function that runs a command of the shell in the test's folder."""
    return lambda command: guardian.run(command, environment(mark), tmp_path)


def code_of(guardian: Guardian, command: int = 0) -> int:
    """Wait until a command has ended, and return how."""
    deadline = soon("a command to end")
    while (code := guardian.codes()[command]) is None:
        pause(deadline)
    return code


#: Each puts a process out of reach, whose number is in the file ``pid``.
DAEMONS = {
    "in the background": "sleep 600 & echo $! >pid",
    "in a session of its own": "setsid sh -c 'echo $$ >pid; exec sleep 600' &",
    "forked twice": "(sh -c 'setsid sh -c \"echo \\$\\$ >pid; exec sleep 600\" &' &)",
    "with an empty environment": "env -i PATH=$PATH setsid sh -c 'echo $$ >pid; exec sleep 600' &",
    "deaf": "setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >pid; while :; do sleep 1; done' &",
    "in the foreground": "echo $$ >pid; exec sleep 600",
}


@pytest.mark.parametrize("command", DAEMONS.values(), ids=DAEMONS)
def test_whatever_a_command_leaves_is_ended(
    guardian: Guardian, run: Run, mark: str, command: str, tmp_path: Path
) -> None:
    run(command)
    with watched(int(first_line(tmp_path / "pid"))) as held:
        guardian.end()
        assert gone(held, 0)
    assert nothing_is_left(mark)


#: Each child ends at once and leaves another one behind.
FORKS_ON = "sh -c 'echo $$ >pid; while :; do (sleep 0.2 &); sleep 0.005; done' & wait"


def test_what_forks_while_it_is_looked_for_is_ended_too(
    guardian: Guardian, run: Run, mark: str, tmp_path: Path
) -> None:
    run(FORKS_ON)
    first_line(tmp_path / "pid")
    guardian.end()
    assert nothing_is_left(mark)


def test_the_end_of_a_command_is_told_by_code_or_signal(guardian: Guardian, run: Run) -> None:
    for command in ("exit 3", "kill -ABRT $$", "no-such-command", "exit 0"):
        run(command)
    codes = [code_of(guardian, number) for number in range(4)]
    assert codes == [3, -signal.SIGABRT, 127, 0]
    assert "no-such-command" in guardian.lines(2)[-1]


def test_the_end_of_a_daemon_is_told_though_its_parent_is_gone(
    guardian: Guardian, run: Run, tmp_path: Path
) -> None:
    run(DAEMONS["forked twice"])
    pid = int(first_line(tmp_path / "pid"))
    assert code_of(guardian) == 0
    assert guardian.code_of(pid) is None
    deadline = soon("the daemon to be the guardian's")
    while psutil.Process(pid).ppid() != guardian.pid:
        pause(deadline)
    with watched(pid) as held:
        os.kill(pid, signal.SIGABRT)
        assert gone(held)
        assert guardian.code_of(pid) == -signal.SIGABRT


def test_how_it_ended_is_not_known_when_somebody_else_was_told(
    guardian: Guardian, run: Run, tmp_path: Path
) -> None:
    run("sh -c 'echo $$ >pid; kill -KILL $$'; read forever")
    pid = int(first_line(tmp_path / "pid"))
    deadline = soon("the shell to have noticed")
    while Path(f"/proc/{pid}").exists():
        pause(deadline)
    assert guardian.code_of(pid) is None
    assert guardian.codes() == [None]


def test_the_last_lines_are_kept_and_long_ones_are_cut(guardian: Guardian, run: Run) -> None:
    run("seq 1000; head -c 100000 /dev/zero | tr '\\0' x; echo; printf 'the last'")
    code_of(guardian)
    lines = guardian.lines(0)
    assert lines[-1] == "the last"
    assert lines[-2] == "x" * 2000
    assert lines[-3] == "1000"
    assert len(lines) == 401


def test_the_input_of_a_command_stays_open(guardian: Guardian, run: Run, tmp_path: Path) -> None:
    """An Erlang shell ends its node when its input ends."""
    run("cat & echo $$ >pid; wait; echo the input has ended")
    run("echo $$ >pid2; cat")
    first_line(tmp_path / "pid2")
    assert guardian.codes()[1] is None


def test_a_signal_is_not_ignored_by_what_is_started(
    guardian: Guardian, run: Run, tmp_path: Path
) -> None:
    run("grep SigIgn /proc/self/status >ignored; grep SigBlk /proc/self/status >blocked")
    assert code_of(guardian) == 0
    # What the tests themselves were started with is handed on.
    (own,) = re.findall(r"SigIgn:\s+(\w+)", Path("/proc/self/status").read_text())
    handled = sum(1 << (number - 1) for number in _HEEDED)
    ignored = int(first_line(tmp_path / "ignored").split()[1], 16)
    assert ignored & handled == 0
    assert ignored & ~int(own, 16) == 0
    assert int(first_line(tmp_path / "blocked").split()[1], 16) == 0


def test_a_folder_that_is_not_there_is_an_error_with_a_sentence(
    guardian: Guardian, mark: str, tmp_path: Path
) -> None:
    with pytest.raises(TargetError, match=r"`true` cannot be run in .*/missing: No such file"):
        guardian.run("true", environment(mark), tmp_path / "missing")
    guardian.run("exit 4", environment(mark), tmp_path)
    assert code_of(guardian) == 4


def test_what_is_left_of_a_guardian_that_was_killed_is_ended(
    guardian: Guardian, run: Run, mark: str, tmp_path: Path
) -> None:
    run(DAEMONS["in a session of its own"])
    with watched(int(first_line(tmp_path / "pid"))) as held:
        os.kill(guardian.pid, signal.SIGKILL)
        with pytest.raises(HarnessFault, match="the guardian of what was started has ended"):
            guardian.codes()
        assert not gone(held, 0)
        guardian.end()
        assert gone(held, 0)
    assert nothing_is_left(mark)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_guardian_heeds_no_signal(guardian: Guardian, run: Run, number: signal.Signals) -> None:
    os.kill(guardian.pid, number)
    run("exit 5")
    assert code_of(guardian) == 5


#: Starts two daemons and tells that it has.
HARNESS = """
import os, signal, sys
from pathlib import Path
from fuzz.target.guarded import Guardian
from tests.target.started_support import environment
guardian = Guardian(sys.argv[1])
for command in sys.argv[3:]:
    guardian.run(command, environment(sys.argv[1]), Path(sys.argv[2]))
print(guardian.pid, flush=True)
signal.pause()
"""


def harness_guardian(harness: subprocess.Popen[bytes]) -> int:
    """Return the number of the guardian that a harness tells of."""
    assert harness.stdout is not None
    return int(harness.stdout.readline())


def test_a_harness_that_is_killed_leaves_nothing(mark: str, tmp_path: Path) -> None:
    commands = [DAEMONS["forked twice"], DAEMONS["deaf"].replace(">pid", ">pid2")]
    command = [sys.executable, "-c", HARNESS, mark, str(tmp_path), *commands]
    with killed_at_the_end(command) as harness, watched(harness_guardian(harness)) as guardian:
        started = [int(first_line(tmp_path / name)) for name in ("pid", "pid2")]
        with watched(*started) as held:
            # The whole group, as a terminal or a container would do it.
            os.killpg(harness.pid, signal.SIGKILL)
            assert gone(held)
            assert gone(guardian)
    assert nothing_is_left(mark)


@pytest.fixture
def epmd_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the port of a mapper that only this test uses."""
    if shutil.which("epmd") is None:
        pytest.skip("epmd is not on the path")
    (port,) = free_edge_ports(1)
    monkeypatch.setenv("ERL_EPMD_PORT", str(port))
    monkeypatch.setenv("ERL_EPMD_ADDRESS", "127.0.0.1")
    return port


def mapper(mark: str) -> int:
    """Wait until there is a mapper that listens, and return its process."""
    deadline = soon("epmd to listen")
    while True:
        found = [one for one in marked(mark) if one.is_epmd and listening(one.process)]
        if found:
            return found[0].pid
        pause(deadline)


def register(epmd: int, name: bytes, port: int) -> socket.socket:
    """Register a node, which is known as long as the connection is open."""
    rest = struct.pack(">HBBHHH", port, 77, 0, 6, 5, len(name)) + name + struct.pack(">H", 0)
    connection = socket.create_connection(("127.0.0.1", epmd), 5.0)
    connection.sendall(struct.pack(">HB", len(rest) + 1, 120) + rest)
    assert connection.recv(16)[1] == 0, "epmd refused the name"
    return connection


def test_a_port_mapper_is_ended_when_nobody_needs_it(
    guardian: Guardian, run: Run, mark: str, epmd_port: int
) -> None:
    run("epmd -daemon")
    with watched(mapper(mark)) as held:
        guardian.end()
        assert gone(held, 0)


def test_a_port_mapper_is_left_to_a_node_of_somebody_else(
    guardian: Guardian, run: Run, mark: str, epmd_port: int
) -> None:
    run("epmd -daemon")
    run("sleep 600")
    pid = mapper(mark)
    later = Guardian(mark)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with listener, watched(pid) as held, register(epmd_port, b"theirs", port):
        guardian.end()
        assert [one.pid for one in marked(mark)] == [pid]
        assert names(epmd_port) == {"theirs": port}
        assert not gone(held, 0)
        # A name whose node is gone keeps nothing alive.
        listener.close()
        later.end()
        assert gone(held, 0)
