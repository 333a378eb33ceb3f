"""What the dashboard shows, as it is known so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.events import Decoded, Event, Faulted, Found, Gauged, Progress, Recovered, Started
from fuzz.node import QuickVitals
from fuzz.report.html.folder import case_files
from fuzz.report.html.matrix import MatrixMaker
from fuzz.report.html.model import Matrix
from fuzz.report.summary import Summary

#: Moments that a trend holds: as many as a wide screen has columns. Then every other one goes, and
#: from then on only every other one is taken.
_MOMENTS = 256
#: The folders of a corpus whose cases the heat is of.
_CASES = ("evolved", "decoder")


@dataclass(slots=True)
class Trend:
    """A number over the time of a run, at moments that are as far apart as it takes."""

    values: list[float] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def add(self, value: float) -> None:
        """Take in the next value."""
        self._seen += 1
        if self._seen % self._every:
            return
        self.values.append(value)
        if len(self.values) >= _MOMENTS:
            self.values = self.values[1::2]
            self._every *= 2


@dataclass(slots=True)
class Board:
    """Takes each event after ``summary`` has; ``corpus`` is the folder of the campaign.

    ``kept`` are the events that are told again where the screen leaves the terminal to what was
    there before.
    """

    summary: Summary
    corpus: Path
    covered: Trend = field(default_factory=Trend)
    rate: Trend = field(default_factory=Trend)
    levels: Mapping[str, QuickVitals] = field(default_factory=dict)
    first_levels: Mapping[str, QuickVitals] = field(default_factory=dict)
    recovered: Recovered | None = None
    fault: str = ""
    kept: list[Event] = field(default_factory=list)
    _matrices: MatrixMaker = field(default_factory=MatrixMaker)

    def take(self, event: Event) -> None:
        """Take in one event, which the summary has taken in already."""
        if isinstance(event, Started | Decoded | Found | Faulted):
            self.kept.append(event)
        if isinstance(event, Progress):
            self.covered.add(event.points_covered)
            self.rate.add(self.summary.recent_rate())
        elif isinstance(event, Gauged):
            self.levels = event.levels
            self.first_levels = {**event.levels, **self.first_levels}
        elif isinstance(event, Recovered):
            self.recovered = event
        elif isinstance(event, Faulted):
            self.fault = event.sentence

    def heat(self) -> Matrix:
        """Return which opcodes the cases that were kept send in which state; reads new ones."""
        return self._matrices.matrix({name: case_files(self.corpus / name) for name in _CASES})
