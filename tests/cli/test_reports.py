"""Where the reports of a run go, and what happens where they cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.cli.reports import Reports, reports_of
from fuzz.errors import StoreError
from tests.report.outcome_support import HANG, outcome_of

OUTCOME = outcome_of([], HANG)


def test_each_report_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    reports = Reports(tmp_path / "a.xml", tmp_path / "b.sarif", tmp_path / "c.md", tmp_path / "p")
    reports.check()
    assert reports.write(OUTCOME, to_errors=False) == []
    assert (tmp_path / "a.xml").read_text().startswith("<?xml")
    assert json.loads((tmp_path / "b.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "c.md").read_text().startswith("## iris-fuzz: 1 new finding")
    assert not (tmp_path / "p").exists(), "one page is enough"


def test_the_page_of_a_step_is_added_to(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("of another step\n")
    assert Reports(page=page).write(OUTCOME, to_errors=False) == []
    assert page.read_text().startswith("of another step\n## iris-fuzz: 1 new finding")


def test_github_is_known_by_its_environment() -> None:
    assert reports_of({}) == Reports()
    assert reports_of({"GITHUB_STEP_SUMMARY": "", "GITHUB_ACTIONS": "false"}) == Reports()
    found = reports_of({"GITHUB_STEP_SUMMARY": "page", "GITHUB_ACTIONS": "true"})
    assert found == Reports(page=Path("page"), annotate=True)


@pytest.mark.parametrize("to_errors", [True, False])
def test_annotations_are_printed_where_they_disturb_nobody(
    capsys: pytest.CaptureFixture[str], to_errors: bool
) -> None:
    Reports(annotate=True).write(OUTCOME, to_errors=to_errors)
    told = capsys.readouterr()
    assert (told.err if to_errors else told.out).startswith("::error file=c,line=1")
    assert (told.out if to_errors else told.err) == ""


def test_one_report_that_fails_keeps_none_of_the_others_back(tmp_path: Path) -> None:
    (tmp_path / "a.xml").mkdir()
    reports = Reports(tmp_path / "a.xml", tmp_path / "b.sarif", page=tmp_path / "no" / "page")
    wrong = reports.write(OUTCOME, to_errors=False)
    assert [words.split(" cannot be written")[0] for words in wrong] == [
        str(tmp_path / "a.xml"), str(tmp_path / "no" / "page"),
    ]  # fmt: skip
    assert (tmp_path / "b.sarif").exists()


def test_a_folder_that_cannot_be_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reports = Reports(junit=tmp_path / "file" / "a.xml")
    with pytest.raises(StoreError):
        reports.check()
    replace(reports, junit=tmp_path / "new" / "a.xml").check()
