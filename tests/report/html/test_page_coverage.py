"""The coverage of modules, and their sources line by line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuzz.node import Point
from fuzz.report.html import coverage as module
from fuzz.report.html.coverage import SourceReader
from fuzz.report.html.model import Coverage
from fuzz.store.timeline import TimelineWriter, read_timeline
from tests.report.html.stand_ins import NOW, timeline


def charted(folder: Path, source: Path | None, *points: Point) -> Coverage:
    writer = TimelineWriter(folder)
    writer.chart(points, {} if source is None else {point.module: source for point in points})
    writer.close()
    found = SourceReader().coverage(read_timeline(folder))
    assert found is not None
    return found


def test_each_line_tells_how_much_of_it_was_reached(tmp_path: Path) -> None:
    timeline(tmp_path)
    coverage = SourceReader().coverage(read_timeline(tmp_path))
    assert coverage is not None
    assert (coverage.covered, coverage.total) == (2, 6)
    first, second = coverage.modules
    assert (first.name, first.covered, first.total, first.missed) == ("iris_x", 2, 5, ("never/0",))
    (source,) = first.sources
    assert source.name == "iris_x.erl"
    told = {line.number: (line.state, line.hit, line.points) for line in source.lines}
    assert told[1] == ("none", 0, 0)
    assert told[3] == ("hit", 1, 1)
    assert told[4] == ("miss", 0, 1)
    assert told[6] == ("part", 1, 2)
    assert len(source.lines) == 10
    assert (second.name, second.no_source) == ("iris_unseen", "nobody told where its source is")


def test_a_source_that_is_newer_than_the_run_is_doubted(tmp_path: Path) -> None:
    timeline(tmp_path)
    reader = SourceReader()
    line = read_timeline(tmp_path)
    os.utime(tmp_path / "iris_x.erl", (NOW, NOW))
    coverage = reader.coverage(line)
    assert coverage is not None
    assert coverage.modules[0].sources[0].note == ""
    os.utime(tmp_path / "iris_x.erl", (NOW + 1e6, NOW + 1e6))
    coverage = reader.coverage(line)
    assert coverage is not None
    assert "changed after the last run" in coverage.modules[0].sources[0].note


def test_a_source_that_is_too_short_is_doubted(tmp_path: Path) -> None:
    source = tmp_path / "m.erl"
    source.write_text("f() -> ok.\n")
    coverage = charted(tmp_path, source, Point("m", "f", 0, 99, "function"))
    assert "shorter than what was run" in coverage.modules[0].sources[0].note


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("secret", "secret is no source of Erlang"),
        ("gone.erl", "gone.erl is not at hand: No such file or directory"),
        ("folder.erl", "folder.erl is no file"),
        ("pipe.erl", "pipe.erl is no file"),
        ("long.erl", "long.erl is 400,001 bytes: too long for a page"),
    ],
)
def test_only_sources_are_put_on_the_page(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "secret").write_text("hidden")
    (tmp_path / "folder.erl").mkdir()
    os.mkfifo(tmp_path / "pipe.erl")
    (tmp_path / "long.erl").write_bytes(b"%" * 400_001)
    coverage = charted(tmp_path, tmp_path / name, Point("m", "f", 0, 1, "function"))
    (found,) = coverage.modules
    assert (found.sources, found.no_source) == ((), reason)


def test_sources_that_are_too_much_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SOURCE_BYTES", 30)
    monkeypatch.setattr(module, "MAX_MODULES", 3)
    source = tmp_path / "m.erl"
    source.write_text("f() -> ok. % twenty\n")
    points = (Point(name, "f", 0, 1, "function") for name in "abcd")
    coverage = charted(tmp_path, source, *points)
    assert [bool(view.sources) for view in coverage.modules] == [True, False, False]
    assert coverage.cut[0].startswith("the sources of 2 modules are left out")
    assert coverage.cut[1] == "1 more modules are not listed"


def test_a_source_of_odd_bytes_is_shown_all_the_same(tmp_path: Path) -> None:
    source = tmp_path / "m.erl"
    source.write_bytes(b"f() -> <<\xff>>.\r\n\x0cg() -> ok.")
    coverage = charted(tmp_path, source, Point("m", "g", 0, 2, "function"))
    lines = coverage.modules[0].sources[0].lines
    assert [line.text for line in lines] == ["f() -> <<\ufffd>>.", "\x0cg() -> ok."]
