"""``fuzz --campaign``: the same command goes on, and says in one sentence why it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest

from fuzz.cli import fuzz as fuzz_verb
from fuzz.cli.options import Seconds
from fuzz.events import Ended, Event, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.store.campaign_folder import campaign_folder
from fuzz.store.timeline import FILE_NAME, read_timeline
from tests.cli.support import Run

STARTED = Started("embedded", "BEAM coverage", 120, 9, judged=0)
ENDED = Ended(Progress(1000, 4.0, 30, 120, 7, 2, 5, 0.75), "time is up")
FOUND = Found(Finding(Kind.HANG, "nothing came", Cause("hang")), "crash-1", new=True)


@dataclass
class Runs:
    """What the campaigns of a test tell, one after the other, and what they were given."""

    scripts: list[Sequence[Event | Callable[[], None]]]
    given: list[FuzzSettings]

    def __call__(self, settings: FuzzSettings) -> Runs:
        self.given.append(settings)
        return self

    def stop(self) -> None:
        raise AssertionError("nobody asked for the end")

    def events(self) -> Iterator[Event]:
        for event in self.scripts.pop(0):
            if callable(event):
                event()
            else:
                yield event


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    scripted = Runs([], [])
    monkeypatch.setattr(fuzz_verb, "Campaign", scripted)
    return scripted


def test_the_same_command_goes_on(tmp_path: Path, run: Run, runs: Runs) -> None:
    runs.scripts += [(STARTED, FOUND, ENDED), (replace(STARTED, judged=1000), ENDED)]
    file = tmp_path / "summary.json"
    command = (
        "fuzz",
        "--campaign",
        tmp_path / "night",
        "--until-stale",
        "1h30m",
        "--summary",
        file,
    )
    assert run(*command).code == 1
    second = run(*command)
    assert second.code == 0
    assert "run 2, 2000 cases in 8 s, 30 points, 1 finding" in second.out
    told = json.loads(file.read_text())
    assert (told["cases"], told["campaign"]["cases"], told["campaign"]["run"]) == (1000, 2000, 2)
    (first, same) = runs.given
    assert (first.corpus, first.until_stale) == (tmp_path / "night", 5_400.0)
    assert same == first
    timeline = read_timeline(tmp_path / "night")
    assert [one.cases for one in timeline.runs] == [1000, 1000]
    assert "--until-stale 1h30m" in timeline.runs[0].command
    assert json.loads(timeline.about["settings"])["until_stale"] == 5_400.0


def test_without_it_nothing_is_written_down(tmp_path: Path, run: Run, runs: Runs) -> None:
    runs.scripts.append((STARTED, ENDED))
    assert run("fuzz", "--corpus", tmp_path).code == 0
    assert not (tmp_path / FILE_NAME).exists()


def test_it_has_its_own_corpus(tmp_path: Path, run: Run) -> None:
    ran = run("fuzz", "--campaign", tmp_path / "a", "--corpus", tmp_path / "b")
    assert ran.code == 2
    assert ran.sentence().endswith("leave out --corpus")
    assert not (tmp_path / "a").exists()


def test_one_that_is_in_use_is_refused(tmp_path: Path, run: Run) -> None:
    with campaign_folder(tmp_path, TargetSettings()):
        ran = run("fuzz", "--campaign", tmp_path)
    assert ran.code == 2
    assert "is in use by a campaign that runs" in ran.sentence()


def test_one_that_is_damaged_is_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff" * 8_192)
    ran = run("fuzz", "--campaign", tmp_path)
    assert ran.code == 2
    assert "is damaged" in ran.sentence()
    assert "move it away" in ran.sentence()


@pytest.mark.parametrize(("found", "code"), [((), 2), ((FOUND,), 1)])
def test_a_folder_that_is_removed_meanwhile_ends_the_run_in_one_sentence(
    found: tuple[Event, ...], code: int, tmp_path: Path, run: Run, runs: Runs
) -> None:
    folder = tmp_path / "night"
    runs.scripts.append((STARTED, *found, lambda: shutil.rmtree(folder), ENDED))
    ran = run("fuzz", "--campaign", folder)
    assert ran.code == code
    assert "was removed, or replaced, while its campaign ran" in ran.sentence()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0), ("1.5", 1.5), ("1e3", 1_000.0), ("90s", 90.0), ("30m", 1_800.0),
        ("2h", 7_200.0), ("1.5h", 5_400.0), ("1h30m", 5_400.0), ("1d", 86_400.0),
    ],
)  # fmt: skip
def test_a_time_has_its_unit(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "m", "30 minutes", "30m2h", "h30", "1h30", "-5m", "1:30", "soon", "nan", "inf", "-inf"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time: 90, 90s, 30m and 1h30m are"):
        Seconds().convert(text, None, None)


def test_a_time_is_held_to_its_bounds_with_its_unit() -> None:
    with pytest.raises(click.BadParameter, match="not in the range"):
        Seconds(1.0, 60.0).convert("2m", None, None)


@pytest.mark.parametrize("option", ["--time", "--until-stale"])
@pytest.mark.parametrize("value", ["0", "0s", "-3"])
def test_no_time_at_all_is_refused(option: str, value: str, tmp_path: Path, run: Run) -> None:
    ran = run("fuzz", "--campaign", tmp_path, option, value)
    assert ran.code == 2
    assert f"{option} wants" in ran.sentence()


@pytest.mark.parametrize(
    "arguments",
    [
        ("fuzz", "--rate", "nan"), ("fuzz", "--rate", "inf"), ("fuzz", "--time", "nan"),
        ("planted", "run", "--time", "nan"), ("planted", "run", "--time", "inf"),
    ],
)  # fmt: skip
def test_what_would_limit_nothing_is_refused(arguments: tuple[str, ...], run: Run) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert f"'{arguments[-1]}' is no " in ran.err
