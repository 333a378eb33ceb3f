"""The processes that start commands have brought up, found by a mark in their environment.

The mark is a random value. What a command starts inherits it, also what has left its session
and its parent (``setsid``, a double fork, ``erl -detached``), so nobody else's process has it.
Only what clears its environment is without it: such a process is found as a descendant of the
guardian (see :mod:`fuzz.target.guardian`), which adopts what lost its parent.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

#: The variable that holds the mark: the harness's number, a random value, and after a full stop
#: the place of the start command.
MARK = "IRIS_FUZZ_STARTED"
#: Random bytes of a mark: nobody's variable has the same value by chance.
_MARK_BYTES = 8
#: That nothing is left is believed when so many looks in a row have shown it: one that forks and
#: ends while the processes are listed slips past a look, with its child.
EMPTY_LOOKS = 3
#: The emulator and its variants: ``beam.smp``, ``beam.debug.smp``.
_BEAM = "beam."
_EPMD = "epmd"
#: Whoever listens on one of these listens on each address.
_EVERY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Started:
    """A living process that a start command has brought up, and the place of that command."""

    process: psutil.Process
    command: int
    program: str

    @property
    def pid(self) -> int:
        """Return its number."""
        return self.process.pid

    @property
    def is_beam(self) -> bool:
        """Tell whether it is an Erlang node."""
        return self.program.startswith(_BEAM)

    @property
    def is_epmd(self) -> bool:
        """Tell whether it is the port mapper, which all nodes of a machine share."""
        return self.program == _EPMD


def new_mark() -> str:
    """Return a mark that nothing else has."""
    return f"{os.getpid()}-{secrets.token_hex(_MARK_BYTES)}"


def marked(mark: str) -> tuple[Started, ...]:
    """Return the living processes that have ``mark``, those with the lowest numbers first."""
    found = []
    # Not by process_iter: that keeps what it saw of a process before it became an emulator.
    for pid in psutil.pids():
        # What has ended meanwhile, or belongs to another user, is none of ours.
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            name, _, command = process.environ().get(MARK, "").rpartition(".")
            if name == mark:
                found.append(Started(process, int(command), program_of(process)))
    return tuple(sorted(found, key=lambda one: one.pid))


def descendants(pid: int) -> tuple[Started, ...]:
    """Return the living descendants of a process; their command is not known (-1)."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(Started(process, -1, program_of(process)))
    return tuple(found)


def program_of(process: psutil.Process) -> str:
    """Return the file name of what a process runs; its own name where that may not be read."""
    return Path(process.exe()).name or process.name()


def is_left_over(pid: int) -> bool:
    """Tell whether a harness that is gone has started a process: its guardian is ending it.

    So it is with one that has just ended.
    """
    try:
        owner = psutil.Process(pid).environ().get(MARK, "").partition("-")[0]
        return owner.isdecimal() and not _lives(int(owner))
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def listening(process: psutil.Process) -> frozenset[int]:
    """Return the TCP ports on which a process listens; none if it has ended."""
    try:
        sockets = process.net_connections(kind="tcp")
    except psutil.Error:
        return frozenset()
    return _ports((socket.status, socket.laddr) for socket in sockets)


def all_listening() -> frozenset[int]:
    """Return the TCP ports of this machine on which anybody listens."""
    sockets = psutil.net_connections(kind="tcp")
    return _ports((socket.status, socket.laddr) for socket in sockets)


def holders(host: str, port: int) -> list[int | None]:
    """Return who listens on a TCP port of ``host``: process numbers, None for one unseen."""
    found = []
    for socket in psutil.net_connections(kind="tcp"):
        local: Sequence[Any] = socket.laddr
        if _ports([(socket.status, local)]) == {port} and local[0] in (host, *_EVERY_ADDRESS):
            found.append(socket.pid)
    return found


def written_files(process: psutil.Process, folder: Path) -> frozenset[Path]:
    """Return the files below ``folder`` that a process has open for writing."""
    try:
        opened = process.open_files()
    except psutil.Error:
        return frozenset()
    paths = (Path(file.path) for file in opened if file.mode != "r")
    return frozenset(path for path in paths if path.is_relative_to(folder))


def _ports(sockets: Iterable[tuple[str, Sequence[Any]]]) -> frozenset[int]:
    """Return the local ports of those sockets, given as state and local address, that listen."""
    return frozenset(local[1] for state, local in sockets if state == psutil.CONN_LISTEN)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
