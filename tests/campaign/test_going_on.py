"""A long campaign over a worker without a target: whatever ends a run, the next one goes on.

Each run is a program of its own, since it is killed, limited, or loses the ground it stands on.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import StoreError
from fuzz.store.crashes import CrashStore
from fuzz.store.journal import Journal
from fuzz.store.timeline import FILE_NAME, Timeline, read_timeline
from tests.campaign.storing_stand_in import FINDINGS, POINTS

_PROGRAM = "from tests.campaign.storing_program import main; main()"
#: A start takes a second on a machine that has nothing else to do.
_SECONDS = 60.0


class Run:
    """A run of the stand-in, in a session of its own."""

    def __init__(self, folder: Path, scratch: Path, cases: int | None, limit: str) -> None:
        scratch.mkdir(exist_ok=True)
        words = [sys.executable, "-c", _PROGRAM, str(folder)]
        words += [] if cases is None else [str(cases)]
        self.folder = folder
        self.process = subprocess.Popen(
            ["sh", "-c", f'{limit}exec "$@"', "sh", *words],
            env={**os.environ, "TMPDIR": str(scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._deadline = Deadline.after(SystemClock(), _SECONDS, "the run to end")

    def awaits(self, what: str, there: Callable[[], bool]) -> None:
        """Wait until something is ``there``, or the run has ended."""
        deadline = Deadline.after(SystemClock(), _SECONDS, what)
        while not there() and self.process.poll() is None:
            assert not deadline.expired(), f"waited in vain for {deadline.what}"
            with pytest.raises(subprocess.TimeoutExpired):
                self.process.wait(0.01)

    def awaits_judged(self, more: int) -> None:
        """Wait until the journal has grown by some bytes, as a run goes on."""
        start = _journal_bytes(self.folder)
        self.awaits("cases to be judged", lambda: _journal_bytes(self.folder) >= start + more)

    def awaits_told(self, runs: int) -> None:
        """Wait until the time line has so many runs."""
        self.awaits("the run to be told", lambda: _told(self.folder)[0] >= runs)

    def kill(self, whole: bool) -> None:
        """Kill the campaign, and if ``whole`` its worker; see that no process is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for process in family if whole else []:
            with suppress(psutil.NoSuchProcess):  # its pipe has ended, and so has it
                process.kill()
        self.end()
        _, left = psutil.wait_procs(family, timeout=_SECONDS)
        assert left == []

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, output and errors."""
        out, err = self.process.communicate(timeout=self._deadline.left())
        assert "Traceback" not in err
        return self.process.returncode, out, err


@contextmanager
def started(folder: Path, cases: int | None = None, limit: str = "") -> Iterator[Run]:
    run = Run(folder, folder.with_name("scratch"), cases, limit)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.communicate()


def finish(folder: Path, cases: int = 100) -> Timeline:
    """Run the same command to its end, and see that its totals add up."""
    with started(folder, cases) as run:
        code, out, err = run.end()
    assert (code, err) == (1, ""), out
    timeline = read_timeline(folder)
    with Journal.open(folder / "journal") as journal:
        judged = journal.judged_cases
        assert journal.unjudged() == []
    assert timeline.last is not None
    assert timeline.last.cases == judged == sum(one.cases for one in timeline.runs)
    assert f"run {len(timeline.runs)}, {judged} cases" in out
    saved = CrashStore(folder / "crashes").known()
    assert {row.fingerprint for row in timeline.findings} == set(saved)
    assert set(saved) == {finding.fingerprint for finding in FINDINGS}
    assert len(list((folder / "crashes").glob("crash-*.json"))) == len(FINDINGS)
    assert all(row.path.is_file() for row in timeline.findings)
    assert sum(point.hit for point in timeline.points) == min(judged, len(POINTS))
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    left = [*folder.rglob(".*.tmp"), *folder.with_name("scratch").glob("*")]
    assert left == []
    return timeline


def _told(folder: Path) -> tuple[int, int]:
    """Return how many runs and findings the time line has."""
    try:
        timeline = read_timeline(folder)
    except StoreError:
        return 0, 0  # it is just being made
    return len(timeline.runs), len(timeline.findings)


def _journal_bytes(folder: Path) -> int:
    """Return how much was ever written to the journal: segments come and go."""
    paths = sorted((folder / "journal").glob("journal-*.log"))
    try:
        return sum(int(path.name[8:16]) * 8 * 1024 + path.stat().st_size for path in paths[-1:])
    except FileNotFoundError:
        return 0


def test_kills_at_random_moments_and_then_the_totals_add_up(tmp_path: Path) -> None:
    folder, chance = tmp_path / "night", random.Random(7)
    before = (0, 0.0, 0, 0)
    for number in range(10):
        runs, _ = _told(folder)
        with started(folder) as run:
            if number % 3:  # else it may be killed before it is one
                run.awaits_told(runs + 1)
            run.awaits_judged(chance.randrange(30_000))
            run.kill(whole=number % 2 == 0)
        last = read_timeline(folder).last
        if last is not None:
            now = (last.cases, last.seconds, last.points_covered, last.findings)
            assert all(a <= b for a, b in zip(before, now, strict=True))
            before = now
    timeline = finish(folder)
    assert timeline.runs[-1].reason == "all cases are played"
    assert all(one.reason is None for one in timeline.runs[:-1])
    assert len(timeline.runs) > 6


def test_after_a_power_cut_the_next_run_goes_on_with_what_there_is(tmp_path: Path) -> None:
    """The kernel had not written the ends of files that nobody synced, and one not at all."""
    folder = tmp_path / "night"
    with started(folder) as run:
        run.awaits("a finding", lambda: any((folder / "crashes").glob("*.json")))
        run.awaits_judged(10_000)
        run.kill(whole=True)
    *_, segment = sorted((folder / "journal").glob("journal-*.log"))
    kept = next(path for path in (folder / "evolved").iterdir())
    for path, share in ((segment, 0.6), (folder / f"{FILE_NAME}-wal", 0.5), (kept, 0.0)):
        os.truncate(path, int(path.stat().st_size * share))
    before = read_timeline(folder)
    with started(folder, 100) as run:
        code, out, err = run.end()
    assert (code, err) == (1, ""), out
    after = read_timeline(folder)
    assert after.last is not None
    assert len(after.runs) == len(before.runs) + 1
    assert after.last.cases == sum(one.cases for one in after.runs)
    assert after.last.cases >= (0 if before.last is None else before.last.cases) + 100


def test_who_is_interrupted_tells_the_totals_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    with started(folder) as run:
        run.awaits("a finding", lambda: any((folder / "crashes").glob("*.json")))
        os.killpg(run.process.pid, signal.SIGINT)  # Ctrl-C reaches all of the group
        code, out, err = run.end()
    assert (code, err) == (1, "")
    assert "ended by  stopped" in out
    assert finish(folder).runs[0].reason == "stopped"


@pytest.mark.parametrize("kilobytes", [16, 200])
def test_a_disk_that_is_full_ends_the_run_in_a_sentence_and_the_next_goes_on(
    kilobytes: int, tmp_path: Path
) -> None:
    """What a file may have stands for what a disk has: both refuse the next byte."""
    folder = tmp_path / "night"
    with started(folder, limit=f"ulimit -f {2 * kilobytes}; ") as run:
        code, _, err = run.end()
    assert code in (1, 2)
    assert err.count("\n") == 1
    assert re.search(r"limit on file sizes is reached|disk does not take it|disk is full", err)
    finish(folder)


def test_a_folder_that_is_removed_ends_the_run_in_a_sentence_and_the_next_begins(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "night"
    with started(folder) as run:
        run.awaits("a finding that was told", lambda: _told(folder)[1] > 0)
        folder.rename(tmp_path / "gone")  # a removal could meet files that are just made
        code, _, err = run.end()
    assert code == 1
    assert err.count("\n") == 1
    assert "was removed" in err or "its folder is gone" in err
    shutil.rmtree(folder, ignore_errors=True)  # what was found after that
    assert len(finish(folder).runs) == 1


@pytest.mark.parametrize("descriptors", [8, 16])
def test_without_descriptors_a_run_ends_in_a_sentence_and_the_next_goes_on(
    descriptors: int, tmp_path: Path
) -> None:
    folder = tmp_path / "night"
    with started(folder, 100, f"ulimit -n {descriptors}; ") as run:
        code, _, err = run.end()
    assert (code, err) == (1, "") or (code == 2 and "open files" in err), err
    finish(folder)
