"""Throughput: judged cases a second against rounds of the bare loop a second.

The bare loop is played just before and after each campaign, on an embedded target of its own that
is not instrumented, and the mean of the two is what the campaign is held against. A case of five
frames over two connections is held against the same loop of one.
"""

from __future__ import annotations

from statistics import median

from fuzz.bench import measured, shapes
from fuzz.bench.bare import BareLoop
from fuzz.bench.measured import Stretch
from fuzz.bench.parts import MakeCampaign, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio
from fuzz.campaign import Campaign
from fuzz.case import Case

_ABOUT = (
    "judged cases a second (coverage, watchdog and laws on, fields mutated) divided by rounds of "
    "the bare loop a second (connect, LOGIN, reply, one frame, half-close, end)"
)


class Throughput:
    """The part ``throughput``; see :class:`fuzz.bench.parts.Part`."""

    name = "throughput"

    def __init__(
        self, plan: Plan, make_campaign: MakeCampaign = Campaign, bare: BareLoop | None = None
    ) -> None:
        self._plan = plan
        self._make_campaign = make_campaign
        self._bare = bare or BareLoop(shapes.FRAMES)
        self._bares: list[float] = []
        self._sides: dict[str, list[tuple[float, Stretch]]] = {"one frame": [], "five frames": []}

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        before = self._slice()
        one = self._steady(shapes.one_frame())
        between = self._slice()
        five = self._steady(shapes.five_frames())
        after = self._slice()
        self._bares += before, between, after
        self._sides["one frame"].append((one.rate / ((before + between) / 2), one))
        self._sides["five frames"].append((five.rate / ((between + after) / 2), five))

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        goals = {"one frame": Goal(1.5), "five frames": Goal(1.0)}
        rows = tuple(
            Row(
                f"cases of {_shape(rounds[-1][1])}",
                "the bare loop",
                Ratio(tuple(ratio for ratio, _ in rounds)),
                goals[name],
                f"{median(s.rate for _, s in rounds):,.0f}/s, and "
                f"{median(s.replays / s.cases for _, s in rounds):.0%} played again alone",
            )
            for name, rounds in self._sides.items()
        )
        notes = (f"the bare loop: {median(self._bares):,.0f}/s",)
        return Result(self.name, _ABOUT, len(self._sides["one frame"]), rows, notes=notes)

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`."""
        self._bare.close()

    def _slice(self) -> float:
        return self._bare.rate(self._plan.bare)

    def _steady(self, cases: list[Case]) -> Stretch:
        return measured.steady(cases, self._plan.warm, self._plan.rate, self._make_campaign)


def _shape(seen: Stretch) -> str:
    return f"{seen.frames:.1f} frames over {seen.connections:.1f} connections"
