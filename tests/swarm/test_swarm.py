"""A scheduler, workers and a swarm: processes of their own, one of them killed in the midst."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from fuzz.clock import SystemClock
from fuzz.errors import SettingsError, TargetError
from fuzz.store.sidecar import read_sidecar
from fuzz.swarm.cluster import play_all
from fuzz.swarm.shared import Shared
from fuzz.swarm.slices import Played, Slice, play
from tests.swarm import campaign_stand_in
from tests.swarm.campaign_stand_in import CASES, FOUND

#: For whatever another process has to do before the test can go on.
SECONDS = 60.0
STAND_IN = campaign_stand_in.__file__


def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@contextmanager
def process(log: Path, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *map(str, words)], stdout=output, stderr=output, cwd=log.parent
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the file that tells of a scheduler, and two workers of one thread each."""
    file = folder / "scheduler.json"
    quiet = ("--no-dashboard", "--no-jupyter")
    scheduler = ("dask", "scheduler", "--host", "127.0.0.1", "--port", 0, *quiet)
    worker = ("dask", "worker", "--scheduler-file", file, "--nthreads", 1, "--no-nanny")
    here = ("--host", "127.0.0.1", "--no-dashboard", "--local-directory", folder)
    with process(folder / "scheduler.log", *scheduler, "--scheduler-file", file):
        until("the scheduler", file.exists)
        with (
            process(folder / "one.log", *worker, *here, "--name", "one") as one,
            process(folder / "two.log", *worker, *here, "--name", "two") as two,
        ):
            yield str(file), [one, two]


def slices(folder: Path, shared: Path) -> list[Slice]:
    command = (sys.executable, STAND_IN, str(folder))
    return [Slice(number, str(shared), 60.0, command=command) for number in (1, 2)]


def begun(folder: Path) -> dict[int, int]:
    """Return the processes of campaigns that have begun, and the one that keeps each."""
    return {int(p.name.partition("-")[2]): int(p.read_text()) for p in folder.glob("begun-*[0-9]")}


def test_a_worker_that_is_killed_is_replaced_and_each_slice_counts_once(tmp_path: Path) -> None:
    shared, made = tmp_path / "shared", Shared(str(tmp_path / "shared"))
    played: list[Played] = []
    failed: list[str] = []
    with cluster(tmp_path) as (file, workers), ThreadPoolExecutor() as pool:
        address = json.loads(Path(file).read_text())["address"]
        for log in ("one.log", "two.log"):
            until("a worker", lambda log=log: "Registered to" in (tmp_path / log).read_text())
        swarm = pool.submit(
            play_all, address, slices(tmp_path, shared), 2, SystemClock(),
            played.append, lambda _, why: failed.append(why),
        )  # fmt: skip
        until("two campaigns to begin", lambda: len(begun(tmp_path)) == 2 or swarm.done())
        assert not swarm.done(), (failed, swarm.exception())
        of = {psutil.Process(kept).ppid(): pid for pid, kept in begun(tmp_path).items()}
        assert set(of) == {worker.pid for worker in workers}, "each worker plays one"

        workers[0].kill()

        until("its campaign to end", lambda: not psutil.pid_exists(of[workers[0].pid]))
        (tmp_path / "go").touch()
        swarm.result(SECONDS)

    assert failed == []
    assert sorted(one.number for one in played) == [1, 2]
    assert [one.cases for one in played] == [CASES, CASES]
    assert {one.where.partition(":")[2] for one in played} == {str(workers[1].pid)}
    # Two campaigns came to their end, and each had a case of its own.
    assert len(made.names("evolved")) == 2
    assert len(begun(tmp_path)) == 3

    assert [sidecar.fingerprint for _, sidecar in made.promote()] == [FOUND.fingerprint]
    assert made.promote() == []
    (crash,) = (path for path in (shared / "crashes").iterdir() if path.suffix != ".json")
    sidecar = read_sidecar(crash)
    assert sidecar is not None
    assert sidecar.replay == f"iris-fuzz replay {crash}"


def test_a_campaign_that_cannot_run_is_told_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; print('iris-fuzz: no Erlang here'); sys.exit(2)"
    one = Slice(7, str(tmp_path / "shared"), 1.0, command=(sys.executable, "-c", code))
    with pytest.raises(TargetError, match=r"slice 7 on .* could not run: iris-fuzz: no Erlang"):
        play(one)


def test_a_slice_begins_with_what_others_have_reached(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    (first, second) = slices(tmp_path, tmp_path / "shared")
    shared = Shared(str(tmp_path / "shared"))
    assert play(first).new == 1
    assert [sidecar.fingerprint for _, sidecar in shared.promote()] == [FOUND.fingerprint]
    found = shared.names("found")
    again = play(second)
    # What is known is told again, and not found again.
    assert (again.new, again.findings) == (1, (FOUND.fingerprint,))
    assert len(shared.names("evolved")) == 2
    assert shared.names("found") == found


def test_no_scheduler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.swarm.cluster._CONNECT_SECONDS", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match="no Dask scheduler answers at tcp://127"):
            play_all(address, slices(tmp_path, tmp_path), 1, SystemClock(), print, print)
