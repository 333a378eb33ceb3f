"""The line of a source file that a finding points to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.finding import Finding
from fuzz.report import source
from fuzz.report.source import Place, Sources, from_base, named_place
from tests.report.outcome_support import CRASH, HANG


def reporting(*texts: object) -> Finding:
    return replace(CRASH, evidence={"reports": [{"text": text} for text in texts]})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{file,"src/iris_conn.erl"},{line,7}]', Place("src/iris_conn.erl", 7)),
        ("iris_conn:init(1) (iris_conn.erl, line 41)", Place("iris_conn.erl", 41)),
        ('{file,"gen_server.erl"},{line,1},{file,"iris_conn.erl"},{line,2}',
         Place("iris_conn.erl", 2)),
        ('{file,"other.erl"},{line,7}', None),
        ("nothing of a place", None),
    ],
)  # fmt: skip
def test_the_innermost_frame_of_the_target_is_looked_for(text: str, place: Place | None) -> None:
    assert named_place(reporting("", text)) == place


def test_a_finding_without_reports_points_nowhere() -> None:
    assert named_place(HANG) is None
    assert named_place(replace(CRASH, evidence={"reports": "none"})) is None
    assert named_place(replace(CRASH, evidence={"reports": [7]})) is None


def test_the_file_is_found_where_it_says_or_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "apps/iris/src").mkdir(parents=True)
    (tmp_path / "apps/iris/src/iris_conn.erl").touch()
    for copies in ("_build/lib", ".hidden"):
        (tmp_path / copies).mkdir(parents=True)
        (tmp_path / copies / "iris_conn.erl").touch()
    sources = Sources(tmp_path, tmp_path)
    assert sources.place(CRASH) == Place("apps/iris/src/iris_conn.erl", 7)
    whole = reporting('{file,"apps/iris/src/iris_conn.erl"},{line,3}')
    assert sources.place(whole) == Place("apps/iris/src/iris_conn.erl", 3)


def test_no_file_or_several_are_no_place(tmp_path: Path) -> None:
    assert Sources(tmp_path, tmp_path).place(CRASH) is None
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "iris_conn.erl").touch()
    assert Sources(tmp_path, tmp_path).place(CRASH) is None


def test_a_disk_is_not_searched_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MOST_FILES", 1)
    for name in ("iris_conn.erl", "other.erl"):
        (tmp_path / name).touch()
    (tmp_path / "src").mkdir()
    elsewhere = reporting('{file,"lib/iris_conn.erl"},{line,7}')
    assert Sources(tmp_path, tmp_path).place(elsewhere) is None


def test_what_is_not_below_the_base_keeps_its_whole_path(tmp_path: Path) -> None:
    assert from_base(tmp_path / "a b" / "c", tmp_path) == "a b/c"
    assert from_base(tmp_path / "c", tmp_path / "d") == str(tmp_path.resolve() / "c")
