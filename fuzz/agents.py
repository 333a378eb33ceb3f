"""From the nodes of a target to their agents: which there are, which are edges, who is gone.

Where a target is one node, its agent is used as it is. Where there are several, they are one
:class:`fuzz.beam.fleet.Fleet`: the node that listens on the first edge's port comes first, the
other edges follow in the order of their ports, and whoever listens on none of them is a core.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psutil

from fuzz.beam import Agent, AgentClient, AgentFiles
from fuzz.beam.fleet import Fleet, Member
from fuzz.clock import Deadline
from fuzz.errors import AgentError
from fuzz.target import Address, Target

#: A node that is coming up is asked again after this long; meanwhile the end of one is awaited.
_RETRY_SECONDS = 0.05


class Agents:
    """The agents in the nodes of ``target``, which was started with what ``files`` say."""

    def __init__(self, target: Target, files: AgentFiles, address: Address) -> None:
        self._target = target
        self._files = files
        self._address = address
        self._fleet: Fleet | None = None

    def connect(self, deadline: Deadline) -> Agent:
        """Connect to all of them; raise :class:`AgentError` if one does not answer in time.

        Where some were lost, those are connected to again, and the others are left as they are.
        """
        if self._fleet is not None:
            return self._again(self._fleet, deadline)
        pids = self._target.nodes()
        if len(pids) < 2 and not self._address.further:
            # Whoever announced himself: a node that was started anew is another process.
            return self._connect(deadline, None)
        self._fleet = Fleet(self._members(pids, deadline))
        return self._fleet

    def vanished(self) -> str:
        """Return the name of a lost node whose process has ended; empty if there is none."""
        for member in self._fleet.lost() if self._fleet is not None else ():
            if member.agent.info.os_pid not in self._target.nodes():
                return member.label
        return ""

    def names(self) -> tuple[str, ...]:
        """Return what the nodes behind the ports are called, the first edge's name first.

        Empty where there is one node, or where it is not known who is behind each port.
        """
        members = self._fleet.members if self._fleet is not None else ()
        names = tuple(member.label for member in members if member.edge)
        return names if len(names) == 1 + len(self._address.further) else ()

    def _connect(self, deadline: Deadline, pid: int | None) -> AgentClient:
        where = self._files.wait(deadline, os_pid=pid)
        return AgentClient.connect(where, self._files.token, deadline)

    def _connect_at_last(self, deadline: Deadline, pid: int) -> AgentClient:
        """Connect to a node that may be coming up again, and has announced itself before."""
        while True:
            try:
                return self._connect(deadline, pid)
            except AgentError:
                if deadline.expired() or self._target.await_exit(_RETRY_SECONDS) is not None:
                    raise

    def _members(self, pids: Sequence[int], deadline: Deadline) -> list[Member]:
        ports = [edge.port for edge in (self._address, *self._address.further)]
        ranked = []
        for pid in pids:
            listening = listening_ports(pid)
            rank = next((n for n, port in enumerate(ports) if port in listening), len(ports))
            ranked.append((rank, pid))
        members: list[Member] = []
        try:
            for rank, pid in sorted(ranked):
                members.append(Member(self._connect(deadline, pid), edge=rank < len(ports)))
        except AgentError:
            for member in members:
                member.agent.close()
            raise
        return members

    def _again(self, fleet: Fleet, deadline: Deadline) -> Fleet:
        held = {member.agent.info.os_pid for member in fleet.members if not member.lost}
        for pid in self._target.nodes():
            if fleet.lost() and pid not in held:
                agent = self._connect_at_last(deadline, pid)
                if not fleet.take_back(agent):
                    agent.close()
        if fleet.lost():
            names = ", ".join(member.label for member in fleet.lost())
            raise AgentError(f"nothing answers in the place of {names}")
        return fleet


def listening_ports(pid: int) -> frozenset[int]:
    """Return the TCP ports on which a process listens; none if it has ended."""
    with suppress(psutil.Error):
        return frozenset(
            connection.laddr.port
            for connection in psutil.Process(pid).net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        )
    return frozenset()
