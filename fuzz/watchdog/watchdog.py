"""From what was observed to findings.

There are two looks. :meth:`Watchdog.glance` is taken after every batch and costs two
round trips: the bystanders answer, the agent hands over coverage, reports and counts.
Only if something in it is out of order does :meth:`Watchdog.settle` take the long look:
is the node alive, does it answer, is a new client served, what is stuck? It waits for
things to come to rest, so that the worst effect of a cause is seen and not its first
sign.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from fuzz.case import Case
from fuzz.clock import Deadline
from fuzz.errors import AgentError, HarnessFault
from fuzz.evidence import Cost, Evidence, Growth, Pulse
from fuzz.executor.endpoint import CONFIRMING
from fuzz.node import Event, EventKind, QuickVitals, Reading, Suspect
from fuzz.observation import Ending, NodeExit, Observation
from fuzz.rig import Rig

#: A listener that is being restarted is back in milliseconds; this long is down.
_DOWN_SECONDS = 3.0
#: A node that is not at rest by then has a process that loops; its reading is taken as it is.
_REST_SECONDS = 0.25
#: A port that refuses is tried again after this long; meanwhile the node's end is awaited.
_RETRY_SECONDS = 0.05
#: An agent that fell silent belongs to a node that ends, or to one that is stuck.
_EXIT_SECONDS = 5.0
#: Plays that confirm a leak: what is made once (a lazily loaded module) grows in one of them.
_LEAK_PLAYS = 10
#: Counts of the quick vitals that must come back to where they were.
COUNTED = ("atoms", "processes", "ports")
#: What is meant to stay; see :class:`fuzz.node.Holding`.
DURABLE = "durable rows"
_MAIL = "messages"
#: Longer than the buckets of the rate limiter live (IRIS_WIRE: a burst of 500 at 100 a second),
#: with their sweep.
_TIMERS_SECONDS = 8.0

_ALARMING = frozenset({Ending.REFUSED, Ending.DEADLINE})
#: A server may log what it refuses: an error line alone is nothing that broke.
_HARMLESS = frozenset({EventKind.ERROR})


@dataclass(frozen=True, slots=True)
class Glance:
    """The short look: what the agent read, and whether anything is out of order.

    ``reductions`` is the work that the node has done since the last glance.
    """

    reading: Reading | None
    events: tuple[Event, ...]
    grown: tuple[str, ...]
    alarmed: bool
    reductions: int = 0


class Watchdog:
    """Watches one rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._levels: dict[str, int] = {}
        self._reductions: int | None = None
        #: What was seen to come back by itself: timers remove it.
        self._temporary: set[str] = set()

    def glance(self, observations: Sequence[Observation]) -> Glance:
        """Look after a play: is anything out of order?"""
        alarmed = not all(map(calm, observations))
        alarmed = not self._rig.bystanders_well() or alarmed
        agent = self._rig.agent
        if agent is None:
            return Glance(None, (), (), alarmed)
        try:
            reading = agent.settle(_REST_SECONDS)
        except AgentError:
            return Glance(None, (), (), True)
        _own_fault(reading.events)
        grown = self._grown(reading.vitals)
        broken = any(event.kind not in _HARMLESS for event in reading.events)
        total = reading.vitals.reductions
        spent = total - self._reductions if self._reductions is not None else 0
        self._reductions = total
        return Glance(reading, reading.events, grown, alarmed or broken, spent)

    def forget_levels(self) -> None:
        """Take the next counts as the ones to come back to: after a recovery, or a look."""
        self._levels.clear()
        self._reductions = None

    def settle(
        self,
        observations: Sequence[Observation],
        events: Sequence[Event] = (),
        growth: tuple[Growth, ...] = (),
        cost: Cost | None = None,
    ) -> Evidence:
        """Look until things are at rest, and return all that was seen.

        ``events`` are the reports that a glance has read already.
        """
        late, silent = self._late_events()
        exit_ = self._node_exit(silent)
        restarted = False
        if silent and exit_ is None:
            restarted = self._has_restarted()
            silent = not restarted and self._is_silent()
        pulse = None if exit_ is not None or silent else self._pulse()
        later, silent_now = self._late_events() if pulse is not None else ((), silent)
        if exit_ is None and not silent:
            exit_ = self._node_exit(silent_now)
        cut = self._bystanders_cut(exit_)
        if cut and pulse is Pulse.WELL:
            # Perhaps they were cut off after that, by the end of everything.
            pulse = self._pulse()
        return Evidence(
            observations=tuple(observations),
            events=(*events, *late, *later),
            node_exit=exit_,
            node_silent=silent_now and exit_ is None and not restarted,
            bystanders_cut=cut,
            pulse=pulse,
            applications_lost=self._applications_lost() if exit_ is None else (),
            suspects=self._suspects(observations) if exit_ is None else (),
            growth=growth,
            cost=cost,
            node_restarted=restarted,
        )

    def confirm_growth(
        self, case: Case, what: Sequence[str] | None = None
    ) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Play ``case`` many times, and count the plays in which each resource grew.

        ``what`` are the resources that are looked at, all if None. What the node reported
        meanwhile comes with it.
        """
        reports: list[Event] = []
        readings = [self._levels_now(reports)]
        for _ in range(_LEAK_PLAYS):
            self._rig.play([case])
            readings.append(self._levels_now(reports))
        growth = {}
        for name in sorted(set().union(*readings)) if what is None else what:
            amounts = [reading.get(name, 0) for reading in readings]
            if what is None or name in readings[0]:
                steps = [b - a for a, b in itertools.pairwise(amounts)]
                grew = sum(step > noise_of(name) for step in steps)
                growth[name] = Growth(name, len(steps), grew, sum(steps))
        self.forget_levels()
        return self._leaking(growth, readings[0]), tuple(reports)

    def _leaking(self, growth: dict[str, Growth], before: dict[str, int]) -> tuple[Growth, ...]:
        """Return the growth of what does not come back, and of that the part that says most.

        What is stored for good on purpose (durable rows) has indexes and binaries that grow
        with it, so where that grows, tables and binaries are not judged. A table that gets
        more rows gets more bytes too, and is told once.
        """
        stored = growth.pop(DURABLE, None)
        steady = [one for one in growth.values() if one.steady()]
        if stored is not None and stored.grew:
            steady = [one for one in steady if one.what in COUNTED or one.what.startswith(_MAIL)]
        names = {one.what for one in steady}
        steady = [
            one for one in steady if one.what.replace(" bytes ", " rows ") not in names - {one.what}
        ]
        suspected = [one for one in steady if one.what not in self._temporary]
        stays = self._after_a_rest([one.what for one in suspected], before, growth)
        innocent = tuple(one for one in growth.values() if not one.steady())
        return (*(one for one in suspected if one.what in stays), *innocent)

    def _after_a_rest(
        self, what: Sequence[str], before: dict[str, int], growth: dict[str, Growth]
    ) -> set[str]:
        """Return what is still there when all timers of a chat server have run out.

        Atoms are never given back, so that nobody waits for them.
        """
        waiting = {name for name in what if name != "atoms"}
        deadline = Deadline.after(self._rig.clock, _TIMERS_SECONDS, "what has grown to come back")
        while waiting and not deadline.expired():
            now = self._levels_now([])
            back = {
                name
                for name in waiting
                if now.get(name, 0) <= before.get(name, 0) + growth[name].amount // 2
            }
            self._temporary |= back
            waiting -= back
            if waiting and self._rig.target.await_exit(_RETRY_SECONDS) is not None:
                break
        return waiting | (set(what) & {"atoms"})

    def levels(self) -> dict[str, int]:
        """Return what the node holds now, its garbage collected: counts by name."""
        return self._levels_now([])

    def _levels_now(self, reports: list[Event]) -> dict[str, int]:
        agent = self._rig.agent
        if agent is None:
            return {}
        try:
            reading = agent.settle(_REST_SECONDS)
            holdings = agent.resources()
        except AgentError:
            return {}
        reports += reading.events
        return {**_counts(reading.vitals), **{one.title: one.amount for one in holdings}}

    def _grown(self, vitals: QuickVitals) -> tuple[str, ...]:
        """Return what is above its highest level so far; the new level becomes that."""
        grown = []
        for name, count in _counts(vitals).items():
            level = self._levels.setdefault(name, count)
            if count > level:
                grown.append(name)
                self._levels[name] = count
        return tuple(grown)

    def _late_events(self) -> tuple[tuple[Event, ...], bool]:
        """Return what was reported since, and whether the agent has fallen silent."""
        agent = self._rig.agent
        if agent is None:
            return (), False
        try:
            return agent.settle(_REST_SECONDS).events, False
        except AgentError:
            return (), True

    def _has_restarted(self) -> bool:
        """Tell whether the agent was lost since the node was started anew, by itself.

        Its port is another one then, and its answer to the hello tells when it was started.
        """
        node = self._rig.node
        return (
            self._rig.reconnect()
            and node is not None
            and self._rig.node != node
            and (self._rig.node is not None and self._rig.node.born != node.born)
        )

    def _is_silent(self) -> bool:
        """Tell whether the node is as silent as its agent, whose connection is lost.

        A connection can be lost by chance, or by a machine that stood still: the agent is
        asked again on a new one, and only a node that serves nobody either is silent.
        """
        if self._rig.reconnect():
            return False
        if self._rig.pulse(CONFIRMING.reply) is Pulse.WELL:
            raise HarnessFault("the agent does not answer any more, though the node serves clients")
        return True

    def _node_exit(self, silent: bool) -> NodeExit | None:
        return self._rig.target.await_exit(_EXIT_SECONDS if silent else 0)

    def _pulse(self) -> Pulse:
        """Send in the canary until it is well, the node ends, or time is up."""
        rig = self._rig
        until = rig.clock.now() + _DOWN_SECONDS
        while True:
            pulse = rig.pulse(CONFIRMING.reply)
            over = pulse is not Pulse.REFUSED or rig.clock.now() >= until
            if over or self._applications_lost() or rig.target.await_exit(_RETRY_SECONDS):
                return pulse

    def _bystanders_cut(self, node_exit: NodeExit | None) -> tuple[str, ...]:
        if node_exit is None:
            self._rig.bystanders_well(CONFIRMING)
        return self._rig.bystanders_cut()

    def _applications_lost(self) -> tuple[str, ...]:
        rig = self._rig
        if rig.agent is None or rig.node is None:
            return ()
        try:
            running = set(rig.agent.applications())
        except AgentError:
            return ()
        return tuple(name for name in rig.node.target_applications() if name not in running)

    def _suspects(self, observations: Sequence[Observation]) -> tuple[Suspect, ...]:
        """Return the stuck processes, if a connection was silent beyond its deadline."""
        agent = self._rig.agent
        if agent is None or not any(Ending.DEADLINE in o.endings() for o in observations):
            return ()
        try:
            return agent.suspects()
        except AgentError:
            return ()


def noise_of(name: str) -> int:
    """Return by how much a resource may grow with each play without anybody having to worry.

    A table whose rows were made in advance grows by the size of a name when one is filled in,
    and the allocator rounds what it gives for binaries.
    """
    if name == "binaries":
        return 64
    return 32 if name.startswith("ETS bytes") else 0


def calm(observation: Observation) -> bool:
    """Tell whether nothing on the wire was out of order: nobody silent, nobody refused."""
    return not (observation.cut_short or observation.endings() & _ALARMING)


def _own_fault(events: Sequence[Event]) -> None:
    """Raise :class:`HarnessFault` if the agent itself broke: that is no finding."""
    for event in events:
        if event.kind is EventKind.AGENT:
            raise HarnessFault(f"the agent in the node is at fault: {event.reason} {event.text}")


def _counts(vitals: QuickVitals) -> dict[str, int]:
    return {name: int(getattr(vitals, name)) for name in COUNTED}
