"""Storm: what a shallow bug costs a campaign, and whether deeper ones are found behind it.

The planted defect ``shallow`` is set off by about one in fifty random cases. It takes the listeners
down, and the application after ten of those. The share of throughput that is kept is that of a
campaign against it, divided by that of one against a clean target within the same time, each
counted from its beginning. Two more have deeper defects planted, with the storm and without.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from fuzz.bench.parts import Grid, MakeCampaign, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio
from fuzz.campaign import Campaign
from fuzz.errors import TargetError
from fuzz.events import Ended, Found, Progress
from fuzz.scratch import scratch_prefix
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.target.planted import Planted

#: What is planted in the storm.
SHALLOW = "shallow"
_ABOUT = (
    "cases judged in a storm of crashes, divided by those judged on the clean target within the "
    "same time"
)


@dataclass(frozen=True, slots=True)
class Spell:
    """One campaign: its totals, and each kind found with the seconds until then."""

    progress: Progress
    found: dict[str, float]

    @property
    def rate(self) -> float:
        """Return judged cases a second, from the beginning to the end."""
        return self.progress.cases / self.progress.seconds


@dataclass(frozen=True, slots=True)
class Weather:
    """One round: the clean target, the storm, and the deeper defects behind it and alone."""

    clean: Spell
    storm: Spell
    behind: Spell
    alone: Spell


class Storm:
    """The part ``storm``; see :class:`fuzz.bench.parts.Part`.

    ``deeper`` must be of kinds that differ from one another, and from what the storm itself may
    show: by their kinds they are told apart.
    """

    name = "storm"

    def __init__(
        self,
        plan: Plan,
        deeper: Sequence[Planted],
        seeds: Path,
        make_campaign: MakeCampaign = Campaign,
    ) -> None:
        self._plan = plan
        self._deeper = deeper
        self._seeds = seeds
        self._make_campaign = make_campaign
        self._spells: list[Weather] = []

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        clean = self._spell((), number)
        storm = self._spell((SHALLOW,), number)
        names = tuple(defect.name for defect in self._deeper)
        behind, alone = self._spell((SHALLOW, *names), number), self._spell(names, number)
        if not clean.progress.cases or not storm.progress.cases:
            raise TargetError(f"a campaign of {self._plan.storm:.0f} s judged no case at all")
        self._spells.append(Weather(clean, storm, behind, alone))

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        kept = tuple(seen.storm.rate / seen.clean.rate for seen in self._spells)
        storms = [seen.storm.progress for seen in self._spells]
        note = (
            f"{median(one.restarts for one in storms):.0f} restarts, "
            f"{median(one.recovering_seconds for one in storms):.1f} s of "
            f"{self._plan.storm:.0f} s lost to recovery"
        )
        row = Row("in a storm", "the clean target", Ratio(kept), Goal(0.5), note)
        lines = tuple(self._line(defect) for defect in self._deeper)
        grid = Grid(("defect", "kind", "behind the storm", "without it"), lines)
        return Result(self.name, _ABOUT, len(self._spells), (row,), grid)

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`: nothing is kept from round to round."""

    def _line(self, defect: Planted) -> tuple[str, ...]:
        # What the storm alone can show is no proof.
        behind = [s.behind.found.get(defect.kind) for s in self._spells]
        shown = [defect.kind in s.storm.found for s in self._spells]
        proven = [None if by_storm else at for at, by_storm in zip(behind, shown, strict=True)]
        alone = [seen.alone.found.get(defect.kind) for seen in self._spells]
        return (defect.name, defect.kind, _cell(proven), _cell(alone))

    def _spell(self, plants: tuple[str, ...], number: int) -> Spell:
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("bench")) as folder:
            settings = FuzzSettings(
                target=TargetSettings(port=0, plants=plants),
                corpus=Path(folder),
                seeds=(self._seeds,),
                seconds=self._plan.storm,
                random_seed=number,
            )
            progress, found = Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0), dict[str, float]()
            with closing(self._make_campaign(settings).events()) as events:
                for event in events:
                    if isinstance(event, Progress):
                        progress = event
                    elif isinstance(event, Ended):
                        progress = event.progress
                    elif isinstance(event, Found):
                        found.setdefault(event.finding.kind.value, progress.seconds)
        return Spell(progress, found)


def _cell(times: Sequence[float | None]) -> str:
    """Return in how many campaigns a defect was found, and the median time of those."""
    found = [at for at in times if at is not None]
    counted = f"{len(found)} of {len(times)}"
    return f"{counted}, {median(found):.1f} s" if found else counted
