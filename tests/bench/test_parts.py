"""Each part holds its sides against one another within a round, and tells what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from fuzz.bench import QUICK, Goal, Result, scale
from fuzz.bench.bare import BareLoop, Slice
from fuzz.bench.ratios import Time
from fuzz.bench.scale import Scale
from fuzz.bench.storm import SHALLOW, Storm
from fuzz.bench.strength import WAYS, WHOLE, Strength
from fuzz.bench.throughput import Throughput
from fuzz.bench.workers import CEILING, Workers
from fuzz.errors import TargetError
from fuzz.events import Event, Found
from fuzz.finding import Cause, Finding, Kind
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.target.planted import Planted
from tests.bench.stand_ins import Campaigns, after, at_rate

PLAN = replace(QUICK, rounds=2, warm=1.0, rate=2.0, clock=30.0, storm=10.0)
HANG = Planted("some_hang", "hang", "a-file", "a mistake", "the truth", 1, 1)
LEAK = Planted("some_leak", "leak", "a-file", "a mistake", "the truth", 1, 1)
SEEDS = Path("seeds")


def found(kind: Kind) -> Found:
    return Found(Finding(kind, "a title", Cause(kind.value)), "somewhere", True)


class Loop:
    """A bare loop of rates that are made up."""

    def __init__(self, *rates: float) -> None:
        self._rates = list(rates)
        self.closed = False

    def run(self, _seconds: float) -> Slice:
        return Slice(int(self._rates.pop(0)), 1.0, 0.8)

    def close(self) -> None:
        self.closed = True


@pytest.mark.usefixtures("seen")
def test_judged_cases_are_held_against_the_loop_before_and_after_them() -> None:
    campaigns = Campaigns(lambda settings: at_rate(3_000 * settings.jobs))
    loop = Loop(1_000, 2_000, 4_000, 2_000, 2_000, 2_000, 2_000, 2_000)
    part = Throughput(PLAN, campaigns.make, cast(BareLoop, loop), processors=2)
    part.measure(0)
    part.measure(1)
    one, five, both = part.result().rows
    assert one.ratio.rounds == (2.0, 1.5)
    assert five.ratio.rounds == (1.0, 1.5)
    assert both.ratio.rounds == (2.0, 3.0)
    assert [row.goal for row in (one, five, both)] == [Goal(1.5), Goal(1.0), Goal(1.5)]
    # A second of processor for one of the clock, of which each has half.
    assert "a node computes 167 microseconds for a case, the harness 167" in one.note
    assert both.what.endswith(", by 2 workers")
    (note,) = part.result().notes
    assert note.startswith("the bare loop: 2,000/s; its node computes 80% of the time: ")
    assert " 1.25 times as many" in note
    part.close()
    assert loop.closed


@pytest.mark.usefixtures("seen")
def test_a_node_of_which_nothing_is_known_bounds_nothing() -> None:
    class Unseen(Loop):
        def run(self, _seconds: float) -> Slice:
            return Slice(1_000, 1.0)

    campaigns = Campaigns(lambda settings: at_rate(3_000))
    part = Throughput(PLAN, campaigns.make, cast(BareLoop, Unseen()), processors=1)
    part.measure(0)
    assert part.result().notes == ("the bare loop: 1,000/s",)


@pytest.mark.usefixtures("seen")
def test_the_smallest_of_a_round_is_what_the_others_are_held_against(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Padded:
        def __init__(self, points: int) -> None:
            self.settings = TargetSettings(port=0, plants=(str(points),))

        def close(self) -> None: ...

    def events(settings: FuzzSettings) -> list[Event]:
        # Each look finds a second of processor more, so a higher rate is a lower cost.
        many = len(list(settings.seeds[0].iterdir())) == 1_000
        return at_rate(5_000 if many else 10_000)

    monkeypatch.setattr(scale, "PaddedTarget", Padded)
    part = Scale(replace(PLAN, age=9.0), Campaigns(events).make)
    part.measure(0)
    part.measure(1)
    corpus, points, age, memory = part.result().rows
    assert (corpus.what, corpus.against) == ("a corpus of 1,000 units", "a corpus of 10 units")
    assert corpus.ratio.rounds == (2.0, 2.0)
    assert (points.what, points.ratio.rounds) == ("100 coverage points", (1.0, 1.0))
    assert (age.what, age.against) == ("one of 9 s", "a campaign of 3 s")
    assert age.ratio.rounds == memory.ratio.rounds == (1.0, 1.0)
    assert {row.goal for row in part.result().rows} == {Goal(1.1, at_least=False)}


def searches(settings: FuzzSettings) -> Sequence[Event]:
    """Find a hang: at once as a whole, late without coverage, never without spans."""
    if not settings.target.plants or settings.families:
        return [after(30, 30.0, points_covered=200 if settings.feedback else 150)]
    begin = after(1, 2.0 if settings.feedback else 8.0)
    return [begin, found(Kind.HANG)]


def strength(*defects: Planted, rival: Time | None = None) -> tuple[Result, Campaigns]:
    campaigns = Campaigns(searches)
    rivals = {} if rival is None else {"a rival": lambda *_: rival}
    part = Strength(PLAN, defects, SEEDS, rivals, campaigns.make)
    part.measure(0)
    part.measure(1)
    return part.result(), campaigns


@pytest.mark.usefixtures("seen")
def test_workers_that_are_held_to_one_rate_are_held_against_one() -> None:
    campaigns = Campaigns(lambda settings: at_rate(90 * settings.jobs))
    part = Workers(PLAN, campaigns.make)
    part.measure(0)
    part.measure(1)
    rate, cost = part.result().rows
    assert rate.ratio.rounds == pytest.approx((2.0, 2.0))
    assert rate.goal is not None
    assert rate.goal.verdict(rate.ratio) == "reached"
    # The stand-in of what is used tells of so much a second, however many there are.
    assert cost.ratio.rounds == pytest.approx((0.5, 0.5))
    assert [(s.jobs, s.target.rate) for s in campaigns.settings] == [(1, CEILING), (2, CEILING)] * 2


def test_each_way_to_search_is_held_against_the_whole_engine() -> None:
    result, campaigns = strength(HANG)
    rows = {row.what: row for row in result.rows}
    assert list(rows) == [name for name in WAYS if name != WHOLE]
    assert rows["without the node's coverage"].ratio.rounds == (4.0, 4.0)
    assert rows["blind (neither)"].ratio.rounds == (15.0, 15.0)
    assert [row.ratio.at_least for row in result.rows] == [False, True, True, True]
    assert result.grid is not None
    assert result.grid.heading == ("", "some_hang", "found", "points")
    assert result.grid.lines[0] == (WHOLE, "2/2 2.0 s", "2 of 2", "200")
    assert result.grid.lines[-1] == ("blind (neither)", "0/2", "0 of 2", "150")
    used = {(one.feedback, one.families) for one in campaigns.settings}
    assert used == {(way.feedback, way.families) for way in WAYS.values()}


def test_a_rival_is_one_more_way_without_coverage() -> None:
    result, _ = strength(HANG, rival=Time(30.0, False))
    assert result.grid is not None
    assert result.grid.lines[-1] == ("a rival", "0/2", "0 of 2", "")
    (row,) = (row for row in result.rows if row.what == "a rival")
    assert (row.ratio.rounds, row.ratio.at_least) == ((15.0, 15.0), True)
    assert row.goal is not None


def test_a_finding_of_another_kind_is_not_the_defect() -> None:
    result, _ = strength(LEAK)
    assert result.rows == ()
    assert result.grid is not None
    assert {line[1] for line in result.grid.lines} == {"0/2"}


def weather(settings: FuzzSettings) -> Sequence[Event]:
    """Judge half as many cases in a storm, which shows a leak by itself."""
    plants = settings.target.plants
    storm: list[Event] = [found(Kind.LEAK)] if SHALLOW in plants else []
    deep: list[Event] = [found(Kind.HANG)] if HANG.name in plants else []
    return [after(10, 1.0), *storm, *deep, after(500 if storm else 1_000, 10.0, restarts=3)]


def test_a_storm_is_held_against_the_clean_target() -> None:
    campaigns = Campaigns(weather)
    part = Storm(PLAN, (HANG, LEAK), SEEDS, campaigns.make)
    part.measure(0)
    part.measure(1)
    result = part.result()
    (row,) = result.rows
    assert row.ratio.rounds == (0.5, 0.5)
    assert row.note == "3 restarts, 0.0 s of 10 s lost to recovery"
    assert result.grid is not None
    hang, leak = result.grid.lines
    assert hang == ("some_hang", "hang", "2 of 2, 1.0 s", "2 of 2, 1.0 s")
    assert leak[2:] == ("0 of 2", "0 of 2"), "what the storm shows by itself is no proof"
    deep = (HANG.name, LEAK.name)
    plants = [settings.target.plants for settings in campaigns.settings]
    assert plants == [(), (SHALLOW,), (SHALLOW, *deep), deep] * 2


def test_a_storm_in_which_nothing_is_judged_is_no_measurement() -> None:
    part = Storm(PLAN, (), SEEDS, Campaigns(lambda _: [after(0, 10.0)]).make)
    with pytest.raises(TargetError, match="judged no case at all"):
        part.measure(0)
