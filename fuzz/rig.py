"""The rig: a running target with everything that looks at it.

It owns the order of things: the target comes up with the agent injected, the agent
instruments the target's modules, the canary is served, the bystanders take their places.
It brings a target back by the cheapest means that works: the application inside the
living node, or the one node that has ended; else all of it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from fuzz.agents import UNWATCHED, Agents, births_of, watches_all
from fuzz.beam import Agent, Attachment, EnvironmentInjection, Injection
from fuzz.beam.covered import coverage_notes, covered_applications
from fuzz.beam.fleet import Fleet
from fuzz.beam.handshake import is_here
from fuzz.bystanders import Bystanders, canary
from fuzz.case import Case
from fuzz.clock import Clock, Deadline, SystemClock
from fuzz.errors import AgentError, HarnessFault, SettingsError, TargetError, UnplayableError
from fuzz.evidence import Pulse
from fuzz.executor import Endpoint, Executor, Finished, Names, Patience, unheard
from fuzz.executor.endpoint import CONFIRMING, SEARCHING
from fuzz.executor.tokens import Tokens
from fuzz.greeting import greet
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.node import Gate, NodeInfo, NodeSeen, Point
from fuzz.observation import Observation
from fuzz.pace import Pace
from fuzz.settings import CoverageSettings, TargetSettings
from fuzz.store.crashes import Context
from fuzz.target import AttachedTarget, Target
from fuzz.target.choose import choose_target
from fuzz.target.started import StartedTarget

#: From the ready line to the agent's hello and the first answered canary.
_READY_SECONDS = 30.0
#: A port that refuses is tried again after this long; meanwhile the node's end is awaited.
_RETRY_SECONDS = 0.05
#: An application of this size stops and starts in well under a second.
_RESTART_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a target was brought back, how long that took, and ``why``, if that is known.

    A reason goes on from a sentence: "to check a suspicion", "for it had ended".
    """

    how: str
    seconds: float
    why: str = ""


class Rig:
    """A target under watch. ``start`` it, play cases, ``recover`` it, ``stop`` it.

    ``injection`` is how an agent gets into the target: into one that is started here, by its
    environment if None; into any other, none then. ``rate`` is the ceiling of cases played in a
    second; None is without one.
    """

    def __init__(
        self,
        target: Target,
        clock: Clock,
        injection: Injection | None = None,
        coverage: CoverageSettings | None = None,
        rate: float | None = None,
    ) -> None:
        self.target = target
        self.clock = clock
        #: Whether a barrier answers for all that was handled, and not only for what was read.
        self.exact = False
        self.names = Names()
        self.agent: Agent | None = None
        #: The node that owns the first port, with the applications of all.
        self.node: NodeInfo | None = None
        self.nodes: tuple[NodeSeen, ...] = ()
        #: When each node was started, by its name; see :class:`fuzz.node.NodeInfo`.
        self.births: dict[str, int] = {}
        self.points: tuple[Point, ...] = ()
        self.gates: tuple[Gate, ...] = ()
        #: The applications whose coverage is read, and what cannot be read, in sentences.
        self.covered: tuple[str, ...] = ()
        self.notes: list[str] = []
        #: What stays of us in a node that was not started here, after ``stop``.
        self.left: tuple[str, ...] = ()
        #: How often the target was brought back: what it held before is gone then.
        self.recoveries = 0
        #: The edge at which the last canary was not well, where there are several.
        self.ailing = ""
        self._revives = True
        self._pace = Pace(rate, clock, threading.Event().wait)
        if injection is None and target.restartable:
            injection = EnvironmentInjection()
        self._injection = injection
        self._coverage = coverage or CoverageSettings()
        self._agents: Agents | None = None
        self._bystanders: Bystanders | None = None
        self._executor: Executor | None = None

    def start(self) -> None:
        """Bring everything up; raise :class:`TargetError` naming what did not come.

        What was started is ended again when something does not come.
        """
        try:
            self._start()
        except BaseException:  # an interrupt too must leave no node behind
            self.stop()
            raise

    def _start(self) -> None:
        injection = self._injection
        address = self.target.start({} if injection is None else injection.environment())
        self.names.tokens = Tokens(address.secret, revoked=address.revoked)
        deadline = Deadline.after(self.clock, _READY_SECONDS, "the target to serve a client")
        endpoint = greet(address, self.names, self.clock)
        if injection is not None:
            self._agents = Agents(self.target, injection, address, self._coverage.core)
            self._inject(deadline)
        endpoint = endpoint.named(self._agents.names() if self._agents is not None else ())
        self.exact = self.agent is not None and watches_all(self.agent)
        if self.agent is not None and not self.exact:
            self.notes.append(UNWATCHED)
        self._executor = Executor(
            endpoint, self.barrier, self.names, self.clock, self.exact, self._restart_applications
        )
        self._bystanders = Bystanders(endpoint, self.names, self.clock)
        if not self._serves(deadline):
            raise TargetError(f"{self.target.name}: waited in vain for {deadline.what}")

    def stop(self) -> None:
        """Let go of all connections, and end the target if it was started here.

        From a node that was not, the agent is taken out; ``left`` tells what could not be.
        """
        self._let_go()
        self.target.stop()
        if self._injection is not None:
            self.left = self._injection.leave()

    def _let_go(self) -> None:
        if self._bystanders is not None:
            self._bystanders.close()
        self.agent = self._agents = None

    def context(self, settings: TargetSettings) -> Context:
        """Return under which circumstances a case is played here; the target has ``settings``."""
        otp = "unknown" if self.node is None else self.node.otp
        transport = self.endpoint.transport
        return Context(self.target.name, otp, settings.plants, settings.switches(), transport)

    @property
    def endpoint(self) -> Endpoint:
        """Return where the target listens."""
        return self._played_by.endpoint

    @property
    def can_restart(self) -> bool:
        """Tell whether a case may have the server's applications restarted."""
        return self.target.restartable and self.agent is not None

    def play(
        self,
        cases: Sequence[Case],
        patience: Patience = SEARCHING,
        meanwhile: Meanwhile = nothing,
        finished: Finished = unheard,
    ) -> list[Observation]:
        """Play cases side by side; see :meth:`fuzz.executor.Executor.play`.

        Raises :class:`UnplayableError` for a case that restarts a server where we must not.
        """
        if not self.can_restart and any(case.restarts() for case in cases):
            raise UnplayableError(
                "the case restarts the server, which takes a target that iris-fuzz has started "
                "itself, with its agent inside"
            )
        self._pace.begin(len(cases))
        return self._played_by.play(cases, patience, meanwhile, finished)

    def barrier(self, meanwhile: Meanwhile = nothing, seconds: float | None = None) -> bool | None:
        """Return when the node has handled all that was sent; False if it does not answer.

        None if it answers, and still had work when the time was over.
        ``meanwhile`` is called until an agent answers. ``seconds`` is how long the node may have
        work for, what is usual of a batch if None.

        A node that is never at rest, since some process loops, is waited for only briefly:
        it serves everybody else. Without an agent, the bystanders' round trip stands in:
        the node has read what was sent before the question when it answers.
        """
        if self.agent is None:
            return self.bystanders_well()
        try:
            return self.agent.quiet(seconds, meanwhile) or None
        except AgentError:
            return False

    def bystanders_well(self, patience: Patience = SEARCHING) -> bool:
        """Tell whether every bystander is connected and was answered in time."""
        return self._bystanders is not None and self._bystanders.check(patience)

    def bystanders_cut(self) -> tuple[str, ...]:
        """Return the names of the bystanders that lost their connection."""
        return self._bystanders.cut() if self._bystanders is not None else ()

    def pulse(self, seconds: float) -> Pulse:
        """Send in the canary, one to each edge; return the first that is not well, if any."""
        deadline = Deadline.after(self.clock, seconds, "the canary to be served")
        return self._pulse(deadline)

    def _pulse(self, deadline: Deadline) -> Pulse:
        for edge in self.endpoint.edges():
            pulse = canary(edge, self.names, deadline)
            if pulse is not Pulse.WELL:
                self.ailing = edge.name
                return pulse
        self.ailing = ""
        return Pulse.WELL

    def edges_served(self, seconds: float) -> tuple[str, ...]:
        """Return the names of the edges at which a canary is well now."""
        deadline = Deadline.after(self.clock, seconds, "the canary to be served")
        edges = self.endpoint.edges()
        return tuple(e.name for e in edges if canary(e, self.names, deadline) is Pulse.WELL)

    def lost(self) -> str:
        """Return the name of one of several nodes whose agent does not answer, if there is one."""
        lost = self.agent.lost() if isinstance(self.agent, Fleet) else ()
        return lost[0].label if lost else ""

    def vanished(self) -> str:
        """Return the name of a node among several that has ended, if one is known to have."""
        return self._agents.vanished() if self._agents is not None else ""

    def reconnect(self, seconds: float = CONFIRMING.connect) -> bool:
        """Connect again to each agent that fell silent; tell whether all of them answer."""
        if self._agents is None:
            return False
        deadline = Deadline.after(self.clock, seconds, "the agent to answer again")
        try:
            self._inject(deadline)
        except AgentError:
            return False
        return True

    def reseat(self) -> None:
        """Give new connections to bystanders that were cut off."""
        deadline = Deadline.after(self.clock, _READY_SECONDS, "the bystanders to log in again")
        if not self._serves(deadline):
            raise TargetError(f"{self.target.name}: waited in vain for {deadline.what}")

    def recover(self, fresh_node: bool = False) -> Recovery:
        """Bring the target back to serving clients; raise :class:`TargetError` if it can't be.

        ``fresh_node`` asks for the whole node at once.
        """
        start = self.clock.now()
        self.recoveries += 1
        if not fresh_node and self._restart_applications(hard=True) and self._discard():
            return Recovery("application", self.clock.now() - start)
        if not self.target.restartable:
            self._await_return()
            return Recovery("itself", self.clock.now() - start)
        points = self.points
        self._let_go()
        self.target.retire()
        self.start()
        self._expect(points)
        return Recovery("node", self.clock.now() - start)

    def revive(self) -> Recovery | None:
        """Have the one node of several that has ended started again; None if that does not do.

        All has to be started anew then. What did not do once is not tried again.
        """
        if not (self._revives and isinstance(self.target, StartedTarget)):
            return None
        start, points = self.clock.now(), self.points
        try:
            if not self.target.revive():
                return None
            deadline = Deadline.after(self.clock, _RESTART_SECONDS, "the node to serve again")
            self._discard()  # whose agent is gone is known from then on
            self._inject(deadline)
            self._revives = self._serves(deadline) and self._discard()
        except (AgentError, TargetError):
            self._revives = False
        if not self._revives:
            return None
        self._expect(points)
        self.recoveries += 1
        return Recovery("one node", self.clock.now() - start)

    def _expect(self, points: tuple[Point, ...]) -> None:
        if points != self.points:
            raise HarnessFault("after a restart, the node has other coverage points than before")

    def _await_return(self) -> None:
        """Wait for somebody else to bring back what is theirs; raise TargetError if nobody does.

        Another process may have taken the place of the one that has ended.
        """
        deadline = Deadline.after(self.clock, _READY_SECONDS, "the target to serve again")
        pause = threading.Event()
        while not self._is_well(deadline):
            if deadline.expired():
                raise TargetError(
                    f"{self.target.name} serves nobody any more and is not ours to restart; "
                    "bring it back, then start again"
                )
            pause.wait(min(_RETRY_SECONDS, deadline.left()))
        if self._injection is not None and not (self.agent is not None and self._discard()):
            points = self.points
            self._inject(deadline)
            self._expect(points)

    def _restart_applications(self, hard: bool = False) -> bool:
        """Restart the target's applications in the living node; tell whether it serves.

        Those of a node that is not ours to restart are not ours to restart either. What the node
        has reported stays with the agent, which is none of them.
        """
        if self.agent is None or self.node is None or not self.target.restartable:
            return False
        if self.target.poll() is not None:
            return False
        try:
            for name in self.node.target_applications():
                self.agent.restart_app(name, _RESTART_SECONDS, hard)
        except AgentError:
            return False
        deadline = Deadline.after(self.clock, CONFIRMING.connect, "the application to serve again")
        return self._serves(deadline)

    def _discard(self) -> bool:
        """Throw away what the agent has to tell: a restart of ours is no finding."""
        assert self.agent is not None
        try:
            return not self.agent.settle().lost
        except AgentError:
            return False

    def _inject(self, deadline: Deadline) -> None:
        assert self._agents is not None
        self.agent = self._agents.connect(deadline)
        self.node, self.nodes = self.agent.info, self._agents.seen()
        self.births = births_of(self.agent)
        found = self.agent.instrument(self._coverage.include, self._coverage.exclude)
        self.points, self.gates = found.points, found.gates
        self.covered = covered_applications(self.node, found)
        self.notes = coverage_notes(self.node, found, self._agents.left_out())

    def _serves(self, deadline: Deadline) -> bool:
        """Wait until the canary is well and the bystanders are seated."""
        while not deadline.expired():
            if self._is_well(deadline):
                return True
            if self.target.await_exit(_RETRY_SECONDS) is not None:
                return False
        return False

    def _is_well(self, deadline: Deadline) -> bool:
        """Tell whether the canary is well on each edge, having seated the bystanders if so."""
        assert self._bystanders is not None
        return self._pulse(deadline) is Pulse.WELL and self._bystanders.open(deadline)

    @property
    def _played_by(self) -> Executor:
        if self._executor is None:
            raise HarnessFault("the rig was used before it was started")
        return self._executor


def rig_of(settings: TargetSettings) -> Rig:
    """Return a rig for the target that ``settings`` name, not started yet.

    Raises :class:`fuzz.errors.SettingsError` for a target that may not, or cannot, be had, and for
    one into which no agent can be brought.
    """
    target, injection = choose_target(settings), None
    if settings.attach is not None and isinstance(target, AttachedTarget):
        if not is_here(settings.address()[0]):
            raise SettingsError(
                f"{settings.target} is not on this machine, and an agent can only be brought into "
                "a node that is; leave out --node to see it from outside"
            )
        injection = Attachment(
            settings.attach, lambda agent: target.follow(agent.node, agent.os_pid, agent.port)
        )
    return Rig(target, SystemClock(), injection, settings.coverage, settings.rate)
