"""From the pages of a run to numbers: how much a counter has grown, what a gauge is now.

A counter begins where the first page has it, or at nothing if it comes later. One that is less
than before was started anew, with its node: what it has is added to what it had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from fuzz.assertions.expression import Selector
from fuzz.assertions.page import Page

_Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Tally:
    """The pages of one run, as far as they are needed."""

    _grown: dict[_Series, float] = field(default_factory=dict)
    _last: dict[_Series, float] = field(default_factory=dict)
    _gauges: dict[_Series, float] = field(default_factory=dict)
    _gauge_names: set[str] = field(default_factory=set)
    _names: frozenset[str] = frozenset()
    _begun: bool = False

    def take(self, page: Page) -> None:
        """Take in a page; of its gauges only those that are on it count from now on."""
        self._names |= page.names
        self._gauges.clear()
        for sample in page.samples:
            series = (sample.name, sample.labels)
            if not sample.counts:
                self._gauges[series] = sample.value
                self._gauge_names.add(sample.name)
                continue
            if math.isnan(sample.value):
                continue
            before = self._last.get(series, 0.0 if self._begun else sample.value)
            more = sample.value - before if sample.value >= before else sample.value
            self._grown[series] = self._grown.get(series, 0.0) + more
            self._last[series] = sample.value
        self._begun = True

    def knows(self, selector: Selector) -> bool:
        """Tell whether a page had a metric of that name."""
        return selector.name in self._names

    def names(self) -> frozenset[str]:
        """Return all names that were on a page."""
        return self._names

    def value(self, selector: Selector) -> float:
        """Return the number of a metric: that of all its label sets together.

        It is zero for one that is known and has never had a sample, and NaN for a gauge that had
        one and is not on the last page.
        """
        if selector.name in self._gauge_names and not any(
            name == selector.name for name, _ in self._gauges
        ):
            return math.nan
        return sum(
            value
            for series in (self._grown, self._gauges)
            for (name, labels), value in series.items()
            if selector.takes(name, dict(labels))
        )
