"""The options of metrics and assertions, and a run that has both."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fuzz.cli.run import run_campaign
from fuzz.cli.watching import watching_of
from fuzz.errors import SettingsError
from fuzz.events import Ended, Event, Progress, Started
from fuzz.report.metrics import EXPORTED
from fuzz.report.summary import Summary
from fuzz.settings import TargetSettings
from tests.assertions.http_support import metrics_server
from tests.cli.support import Run

URL = "http://127.0.0.1:9568/metrics"


class Campaign:
    """A run that reads its own metrics in the middle of it."""

    def __init__(self, out: StringIO) -> None:
        self.out = out
        self.read = ""

    def stop(self) -> None: ...

    def events(self) -> Generator[Event, None, None]:
        progress = Progress(77, 4.0, 30, 120, 7, 2, 5, 0.75)
        yield Started("embedded", "BEAM coverage", 120, 9)
        yield progress
        url = self.out.getvalue().partition("metrics of this run: ")[2].split()[0]
        with urllib.request.urlopen(url, timeout=30) as answer:
            self.read = answer.read().decode()
        yield Ended(progress, "time is up")


def test_a_run_tells_its_metrics_and_keeps_to_what_is_asserted(tmp_path: Path) -> None:
    out, summary = StringIO(), Summary()
    console = Console(file=out, width=120)
    campaign = Campaign(out)
    with metrics_server(*[f"# TYPE errors counter\nerrors {n}\n" for n in (1, 5)]) as server:
        watching = watching_of(0, ("errors < 2",), server.url, TargetSettings())
        with watching.over(campaign, summary, tmp_path, console) as run:
            code = run_campaign(run, console, summary, None, tmp_path)
    assert "iris_fuzz_cases_total 77.0" in campaign.read
    assert code == 1
    assert "errors < 2 does not hold: 4 < 2" in out.getvalue()
    assert list((tmp_path / "crashes").glob("assertion-*.json"))


@pytest.mark.parametrize(
    ("sentences", "url", "words"),
    [
        (("a < 1",), None, "--assert wants to know where the metrics are"),
        ((), URL, "--metrics-url is for --assert"),
        (("a",), URL, "wants a comparison"),
        (("a < 1",), "http://192.0.2.1/metrics", "--allow-host"),
    ],
)
def test_what_cannot_be_watched_is_one_sentence(
    sentences: tuple[str, ...], url: str | None, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        watching_of(None, sentences, url, TargetSettings())


@pytest.mark.parametrize("verb", ["fuzz", "smoke"])
def test_both_verbs_refuse_it_before_anything_starts(run: Run, verb: str, tmp_path: Path) -> None:
    ran = run(verb, "--corpus", tmp_path / "none", "--assert", "a < ", "--metrics-url", URL)
    assert (ran.code, "at character 4, where it ends" in ran.sentence()) == (2, True)
    assert not (tmp_path / "none").exists()


def test_the_same_sentence_twice_is_one() -> None:
    watching = watching_of(None, ("a<1", "a < 1"), URL, TargetSettings())
    assert [one.text for one in watching.assertions] == ["a < 1"]


def test_what_agents_tell_wants_no_url() -> None:
    watching = watching_of(None, ("beam_processes < 100",), None, TargetSettings())
    assert (len(watching.assertions), watching.source) == (1, None)


def test_the_verb_prints_names_and_dashboard(run: Run) -> None:
    assert json.loads(run("metrics", "dashboard").out)["title"] == "iris-fuzz"
    told = json.loads(run("metrics", "names", "--json").out)
    assert [one["name"] for one in told] == [one.name for one in EXPORTED]
    text = run("metrics", "names").out
    assert [line.split()[0] for line in text.splitlines()] == [one.name for one in EXPORTED]
    assert "By kind, severity." in text
