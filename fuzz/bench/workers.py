"""Workers: whether several do as much as so many, and at no higher cost a case.

Each worker has two busy processes, itself and its node, so that a machine is used up by half as
many workers as it has processors; what more of them do then says something about the machine alone.
So each is held to the same low ceiling of cases a second, which leaves room on any machine: what
workers cost one another, by the board and the corpus that they share, shows in the processor time
of a case, and where they wait for one another in what they do together.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from fuzz.bench import measured, shapes
from fuzz.bench.measured import Stretch
from fuzz.bench.parts import MakeCampaign, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio
from fuzz.campaign import Campaign
from fuzz.settings import TargetSettings

#: Cases a second of each worker: a twentieth of what one does, so that four leave room on two
#: processors.
CEILING = 100.0
#: So much of what they would do without one another is near enough to all of it.
_NEARLY = 0.9
_ABOUT = (
    f"what several workers do, each held to {CEILING:.0f} cases a second, divided by what one does "
    "so; and the processor time that a case takes then"
)


class Workers:
    """The part ``workers``; see :class:`fuzz.bench.parts.Part`."""

    name = "workers"

    def __init__(self, plan: Plan, make_campaign: MakeCampaign = Campaign) -> None:
        self._plan = plan
        self._make_campaign = make_campaign
        self._seen: dict[int, list[Stretch]] = {count: [] for count in (1, *plan.workers)}

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        seen = {count: self._with(count) for count in self._seen}
        for count, stretch in seen.items():
            self._seen[count].append(stretch)

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        rows = tuple(row for count in self._plan.workers for row in self._rows(count))
        return Result(self.name, _ABOUT, len(self._seen[1]), rows)

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`: nothing is kept from round to round."""

    def _with(self, count: int) -> Stretch:
        plan, target = self._plan, TargetSettings(port=0, rate=CEILING)
        return measured.steady(
            shapes.one_frame(), plan.warm, plan.rate, self._make_campaign, target, count
        )

    def _rows(self, count: int) -> Iterator[Row]:
        pairs = list(zip(self._seen[1], self._seen[count], strict=True))
        rates = tuple(many.rate / one.rate for one, many in pairs)
        told = f"{median(many.rate for _, many in pairs):,.0f}/s together"
        yield Row(f"{count} workers", "one", Ratio(rates), Goal(_NEARLY * count), told)
        costs = tuple(many.cost / one.cost for one, many in pairs)
        cost = f"{1e6 * median(many.cost for _, many in pairs):,.0f} microseconds"
        flat = Goal(measured.FLAT, at_least=False)
        yield Row(f"a case of {count} workers", "of one", Ratio(costs, measured.FLAT), flat, cost)
