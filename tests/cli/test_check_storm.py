"""``iris-fuzz check storm`` as a person runs it, and what becomes of the case that it saves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import Run

CROWD = ("check", "storm", "--clients", "300", "--port", "0")


def test_a_finding_is_saved_and_only_the_check_shows_it_again(run: Run, tmp_path: Path) -> None:
    ran = run(*CROWD, "--plant", "storm_lost", "--corpus", tmp_path, "--json")
    assert ran.code == 1
    (told,) = json.loads(ran.out)["checks"]
    assert (told["check"], told["asked"], told["wrong"]) == ("storm", 1, 1)
    assert told["notes"][0].startswith("one storm: ")
    (finding,) = told["findings"]
    assert finding["kind"] == "semantic"
    saved = json.loads(Path(finding["file"] + ".json").read_text())
    assert saved["evidence"]["storm"]["clients"] == 300
    again = run("replay", finding["file"], "--port", "0", "--plant", "storm_lost")
    assert again.code == 2
    assert "a storm is shown by `iris-fuzz check storm` only" in " ".join(again.out.split())
    for verb in (
        ("promote", finding["file"], "--to", tmp_path / "regressions"),
        ("tmin", finding["file"], "--port", "0"),
    ):
        refused = run(*verb)
        assert refused.code == 2
        assert "a storm is shown by" in refused.sentence()
    assert not (tmp_path / "regressions").exists()
    left_out = run("triage", finding["file"], "--out", tmp_path / "triage", "--port", "0")
    assert left_out.code == 2
    assert "a storm is shown by" in " ".join(left_out.out.split())


def test_without_a_finding_it_says_how_long_the_crowd_took(run: Run, tmp_path: Path) -> None:
    ran = run(*CROWD, "--corpus", tmp_path)
    assert ran.code == 0
    text = " ".join(ran.out.split())
    assert "2 asked" in text
    assert "one storm: 300 came within " in text
    assert "more of the same users: 300 came within " in text


@pytest.mark.parametrize("clients", ["1", "50001", "many"])
def test_a_number_of_clients_that_is_no_crowd_is_refused(run: Run, clients: str) -> None:
    ran = run("check", "storm", "--clients", clients)
    assert ran.code == 2
    assert "--clients" in ran.err.splitlines()[-1]
