"""Which resources grow with each play of a case, and do not come back?

One noisy reading is no leak: a module that is loaded late makes atoms once, a bucket of the
rate limiter is a row for some seconds, an allocator rounds. So a case is played many times;
between the plays the node is at rest and its garbage is collected. What grew in nearly all of
the plays is left alone until the timers of a chat server have run out, and what is still
there then leaks.

One leak shows in many places: a process that waits for ever has a heap, a name and perhaps a
port. What explains most is told, and the rest is what hangs on it. Atoms are apart, since
nothing else holds them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fuzz.case import Case
from fuzz.errors import AgentError
from fuzz.evidence import Growth
from fuzz.node import DURABLE, Event, Reading, off_node, on_node
from fuzz.rig import Rig

#: Counts of the quick vitals that must come back to where they were.
COUNTED = ("atoms", "processes", "ports")
#: What explains most comes first.
_RANK = (
    *("atoms", "processes", "ports", "ETS tables", "ETS rows", "ETS bytes"),
    *("messages in the mailbox", "binaries", "bytes on the heap"),
)
#: What grows with what is stored for good on purpose: indexes, and what a row refers to.
_STORING = frozenset({"ETS rows", "ETS bytes", "binaries", "bytes on the heap"})
#: In how many places a stored row, or what was sent for it, may be held: in an index or two, and
#: in a cache.
_COPIES = 4
#: What a stored row takes in memory at most, beside what was sent: names, ids, the term around it.
_ROW_BYTES = 1_024
#: Plays that confirm a leak: what is made once (a lazily loaded module) grows in one of them.
_PLAYS = 10
#: Longer than the buckets of the rate limiter live (IRIS_WIRE: a burst of 500 at 100 a second),
#: with their sweep.
_TIMERS_SECONDS = 8.0
#: A timer that was seen to be shorter may only have been near its end.
_LEAST_SECONDS = 1.5
#: Between two looks at what is waited for; meanwhile the node's end is awaited.
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Repeated:
    """What is done ``plays`` times to see what grows: ``play`` does it once.

    ``sent`` is how many bytes it sends each time, ``crowd`` for how many clients it stands: what
    is noise of one client may come of each of them.
    """

    play: Callable[[], object]
    plays: int
    sent: int
    crowd: int = 1


class GrowthMeter:
    """Measures growth on one rig, and remembers what comes back and what does not."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        #: What was seen to come back by itself, and after how many seconds at most.
        self._back_after: dict[str, float] = {}
        #: What has outlasted all timers once.
        self._lasting: set[str] = set()

    def measure(
        self, case: Case, what: Sequence[str] | None, hasty: bool = False
    ) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Play ``case`` many times; see :meth:`measure_of`."""
        repeated = Repeated(lambda: self._rig.play([case]), _PLAYS, case.sent_bytes())
        return self.measure_of(repeated, what, hasty)

    def measure_of(
        self, repeated: Repeated, what: Sequence[str] | None, hasty: bool = False
    ) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Do something many times, and count the plays in which each resource grew.

        ``what`` are the resources that are looked at, or their kinds; all if None. What leaks
        is steady growth; of what was asked for, what does not leak comes too. With it come the
        reports of the node. ``hasty`` does not wait for timers that nobody knows of, and leaves
        out nothing that hangs on another: what it returns is to be measured again.
        """
        reports: list[Event] = []
        readings = [self.levels(reports)]
        for _ in range(repeated.plays):
            repeated.play()
            readings.append(self.levels(reports))
        growth = {}
        for name in sorted(set().union(*readings)):
            if what is None or name == DURABLE or _is_among(name, what):
                steps = [b.get(name, 0) - a.get(name, 0) for a, b in itertools.pairwise(readings)]
                grew = sum(step > repeated.crowd * noise_of(name) for step in steps)
                growth[name] = Growth(name, len(steps), grew, sum(steps))
        stored = growth.pop(DURABLE, None)
        rows = 0 if stored is None else stored.amount
        sent = repeated.plays * repeated.sent
        steady = [
            one
            for one in growth.values()
            if one.steady()
            and not is_stored(one.what, one.amount, rows, sent)
            and not self._is_index(one.what, readings[-1], sent)
        ]
        stays = self._after_a_rest(steady, readings[0], reports, hasty)
        staying = [one for one in steady if one.what in stays]
        # What timers will take away may rank before what leaks.
        leaking = staying if hasty else _principal(staying)
        innocent = [one for one in growth.values() if not one.steady()]
        return (*leaking, *(one for one in innocent if what is not None)), tuple(reports)

    def _is_index(self, name: str, levels: Mapping[str, int], sent: int) -> bool:
        """Tell whether a table is no larger than what is stored for good explains.

        A store that is full gives up a row for each new one, while the tables beside it still
        grow. Elsewhere a fresh node tells that apart from a leak. One that keeps what it stored may
        be full, so a table leaks there when it has outgrown the store.
        """
        if self._rig.target.forgets or not kind_of(name).startswith("ETS"):
            return False
        return is_stored(name, levels.get(name, 0), levels.get(DURABLE, 0), sent)

    def levels(self, reports: list[Event] | None = None) -> dict[str, int]:
        """Return what the node holds now, its garbage collected: counts by name.

        It is empty where no agent tells. What the node has reported is added to ``reports``.
        """
        agent = self._rig.agent
        if agent is None:
            return {}
        try:
            reading = agent.settle()
            holdings = agent.resources()
        except AgentError:
            return {}
        if reports is not None:
            reports += reading.events
        return {**counts(reading), **{one.title: one.amount for one in holdings}}

    def _after_a_rest(
        self,
        suspected: Sequence[Growth],
        before: dict[str, int],
        reports: list[Event],
        hasty: bool,
    ) -> set[str]:
        """Return what is still there when its timers, if there are any, have run out."""
        clock = self._rig.clock
        start = clock.now()
        waiting = {one.what: one for one in suspected}
        stays: set[str] = set()
        while waiting:
            now, waited = self.levels(reports), clock.now() - start
            for name, one in list(waiting.items()):
                if now.get(name, 0) <= before.get(name, 0) + one.amount // 2:
                    self._back_after[name] = max(waited, self._back_after.get(name, 0.0))
                    del waiting[name]
                elif waited >= self._patience(name, hasty):
                    stays.add(name)
                    del waiting[name]
            if waiting and self._rig.target.await_exit(_LOOK_SECONDS) is not None:
                break
        if not hasty:
            self._lasting |= stays
        return stays | set(waiting)

    def _patience(self, name: str, hasty: bool) -> float:
        """Return for how many seconds ``name`` may take to come back.

        Who is hasty waits for no timer that nobody has seen yet. One that was seen may only have
        been near its end, so it is no reason to wait for less before a leak is told: a bucket of
        the rate limiter lives the longer, the more was sent. What outlasted all timers once has
        none, as far as is known, and atoms are never given back.
        """
        if name == "atoms" or name in self._lasting:
            return 0.0
        if not hasty:
            return _TIMERS_SECONDS
        back_after = self._back_after.get(name)
        return 0.0 if back_after is None else max(_LEAST_SECONDS, 3 * back_after)


def _principal(leaking: Sequence[Growth]) -> tuple[Growth, ...]:
    """Return what explains the rest, and the atoms.

    The name of a thing says more than that there are more of its kind.
    """
    ranked = sorted(
        leaking,
        key=lambda one: (_RANK.index(kind_of(one.what)), thing_of(one.what) in _RANK, one.what),
    )
    atoms = [one for one in ranked if one.what == "atoms"]
    return (*atoms, *[one for one in ranked if one.what != "atoms"][:1])


def thing_of(name: str) -> str:
    """Return ``name`` without its node: a defect is the same on whichever node it shows."""
    return off_node(name)[0]


def kind_of(name: str) -> str:
    """Return the resource of ``name``, as ``ETS rows`` of ``ETS rows of sessions``."""
    return thing_of(name).partition(" of ")[0]


def _is_among(name: str, what: Sequence[str]) -> bool:
    return any(one in what for one in (name, thing_of(name), kind_of(name)))


def is_stored(name: str, amount: int, rows: int, sent: int) -> bool:
    """Tell whether growth by ``amount`` goes with what was stored for good on purpose.

    ``rows`` is how many durable rows came, ``sent`` the bytes that clients sent for them.
    """
    if rows <= 0 or kind_of(name) not in _STORING:
        return False
    if thing_of(name) == "binaries":
        return True  # of the whole node: buffers that a stored message refers to are in it as well
    if kind_of(name) == "ETS rows":
        return amount <= _COPIES * rows
    return amount <= _COPIES * sent + _ROW_BYTES * rows


def noise_of(name: str) -> int:
    """Return by how much a resource may grow with each play without anybody having to worry.

    A table whose rows were made in advance grows by the size of a name when one is filled in,
    and the allocator rounds what it gives for binaries.
    """
    return {"binaries": 64, "ETS bytes": 32}.get(kind_of(name), 0)


def counts(reading: Reading) -> dict[str, int]:
    """Return the counts that are free to read, of each node where there are several."""
    return {
        on_node(name, node): int(getattr(vitals, name))
        for node, vitals in reading.nodes or (("", reading.vitals),)
        for name in COUNTED
    }
