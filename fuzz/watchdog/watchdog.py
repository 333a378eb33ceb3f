"""From what was observed to findings.

There are two looks. :meth:`Watchdog.glance` is taken after every batch and costs two
round trips: the bystanders answer, the agent hands over coverage, reports and counts.
Only if something in it is out of order does :meth:`Watchdog.settle` take the long look:
is the node alive, does it answer, is a new client served, what is stuck? It waits for
things to come to rest, so that the worst effect of a cause is seen and not its first
sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fuzz.case import Case
from fuzz.clock import Deadline
from fuzz.errors import AgentError, HarnessFault
from fuzz.evidence import Cost, Evidence, Growth, Pulse
from fuzz.executor.endpoint import CONFIRMING, SEARCHING
from fuzz.node import Doing, Event, EventKind, Reading, Suspect, on_node
from fuzz.observation import Ending, NodeExit, Observation
from fuzz.rig import Rig
from fuzz.watchdog.growth import COUNTED, GrowthMeter, Repeated, counts, kind_of
from fuzz.watchdog.pauses import Pauses
from fuzz.watchdog.suspicion import is_silent

#: A listener that is being restarted is back in milliseconds; this long is down.
_DOWN_SECONDS = 3.0
#: A port that refuses is tried again after this long; meanwhile the node's end is awaited.
_RETRY_SECONDS = 0.05
#: An agent that fell silent belongs to a node that ends, or to one that is stuck. One that starts
#: itself anew takes a second for it, and several on a machine that is busy.
_EXIT_SECONDS = 10.0
#: Between two looks at a suspect: one that loops does a million reductions in it, and what was
#: busy by chance is not any more.
_APART_SECONDS = 0.1
#: A mailbox of fewer messages is that of a process which has just been busy.
_DROWNING = 100

_ALARMING = frozenset({Ending.REFUSED, Ending.DEADLINE})
#: A server may log what it refuses: an error line alone is nothing that broke.
_HARMLESS = frozenset({EventKind.ERROR})


@dataclass(frozen=True, slots=True)
class Glance:
    """The short look: what the agent read, and whether anything is out of order.

    ``reductions`` is the work that the node has done since the last glance, ``hottest`` the
    function that ran most often; see :class:`fuzz.evidence.Cost`.
    """

    reading: Reading | None
    events: tuple[Event, ...]
    grown: tuple[str, ...]
    alarmed: bool
    reductions: int = 0
    hottest: str = ""

    def cost(self, batch: Sequence[Case]) -> Cost:
        """Return what ``batch``, which was played before it, has cost."""
        sent = sum(case.sent_bytes() for case in batch)
        return Cost(self.reductions, sent, len(batch), self.hottest)


@dataclass(frozen=True, slots=True)
class _State:
    """Whether the node has ended, answers nobody, or has been started anew by itself."""

    exit: NodeExit | None = None
    silent: bool = False
    restarted: bool = False
    #: Which of several nodes that is.
    node: str = ""

    @property
    def serves(self) -> bool:
        """Tell whether there is any use in asking to be served."""
        return self.exit is None and not self.silent


class Watchdog:
    """Watches one rig."""

    def __init__(self, rig: Rig) -> None:
        #: What the agent handed over last, None before that.
        self.latest: Reading | None = None
        self._rig = rig
        self._levels: dict[str, int] = {}
        self._reductions: int | None = None
        self._meter = GrowthMeter(rig)
        #: A leak that was found is found again by half of the batches.
        self._pauses = Pauses(rig.clock)
        #: Reports that were read before the play that they are told with.
        self._early: tuple[Event, ...] = ()

    def glance(self, observations: Sequence[Observation], bystanders: bool = True) -> Glance:
        """Look after a play: is anything out of order?

        Without asking the ``bystanders``, that they were cut off shows at the next glance.
        """
        alarmed = not all(map(calm, observations))
        alarmed = (bystanders and not self._rig.bystanders_well()) or alarmed
        agent = self._rig.agent
        if agent is None:
            return Glance(None, (), (), alarmed)
        try:
            reading = agent.settle()
        except AgentError:
            return Glance(None, (), (), True)
        self.latest = reading
        events, self._early = (*self._early, *reading.events), ()
        if any(observation.restarts for observation in observations):
            events = tuple(event for event in events if not _ordered_stop(event))
        _own_fault(events)
        grown = self._grown(reading)
        broken = bool(reading.lost) or any(event.kind not in _HARMLESS for event in events)
        total = reading.vitals.reductions
        spent = total - self._reductions if self._reductions is not None else 0
        self._reductions = total
        hottest = on_node(self._function(reading.hottest), reading.hardest)
        return Glance(reading, events, grown, alarmed or broken, spent, hottest)

    def _function(self, point: int | None) -> str:
        if point is None:
            return ""
        return self._rig.points[point].place

    def rebase(self) -> None:
        """See to it that the next glance can tell what a play costs."""
        if self._reductions is None and self._rig.agent is not None:
            try:
                reading = self._rig.agent.settle()
            except AgentError:
                return  # the next glance says so
            self._reductions = reading.vitals.reductions
            self._early += reading.events

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
        late, lost = self._late_events()
        state = self._state(lost)
        pulse, waited = self._pulse() if state.serves else (None, 0.0)
        later, lost = self._late_events() if pulse is not None else ((), False)
        if lost:
            # It went down, or up again, while the canary was under way.
            state = self._state(lost)
            pulse, waited = self._pulse() if state.serves else (pulse, 0.0)
        elif state.serves:
            state = replace(state, exit=self._node_exit(0))
        slow = waited if pulse is Pulse.WELL and waited > SEARCHING.reply else 0.0
        cut = self._bystanders_cut(state)
        if cut and pulse is Pulse.WELL:
            # Perhaps they were cut off after that, by the end of everything.
            pulse, _ = self._pulse()
        stuck = slow > 0 or pulse is Pulse.MUTE or any(map(is_silent, observations))
        return Evidence(
            observations=tuple(observations),
            events=(*events, *late, *later),
            node_exit=state.exit,
            node_silent=state.silent,
            bystanders_cut=cut,
            pulse=pulse,
            applications_lost=self._applications_lost() if state.exit is None else (),
            suspects=() if state.exit is not None else self._stuck(stuck, cost),
            growth=growth,
            cost=cost,
            node_restarted=state.restarted,
            slow_seconds=slow,
            node_answers=state.serves and not lost and self._rig.agent is not None,
            node=state.node,
            edge=self._rig.ailing if pulse is not None else "",
        )

    def confirm_growth(
        self, case: Case, what: Sequence[str] | None = None, hasty: bool = False
    ) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Play ``case`` many times, and count the plays in which each resource grew.

        ``what`` are the resources that are looked at, all if None. What the node reported
        meanwhile comes with it. ``hasty`` is as in :meth:`GrowthMeter.measure`.
        """
        growth, reports = self._meter.measure(case, what, hasty)
        self._note(growth)
        return growth, reports

    def growth_of(self, repeated: Repeated) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Return what leaks of all that is held, and the reports that came meanwhile."""
        growth, reports = self._meter.measure_of(repeated, None)
        self._note(growth)
        return growth, reports

    def _note(self, growth: Sequence[Growth]) -> None:
        """Take the levels as they are now, and what leaks as found."""
        self.forget_levels()
        for one in growth:
            kind = kind_of(one.what)
            if one.steady() and kind in COUNTED:
                self._pauses.begin(kind)

    def levels(self) -> dict[str, int]:
        """Return what the node holds now, its garbage collected: counts by name."""
        return self._meter.levels()

    def _grown(self, reading: Reading) -> tuple[str, ...]:
        """Return what is above its highest level so far; the new level becomes that."""
        grown = []
        for name, count in counts(reading).items():
            level = self._levels.setdefault(name, count)
            if count > level:
                self._levels[name] = count
                if not self._pauses.holds(kind_of(name)):
                    grown.append(name)
        return tuple(grown)

    def _late_events(self) -> tuple[tuple[Event, ...], bool]:
        """Return what was reported since, and whether the agent has fallen silent."""
        agent = self._rig.agent
        if agent is None:
            return (), False
        try:
            reading = agent.settle()
            return reading.events, bool(reading.lost)
        except AgentError:
            return (), True

    def _state(self, lost: bool) -> _State:
        """Tell how the nodes are, of which an agent may be ``lost``."""
        births = self._rig.births
        exit_ = self._awaited_end() if lost else self._node_exit(0)
        if not lost or exit_ is not None:
            return _State(exit_)
        # A connection can be lost by chance, or by a machine that stood still. Where its return
        # was looked for all the time, it has had its time.
        waited = self._rig.target.restartable
        if self._rig.reconnect((SEARCHING if waited else CONFIRMING).connect):
            # It is another process of the agent, whose own work is left out from now on.
            self._reductions = None
            return _restarted(births, self._rig.births)
        vanished = self._rig.vanished()
        if vanished:
            # Whoever started it was told how it ended, and not we.
            return _State(NodeExit(None, None, node=vanished))
        return self._silent(self._rig.lost())

    def _awaited_end(self) -> NodeExit | None:
        """Wait for the end of a node whose agent is lost; None if it goes on, or comes again.

        One that something else starts anew never ends for us. It shows by the agent in it; what
        is not ours to restart is given the time to start all that it has, though.
        """
        rig = self._rig
        births, until = rig.births, rig.clock.now() + _EXIT_SECONDS
        while (left := until - rig.clock.now()) > 0:
            exit_ = self._node_exit(min(left, _APART_SECONDS))
            if exit_ is not None:
                return exit_
            if rig.target.restartable and rig.reconnect(_APART_SECONDS) and rig.births != births:
                return None
        return self._node_exit(0)

    def _silent(self, node: str) -> _State:
        """Tell that a node is as silent as its agent: only one that serves nobody either is."""
        serves = self._rig.edges_served(CONFIRMING.reply)
        if node in serves:
            raise HarnessFault("the agent does not answer any more, though the node serves clients")
        return _State(silent=True, node=node)

    def _node_exit(self, seconds: float) -> NodeExit | None:
        return self._rig.target.await_exit(seconds)

    def _pulse(self) -> tuple[Pulse, float]:
        """Send in the canary until it is well, the node ends, or time is up.

        Returns how the last one was served, and for how many seconds it had to wait.
        """
        rig = self._rig
        until = rig.clock.now() + _DOWN_SECONDS
        while True:
            start = rig.clock.now()
            pulse = rig.pulse(CONFIRMING.reply)
            now = rig.clock.now()
            over = pulse is not Pulse.REFUSED or now >= until
            if over or self._applications_lost() or rig.target.await_exit(_RETRY_SECONDS):
                return pulse, now - start

    def _bystanders_cut(self, state: _State) -> tuple[str, ...]:
        if state.serves:
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

    def _stuck(self, silent: bool, cost: Cost | None) -> tuple[Suspect, ...]:
        """Return the processes that are stuck, where somebody waits or the node works too hard.

        A client that hangs up does not wait for what it has set in motion, and over TLS it is told
        goodbye by another process than the one that loops: that shows only as work without an end.
        """
        if silent:
            return self._suspects()
        if cost is None or not cost.excessive():
            return ()
        deadline = Deadline.after(self._rig.clock, CONFIRMING.reply, "costly work to end")
        while True:
            loops = tuple(one for one in self._suspects() if one.doing is Doing.LOOP)
            if not loops or deadline.expired():
                return loops

    def _suspects(self) -> tuple[Suspect, ...]:
        """Return the processes that two looks find stuck, those that work hardest first."""
        agent = self._rig.agent
        if agent is None:
            return ()
        try:
            first = {(suspect.node, suspect.pid): suspect for suspect in agent.suspects()}
            self._rig.target.await_exit(_APART_SECONDS)
            again = agent.suspects()
        except AgentError:
            return ()
        stuck = [
            (replace(suspect, doing=_doing(before, suspect)), before)
            for suspect in again
            if (before := first.get((suspect.node, suspect.pid))) is not None
        ]
        ways = list(Doing)
        stuck.sort(
            key=lambda pair: (
                ways.index(pair[0].doing or Doing.CALL),
                pair[1].reductions - pair[0].reductions,
                pair[0].process,
            )
        )
        return tuple(suspect for suspect, _ in stuck)


def _restarted(before: Mapping[str, int], now: Mapping[str, int]) -> _State:
    """Tell whether an agent was lost since its node was started anew, by itself.

    Its answer to the hello tells when that was.
    """
    for node, born in now.items():
        if before.get(node) != born:
            return _State(restarted=True, node=node)
    return _State()


def calm(observation: Observation) -> bool:
    """Tell whether nothing on the wire was out of order: nobody silent, nobody refused."""
    return not (observation.cut_short or observation.endings() & _ALARMING)


def _doing(before: Suspect, after: Suspect) -> Doing:
    """Tell from two looks what keeps a process; see :class:`fuzz.node.Doing`."""
    if after.mailbox > max(before.mailbox, _DROWNING):
        return Doing.MAILBOX
    # A call that failed and was made again has done a little work.
    return Doing.CALL if after.status == "waiting" else Doing.LOOP


def _ordered_stop(event: Event) -> bool:
    """Tell whether something was stopped as it was told to: a case had the server restarted.

    So is a process that its supervisor has killed since it took too long to stop: how long that
    may be is a matter of the machine. One that never would have stopped is stuck, and seen as that.
    """
    if event.kind is EventKind.SUPERVISOR:
        return event.reason == "{shutdown_error,killed}"
    return event.kind is EventKind.APPLICATION and event.reason == "stopped"


def _own_fault(events: Sequence[Event]) -> None:
    """Raise :class:`HarnessFault` if the agent itself broke: that is no finding."""
    for event in events:
        if event.kind is EventKind.AGENT:
            raise HarnessFault(f"the agent in the node is at fault: {event.reason} {event.text}")
