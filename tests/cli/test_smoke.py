"""``iris-fuzz smoke`` over stand-ins: what fails, what is told, and where."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from fuzz.cli import running
from fuzz.cli import smoke as smoke_module
from fuzz.errors import HarnessFault, TargetError
from fuzz.events import Event, Found, Started
from fuzz.finding import Finding
from fuzz.settings import FuzzSettings
from fuzz.triage.replay import Replayed, Verdict
from tests.cli.support import Ran, Run
from tests.report.outcome_support import CRASH, ENDED, HANG

STARTED = Started("embedded", "BEAM coverage", 120, 9)


@dataclass(slots=True)
class Scene:
    """What a run of ``smoke`` meets in place of a target: set it up, then call it."""

    run: Run
    folder: Path
    replays: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    events: list[Event | BaseException] = field(default_factory=lambda: [STARTED, ENDED])
    start: Exception | None = None
    asked: list[FuzzSettings] = field(default_factory=list)
    plays: set[int] = field(default_factory=set)
    signal: signal.Signals | None = None

    def __call__(self, *arguments: object) -> Ran:
        for name in ("regression", *self.replays):
            (self.folder / "regressions").mkdir(exist_ok=True)
            (self.folder / "regressions" / name).write_bytes(b"\x34")
        return self.run("smoke", "--corpus", self.folder, *arguments)

    def finds(self, *findings: Finding) -> None:
        """Let fuzzing come across ``findings``."""
        found = (Found(one, str(self.folder / "crashes/c"), new=True) for one in findings)
        self.events = [STARTED, *found, ENDED]


@pytest.fixture
def smoke(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    scene = Scene(run, tmp_path)

    class Rig:
        left: tuple[str, ...] = ()

        def __init__(self, *_: object) -> None: ...
        def stop(self) -> None: ...

        def start(self) -> None:
            if scene.start is not None:
                raise scene.start

    class Replayer:
        def __init__(self, _rig: Rig) -> None: ...

        def replay(self, path: Path, plays: int) -> Replayed:
            scene.plays.add(plays)
            findings = scene.replays.get(path.name, ())
            if path.name.startswith("error"):
                return Replayed(path, Verdict.ERROR, 0, 0, note="it is empty")
            verdict = Verdict.FAILED if findings else Verdict.FIXED
            return Replayed(path, verdict, plays if findings else 0, plays, findings)

    class Campaign:
        def __init__(self, settings: FuzzSettings) -> None:
            scene.asked.append(settings)

        def stop(self) -> None: ...

        def events(self) -> Iterator[Event]:
            if scene.signal is not None:
                os.kill(os.getpid(), scene.signal)
            for event in scene.events:
                if isinstance(event, BaseException):
                    raise event
                yield event

    monkeypatch.setattr(running, "rig_of", Rig)
    monkeypatch.setattr(smoke_module, "Replayer", Replayer)
    monkeypatch.setattr(smoke_module, "Campaign", Campaign)
    return scene


def test_nothing_found_is_zero_and_fuzzing_is_bounded(smoke: Scene) -> None:
    ran = smoke()
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "smoke: 0 new, 0 known or in the baseline")
    assert "1 regression of " in ran.out
    assert smoke.asked[0].seconds == 60.0
    assert smoke.plays == {1}


def test_a_regression_that_fails_names_its_fingerprint(smoke: Scene) -> None:
    smoke.replays = {"back": (HANG,)}
    ran = smoke("--plays", 2, "--time", 7, "--jobs", 2, "--seed", 5)
    assert ran.code == 1
    assert f"FAILED {smoke.folder}/regressions/back in 2 of 2 plays" in ran.out
    assert HANG.fingerprint in ran.out.partition("target embedded")[0]
    assert len(smoke.asked) == 1, "fuzzing goes on all the same"
    (asked,) = smoke.asked
    assert (asked.seconds, asked.jobs, asked.random_seed) == (7.0, 2, 5)


def test_a_finding_of_fuzzing_fails(smoke: Scene) -> None:
    smoke.finds(CRASH)
    ran = smoke()
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "smoke: 1 new, 0 known or in the baseline")


def test_a_baseline_that_was_written_excuses_what_is_in_it_alone(smoke: Scene) -> None:
    file = smoke.folder / "new folder" / "baseline.json"
    smoke.finds(CRASH)
    smoke.replays = {"back": (HANG,)}
    written = smoke("--baseline", file, "--write-baseline")
    assert (written.code, f"{file} has 2 findings, 2 of them new" in written.out) == (0, True)
    assert smoke("--baseline", file).code == 0
    other = Finding(HANG.kind, "another", CRASH.cause.__class__("another"))
    smoke.finds(CRASH, other)
    ran = smoke("--baseline", file, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["new"]) == (1, 1)
    assert [one["fingerprint"] for one in told["findings"] if not one["excused"]] == [
        other.fingerprint
    ]
    smoke("--baseline", file, "--write-baseline")
    assert len(json.loads(file.read_text())["findings"]) == 3


def test_known_issues_excuse_too_and_expire(smoke: Scene) -> None:
    file = smoke.folder / "known.toml"
    smoke.finds(HANG)
    text = f'[[issue]]\nfingerprint = "{HANG.fingerprint}"\nreason = "waits"\nexpires = '
    file.write_text(f"{text}9999-01-01")
    assert smoke("--known", file).code == 0
    file.write_text(f"{text}2000-01-01")
    assert smoke("--known", file).code == 1


def test_a_regression_that_cannot_be_played_is_two_unless_something_is_found(smoke: Scene) -> None:
    smoke.replays = {"error": ()}
    ran = smoke()
    assert (ran.code, "it is empty" in ran.out) == (2, True)
    smoke.finds(HANG)
    assert smoke().code == 1


def test_without_a_target_all_reports_say_so(smoke: Scene) -> None:
    smoke.start = TargetError("port 8085 is in use")
    junit = smoke.folder / "out.xml"
    ran = smoke("--junit", junit)
    assert (ran.code, ran.sentence()) == (2, "iris-fuzz: port 8085 is in use")
    assert smoke.asked == []
    (error,) = Xml.parse(junit).getroot().iter("error")
    assert error.get("message") == "port 8085 is in use"


def test_a_campaign_that_breaks_off_keeps_what_it_has_found(smoke: Scene) -> None:
    smoke.events = [STARTED, HarnessFault("the worker was lost")]
    ran = smoke()
    assert (ran.code, ran.sentence()) == (2, "iris-fuzz: the worker was lost")
    smoke.events = [STARTED, Found(HANG, "c", new=True), HarnessFault("the worker was lost")]
    junit = smoke.folder / "out.xml"
    assert smoke("--junit", junit).code == 1
    root = Xml.parse(junit).getroot()
    assert (root.get("failures"), root.get("errors")) == ("1", "1")


def test_an_interrupt_still_writes_the_reports(smoke: Scene) -> None:
    smoke.replays = {"back": (HANG,)}
    junit = smoke.folder / "out.xml"

    smoke.events = [STARTED, KeyboardInterrupt()]
    assert smoke("--junit", junit).code == 130
    root = Xml.parse(junit).getroot()
    assert (root.get("failures"), root.get("errors")) == ("1", "1")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 2),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141),
        (SystemExit(1), 141),  # so does Rich where nobody reads
    ],
)
def test_whatever_breaks_it_off_makes_no_green_report(
    smoke: Scene, end: BaseException, code: int
) -> None:
    junit = smoke.folder / "out.xml"
    smoke.events = [STARTED, end]
    assert smoke("--junit", junit).code == code
    (error,) = Xml.parse(junit).getroot().iter("error")
    assert "not all of it was done" in str(error.get("message"))


def test_an_output_that_breaks_while_the_baseline_is_told_is_a_fault(
    smoke: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(smoke_module, "write_baseline", refuse)
    junit = smoke.folder / "out.xml"
    file = smoke.folder / "baseline.json"
    assert smoke("--junit", junit, "--baseline", file, "--write-baseline").code == 2
    assert Xml.parse(junit).getroot().get("errors") == "1"


def test_a_signal_ends_it_with_what_there_is_and_no_success(smoke: Scene) -> None:
    smoke.signal = signal.SIGINT
    ran = smoke("--json")
    told = json.loads(ran.out)
    assert (ran.code, told["not_done"]) == (2, ["fuzzing was stopped before its time was up"])
    assert told["fuzzing"]["ended_by"] == "time is up", "its last event is awaited"


def test_on_github_page_and_annotations_are_written_and_json_stays_json(
    smoke: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = smoke.folder / "page.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(smoke.folder))
    smoke.finds(HANG)
    ran = smoke("--json")
    assert json.loads(ran.out)["findings"][0]["path"] == "crashes/c"
    assert "::error file=crashes/c,line=1" in ran.err
    assert page.read_text().startswith("## iris-fuzz: 1 new finding")


def test_a_report_that_cannot_be_written_is_told_and_fails(
    smoke: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(smoke.folder / "gone" / "page"))
    ran = smoke()
    assert (ran.code, "page cannot be written" in ran.sentence()) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--write-baseline",), "name a file by --baseline"),
        (("--baseline", "nowhere.json"), "nowhere.json does not exist"),
        (("--regressions", "nowhere"), "nowhere does not exist"),
        (("--known", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("--junit", "/dev/null/a.xml"), "cannot be used as a folder"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    smoke: Scene, arguments: tuple[str, ...], words: str
) -> None:
    ran = smoke(*arguments)
    assert ran.code == 2
    assert words in ran.sentence()


def test_an_empty_folder_of_regressions_is_an_error_and_not_a_success(smoke: Scene) -> None:
    (smoke.folder / "empty").mkdir()
    ran = smoke("--regressions", smoke.folder / "empty")
    assert (ran.code, "holds no case to replay" in ran.sentence()) == (2, True)
