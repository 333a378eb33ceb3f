"""The summary of a run as JSON: nothing but that on the output, whatever becomes of the run."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from fuzz.cli.run import run_told
from fuzz.cli.telling import Telling
from fuzz.cli.watching import Watching
from fuzz.errors import HarnessFault, TargetError
from fuzz.events import Event, Found, Started
from fuzz.triage.known import KnownIssues
from tests.cli.support import Run
from tests.report.outcome_support import ENDED, HANG

STARTED = Started("embedded", "BEAM coverage", 120, 9)


class Scripted:
    """A run that yields what it is given, and raises what is an error."""

    def __init__(self, *events: Event | Exception) -> None:
        self._events = events

    def stop(self) -> None: ...

    def events(self) -> Generator[Event, None, None]:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event


def told(run: Scripted, corpus: Path) -> int:
    return run_told(run, Telling(KnownIssues(), as_json=True), Watching(), corpus)


def test_the_output_is_the_summary_and_the_rest_is_an_error_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = Scripted(STARTED, Found(HANG, "c", new=True), ENDED)
    assert told(run, tmp_path) == 1
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert (summary["cases"], summary["findings"][0]["fingerprint"]) == (1000, HANG.fingerprint)
    assert "1000 in 4.0 s" in printed.err


def test_a_run_that_breaks_off_leaves_its_summary(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(HarnessFault):
        told(Scripted(STARTED, HarnessFault("lost")), tmp_path)
    assert json.loads(capsys.readouterr().out)["ended_by"] == ""


def test_a_run_that_never_began_leaves_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(TargetError):
        told(Scripted(TargetError("port 8085 is in use")), tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verb", [("fuzz",), ("decode", "a:b/1")])
def test_a_summary_that_cannot_be_written_is_told_before_the_run(
    verb: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ran = run(*verb, "--corpus", tmp_path, "--summary", tmp_path / "file" / "s.json")
    assert (ran.code, "cannot be used as a folder" in ran.sentence()) == (2, True)
