"""``swarm`` at the command line, before anything runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fuzz.cli.swarm import _words
from fuzz.settings import CoverageSettings, StartSettings, TargetSettings
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.crashes import Context, CrashStore
from fuzz.swarm.shared import Shared
from fuzz.swarm.slices import Played, Slice
from tests.cli.support import Run
from tests.swarm.campaign_stand_in import FOUND, case

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


@pytest.mark.parametrize(
    ("findings", "fails", "code"),
    [
        ((), False, 0),
        ((FOUND.fingerprint,), False, 1),
        ((), True, 2),
        ((FOUND.fingerprint,), True, 1),
    ],
)
def test_slices_are_told_and_findings_put_among_the_crashes(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    findings: tuple[str, ...],
    fails: bool,
    code: int,
) -> None:
    """The cluster itself is that of :mod:`tests.swarm.test_swarm`."""

    def play_all(
        _address: str,
        slices: Sequence[Slice],
        at_once: int,
        _clock: object,
        done: Callable[[Played], None],
        failed: Callable[[Slice, str], None],
    ) -> None:
        assert [(one.number, one.seconds) for one in slices] == [(1, 30.0), (2, 30.0), (3, 30.0)]
        assert at_once == 1
        if findings:
            mine = tmp_path / "mine"
            EvolvedCorpus(mine / "evolved")
            CrashStore(mine / "crashes").save(case(3), FOUND, Context("stand-in", "27"))
            Shared(slices[0].url).push(mine)
        done(Played(1, "here:1", 100, 4, findings))
        if fails:
            failed(slices[1], "no Erlang here")

    monkeypatch.setattr("fuzz.swarm.cluster.play_all", play_all)
    place = tmp_path / "shared"
    times = ("-n", 1, "--time", 61, "--slice", 30)
    ran = run("swarm", "--scheduler", "tcp://127.0.0.1:1", "--corpus", place, *times)

    assert ran.code == code, ran.err
    assert "slice 1 of 3 on here:1: 100 cases, 4 new in the corpus" in ran.out
    assert ("slice 2 of 3 is lost: no Erlang here" in ran.out) is fails
    assert f"1 of 3 slices, 100 cases, 0 in the corpus, {len(findings)} findings in" in ran.out
    assert len(list((place / "crashes").iterdir())) == 2 * len(findings)
    assert (FOUND.title in ran.out) is bool(findings)


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
