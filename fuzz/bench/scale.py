"""Scale: what a case costs by the size of the corpus, the number of points, and the age of the run.

The cost of a case is the processor time that it takes, of harness and node together: what else the
machine does meanwhile changes that much less than the time that goes by, which is what the other
parts measure. In each round the smallest is measured first, and all others are held
against it. The age is that of one campaign: its last third against its first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from fuzz.bench import measured, shapes
from fuzz.bench.measured import FLAT, Sample, Stretch, between
from fuzz.bench.padding import PaddedTarget
from fuzz.bench.parts import MakeCampaign, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio
from fuzz.campaign import Campaign

_ABOUT = (
    "the processor time of harness and node for a judged case, divided by what it takes where the "
    "corpus or the number of coverage points is smallest, or the campaign young"
)


#: For each size, what was seen of it in each round; the smallest first.
Sides = Mapping[int, Sequence[Stretch]]


class Scale:
    """The part ``scale``; see :class:`fuzz.bench.parts.Part`."""

    name = "scale"

    def __init__(self, plan: Plan, make_campaign: MakeCampaign = Campaign) -> None:
        self._plan = plan
        self._make_campaign = make_campaign
        self._sizes: dict[int, list[Stretch]] = {size: [] for size in plan.sizes}
        self._points: dict[int, list[Stretch]] = {points: [] for points in plan.points}
        self._ages: list[tuple[Stretch, Stretch]] = []

    def measure(self, number: int) -> None:
        """See :meth:`fuzz.bench.parts.Part.measure`."""
        sizes = {size: self._with_size(size) for size in self._plan.sizes}
        points = {points: self._with_points(points) for points in self._plan.points}
        age = self._aged()
        for size, seen in sizes.items():
            self._sizes[size].append(seen)
        for more, seen in points.items():
            self._points[more].append(seen)
        self._ages.append(age)

    def result(self) -> Result:
        """See :meth:`fuzz.bench.parts.Part.result`."""
        rows = (
            *_compared(self._sizes, lambda size, _: f"a corpus of {size:,} units"),
            *_compared(self._points, lambda _, seen: f"{seen.points:,} coverage points"),
            *self._age_rows(),
        )
        return Result(self.name, _ABOUT, len(self._ages), tuple(rows))

    def close(self) -> None:
        """See :meth:`fuzz.bench.parts.Part.close`: nothing is kept from round to round."""

    def _with_size(self, size: int) -> Stretch:
        plan = self._plan
        return measured.steady(shapes.distinct(size), plan.warm, plan.rate, self._make_campaign)

    def _with_points(self, points: int) -> Stretch:
        plan, target = self._plan, PaddedTarget(points)
        try:
            return measured.steady(
                shapes.one_frame(), plan.warm, plan.rate, self._make_campaign, target.settings
            )
        finally:
            target.close()

    def _aged(self) -> tuple[Stretch, Stretch]:
        plan = self._plan
        samples, _ = measured.watch(shapes.one_frame(), plan.warm, plan.age, self._make_campaign)
        return thirds(samples)

    def _age_rows(self) -> Iterator[Row]:
        young, old = f"a campaign of {self._plan.age / 3:.0f} s", f"one of {self._plan.age:.0f} s"
        costs = tuple(last.cost / first.cost for first, last in self._ages)
        goal = Goal(FLAT, at_least=False)
        yield Row(old, young, Ratio(costs, FLAT), goal, _told([last for _, last in self._ages]))
        memory = tuple(last.memory / first.memory for first, last in self._ages)
        note = f"{median(last.memory for _, last in self._ages):.0f} MiB at the end"
        seen = Ratio(memory, FLAT)
        yield Row("the worker's memory at the end of it", "a third in", seen, goal, note)


def thirds(samples: list[Sample]) -> tuple[Stretch, Stretch]:
    """Return the first and the last third of what was watched, by its time."""
    begin, end = samples[0].progress.seconds, samples[-1].progress.seconds
    first = next(s for s in samples if s.progress.seconds >= begin + (end - begin) / 3)
    last = next(s for s in samples if s.progress.seconds >= end - (end - begin) / 3)
    return between(samples[0], first), between(last, samples[-1])


def _compared(sides: Sides, named: Callable[[int, Stretch], str]) -> Iterator[Row]:
    """Yield a row for each side but the first, against the first of the same round."""
    (least, base), *others = sides.items()
    for size, seen in others:
        costs = tuple(large.cost / small.cost for small, large in zip(base, seen, strict=True))
        what, against = named(size, seen[-1]), named(least, base[-1])
        yield Row(what, against, Ratio(costs, FLAT), Goal(FLAT, at_least=False), _told(seen))


def _told(seen: Sequence[Stretch]) -> str:
    """Return cost and rate, for who wants to know: they are those of this machine, now."""
    cost, rate = median(one.cost for one in seen), median(one.rate for one in seen)
    return f"{1e6 * cost:,.0f} microseconds of processor a case, {rate:,.0f}/s"
