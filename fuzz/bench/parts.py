"""What the parts of the benchmark have in common: rounds, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fuzz.bench.ratios import Goal, Ratio
from fuzz.campaign import Campaign
from fuzz.settings import FuzzSettings

#: What makes a campaign; a test puts another in its place.
MakeCampaign = Callable[[FuzzSettings], Campaign]


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio: ``what`` divided by ``against``, as words; ``note`` is what else was seen."""

    what: str
    against: str
    ratio: Ratio
    goal: Goal | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of plain counts and times: no ratio is in it, so it is told as it is."""

    heading: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a part in so many whole ``rounds``; ``notes`` are sentences."""

    part: str
    about: str
    rounds: int
    rows: tuple[Row, ...]
    grid: Grid | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured in one round of each part; all times in seconds.

    ``bare`` is for one slice of the bare loop; a campaign whose rate is taken is watched for
    ``rate`` after ``warm``, and one whose end is held against its beginning for ``age``. ``clock``
    is for each search for a defect, ``storm`` for a campaign in a storm. ``sizes`` are those of a
    corpus, ``points`` how many coverage points are added to those of the target, and ``workers``
    how many are held against one. ``defects`` and ``deeper`` name planted ones.
    """

    rounds: int
    bare: float
    warm: float
    rate: float
    age: float
    clock: float
    storm: float
    sizes: tuple[int, ...]
    points: tuple[int, ...]
    workers: tuple[int, ...]
    defects: tuple[str, ...]
    deeper: tuple[str, ...]


#: About three hours, as these times add up.
FULL = Plan(
    rounds=5,
    bare=3.0,
    warm=8.0,
    rate=8.0,
    age=120.0,
    clock=30.0,
    storm=40.0,
    sizes=(10, 1_000, 10_000),
    points=(100, 1_000, 10_000, 50_000),
    workers=(2, 4),
    defects=("limit_exact", "node_abort", "deep_cbor", "app_intensity", "heap_killed",
             "group_after_leave", "receipt_known", "duplicate_seq", "later_position", "later_call",
             "later_header"),
    deeper=("receipt_known", "hang"),
)  # fmt: skip
#: About twenty minutes: the same shape, and a wider spread.
QUICK = Plan(
    rounds=3,
    bare=1.0,
    warm=3.0,
    rate=3.0,
    age=12.0,
    clock=12.0,
    storm=15.0,
    sizes=(10, 1_000),
    points=(100, 50_000),
    workers=(2,),
    defects=("limit_exact", "group_after_leave", "later_position"),
    deeper=("group_after_leave",),
)


class Part(Protocol):
    """A part of the benchmark: its sides are measured side by side within each round."""

    name: str

    def measure(self, number: int) -> None:
        """Measure one round, the first of which is 0; raise :class:`IrisFuzzError` if it can't."""
        ...

    def result(self) -> Result:
        """Return what came of the rounds that were whole, of which there is one at least."""
        ...

    def close(self) -> None:
        """Let go of what is kept from round to round; nothing is measured after."""
        ...
