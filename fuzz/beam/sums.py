"""What several agents have told, added up to what one would tell."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fuzz.decoding import Candidates
from fuzz.node import Event, QuickVitals, Reading, Suspect, Vitals, on_node

#: A count of coverage has eight bits.
_MOST = 255
#: Processes that the long look names.
_FIRST = 5


@dataclass(slots=True)
class Heard:
    """The readings of one look, as they come in."""

    #: What nodes are called, by their full names, and which of these tell for themselves.
    labels: Mapping[str, str]
    own: Collection[str]
    hits: Counter[int] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    vitals: dict[str, QuickVitals] = field(default_factory=dict)
    dropped: int = 0
    #: The work of the node that worked hardest since it was asked before, its hottest point, and
    #: its name.
    worked: int = -1
    hottest: int | None = None
    hardest: str = ""

    def add(self, reading: Reading, node: str, numbers: Sequence[int], worked: int) -> None:
        """Add what ``node`` tells, whose points have these ``numbers`` among those of all.

        Without numbers it was not instrumented for us. ``worked`` are its reductions since it was
        asked before.
        """
        # A report may come to another node too, for which a process worked: it is told once.
        told = (event for event in reading.events if event.node not in self.own)
        self.events += (
            replace(event, node=self.labels.get(event.node, event.node) or node) for event in told
        )
        self.dropped += reading.dropped
        self.vitals[node] = reading.vitals
        if not numbers:
            return
        for number, count in reading.hits():
            self.hits[numbers[number]] += count
        if reading.hottest is not None and worked > self.worked:
            self.worked, self.hottest, self.hardest = worked, numbers[reading.hottest], node

    def reading(self, quiet: bool, traffic: int, lost: tuple[str, ...]) -> Reading:
        """Return all as one reading; what broke first, on whichever node, is told first."""
        words = [(number << 8) | min(count, _MOST) for number, count in sorted(self.hits.items())]
        alone = list(self.vitals) == [""]
        events = self.events if alone else sorted(self.events, key=lambda event: event.time_ms)
        return Reading(
            struct.pack(f">{len(words)}I", *words),
            tuple(events),
            _sum(self.vitals.values()),
            self.dropped,
            quiet,
            self.hottest,
            traffic,
            () if alone else tuple(self.vitals.items()),
            lost,
            self.hardest,
        )


def renumbered(coverage: bytes, numbers: Sequence[int]) -> bytes:
    """Return the coverage of a node, with the numbers that its points have among those of all."""
    words = struct.unpack(f">{len(coverage) // 4}I", coverage)
    return struct.pack(
        f">{len(words)}I", *((numbers[word >> 8] << 8) | (word & _MOST) for word in words)
    )


def candidates_of(found: Iterable[Candidates]) -> Candidates:
    """Return what several nodes have by the name of a decoder."""
    told = list(found)
    return Candidates(
        any(one.known for one in told),
        tuple(sorted({arity for one in told for arity in one.arities})),
        tuple(dict.fromkeys(other for one in told for other in one.others)),
    )


def vitals_of(told: Sequence[tuple[str, Vitals]]) -> Vitals:
    """Return the sums of long looks, each with the name of its node."""
    memory: Counter[str] = Counter()
    for _, vitals in told:
        memory.update(vitals.memory)
    busiest = [replace(suspect, node=node) for node, v in told for suspect in v.busiest]
    fullest = [replace(suspect, node=node) for node, v in told for suspect in v.fullest]
    return Vitals(
        processes=sum(v.processes for _, v in told),
        ports=sum(v.ports for _, v in told),
        atoms=sum(v.atoms for _, v in told),
        tables=tuple(
            replace(table, name=on_node(table.name, node)) for node, v in told for table in v.tables
        ),
        memory=dict(memory),
        run_queue=sum(v.run_queue for _, v in told),
        reductions=sum(v.reductions for _, v in told),
        uptime_ms=min(v.uptime_ms for _, v in told),
        busiest=tuple(sorted(busiest, key=_by_work)[:_FIRST]),
        fullest=tuple(sorted(fullest, key=lambda suspect: -suspect.mailbox)[:_FIRST]),
    )


def _by_work(suspect: Suspect) -> int:
    return -suspect.reductions


def _sum(told: Iterable[QuickVitals]) -> QuickVitals:
    vitals = tuple(told)
    return QuickVitals(
        sum(one.processes for one in vitals),
        sum(one.ports for one in vitals),
        sum(one.atoms for one in vitals),
        sum(one.tables for one in vitals),
        sum(one.memory for one in vitals),
        sum(one.reductions for one in vitals),
    )
