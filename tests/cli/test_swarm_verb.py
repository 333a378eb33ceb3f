"""``swarm`` at the command line, before anything runs."""

from __future__ import annotations

import importlib.util

import pytest

from fuzz.cli.swarm import _words
from fuzz.settings import CoverageSettings, StartSettings, TargetSettings
from tests.cli.support import Run

SWARM = ("swarm", "--scheduler", "tcp://127.0.0.1:1", "--corpus", "nowhere")


def test_it_says_what_is_to_be_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "fsspec" else found(name)
    )
    ran = run(*SWARM)
    assert ran.code == 2
    assert "fsspec is not installed: pip install 'iris-fuzz[cluster]'" in ran.sentence()


def test_a_server_that_runs_is_no_target_of_a_swarm(run: Run) -> None:
    ran = run(*SWARM, "--target", "127.0.0.1:8085")
    assert (ran.code, "each machine's own target" in ran.sentence()) == (2, True)


def test_too_many_slices_are_a_mistake(run: Run) -> None:
    ran = run(*SWARM, "--time", "1e9", "--slice", "1")
    assert (ran.code, "make --slice longer" in ran.sentence()) == (2, True)


def test_the_target_is_chosen_by_the_same_words_elsewhere() -> None:
    covered = CoverageSettings(("iris_*",), ("iris_x",), True)
    embedded = TargetSettings(plants=("hang",), coverage=covered, rate=5.0)
    assert " ".join(_words(embedded)) == (
        "--plant hang --include iris_* --exclude iris_x --cover-core --rate 5 --port 0"
    )
    started = TargetSettings(start=StartSettings(("make start",)), port=8085)
    assert _words(started) == ("--start", "make start", "--port", "8085")
