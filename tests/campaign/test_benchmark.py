"""A trial ends with the finding that the defect must produce, and says what it took."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from fuzz import checks
from fuzz.benchmark import Asking, Benchmark, shared
from fuzz.campaign import Campaign
from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.events import Ended, Event, Found, Progress, Refined
from fuzz.finding import Cause, Finding, Kind
from fuzz.settings import FuzzSettings
from fuzz.store.crashes import Context, CrashStore
from fuzz.target.planted import Planted

DEFECT = Planted("some_leak", "leak", "a-file", "a mistake", "the truth", 1, 2)


def after(cases: int, seconds: float) -> Progress:
    return Progress(cases, seconds, 5, 100, 1, restarts=0, replays=0, recovering_seconds=0.0)


def found(kind: Kind, path: str = "somewhere", cause: str = "") -> Found:
    return Found(Finding(kind, "a title", Cause(cause or kind.value)), path, True)


SMALLEST = Case((Step(StepKind.WAIT),))


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

    def __init__(self, *events: Event, whole: bool = False, minimise: bool = False) -> None:
        self.made: list[StandIn] = []
        self._events = events
        self.shrunk: list[tuple[str, Case, Finding]] = []
        self.saves: Callable[[Path], object] = lambda _: None
        self.benchmark = Benchmark(
            Path("seeds"), 60.0, 7, whole, whole or minimise, self._make, shrink=self._shrink
        )

    def _make(self, settings: FuzzSettings) -> Campaign:
        self.made.append(StandIn(settings, self._events))
        self.saves(settings.corpus)
        return cast(Campaign, self.made[-1])

    def _shrink(self, defect: Planted, case: Case, finding: Finding) -> Case:
        self.shrunk.append((defect.name, case, finding))
        return SMALLEST


def test_a_trial_ends_with_the_right_kind_and_tells_what_was_spent_by_then() -> None:
    bench = Bench(
        after(10, 1.0), found(Kind.PROCESS_CRASH), after(20, 2.0), found(Kind.LEAK), after(30, 3.0)
    )
    trial = bench.benchmark.run(DEFECT)
    assert [finding.kind for finding in trial.findings] == [Kind.PROCESS_CRASH, Kind.LEAK]
    assert trial.right is trial.findings[1]
    assert trial.others == trial.findings[:1]
    assert trial.case is None
    assert (trial.cases, trial.seconds) == (20, 2.0)
    assert bench.made[0].told == 4, "nothing is waited for behind it"


@pytest.mark.parametrize(
    ("events", "is_found"), [((), False), ((found(Kind.HANG), found(Kind.HANG)), True)]
)
def test_nothing_and_the_wrong_kind_are_told_apart(
    events: tuple[Event, ...], is_found: bool
) -> None:
    trial = Bench(after(5, 0.5), *events, after(10, 1.0)).benchmark.run(DEFECT)
    assert (trial.found, trial.right) == (is_found, None)
    assert [finding.kind.value for finding in trial.findings] == ["hang"] * is_found
    assert (trial.cases, trial.seconds) == (10, 1.0)


def test_a_whole_trial_goes_on_and_tells_the_smallest_case_and_the_worst_effect(
    tmp_path: Path,
) -> None:
    small = Case((Step(StepKind.SEND, data=b"x"),))
    (tmp_path / "small").write_bytes(encode_case(small))
    right = found(Kind.LEAK, "the first case", "one defect")
    worse = found(Kind.HANG, "another case", "another")
    events = (after(10, 1.0), found(Kind.COST, cause="another"), right, after(20, 2.0), worse)
    refined = Refined(right.finding, str(tmp_path / "small"))
    bench = Bench(*events, refined, after(30, 3.0), whole=True)
    trial = bench.benchmark.run(DEFECT)
    assert bench.made[0].told == len(events) + 2
    assert (trial.cases, trial.seconds, trial.case) == (10, 1.0, SMALLEST)
    assert bench.shrunk == [(DEFECT.name, small, right.finding)]
    assert [finding.kind for finding in trial.findings] == [Kind.HANG, Kind.LEAK]


def test_a_trial_that_ends_early_has_its_case_made_small_too(tmp_path: Path) -> None:
    shown = Case((Step(StepKind.SEND, data=b"xyz"),))
    (tmp_path / "case").write_bytes(encode_case(shown))
    right = found(Kind.LEAK, str(tmp_path / "case"))
    bench = Bench(after(10, 1.0), right, after(20, 2.0), minimise=True)
    trial = bench.benchmark.run(DEFECT)
    assert bench.made[0].told == 2, "nothing is waited for behind it"
    assert (trial.case, bench.shrunk) == (SMALLEST, [(DEFECT.name, shown, right.finding)])


def test_a_case_that_has_shown_nothing_by_itself_is_waited_for(tmp_path: Path) -> None:
    """What a batch has shown is told at once, and put down to one of its cases later."""
    shown = Case((Step(StepKind.SEND, data=b"x"),))
    (tmp_path / "one").write_bytes(encode_case(shown))
    seen = replace(found(Kind.LEAK, "the batch"), rate=0.0)
    refined = [Refined(seen.finding, str(tmp_path / "one"), rate) for rate in (0.0, 0.3)]
    events = (after(10, 1.0), seen, after(20, 2.0), *refined)
    bench = Bench(*events, after(30, 3.0), minimise=True)
    trial = bench.benchmark.run(DEFECT)
    assert bench.made[0].told == len(events)
    assert (trial.cases, trial.seconds) == (10, 1.0)
    assert bench.shrunk == [(DEFECT.name, shown, seen.finding)]
    assert Bench(*events).benchmark.run(DEFECT).case is None


def test_a_case_that_was_replaced_meanwhile_is_found_in_its_store(tmp_path: Path) -> None:
    """The campaign makes a case small after it was told, and removes the first one."""
    small = Case((Step(StepKind.SEND, data=b"x"),))
    right = found(Kind.LEAK, str(tmp_path / "gone"))
    bench = Bench(after(10, 1.0), right, minimise=True)
    bench.saves = lambda corpus: CrashStore(corpus / "crashes").save(
        encode_case(small), right.finding, Context("a target", "25")
    )
    bench.benchmark.run(DEFECT)
    assert bench.shrunk == [(DEFECT.name, small, right.finding)]


def test_defects_that_share_a_fingerprint_are_told() -> None:
    one = Bench(found(Kind.LEAK)).benchmark.run(DEFECT)
    other = Bench(found(Kind.LEAK)).benchmark.run(replace(DEFECT, name="other"))
    assert shared([one]) == {}
    assert list(shared([one, other]).values()) == [["some_leak", "other"]]


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


class Asked:
    """A benchmark whose check asks ``trials``, a second for each; and what was asked for."""

    def __init__(self, *trials: checks.Trial, whole: bool = False) -> None:
        self.told = 0
        self.wanted: list[tuple[str, float, int]] = []
        self._trials = trials
        self.benchmark = Benchmark(
            Path("seeds"), 60.0, 7, whole, whole, ask=self._ask, shrink=lambda _, case, __: case
        )

    def _ask(self, defect: Planted, seconds: float, seed: int) -> Asking:
        self.wanted.append((defect.engine, seconds, seed))
        for number, trial in enumerate(self._trials, 1):
            self.told += 1
            yield trial, float(number)


def wrong(data: bytes, *kinds: Kind) -> checks.Trial:
    findings = tuple(found(kind).finding for kind in kinds)
    return checks.Trial("a question", Case((Step(StepKind.SEND, data=data),)), findings)


CHECKED = replace(DEFECT, check="some")


def test_a_defect_that_names_a_check_is_looked_for_by_it() -> None:
    bench = Asked(wrong(b"1"), wrong(b"2", Kind.HANG), wrong(b"3", Kind.LEAK), wrong(b"4"))
    trial = bench.benchmark.run(CHECKED)
    assert bench.wanted == [("check:some", 60.0, 7)]
    assert [finding.kind for finding in trial.findings] == [Kind.HANG, Kind.LEAK]
    assert (trial.right, trial.cases, trial.seconds) == (trial.findings[1], 3, 3.0)
    assert (trial.case, bench.told) == (None, 3), "nothing is asked behind it"


def test_a_whole_trial_lets_the_check_go_on_and_keeps_the_smallest_case() -> None:
    questions = wrong(b"long", Kind.LEAK), wrong(b"s", Kind.LEAK), wrong(b"longer", Kind.LEAK)
    bench = Asked(*questions, whole=True)
    trial = bench.benchmark.run(CHECKED)
    assert (trial.case, trial.cases, bench.told) == (questions[1].case, 1, 3)


def test_a_benchmark_that_is_stopped_asks_no_further() -> None:
    bench = Asked(wrong(b"1"), wrong(b"2"), wrong(b"3"))
    bench.benchmark.stop()
    assert not bench.benchmark.run(CHECKED).found
    assert bench.told == 1
