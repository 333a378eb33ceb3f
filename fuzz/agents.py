"""From the nodes of a target to their agents: which there are, which are edges, who is gone.

Where a target is one node, its agent is used as it is. Where there are several, they are one
:class:`fuzz.beam.fleet.Fleet`: the node that listens on the first edge's port comes first, the
other edges follow in the order of their ports, and whoever listens on none of them is a core.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psutil

from fuzz.beam import Agent, AgentClient, Injection
from fuzz.beam.fleet import Fleet
from fuzz.beam.members import Member
from fuzz.clock import Deadline
from fuzz.epmd import distribution_ports
from fuzz.errors import AgentError
from fuzz.node import NodeSeen
from fuzz.settings import EMBEDDED
from fuzz.target import Address, Target

#: A node that is coming up is asked again after this long; meanwhile the end of one is awaited.
_RETRY_SECONDS = 0.05


#: What is told of a target of which only a part is watched.
UNWATCHED = (
    "its node is connected to nodes without an agent, so that what they do is not waited for: what "
    "depends on the order in which two clients were served is not judged; name them too, as in "
    "--node iris_core@HOST"
)


class Agents:
    """The agents that ``injection`` has brought into the nodes of ``target``, at ``address``.

    ``cores`` tells whether coverage is read from nodes that are no edges too.
    """

    def __init__(
        self, target: Target, injection: Injection, address: Address, cores: bool = False
    ) -> None:
        self._target = target
        self._injection = injection
        self._address = address
        self._cores = cores
        self._fleet: Fleet | None = None
        #: The members by their keys; see :meth:`fuzz.beam.injection.Injection.nodes`.
        self._keys: dict[str, Member] = {}
        self._seen: tuple[NodeSeen, ...] = ()

    def connect(self, deadline: Deadline) -> Agent:
        """Connect to all of them; raise :class:`AgentError` if one does not answer in time.

        Where some were lost, those are connected to again, and the others are left as they are.
        """
        if self._fleet is not None:
            return self._again(self._fleet, deadline)
        nodes = self._injection.nodes(self._target.nodes())
        if len(nodes) == 1:
            agent = self._injection.connect(nodes[0], deadline)
            self._seen = (_seen(agent, frozenset(), self._address.port),)
            return agent
        self._fleet = Fleet(self._members(nodes, deadline), self._cores)
        return self._fleet

    def seen(self) -> tuple[NodeSeen, ...]:
        """Return the nodes, with their parts, in the order of the edges' ports."""
        return self._seen

    def vanished(self) -> str:
        """Return the name of a lost node whose process has ended; empty if there is none."""
        for member in self._fleet.lost() if self._fleet is not None else ():
            if not psutil.pid_exists(member.agent.info.os_pid):
                return member.label
        return ""

    def names(self) -> tuple[str, ...]:
        """Return what the nodes behind the ports are called, the first edge's name first.

        Empty where there is one node, or where it is not known who is behind each port.
        """
        members = self._fleet.members if self._fleet is not None else ()
        names = tuple(member.label for member in members if member.edge)
        return names if len(names) == 1 + len(self._address.further) else ()

    def left_out(self) -> frozenset[str]:
        """Return the applications of which no coverage is read, for they run on cores only."""
        if self._fleet is None or self._cores:
            return frozenset()
        return on_cores_only(self._fleet.members)

    def _connect_at_last(self, node: str, deadline: Deadline) -> AgentClient:
        """Connect to a node that may be coming up again, and has announced itself before."""
        while True:
            try:
                return self._injection.connect(node, deadline)
            except AgentError:
                if deadline.expired() or self._target.await_exit(_RETRY_SECONDS) is not None:
                    raise

    def _members(self, nodes: Sequence[str], deadline: Deadline) -> list[Member]:
        ports = [edge.port for edge in (self._address, *self._address.further)]
        ranked: list[tuple[int, Member, NodeSeen]] = []
        try:
            for node in nodes:
                agent = self._injection.connect(node, deadline)
                listening = listening_ports(agent.info.os_pid)
                rank = next((n for n, port in enumerate(ports) if port in listening), len(ports))
                self._keys[node] = Member(agent, edge=rank < len(ports))
                port = ports[rank] if rank < len(ports) else None
                if self._target.name.startswith(EMBEDDED):
                    listening = frozenset()  # all its edges are known: the rest is its own
                ranked.append((rank, self._keys[node], _seen(agent, listening, port)))
        except AgentError:
            for _, member, _ in ranked:
                member.agent.close()
            raise
        ranked.sort(key=lambda one: one[0])
        self._seen = tuple(seen for _, _, seen in ranked)
        return [member for _, member, _ in ranked]

    def _again(self, fleet: Fleet, deadline: Deadline) -> Fleet:
        for node in self._injection.nodes(self._target.nodes()):
            held = self._keys.get(node)
            if fleet.lost() and (held is None or held.lost):
                agent = self._connect_at_last(node, deadline)
                if fleet.take_back(agent):
                    self._keys[node] = next(m for m in fleet.members if m.agent is agent)
                else:
                    agent.close()
        if fleet.lost():
            names = ", ".join(member.label for member in fleet.lost())
            raise AgentError(f"nothing answers in the place of {names}")
        return fleet


def _seen(agent: AgentClient, listening: frozenset[int], port: int | None) -> NodeSeen:
    """Return what is told of the node of ``agent``, to which clients are sent at ``port``."""
    info = agent.info
    strange = listening - {agent.port} - distribution_ports() if port is None else ()
    own = info.target_applications()
    return NodeSeen(info.name, info.otp, info.os_pid, own, port, tuple(sorted(strange)))


def on_cores_only(members: Sequence[Member]) -> frozenset[str]:
    """Return the target's applications that run on no edge; none if no edge is known."""
    on_edges, on_cores = (
        {name for m in members if m.edge is edge for name in m.agent.info.target_applications()}
        for edge in (True, False)
    )
    return frozenset(on_cores - on_edges) if on_edges else frozenset()


def listening_ports(pid: int) -> frozenset[int]:
    """Return the TCP ports on which a process listens; none if it has ended."""
    with suppress(psutil.Error):
        return frozenset(
            connection.laddr.port
            for connection in psutil.Process(pid).net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        )
    return frozenset()


def births_of(agent: Agent) -> dict[str, int]:
    """Return when each node of an agent was started; one that is alone needs no name."""
    if isinstance(agent, Fleet):
        return {member.label: member.agent.info.born for member in agent.members}
    return {"": agent.info.born}


def watches_all(agent: Agent) -> bool:
    """Tell whether no node without an agent has a part in what the node of ``agent`` does.

    Several nodes that are watched talk to one another, so that of them it is not asked.
    """
    return isinstance(agent, Fleet) or not agent.rest().traffic
