"""The planted defects as a benchmark: one campaign against each, found or not.

A campaign against a defect ends as soon as it has a finding of the right kind, or when its
time is up. Each starts from the shipped seeds with an empty corpus of its own, so that no
campaign gains from the one before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fuzz.campaign import Campaign
from fuzz.events import Event, Found, Progress
from fuzz.scratch import scratch_prefix
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.target.planted import Planted


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one defect.

    ``kinds`` are those of all findings, the right one last if it was found; ``seconds`` and
    ``cases`` were spent by then, the start of the target not counted.
    """

    defect: Planted
    kinds: tuple[str, ...]
    seconds: float
    cases: int

    @property
    def found(self) -> bool:
        """Tell whether anything was found."""
        return bool(self.kinds)

    @property
    def right(self) -> bool:
        """Tell whether a finding is of the kind that the defect must produce."""
        return self.defect.kind in self.kinds


#: What makes the campaign of one trial; a test puts another in its place.
MakeCampaign = Callable[[FuzzSettings], Campaign]


class Benchmark:
    """Runs trials; :meth:`stop` ends the one that is running, and refuses further ones."""

    def __init__(
        self,
        seeds: Path,
        seconds: float,
        random_seed: int | None = None,
        make_campaign: MakeCampaign = Campaign,
    ) -> None:
        self._seeds = seeds
        self._seconds = seconds
        self._random_seed = random_seed
        self._make_campaign = make_campaign
        self._campaign: Campaign | None = None
        self.stopped = False

    def stop(self) -> None:
        """End early."""
        self.stopped = True
        if self._campaign is not None:
            self._campaign.stop()

    def run(self, defect: Planted) -> Trial:
        """Play one campaign against ``defect``; raise :class:`IrisFuzzError` if it can't be."""
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("planted")) as folder:
            settings = FuzzSettings(
                target=TargetSettings(port=0, plants=(defect.name,)),
                corpus=Path(folder),
                seeds=(self._seeds,),
                seconds=self._seconds,
                random_seed=self._random_seed,
            )
            self._campaign = self._make_campaign(settings)
            tally = _Tally(defect.kind)
            with closing(self._campaign.events()) as events:
                for event in events:
                    # What is done about a finding after it was told is of no use here.
                    if tally.take(event):
                        break
                    if self.stopped:
                        self._campaign.stop()
            self._campaign = None
        return Trial(defect, tuple(tally.kinds), tally.seconds, tally.cases)


class _Tally:
    """What was seen of a campaign until its finding came."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self.kinds: list[str] = []
        self.seconds = 0.0
        self.cases = 0

    def take(self, event: Event) -> bool:
        """Take in an event; tell whether what is wanted has been found by now."""
        done = self._wanted in self.kinds
        if isinstance(event, Progress) and not done:
            self.seconds, self.cases = event.seconds, event.cases
        elif isinstance(event, Found) and not done and event.finding.kind.value not in self.kinds:
            self.kinds.append(event.finding.kind.value)
        return done or self._wanted in self.kinds
