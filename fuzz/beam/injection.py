"""How agents get into the nodes of a target, and out of them again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Protocol

from fuzz.beam.client import AgentClient
from fuzz.beam.inject import AgentFiles
from fuzz.clock import Deadline
from fuzz.scratch import passing_folder


class Injection(Protocol):
    """A way to have agents in nodes. The same object serves one start after the other.

    Every call raises :class:`fuzz.errors.AgentError` with a sentence when it cannot be done.
    """

    def environment(self) -> Mapping[str, str]:
        """Return what is to be in the environment of nodes that are started from now on.

        Those that were started before have ended. It stays the same until :meth:`leave`.
        """
        ...

    def nodes(self, started: Sequence[int]) -> tuple[str, ...]:
        """Return a key for each node that has, or is to have, an agent; never none.

        ``started`` are the processes of the nodes that the target has started.
        """
        ...

    def connect(self, node: str, deadline: Deadline) -> AgentClient:
        """Return a new client of the agent in the node of that key; the last one is closed."""
        ...

    def leave(self) -> tuple[str, ...]:
        """Let go of all agents; return a sentence for each thing that stays in a node."""
        ...


#: The key of the one node there is, whichever process it may be by now.
_ANY = ""


class EnvironmentInjection:
    """Agents in nodes that a start command brings up, carried by its environment.

    They end with their nodes, which are ours: letting go of them is to hang up.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: AgentFiles | None = None
        self._agents: dict[str, AgentClient] = {}

    def environment(self) -> Mapping[str, str]:
        """See :meth:`Injection.environment`; :class:`TargetError` if there is no room for it."""
        self._hang_up()
        if self._files is None or not self._files.directory.is_dir():
            self._folder = passing_folder("agent")
            self._files = AgentFiles(self._folder.name)
        self._files.forget()
        return self._files.environment()

    def nodes(self, started: Sequence[int]) -> tuple[str, ...]:
        """See :meth:`Injection.nodes`: one that is started anew is another, if there are several.

        A single one is whoever has announced himself.
        """
        return tuple(map(str, started)) if len(started) > 1 else (_ANY,)

    def connect(self, node: str, deadline: Deadline) -> AgentClient:
        """See :meth:`Injection.connect`."""
        assert self._files is not None
        if node in self._agents:
            self._agents.pop(node).close()
        found = self._files.wait(deadline, os_pid=int(node) if node != _ANY else None)
        agent = AgentClient.connect(found, self._files.token, deadline)
        self._agents[node] = agent
        return agent

    def leave(self) -> tuple[str, ...]:
        """See :meth:`Injection.leave`."""
        self._hang_up()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = self._files = None
        return ()

    def _hang_up(self) -> None:
        for agent in self._agents.values():
            agent.close()
        self._agents.clear()
