"""Storm: what a shallow bug costs a campaign, and whether deeper ones are found behind it.

The planted defect ``shallow`` is set off by about one in fifty random cases. It takes the listeners
down, and the application after ten of those. The share of throughput that is kept is that of a
campaign against it, divided by that of one against a clean target within the same time, each
counted from its beginning. A third campaign has deeper defects beside it.
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
        self._spells: list[tuple[Spell, Spell, Spell]] = []

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        clean = self._spell((), number)
        storm = self._spell((SHALLOW,), number)
        deep = self._spell((SHALLOW, *(defect.name for defect in self._deeper)), number)
        if not clean.progress.cases or not storm.progress.cases:
            raise TargetError(f"a campaign of {self._plan.storm:.0f} s judged no case at all")
        self._spells.append((clean, storm, deep))

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        kept = tuple(storm.rate / clean.rate for clean, storm, _ in self._spells)
        storms = [storm.progress for _, storm, _ in self._spells]
        note = (
            f"{median(one.restarts for one in storms):.0f} restarts, "
            f"{median(one.recovering_seconds for one in storms):.1f} s of "
            f"{self._plan.storm:.0f} s lost to recovery"
        )
        row = Row("in a storm", "the clean target", Ratio(kept), Goal(0.5), note)
        lines = tuple(self._line(defect) for defect in self._deeper)
        grid = Grid(("behind the storm", "kind", "found", "median time"), lines)
        return Result(self.name, _ABOUT, len(self._spells), (row,), grid)

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`: nothing is kept from round to round."""

    def _line(self, defect: Planted) -> tuple[str, ...]:
        times = [
            deep.found[defect.kind]
            for _, storm, deep in self._spells
            # What the storm alone can show is no proof.
            if defect.kind in deep.found and defect.kind not in storm.found
        ]
        counted = f"{len(times)} of {len(self._spells)}"
        return (defect.name, defect.kind, counted, f"{median(times):.1f} s" if times else "")

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
