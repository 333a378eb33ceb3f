"""A run's exit code, its summary, and how a signal ends it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from fuzz.campaign import Campaign
from fuzz.cli.run import run_campaign
from fuzz.errors import HarnessFault, StoreError, TargetError
from fuzz.events import Ended, Event, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.report.summary import Summary
from fuzz.triage.known import KnownIssue, KnownIssues

STARTED = Started("embedded", "BEAM coverage", 120, 9)
ENDED = Ended(Progress(1000, 4.0, 30, 120, 7, 2, 5, 0.75), "time is up")
FOUND = Found(Finding(Kind.HANG, "nothing came", Cause("hang")), "crash-1", new=True)


class Scripted:
    """A campaign that yields what it is given; an exception among it is raised."""

    def __init__(self, *events: Event | Exception) -> None:
        self.stops = 0
        self._events = events

    def stop(self) -> None:
        self.stops += 1

    def events(self) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event


class Interrupted(Scripted):
    """A campaign during which the process gets a signal."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self._number = number

    def events(self) -> Iterator[Event]:
        yield STARTED
        os.kill(os.getpid(), self._number)
        yield ENDED


def run(
    campaign: Scripted, summary_file: Path | None = None, known: KnownIssues | None = None
) -> tuple[int, str]:
    out = StringIO()
    console = Console(file=out, width=120)
    code = run_campaign(
        cast(Campaign, campaign), console, Summary(known or KnownIssues()), summary_file, Path()
    )
    return code, out.getvalue()


def test_a_run_without_a_finding_ends_with_zero_and_the_summary() -> None:
    code, text = run(Scripted(STARTED, ENDED))
    assert code == 0
    assert "1000 in 4.0 s" in text


@pytest.mark.parametrize("new", [True, False])
def test_a_run_with_a_finding_ends_with_one(new: bool) -> None:
    assert run(Scripted(STARTED, Found(FOUND.finding, "crash-1", new), ENDED))[0] == 1


def test_a_known_issue_is_told_and_fails_nothing() -> None:
    fingerprint = FOUND.finding.fingerprint
    issue = KnownIssue(fingerprint, "soon", date(2027, 1, 31))
    code, text = run(
        Scripted(STARTED, FOUND, ENDED),
        known=KnownIssues({fingerprint: issue}, date(2027, 1, 31)),
    )
    assert code == 0
    assert "nothing came" in text
    assert "known until 2027-01-31: soon" in text
    later = KnownIssues({fingerprint: issue}, date(2027, 2, 1))
    assert run(Scripted(STARTED, FOUND, ENDED), known=later)[0] == 1


def test_the_summary_is_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    run(Scripted(STARTED, FOUND, ENDED), file)
    assert json.loads(file.read_text())["findings"][0]["kind"] == "hang"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_the_campaign_to_stop_and_the_summary_follows(
    number: signal.Signals,
) -> None:
    before = signal.getsignal(number)
    campaign = Interrupted(number)
    code, text = run(campaign)
    assert (code, campaign.stops) == (0, 1)
    assert "summary" in text
    assert signal.getsignal(number) is before


def test_a_fault_in_the_middle_still_leaves_the_summary(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    code, _ = run(Scripted(STARTED, FOUND, HarnessFault("the worker died 3 times")), file)
    assert code == 1, "what was found counts for more than how the run ended"
    with pytest.raises(HarnessFault):
        run(Scripted(STARTED, HarnessFault("the worker died 3 times")))
    assert len(json.loads(file.read_text())["findings"]) == 1


def test_findings_count_for_more_than_a_summary_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gone" / "summary.json"
    file.parent.touch()
    lost = HarnessFault("the worker died 3 times")
    assert run(Scripted(STARTED, FOUND, lost), file)[0] == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "iris-fuzz: the worker died 3 times"
    assert "summary.json cannot be written" in second


def test_without_a_finding_a_run_that_failed_twice_tells_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gone" / "summary.json"
    file.parent.touch()
    with pytest.raises(StoreError, match="cannot be written"):
        run(Scripted(STARTED, ENDED), file)
    with pytest.raises(StoreError, match="cannot be written"):
        run(Scripted(STARTED, HarnessFault("the worker died 3 times")), file)
    assert capsys.readouterr().err == "iris-fuzz: the worker died 3 times\n"


def test_a_known_issue_makes_no_success_of_a_run_that_failed() -> None:
    issue = KnownIssue(FOUND.finding.fingerprint, "soon", date(2027, 1, 31))
    known = KnownIssues({issue.fingerprint: issue}, date(2027, 1, 31))
    with pytest.raises(HarnessFault):
        run(Scripted(STARTED, FOUND, HarnessFault("the worker died 3 times")), known=known)


def test_an_output_that_breaks_still_leaves_the_summary(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    with pytest.raises(BrokenPipeError):
        run(Scripted(STARTED, FOUND, BrokenPipeError()), file)
    assert len(json.loads(file.read_text())["findings"]) == 1


def test_a_run_that_never_began_has_no_summary(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    with pytest.raises(TargetError):
        run(Scripted(TargetError("port 8085 is in use")), file)
    assert not file.exists()
