"""Throughput: judged cases a second against rounds of the bare loop a second.

The bare loop is played just before and after each campaign, on an embedded target of its own that
is not instrumented, and the mean of the two is what the campaign is held against. A case of five
frames over two connections is held against the same loop of one.

Beside each ratio stands what the node computes for a case, harness left out: one node of one
scheduler makes no more of them a second than that leaves room for, whoever plays them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from fuzz.bench import measured, shapes
from fuzz.bench.bare import BareLoop, Slice
from fuzz.bench.measured import Stretch
from fuzz.bench.parts import MakeCampaign, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio
from fuzz.campaign import Campaign
from fuzz.case import Case

_ABOUT = (
    "judged cases a second (coverage, watchdog and laws on, fields mutated) divided by rounds of "
    "the bare loop a second (connect, LOGIN, reply, one frame, half-close, end)"
)


@dataclass(frozen=True, slots=True)
class Side:
    """Cases that are played by so many ``workers``, and what they are to reach."""

    cases: Callable[[], list[Case]]
    workers: int
    goal: Goal


def sides(processors: int) -> tuple[Side, ...]:
    """Return what is measured on a machine of so many processors: as many workers too, at last."""
    one = Side(shapes.one_frame, 1, Goal(1.5))
    all_of_them = Side(shapes.one_frame, processors, Goal(1.5))
    five = Side(shapes.five_frames, 1, Goal(1.0))
    return (one, five) if processors < 2 else (one, five, all_of_them)


class Throughput:
    """The part ``throughput``; see :class:`fuzz.bench.parts.Part`."""

    name = "throughput"

    def __init__(
        self,
        plan: Plan,
        make_campaign: MakeCampaign = Campaign,
        bare: BareLoop | None = None,
        processors: int | None = None,
    ) -> None:
        self._plan = plan
        self._make_campaign = make_campaign
        self._bare = bare or BareLoop(shapes.FRAMES)
        self._bares: list[Slice] = []
        self._sides = sides(processors or len(os.sched_getaffinity(0)))
        self._seen: list[list[tuple[float, Stretch]]] = [[] for _ in self._sides]

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        bares = [self._slice()]
        seen: list[tuple[float, Stretch]] = []
        for side in self._sides:
            stretch = self._steady(side)
            bares.append(self._slice())
            seen.append((stretch.rate / ((bares[-2].rate + bares[-1].rate) / 2), stretch))
        self._bares += bares
        for rounds, one in zip(self._seen, seen, strict=True):
            rounds.append(one)

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        rows = tuple(map(_row, self._sides, self._seen))
        return Result(self.name, _ABOUT, len(self._seen[0]), rows, notes=(_bound(self._bares),))

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`."""
        self._bare.close()

    def _slice(self) -> Slice:
        return self._bare.run(self._plan.bare)

    def _steady(self, side: Side) -> Stretch:
        plan = self._plan
        return measured.steady(
            side.cases(), plan.warm, plan.rate, self._make_campaign, workers=side.workers
        )


def _bound(bares: Sequence[Slice]) -> str:
    """Return the rate of the bare loop, and how much of a round the node takes for itself."""
    said = f"the bare loop: {median(one.rate for one in bares):,.0f}/s"
    if not all(one.node for one in bares):
        return said
    share = median(one.node / one.seconds for one in bares)
    return (
        f"{said}; its node computes {share:.0%} of the time: at what a round takes there, one node "
        f"could serve {1 / share:.2f} times as many if all else came for nothing"
    )


def _row(side: Side, seen: list[tuple[float, Stretch]]) -> Row:
    last = seen[-1][1]
    by = "" if side.workers == 1 else f", by {side.workers} workers"
    return Row(
        f"cases of {last.frames:.1f} frames over {last.connections:.1f} connections{by}",
        "the bare loop",
        Ratio(tuple(ratio for ratio, _ in seen)),
        side.goal,
        f"{median(s.rate for _, s in seen):,.0f}/s, and "
        f"{median(s.replays / s.cases for _, s in seen):.0%} played again alone; a node computes "
        f"{1e6 * median(s.node_cost for _, s in seen):,.0f} microseconds for a case, the harness "
        f"{1e6 * median(s.cost - s.node_cost for _, s in seen):,.0f}",
    )
