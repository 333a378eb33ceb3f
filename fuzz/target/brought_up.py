"""The nodes that start commands have brought up: which there are, their names, ports and logs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from fuzz.announced import announced_facts
from fuzz.node import NAMELESS
from fuzz.target.processes import Started, listening, marked, written_files

#: The last bytes of a log that are read; a crash report has a few thousand.
_TAIL_BYTES = 64 * 1024
#: The last lines of a log that are told; a crash report is some forty lines.
_TAIL_LINES = 40


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent of a node has announced: the node's name, and the agent's own port."""

    node: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """What there was at one time: the processes with the mark, and agents by process."""

    processes: tuple[Started, ...]
    agents: dict[int, Agent]

    def of(self, command: int) -> tuple[Started, ...]:
        """Return what a start command has brought up and lives."""
        return tuple(one for one in self.processes if one.command == command)


class BroughtUp:
    """All that bears ``mark``. Nodes announce their agents in the folder ``agents``, if any.

    Whatever it sees it remembers, since of a node that has ended nothing can be asked: its
    name, and the logs below ``folder`` that it was writing.
    """

    def __init__(self, mark: str, folder: Path, agents: Path | None) -> None:
        self._mark = mark
        self._folder = folder.resolve()
        self._agents = agents
        self._names: dict[int, str] = {}
        self._logs: dict[int, frozenset[Path]] = {}
        self._commands: dict[int, int] = {}

    def look(self) -> Look:
        """Return what there is now, the port mapper left out."""
        processes = tuple(one for one in marked(self._mark) if not one.is_epmd)
        agents = self._announced()
        for one in processes:
            self._commands[one.pid] = one.command
            written = written_files(one.process, self._folder)
            self._logs[one.pid] = self._logs.get(one.pid, frozenset()) | written
            if one.is_beam:
                name = _name(one.process, agents.get(one.pid))
                self._names[one.pid] = name or self.name(one.pid)
        return Look(processes, agents)

    def up(self, look: Look) -> tuple[Started, ...]:
        """Return the nodes that are up: their agent has announced itself, and they listen.

        An emulator that listens nowhere builds, or asks something, and is no node.
        """
        return tuple(
            one
            for one in look.processes
            if one.is_beam
            and (self._agents is None or one.pid in look.agents)
            and self.ports(one, look)
        )

    def ports(self, one: Started, look: Look) -> frozenset[int]:
        """Return the TCP ports on which a process listens, that of the agent left out."""
        agent = look.agents.get(one.pid)
        return listening(one.process) - ({agent.port} if agent is not None else set())

    def name(self, pid: int) -> str:
        """Return the name of a node that was seen; empty if it has none."""
        return self._names.get(pid, "")

    def command(self, pid: int) -> int:
        """Return the place of the start command that has brought up a process that was seen."""
        return self._commands[pid]

    def log(self, pid: int) -> list[str]:
        """Return the last lines of the logs of a process, or of all that came of its command."""
        own = _last_lines(self._logs.get(pid, frozenset()))
        return own or self.command_log(self._commands[pid])

    def command_log(self, command: int) -> list[str]:
        """Return the last lines of the logs of all that came of a command."""
        pids = [pid for pid, its in self._commands.items() if its == command]
        return _last_lines(frozenset().union(*(self._logs[pid] for pid in pids)))

    def _announced(self) -> dict[int, Agent]:
        """Return the agents by the number of their process."""
        agents = {}
        for facts in announced_facts(self._agents) if self._agents is not None else ():
            pid, port = facts.get("os_pid", ""), facts.get("port", "")
            if pid.isdecimal():
                own = int(port) if port.isdecimal() else None
                agents[int(pid)] = Agent(facts.get("node", ""), own)
        return agents


def _name(process: psutil.Process, agent: Agent | None) -> str:
    """Return what a node calls itself, else what its command line calls it."""
    if agent is not None and agent.node != NAMELESS:
        return agent.node
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    named = (words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-sname", "-name"))
    return next(named, "")


def _last_lines(paths: frozenset[Path]) -> list[str]:
    """Return the last lines of logs, one after the other, that written to last at the end."""
    texts: list[tuple[float, list[str]]] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                data = file.read(_TAIL_BYTES)
            written = path.stat().st_mtime
        except OSError:
            continue  # rotated or removed: it says nothing any more
        if b"\0" not in data:  # a file of a database is no log
            texts.append((written, data.decode("utf-8", "replace").splitlines()))
    return [line for _, lines in sorted(texts) for line in lines[-_TAIL_LINES:]]
