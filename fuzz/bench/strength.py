"""Strength: what each part of the engine is worth, as a table.

Each way to search looks for the same planted defects from the same seeds, within the same time and
side by side. What is told is in how many searches each was found as the right kind, and the median
time of those; how many coverage points of a clean target were reached at the end of the same time;
and how many times as long each way takes as the whole engine does. That is a mean over the defects:
one that neither finds says nothing, and one that a way did not find counts as if it had been found
at the last moment, so that the truth is more than what is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from types import MappingProxyType

from fuzz.bench.parts import Grid, MakeCampaign, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio, Time, slower
from fuzz.benchmark import Benchmark
from fuzz.campaign import Campaign
from fuzz.events import Ended
from fuzz.scratch import scratch_prefix
from fuzz.settings import FAMILIES, FuzzSettings, TargetSettings
from fuzz.target.planted import Planted

_ABOUT = (
    "the time until a planted defect is found, divided by that of the whole engine, on the mean of "
    "all defects; all from the same seeds and within the same time"
)
WHOLE = "the whole engine"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to search: whether the node's coverage steers it, and what cases are changed by."""

    feedback: bool = True
    families: tuple[str, ...] = ()

    def applied(self, settings: FuzzSettings) -> FuzzSettings:
        """Return ``settings`` with this."""
        return replace(settings, feedback=self.feedback, families=self.families)


#: Without spans, what is changed is a segment as a string of bytes.
_BYTES = ("bytes",)
_NO_CONSTANTS = tuple(name for name in FAMILIES if name != "constants")
WAYS: Mapping[str, Way] = MappingProxyType(
    {
        WHOLE: Way(),
        "without the node's coverage": Way(feedback=False),
        "without the node's constants": Way(families=_NO_CONSTANTS),
        "without spans (bytes only)": Way(families=_BYTES),
        "blind (neither)": Way(feedback=False, families=_BYTES),
    }
)
#: How a rival looks for a defect within some seconds, in the round of that number.
Rival = Callable[[Planted, float, int], Time]


class Strength:
    """The part ``strength``; see :class:`fuzz.bench.parts.Part`.

    ``rivals`` are others' fuzzers, by name; they have no coverage to tell.
    """

    name = "strength"

    def __init__(
        self,
        plan: Plan,
        defects: Sequence[Planted],
        seeds: Path,
        rivals: Mapping[str, Rival] = MappingProxyType({}),
        make_campaign: MakeCampaign = Campaign,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._plan = plan
        self._defects = defects
        self._seeds = seeds
        self._rivals = rivals
        self._make_campaign = make_campaign
        self._notes = notes
        self._times: list[dict[str, list[Time]]] = []
        self._points: dict[str, list[int]] = {name: [] for name in WAYS}

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        names = [*WAYS, *self._rivals]
        times: dict[str, list[Time]] = {name: [] for name in names}
        for defect in self._defects:
            for name in names:
                times[name].append(self._look(name, defect, number))
        points = {name: self._covered(way, number) for name, way in WAYS.items()}
        self._times.append(times)
        for name, reached in points.items():
            self._points[name].append(reached)

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        rows = [row for name in (*WAYS, *self._rivals) if (row := self._row(name)) is not None]
        heading = ("", *(defect.name for defect in self._defects), "found", "points")
        lines = tuple(self._line(name) for name in (*WAYS, *self._rivals))
        notes = (f"each search ends after {self._plan.clock:.0f} s", *self._notes)
        return Result(self.name, _ABOUT, len(self._times), tuple(rows), Grid(heading, lines), notes)

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`: nothing is kept from round to round."""

    def _look(self, name: str, defect: Planted, number: int) -> Time:
        rival = self._rivals.get(name)
        if rival is not None:
            return rival(defect, self._plan.clock, number)
        way = WAYS[name]
        trial = Benchmark(
            self._seeds,
            self._plan.clock,
            number,
            make_campaign=lambda settings: self._make_campaign(way.applied(settings)),
        ).run(defect)
        found = trial.right is not None
        return Time(trial.seconds if found else self._plan.clock, found)

    def _covered(self, way: Way, number: int) -> int:
        """Return how many points of a clean target a way reaches in the time of a search."""
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("bench")) as folder:
            settings = FuzzSettings(
                target=TargetSettings(port=0),
                corpus=Path(folder),
                seeds=(self._seeds,),
                seconds=self._plan.clock,
                random_seed=number,
            )
            campaign = self._make_campaign(way.applied(settings))
            with closing(campaign.events()) as events:
                ends = [event for event in events if isinstance(event, Ended)]
        return ends[-1].progress.points_covered

    def _row(self, name: str) -> Row | None:
        if name == WHOLE:
            return None
        seen = [slower(times[WHOLE], times[name]) for times in self._times]
        told = [one for one in seen if one is not None]
        if not told:
            return None
        ratio = Ratio(tuple(factor for factor, _ in told), at_least=all(least for _, least in told))
        return Row(name, WHOLE, ratio, Goal(10.0) if name in self._rivals else None)

    def _line(self, name: str) -> tuple[str, ...]:
        looked = [times[name] for times in self._times]
        cells = [_cell([times[place] for times in looked]) for place in range(len(self._defects))]
        found = sum(one.found for times in looked for one in times)
        points = self._points.get(name)
        return (
            name,
            *cells,
            f"{found} of {sum(map(len, looked))}",
            f"{median(points):,.0f}" if points else "",
        )


def _cell(times: Sequence[Time]) -> str:
    """Return in how many searches a defect was found, and the median time of those."""
    found = [one.seconds for one in times if one.found]
    counted = f"{len(found)}/{len(times)}"
    return f"{counted} {median(found):.1f} s" if found else counted
