"""The chronicle goes on from run to run: nothing is lost, and nothing counted twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fuzz.errors import StoreError
from fuzz.events import (
    Charted,
    Covered,
    Decoded,
    Ended,
    Event,
    Faulted,
    Found,
    Gauged,
    Progress,
    Recovered,
    Refined,
    Started,
)
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import NodeSeen, Point, QuickVitals
from fuzz.report.chronicle import Chronicle, Circumstances
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.timeline import (
    FaultRow,
    NodeRow,
    RecoveryTotal,
    TimelineWriter,
    read_timeline,
)
from tests.store.support import case_of

NODE = NodeSeen("edge@host", "25", 17, ("iris",), 8085)
STARTED = Started("embedded", "BEAM coverage", 4, 9, nodes=(NODE,), judged=0)
POINTS = tuple(Point("iris_conn", "f", 0, line, "case") for line in range(4))
HANG = Finding(Kind.HANG, "nothing came", Cause("hang"))
LEAK = Finding(Kind.LEAK, "rows stay", Cause("leak"))
CONTEXT = Context("embedded", "25")


def progress(cases: int, seconds: float, covered: int = 0, restarts: int = 0) -> Progress:
    return Progress(cases, seconds, covered, 4, 2, restarts, 3, 0.5 * restarts)


class Wall:
    """A time of day that is set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@contextmanager
def chronicle(folder: Path, wall: Wall | None = None) -> Iterator[Chronicle]:
    circumstances = Circumstances(
        "iris-fuzz fuzz", {"Python": "3"}, lambda: {"iris_conn": Path("/src/iris_conn.erl")}
    )
    with closing(TimelineWriter(folder)) as timeline:
        yield Chronicle(timeline, folder, circumstances, wall or Wall())


def run(folder: Path, events: Sequence[Event]) -> None:
    with chronicle(folder) as told:
        for event in events:
            told.take(event)


def test_a_run_is_written_down(tmp_path: Path, wall: Wall) -> None:
    with chronicle(tmp_path, wall) as told:
        told.take(STARTED)
        told.take(Charted(POINTS))
        told.take(Gauged({"": QuickVitals(1, 2, 3, 4, 5, 6)}))
        told.take(Covered({"iris_conn": (0, 2)}))
        told.take(progress(100, 1.0, 2))
        wall.now = 1_007.0
        told.take(Recovered("node", 0.5, "for it had ended"))
        told.take(Faulted("the worker was lost"))
        told.take(Ended(progress(150, 7.0, 2, 1), "time is up"))
    read = read_timeline(tmp_path)
    (only,) = read.runs
    assert (only.number, only.command, only.reason) == (1, "iris-fuzz fuzz", "time is up")
    assert (only.started_at, only.ended_at) == (1_000.0, 1_007.0)
    assert (only.cases, only.seconds, only.versions) == (150, 7.0, {"Python": "3", "OTP": "25"})
    assert only.nodes == (NodeRow("edge@host", "25", 8085),)
    assert read.last is not None
    assert read.last.vitals == {"": QuickVitals(1, 2, 3, 4, 5, 6)}
    assert (read.last.cases, read.last.points_covered, read.last.restarts) == (150, 2, 1)
    assert [point.hit for point in read.points] == [True, False, True, False]
    assert read.points[0].source == Path("/src/iris_conn.erl")
    assert read.recovery_totals == (RecoveryTotal("node", "for it had ended", 1, 0.5),)
    assert read.faults == (FaultRow(1, 1_007.0, 1.0, "the worker was lost"),)


def test_the_next_run_goes_on_with_the_totals(tmp_path: Path) -> None:
    run(
        tmp_path,
        [
            STARTED,
            Charted(POINTS),
            Covered({"iris_conn": (0, 1)}),
            Recovered("node", 0.5),
            Ended(progress(100, 5.0, 2, 1), "stopped"),
        ],
    )
    with chronicle(tmp_path) as told:
        told.take(replace(STARTED, judged=100))
        told.take(Charted(POINTS))
        told.take(Covered({"iris_conn": (1, 3)}))  # one of them anew: the corpus is played again
        told.take(progress(20, 2.0, 2, 1))
        totals = told.totals()
    assert (totals.run, totals.cases, totals.seconds) == (2, 120, 7.0)
    assert (totals.points_covered, totals.restarts, totals.replays) == (3, 2, 6)
    read = read_timeline(tmp_path)
    assert [(one.cases, one.reason) for one in read.runs] == [(100, "stopped"), (20, None)]


def test_what_a_killed_run_could_not_tell_is_added_when_the_next_begins(tmp_path: Path) -> None:
    run(tmp_path, [STARTED, progress(100, 5.0), progress(110, 5.5)])
    run(tmp_path, [replace(STARTED, judged=133), progress(10, 1.0)])
    run(tmp_path, [replace(STARTED, judged=143), Ended(progress(7, 1.0), "stopped")])
    read = read_timeline(tmp_path)
    assert [one.cases for one in read.runs] == [133, 10, 7]
    assert read.last is not None
    assert read.last.cases == 150 == sum(one.cases for one in read.runs)


def test_less_in_the_journal_takes_nothing_away(tmp_path: Path) -> None:
    """As after a power cut, or where somebody has removed it."""
    run(tmp_path, [STARTED, progress(100, 5.0)])
    run(tmp_path, [replace(STARTED, judged=40), progress(10, 1.0)])
    run(tmp_path, [replace(STARTED, judged=52), progress(1, 1.0)])
    assert [one.cases for one in read_timeline(tmp_path).runs] == [100, 12, 1]


def test_where_not_all_workers_have_told_nothing_is_made_of_it(tmp_path: Path) -> None:
    run(tmp_path, [replace(STARTED, judged=None), progress(100, 5.0)])
    run(tmp_path, [replace(STARTED, judged=500), progress(10, 1.0)])
    assert [one.cases for one in read_timeline(tmp_path).runs] == [100, 10]


def test_hits_of_a_finding_add_up_over_runs(tmp_path: Path) -> None:
    found = Found(HANG, str(tmp_path / "crashes" / "one"), new=True, hits=1, rate=0.0)
    better = Refined(HANG, str(tmp_path / "crashes" / "two"), 0.75)
    run(tmp_path, [STARTED, progress(9, 4.0), found, replace(found, hits=3), better])
    run(tmp_path, [STARTED, replace(found, new=False, hits=2, path=better.path)])
    (row,) = read_timeline(tmp_path).findings
    assert (row.hits, row.run, row.seconds, row.rate, row.refined) == (5, 1, 4.0, 0.75, 1)
    assert row.path == tmp_path / "crashes" / "two"


def test_the_worst_that_was_seen_of_a_finding_is_told(tmp_path: Path) -> None:
    worse, lesser = replace(HANG, kind=Kind.NODE_DOWN, title="it ended"), HANG
    for finding in (HANG, worse, lesser):
        run(tmp_path, [STARTED, Found(finding, "path", True)])
    (row,) = read_timeline(tmp_path).findings
    assert (row.kind, row.title, row.hits) == (Kind.NODE_DOWN, "it ended", 3)


def test_a_finding_that_was_saved_and_not_told_any_more_is_taken_over(tmp_path: Path) -> None:
    run(tmp_path, [STARTED, Found(HANG, "path", True)])
    seen = datetime(2026, 11, 1, tzinfo=UTC)
    store = CrashStore(tmp_path / "crashes", now=lambda: seen)
    saved = store.save(case_of(b"x"), LEAK, CONTEXT)
    with chronicle(tmp_path) as told:
        assert told.totals().findings == 2
        told.take(STARTED)
        told.take(Found(LEAK, str(saved.path), new=False))
    with chronicle(tmp_path) as told:
        assert told.totals().findings == 2
    rows = {row.fingerprint: row for row in read_timeline(tmp_path).findings}
    assert rows[LEAK.fingerprint].path == saved.path
    assert rows[LEAK.fingerprint].first_seen == seen.timestamp()
    assert rows[LEAK.fingerprint].hits == 2


def test_a_better_case_that_was_saved_and_not_told_is_known_at_the_next_start(
    tmp_path: Path,
) -> None:
    store = CrashStore(tmp_path / "crashes")
    saved = store.save(case_of(b"long"), HANG, CONTEXT)
    run(tmp_path, [STARTED, Found(HANG, str(saved.path), True)])
    better = store.improve(case_of(b"x"), HANG, CONTEXT)
    with chronicle(tmp_path):
        pass
    assert [row.path for row in read_timeline(tmp_path).findings] == [better.path]


def test_a_clock_that_is_set_back_takes_no_time_away(tmp_path: Path, wall: Wall) -> None:
    with chronicle(tmp_path, wall) as told:
        told.take(STARTED)
        told.take(progress(10, 1.0))
        told.take(Found(HANG, "path", True))
        wall.now -= 86_400.0
        told.take(Found(HANG, "path", True, 2))
        told.take(progress(20, 2.5))
        told.take(Ended(progress(30, 4.0), "time is up"))
    with chronicle(tmp_path, wall) as told:
        told.take(STARTED)
        told.take(Ended(progress(5, 1.0), "time is up"))
    read = read_timeline(tmp_path)
    assert [one.seconds for one in read.runs] == [4.0, 1.0]
    assert [one.cases for one in read.samples] == sorted(one.cases for one in read.samples)
    seconds = [one.seconds for one in read.samples]
    assert seconds == sorted(seconds)
    assert seconds[-1] == 5.0
    assert read.findings[0].first_seen <= read.findings[0].last_seen


def test_inputs_to_a_decoder_are_no_cases_and_take_their_time(tmp_path: Path) -> None:
    decoding = replace(STARTED, decoder="iris_proto:decode/1", judged=None)
    run(tmp_path, [STARTED, Ended(progress(10, 1.0), "stopped")])
    run(
        tmp_path,
        [
            decoding,
            progress(90_000, 3.0, 4),
            Decoded(100_000, 3.0, 5),
            replace(STARTED, judged=10),
            Ended(progress(50, 6.0), "time is up"),
        ],
    )
    read = read_timeline(tmp_path)
    assert [(one.cases, one.seconds) for one in read.runs] == [(10, 1.0), (50, 9.0)]
    assert [one.judged_before for one in read.runs] == [0, 10]


def test_where_there_is_no_agent_shapes_are_counted_as_points(tmp_path: Path) -> None:
    blind = replace(STARTED, points_total=0, nodes=())
    for covered in (7, 5):
        run(tmp_path, [blind, replace(progress(10, 2.0, covered), points_total=0)])
    last = read_timeline(tmp_path).last
    assert last is not None
    assert (last.points_covered, last.points_total) == (7, 0)


def test_a_run_that_cannot_go_on_says_why(tmp_path: Path) -> None:
    with chronicle(tmp_path) as told:
        told.take(STARTED)
        told.take(progress(10, 1.0))
        told.failed("the disk is full")
    read = read_timeline(tmp_path)
    assert [one.reason for one in read.runs] == ["the disk is full"]
    assert [one.sentence for one in read.faults] == ["the disk is full"]


def test_a_run_that_never_began_is_none(tmp_path: Path) -> None:
    with chronicle(tmp_path) as told:
        told.failed("port 8085 is in use")
    read = read_timeline(tmp_path)
    assert read.runs == ()
    assert [one.sentence for one in read.faults] == ["port 8085 is in use"]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_removed_meanwhile_is_noticed(replaced: bool, tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    with chronicle(folder) as told:
        told.take(STARTED)
        shutil.rmtree(folder)
        if replaced:
            folder.mkdir()
            run(folder, [STARTED])
        with pytest.raises(StoreError, match="was removed, or replaced, while its campaign ran"):
            told.take(progress(10, 5.0))
