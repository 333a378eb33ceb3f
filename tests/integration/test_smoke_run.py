"""A whole smoke run on the embedded target: one with a defect, and one without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.cli.support import Run, run
from tests.integration.support import ROOT
from tests.planted.triggers import CASES as TRIGGERS

__all__ = ["run"]

#: A run is to end, not to be fast: long enough for a few batches.
SECONDS = 3


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the options of a short run whose one regression is the trigger of a defect."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)  # this is not the run that the page is about
    folder = tmp_path / "regressions"
    folder.mkdir()
    shutil.copy(ROOT / "corpus" / "regressions" / TRIGGERS["crash_alone"][0], folder)
    files = ("--junit", tmp_path / "out.xml", "--sarif", tmp_path / "out.sarif")
    return ["smoke", "--corpus", tmp_path, "--port", 0, "--time", SECONDS, "--json", *files]


def test_a_clean_target_passes(run: Run, arguments: list[object], tmp_path: Path) -> None:
    ran = run(*arguments)
    told = json.loads(ran.out)
    assert (ran.code, told["findings"], told["not_done"]) == (0, [], [])
    assert [one["verdict"] for one in told["regressions"]] == ["FIXED"]
    assert told["fuzzing"]["cases"] > 0
    assert Xml.parse(tmp_path / "out.xml").getroot().get("failures") == "0"


def test_a_defect_fails_by_its_regression_and_lies_in_the_source(
    run: Run, arguments: list[object], tmp_path: Path
) -> None:
    ran = run(*arguments, "--plant", "crash_alone")
    told = json.loads(ran.out)
    assert (ran.code, told["regressions"][0]["verdict"]) == (1, "FAILED")
    crash = next(one for one in told["findings"] if one["kind"] == "process_crash")
    assert crash["fingerprint"] in told["regressions"][0]["findings"]
    (result,) = [
        one
        for one in json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]
        if one["partialFingerprints"]["irisFuzz/v1"] == crash["fingerprint"]
    ]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "fuzz/target/reference/src/iris_ref_session.erl"
