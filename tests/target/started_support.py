"""Processes that are watched from outside, and small programs that stand in for an Iris."""

from __future__ import annotations

import os
import select
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuzz.clock import Deadline, SystemClock
from fuzz.target.processes import MARK, marked

#: What happens at once on an idle machine.
SOON_SECONDS = 20.0


def soon(what: str, seconds: float = SOON_SECONDS) -> Deadline:
    """Return a deadline that no healthy machine comes near."""
    return Deadline.after(SystemClock(), seconds, what)


def python(program: str) -> str:
    """Return the command of the shell that runs a program of Python."""
    return shlex.join([sys.executable, "-c", program])


def serves(port: int, then: str = "") -> str:
    """Return the command of a server that accepts connections on ``port`` until it is ended."""
    return python(
        f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); {then}\n"
        "while True: s.accept()[0].close()"
    )


def environment(mark: str, command: int = 0) -> Mapping[str, str]:
    """Return the environment of a command that is given to a guardian."""
    return {**os.environ, MARK: f"{mark}.{command}"}


def first_line(path: Path) -> str:
    """Wait until a file has a line, and return it."""
    deadline = soon(f"a line in {path.name}")
    while not (path.exists() and path.read_text().endswith("\n")):
        pause(deadline)
    return path.read_text().splitlines()[0]


def pause(deadline: Deadline) -> None:
    """Let a moment pass for what ``deadline`` names; fail if it is over."""
    assert not deadline.expired(), f"waited in vain for {deadline.what}"
    select.select([], [], [], 0.01)


@contextmanager
def watched(*pids: int) -> Iterator[dict[int, int]]:
    """Return descriptors of processes, by their numbers: they become readable at the end."""
    held = {pid: os.pidfd_open(pid) for pid in pids}
    try:
        yield held
    finally:
        for descriptor in held.values():
            os.close(descriptor)


@contextmanager
def killed_at_the_end(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Return a program in a session of its own, whose output can be read."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def gone(held: Mapping[int, int], seconds: float = SOON_SECONDS) -> bool:
    """Tell whether all processes have ended, in time."""
    deadline = soon("processes to end", seconds)
    return all(select.select([one], [], [], deadline.left())[0] for one in held.values())


def nothing_is_left(mark: str) -> bool:
    """Tell whether no process has a mark (any more)."""
    return not marked(mark)


def listens(port: int) -> bool:
    """Tell whether a port accepts a connection."""
    try:
        socket.create_connection(("127.0.0.1", port), SOON_SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True
