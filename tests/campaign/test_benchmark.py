"""A trial ends with the finding that the defect must produce, and says what it took."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import cast

import pytest

from fuzz.benchmark import Benchmark
from fuzz.campaign import Campaign
from fuzz.events import Ended, Event, Found, Progress
from fuzz.finding import Cause, Finding, Kind
from fuzz.settings import FuzzSettings
from fuzz.target.planted import Planted

DEFECT = Planted("some_leak", "leak", "a mistake", "the truth", 1, 2)


def after(cases: int, seconds: float) -> Progress:
    return Progress(cases, seconds, 5, 100, 1, restarts=0, replays=0, recovering_seconds=0.0)


def found(kind: Kind) -> Found:
    return Found(Finding(kind, "a title", Cause(kind.value)), "somewhere", True)


class StandIn:
    """A campaign that yields ``events`` until it is stopped."""

    def __init__(self, settings: FuzzSettings, events: Sequence[Event]) -> None:
        self.settings = settings
        self._events = events
        self.stops = 0
        self.told = 0

    def stop(self) -> None:
        self.stops += 1

    def events(self) -> Generator[Event, None, None]:
        for event in self._events:
            if self.stops:
                break
            self.told += 1
            yield event
        yield Ended(after(999, 99.0), "stopped" if self.stops else "time is up")


class Bench:
    """A benchmark whose campaigns yield ``events``, and the campaigns it made."""

    def __init__(self, *events: Event) -> None:
        self.made: list[StandIn] = []
        self._events = events
        self.benchmark = Benchmark(Path("seeds"), 60.0, 7, self._make)

    def _make(self, settings: FuzzSettings) -> Campaign:
        self.made.append(StandIn(settings, self._events))
        return cast(Campaign, self.made[-1])


def test_a_trial_ends_with_the_right_kind_and_tells_what_was_spent_by_then() -> None:
    bench = Bench(
        after(10, 1.0), found(Kind.PROCESS_CRASH), after(20, 2.0), found(Kind.LEAK), after(30, 3.0)
    )
    trial = bench.benchmark.run(DEFECT)
    assert (trial.found, trial.right, trial.kinds) == (True, True, ("process_crash", "leak"))
    assert (trial.cases, trial.seconds) == (20, 2.0)
    assert bench.made[0].told == 4, "nothing is waited for behind it"


@pytest.mark.parametrize(
    ("events", "is_found"), [((), False), ((found(Kind.HANG), found(Kind.HANG)), True)]
)
def test_nothing_and_the_wrong_kind_are_told_apart(
    events: tuple[Event, ...], is_found: bool
) -> None:
    trial = Bench(after(5, 0.5), *events, after(10, 1.0)).benchmark.run(DEFECT)
    assert (trial.found, trial.right) == (is_found, False)
    assert trial.kinds == (("hang",) if is_found else ())
    assert (trial.cases, trial.seconds) == (10, 1.0)


def test_each_trial_has_the_defect_and_a_corpus_of_its_own() -> None:
    bench = Bench()
    bench.benchmark.run(DEFECT)
    bench.benchmark.run(DEFECT)
    first, second = (made.settings for made in bench.made)
    assert first.target.plants == (DEFECT.name,)
    assert (first.seconds, first.random_seed, first.seeds) == (60.0, 7, (Path("seeds"),))
    assert first.corpus != second.corpus
    assert not first.corpus.exists(), "it is removed with the trial"


def test_a_benchmark_that_is_stopped_stops_its_campaign() -> None:
    bench = Bench(after(10, 1.0), after(20, 2.0), after(30, 3.0))
    bench.benchmark.stop()
    bench.benchmark.run(DEFECT)
    assert bench.benchmark.stopped
    assert bench.made[0].stops > 0
