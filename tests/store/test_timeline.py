"""The time line of a campaign: what is written is read, it stays small, and it is never half."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuzz.errors import StoreError
from fuzz.finding import Kind
from fuzz.node import Point, QuickVitals
from fuzz.store.timeline import (
    FILE_NAME,
    FaultRow,
    FindingRow,
    ModuleRow,
    NodeRow,
    RecoveryRow,
    RecoveryTotal,
    Run,
    Sample,
    TimelineWriter,
    read_timeline,
)
from fuzz.store.timeline import writer as writer_module

RUN = Run(
    1,
    1_000.5,
    "iris-fuzz fuzz --campaign night",
    "embedded",
    "BEAM coverage",
    {"iris-fuzz": "0.1", "OTP": "25"},
    2,
    (NodeRow("edge@host", "25", 8085), NodeRow("core@host", "25")),
)
VITALS = {"edge@host": QuickVitals(80, 5, 9_000, 30, 1_000_000, 70), "": QuickVitals(1, 2, 3, 4, 5)}
POINTS = (
    Point("b", "f", 1, 3, "function"),
    Point("a", "g", 0, 7, "case"),
    Point("a", "g", 0, 7, "case"),
)


def sample(seconds: float, cases: int = 0) -> Sample:
    return Sample(1, 2_000.0 + seconds, seconds, cases, 5, 9, 3, 1, 2, 4, 0.5)


def finding(folder: Path, fingerprint: str = "83ceae827bffa4da") -> FindingRow:
    path = folder / "crashes" / "crash-1"
    return FindingRow(fingerprint, Kind.HANG, "a hang", path, 5.0, 6.0, 1, 7.5, 3, 0.25, 1)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[TimelineWriter]:
    with closing(TimelineWriter(tmp_path)) as opened:
        yield opened


def ask(folder: Path, question: str) -> Any:
    """Return the first value that SQLite itself answers."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        return next(db.execute(question), (None,))[0]


def test_what_is_written_is_read(tmp_path: Path, writer: TimelineWriter) -> None:
    ended = replace(RUN, ended_at=1_900.0, reason="time is up", cases=12, seconds=3.0)
    recovery = RecoveryRow(1, 1_001.0, 2.0, "node", 0.75, "for it had ended")
    writer.note("target", "embedded")
    writer.sample(replace(sample(1.0, 10), vitals=VITALS), RUN)
    writer.sample(sample(2.5, 12), RUN)
    writer.put_finding(finding(tmp_path))
    writer.recovery(recovery)
    writer.recovery(recovery)
    writer.fault(FaultRow(1, 1_002.0, 2.5, "the worker was lost"))
    writer.chart(POINTS, {"b": tmp_path / "b.erl"})
    writer.hit([1])
    writer.put_run(ended)
    read = read_timeline(tmp_path)  # while it is being written
    assert read.about == {"target": "embedded"}
    assert read.runs == (ended,)
    assert read.samples == (replace(sample(1.0, 10), vitals=VITALS), sample(2.5, 12))
    assert read.last == sample(2.5, 12)
    assert read.findings == (finding(tmp_path),)
    assert read.recoveries == (recovery, recovery)
    assert read.recovery_totals == (RecoveryTotal("node", "for it had ended", 2, 1.5),)
    assert read.faults == (FaultRow(1, 1_002.0, 2.5, "the worker was lost"),)
    assert read.modules() == (ModuleRow("a", 1, 2), ModuleRow("b", 0, 1))
    places = [(point.module, point.line, point.hit, point.source) for point in read.points]
    assert places == [
        ("a", 7, True, None),
        ("a", 7, False, None),
        ("b", 3, False, tmp_path / "b.erl"),
    ]


def test_it_goes_on_where_it_was(tmp_path: Path, writer: TimelineWriter) -> None:
    writer.sample(replace(sample(4.0, 10), vitals=VITALS), RUN)
    writer.put_finding(finding(tmp_path))
    writer.chart(POINTS, {})
    assert writer.hit([0, 2]) == 2
    writer.close()
    with closing(TimelineWriter(tmp_path)) as again:
        assert again.runs() == [RUN]
        assert again.latest() == replace(sample(4.0, 10), vitals=VITALS)
        assert again.findings() == {finding(tmp_path).fingerprint: finding(tmp_path)}
        assert again.chart(POINTS, {}) == 2


def test_the_path_of_a_case_is_that_of_its_folder_wherever_that_is(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    writer = TimelineWriter(here)
    elsewhere = replace(finding(tmp_path, "other"), path=tmp_path / "elsewhere")
    writer.put_finding(finding(here))
    writer.put_finding(elsewhere)
    writer.close()
    here.rename(there)
    assert set(read_timeline(there).findings) == {finding(there), elsewhere}


def test_points_of_code_that_has_changed_are_forgotten(writer: TimelineWriter) -> None:
    writer.chart(POINTS, {})
    writer.hit([0, 1])
    # A clause was put in the place of one of two that were alike, and another module is in front.
    changed = (Point("0", "f", 0, 1, "function"), POINTS[1], Point("a", "g", 0, 8, "case"))
    assert writer.chart(changed, {}) == 1
    assert writer.hit([0]) == 2


def test_a_sample_that_is_near_to_the_one_before_gives_way_to_the_next(
    tmp_path: Path, writer: TimelineWriter
) -> None:
    for quarter in range(11):
        writer.sample(sample(quarter / 4, quarter), RUN)
    seconds = [one.seconds for one in read_timeline(tmp_path).samples]
    assert seconds == [0.0, 1.0, 2.0, 2.5]


def test_samples_thin_out_and_the_first_and_the_latest_stay(tmp_path: Path) -> None:
    writer = TimelineWriter(tmp_path, max_samples=16)
    for second in range(500):
        writer.sample(replace(sample(float(second), second), vitals=VITALS), RUN)
        if second == 250:
            writer.close()
            writer = TimelineWriter(tmp_path, max_samples=16)
    writer.close()
    samples = read_timeline(tmp_path).samples
    assert 8 <= len(samples) <= 16
    assert (samples[0].seconds, samples[-1].seconds) == (0.0, 499.0)
    steps = {b.seconds - a.seconds for a, b in itertools.pairwise(samples)}
    assert max(steps) <= 2 * 499 / 8
    assert ask(tmp_path, "SELECT count(*) FROM vitals") == 2 * len(samples)


def test_of_recoveries_and_faults_the_latest_are_kept_and_all_are_counted(
    tmp_path: Path, writer: TimelineWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_RECOVERIES", 3)
    monkeypatch.setattr(writer_module, "MAX_FAULTS", 2)
    for second in range(10):
        writer.recovery(RecoveryRow(1, 0.0, float(second), "node", 0.5))
        writer.fault(FaultRow(1, 0.0, float(second), "lost"))
    read = read_timeline(tmp_path)
    assert [row.seconds for row in read.recoveries] == [7.0, 8.0, 9.0]
    assert [row.seconds for row in read.faults] == [8.0, 9.0]
    assert read.recovery_totals == (RecoveryTotal("node", "", 10, 5.0),)


_WRITES = """
import sys
from pathlib import Path
from tests.store.test_timeline import RUN, sample, finding
from fuzz.store.timeline import TimelineWriter
folder = Path(sys.argv[1])
writer = TimelineWriter(folder)
number = 0
while True:
    number += 1
    writer.sample(sample(float(number), number), RUN)
    writer.put_finding(finding(folder, str(number)))
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_all_that_was_written(tmp_path: Path) -> None:
    for written in (1, 40):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if int(line) >= written:
                    break
            os.kill(process.pid, signal.SIGKILL)
            last = int(([line, *lines.readlines()])[-1])
        process.wait()
        read = read_timeline(tmp_path)
        assert read.last is not None
        assert read.last.cases in (last, last + 1)
        assert {str(number) for number in range(1, last + 1)} <= {
            row.fingerprint for row in read.findings
        }
        assert ask(tmp_path, "PRAGMA integrity_check") == "ok"


def test_a_folder_without_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"timeline\.sqlite is not there: name the folder"):
        read_timeline(tmp_path)


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    ask(tmp_path, "CREATE TABLE theirs (a)")
    for opens in (read_timeline, TimelineWriter):
        with pytest.raises(StoreError, match="is no time line of a campaign: move it away"):
            opens(tmp_path)


def test_one_of_a_later_version_is_not_read(tmp_path: Path, writer: TimelineWriter) -> None:
    writer.close()
    ask(tmp_path, "PRAGMA user_version = 99")
    for opens in (read_timeline, TimelineWriter):
        with pytest.raises(StoreError, match="has version 99, and this harness reads 1"):
            opens(tmp_path)


@pytest.mark.parametrize("at", [0, 40, 4096, "middle"])
def test_a_damaged_one_is_told_in_one_sentence(tmp_path: Path, at: int | str) -> None:
    writer = TimelineWriter(tmp_path)
    writer.chart([Point("m", "f", 0, line, "case") for line in range(2_000)], {})
    writer.close()
    size = (tmp_path / FILE_NAME).stat().st_size
    with (tmp_path / FILE_NAME).open("r+b") as file:
        file.seek(at if isinstance(at, int) else size // 2)
        file.write(b"\xff" * 2_000)
    for opens in (read_timeline, TimelineWriter):
        with pytest.raises(StoreError, match="move it away") as caught:
            opens(tmp_path)
        assert "\n" not in str(caught.value)


def test_one_that_is_cut_short_is_told(tmp_path: Path, writer: TimelineWriter) -> None:
    writer.chart([Point("m", "f", 0, line, "case") for line in range(2_000)], {})
    writer.close()
    path = tmp_path / FILE_NAME
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreError, match="is damaged"):
        read_timeline(tmp_path)


def test_an_empty_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()  # what a kill leaves just behind the first call
    with pytest.raises(StoreError, match="is no time line"):
        read_timeline(tmp_path)
    TimelineWriter(tmp_path).close()
    assert read_timeline(tmp_path).runs == ()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened: .* is its folder there"):
        TimelineWriter(tmp_path / "missing")


def test_one_that_is_put_away_is_read_and_no_file_is_made_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(TimelineWriter(tmp_path)) as writer:
        writer.sample(sample(1.0, 10), RUN)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    last = read_timeline(tmp_path).last
    assert last is not None
    assert last.cases == 10
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET nodes = '5'",
        "UPDATE runs SET versions = '{'",
        "UPDATE runs SET cases = 'many'",
        "UPDATE samples SET seconds = 'long'",
        "UPDATE findings SET kind = 'nosuch'",
        "UPDATE findings SET hits = 'often'",
        "INSERT OR REPLACE INTO about VALUES ('interval', 'abc')",
    ],
)
def test_values_that_no_harness_has_written_are_one_sentence(tmp_path: Path, damage: str) -> None:
    with closing(TimelineWriter(tmp_path)) as timeline:
        timeline.sample(sample(1.0), RUN)
        timeline.put_finding(finding(tmp_path))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute(damage)
    with pytest.raises(StoreError, match="holds what this harness does not understand"):
        _read_by_a_writer(tmp_path)
    with pytest.raises(StoreError, match="holds what this harness does not understand"):
        _read_by_a_writer(tmp_path)  # it is left as it was


def _read_by_a_writer(folder: Path) -> None:
    with closing(TimelineWriter(folder)) as timeline:
        timeline.runs()
        timeline.latest()
        timeline.findings()


def test_half_a_character_is_written_as_its_escape(tmp_path: Path) -> None:
    half = "caf\udce9"
    with closing(TimelineWriter(tmp_path)) as timeline:
        timeline.note("key", half)
        timeline.put_run(replace(RUN, command=half))
        timeline.put_finding(replace(finding(tmp_path), title=half))
        timeline.recovery(RecoveryRow(1, 1.0, 1.0, half, 1.0, half))
        timeline.fault(FaultRow(1, 1.0, 1.0, half))
        timeline.chart(POINTS, {"a": Path(half)})
    read = read_timeline(tmp_path)
    told = [
        read.about["key"], read.runs[0].command, read.findings[0].title, read.recoveries[0].why,
        read.faults[0].sentence, str(read.points[0].source),
    ]  # fmt: skip
    assert told == ["caf\\udce9"] * len(told)
