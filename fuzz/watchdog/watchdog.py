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
from fuzz.errors import AgentError, HarnessFault
from fuzz.evidence import Evidence, Growth, Pulse
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

_ALARMING = frozenset({Ending.REFUSED, Ending.DEADLINE})
#: A server may log what it refuses: an error line alone is nothing that broke.
_HARMLESS = frozenset({EventKind.ERROR})


@dataclass(frozen=True, slots=True)
class Glance:
    """The short look: what the agent read, and whether anything is out of order."""

    reading: Reading | None
    events: tuple[Event, ...]
    grown: tuple[str, ...]
    alarmed: bool


class Watchdog:
    """Watches one rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._levels: dict[str, int] = {}

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
        return Glance(reading, reading.events, grown, alarmed or broken)

    def forget_levels(self) -> None:
        """Take the next counts as the ones to come back to: after a recovery, or a look."""
        self._levels.clear()

    def settle(
        self,
        observations: Sequence[Observation],
        events: Sequence[Event] = (),
        growth: tuple[Growth, ...] = (),
    ) -> Evidence:
        """Look until things are at rest, and return all that was seen.

        ``events`` are the reports that a glance has read already.
        """
        late, silent = self._late_events()
        exit_ = self._node_exit(silent)
        if silent and exit_ is None:
            silent = self._is_silent()
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
            node_silent=silent_now and exit_ is None,
            bystanders_cut=cut,
            pulse=pulse,
            applications_lost=self._applications_lost() if exit_ is None else (),
            suspects=self._suspects(observations) if exit_ is None else (),
            growth=growth,
        )

    def confirm_growth(
        self, case: Case, what: Sequence[str]
    ) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Play ``case`` many times, and count the plays in which each resource grew.

        What the node reported meanwhile comes with it.
        """
        reports: list[Event] = []
        readings = [self._levels_now(reports)]
        for _ in range(_LEAK_PLAYS):
            self._rig.play([case])
            readings.append(self._levels_now(reports))
        growth = []
        for name in what:
            steps = [
                b[name] - a[name]
                for a, b in itertools.pairwise(readings)
                if name in a and name in b
            ]
            growth.append(Growth(name, len(steps), sum(step > 0 for step in steps), sum(steps)))
        self.forget_levels()
        return tuple(growth), tuple(reports)

    def _levels_now(self, reports: list[Event]) -> dict[str, int]:
        agent = self._rig.agent
        if agent is None:
            return {}
        try:
            reading = agent.settle(_REST_SECONDS)
        except AgentError:
            return {}
        reports += reading.events
        return _counts(reading.vitals)

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
