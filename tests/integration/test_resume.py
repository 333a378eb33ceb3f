"""A campaign that is killed loses nothing; one that is asked to end does so with its summary."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from fuzz.case import decode_case, read_case
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.store import records
from fuzz.store.journal import Journal
from fuzz.store.sidecar import read_sidecar, sidecar_path
from fuzz.store.timeline import read_timeline
from tests.integration.support import (
    SEEDS,
    START_SECONDS,
    Program,
    program,
    run_campaign,
    soon,
)

PLANT = "crash_alone"
#: Bytes by which the journal has grown when a run is killed: while the node boots, and when
#: some dozens and some hundreds of cases are played.
MOMENTS = (0, 5_000, 60_000)


def fuzz_arguments(corpus: Path, *more: object) -> tuple[object, ...]:
    """Return the arguments of a run that would last until it is ended."""
    common = ("--port", 0, "--campaign", corpus, "--seed-corpus", SEEDS)
    return ("fuzz", *common, "--time", 300, *more)


def await_crash(running: Program, corpus: Path) -> None:
    """Wait until the first finding begins to be saved."""
    deadline = soon("a saved finding", START_SECONDS)
    while not list((corpus / "crashes").glob("crash-*")):
        running.awaits(deadline)


def kill(running: Program, whole: bool) -> set[str]:
    """Kill the campaign (and, if ``whole``, its worker); return the programs it consisted of.

    The node and its helpers are not touched: that they end is what is tested.
    """
    family = running.family()
    names = {member.pid: member.name for member in family}
    python = [pid for pid, name in names.items() if name.startswith("python")]
    for pid in python if whole else [running.process.pid]:
        with suppress(ProcessLookupError):  # the first one's end has ended it
            os.kill(pid, signal.SIGKILL)
    assert running.end() == -signal.SIGKILL
    deadline = soon("the processes of a killed run to end")
    assert [names[member.pid] for member in family if not member.gone(deadline)] == []
    return set(names.values())


def check_crashes(folder: Path) -> None:
    """See that no file in the folder of findings is half of one."""
    for path in folder.glob("crash-*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        else:
            data = path.read_bytes()
            assert path.name == f"crash-{hashlib.sha1(data).hexdigest()}"
            decode_case(data)


def unjudged(corpus: Path) -> list[bytes]:
    """Return the cases that the journal says were not judged; each is whole."""
    with Journal.open(corpus / "journal") as journal:
        assert all("cut short" in note for note in journal.notes())
        cases = journal.unjudged()
        last = read_timeline(corpus).last
        assert (0 if last is None else last.cases) <= journal.judged_cases
    for case in cases:
        decode_case(case)
    return cases


def first_begun(corpus: Path, before: set[Path], count: int) -> list[bytes]:
    """Return the first ``count`` cases that segments have which were not there ``before``."""
    paths = sorted(set((corpus / "journal").glob("journal-*.log")) - before)
    begun = [
        case
        for path in paths
        for record in records.read(path.read_bytes()).records
        for case in record.cases or ()
    ]
    return begun[:count]


def test_a_campaign_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    killed: set[str] = set()
    for moment in ("a finding", *MOMENTS):
        with program(tmp_path, *fuzz_arguments(corpus, "--plant", PLANT)) as running:
            if isinstance(moment, int):
                running.journal_grows(corpus, moment)
            else:
                await_crash(running, corpus)
            killed |= kill(running, whole=True)
        check_crashes(corpus / "crashes")
    # In one moment or the other there is no node: it is not up yet, or is being started anew.
    assert "beam.smp" in killed
    left = unjudged(corpus)
    before = set((corpus / "journal").glob("journal-*.log"))
    target = TargetSettings(port=0, plants=(PLANT,))
    summary = run_campaign(FuzzSettings(target, corpus, (SEEDS,), cases=len(left) + 200))
    assert summary.started is not None
    if left:
        told = f"{len(left)} cases were not judged when the last run ended: they come first"
        assert told in summary.started.notes
        # The journal repeats them when it is opened; behind that is what was really played.
        begun = first_begun(corpus, before, 2 * len(left))
        assert [sorted(begun[: len(left)]), sorted(begun[len(left) :])] == [sorted(left)] * 2
    assert unjudged(corpus) == []


def test_a_worker_whose_campaign_was_killed_judges_what_it_played_and_ends(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    with program(tmp_path, *fuzz_arguments(corpus)) as running:
        running.journal_grows(corpus, MOMENTS[1])
        assert "beam.smp" in kill(running, whole=False)
    assert unjudged(corpus) == []


@pytest.mark.parametrize(
    ("number", "plants", "code"),
    [(signal.SIGINT, (), 0), (signal.SIGTERM, ("--plant", PLANT), 1)],
)
def test_a_signal_ends_a_run_with_its_summary_and_code(
    number: signal.Signals, plants: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    corpus, file = tmp_path / "corpus", tmp_path / "summary.json"
    with program(tmp_path, *fuzz_arguments(corpus, "--summary", file, *plants)) as running:
        running.journal_grows(corpus, 10_000)
        if plants:
            await_crash(running, corpus)
        family = running.family()
        if number is signal.SIGINT:
            os.killpg(running.process.pid, number)  # Ctrl-C reaches all of the group
        else:
            running.process.send_signal(number)
        assert running.end() == code, running.text()
        deadline = soon("the processes of an ended run to end")
        assert all(member.gone(deadline) for member in family)
    told = json.loads(file.read_text())
    assert told["ended_by"] == "stopped"
    timeline = read_timeline(corpus)
    with Journal.open(corpus / "journal") as journal:
        assert timeline.last is not None
        assert timeline.last.cases == told["cases"] == journal.judged_cases > 0
    assert timeline.last.points_covered == told["points_covered"]
    assert sum(point.hit for point in timeline.points) == told["points_covered"]
    assert timeline.last.vitals[""].processes > 0
    assert len(timeline.findings) == len(told["findings"])
    assert bool(told["findings"]) == bool(code)
    assert "summary" in running.text()
    assert "Traceback" not in running.text()
    for found in told["findings"]:
        saved = Path(found["path"])
        read_case(saved)
        assert sidecar_path(saved).exists()
        sidecar = read_sidecar(saved)
        assert sidecar is not None
        assert sidecar.fingerprint == found["fingerprint"]
