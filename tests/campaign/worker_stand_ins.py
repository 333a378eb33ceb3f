"""Stand-ins for the worker's main: what the campaign's child processes run in the tests.

They are started by name in a process of their own. What they need to know of one another is
in the corpus folder of their settings.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.engines.link import STOP
from fuzz.events import Ended, Event, Faulted, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.settings import FuzzSettings

MODULES = {"iris_ref_conn": (3, 9)}
STARTED = Started("a stand-in", "nothing", 100, 2)


def progress(cases: int, seconds: float, covered: int = 5, corpus: int = 1) -> Progress:
    return Progress(
        cases, seconds, covered, 100, corpus, restarts=1, replays=2, recovering_seconds=0.5
    )


def starts_of(settings: FuzzSettings) -> Path:
    """Return the file with a line for each worker that was started."""
    return settings.corpus / "starts"


def _begin(settings: FuzzSettings) -> int:
    """Note the start with the budget given; return how many there were before."""
    asked = {key: asdict(settings)[key] for key in ("seconds", "cases")}
    file = starts_of(settings)
    before = len(file.read_text().splitlines()) if file.exists() else 0
    with file.open("a") as lines:
        lines.write(f"{asked}\n")
    return before


def _die(log: str, words: str) -> None:
    Path(log).write_text(f"first line\n\n{words}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def _say(pipe: Connection, *events: Event) -> None:
    for event in events:
        pipe.send(event)


def ends(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Run to the end of the budget."""
    _begin(settings)
    _say(pipe, STARTED, progress(10, 1.0), Ended(progress(20, 2.0), "time is up", MODULES))


def dies_once(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Be killed the first time, and run to the end the second time."""
    if _begin(settings) == 0:
        _say(pipe, STARTED, progress(30, 3.0, covered=40, corpus=4))
        _die(log, "killed for its memory")
    ends_of = Ended(progress(20, 2.0, covered=35, corpus=2), "all cases are played", MODULES)
    _say(pipe, STARTED, progress(5, 0.5), ends_of)


def dies_with_a_journal(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Be killed the first time, with more judged than was told; run to the end the second time."""
    if _begin(settings) == 0:
        _say(pipe, replace(STARTED, judged=1_000), progress(30, 3.0))
        _die(log, "killed for its memory")
    _say(pipe, replace(STARTED, judged=1_037), Ended(progress(20, 2.0), "time is up", MODULES))


def finds_the_same_and_dies_once(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Find something three times and be killed; find it twice more and run to the end."""
    found = Found(Finding(Kind.HANG, "a hang", Cause("hang")), "path", new=True)
    if _begin(settings) == 0:
        _say(pipe, STARTED, found, replace(found, hits=3))
        _die(log, "killed for its memory")
    _say(pipe, STARTED, replace(found, new=False, hits=2), Ended(progress(20, 2.0), "time is up"))


def dies_now_and_then(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Be killed after an hour, five times, and run to the end."""
    if _begin(settings) < 5:
        _say(pipe, STARTED, progress(30, 3_600.0))
        _die(log, "killed for its memory")
    _say(pipe, STARTED, Ended(progress(20, 2.0), "time is up", MODULES))


def faults_once(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Say what is wrong and be killed the first time, with noise in the log; then run on."""
    if _begin(settings) == 0:
        _say(pipe, Faulted("a fault in the harness itself: KeyError: 7"))
        _die(log, "==1== libFuzzer: fuzz target exited")
    _say(pipe, Ended(progress(20, 2.0), "time is up", MODULES))


def gives_up_once(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """End as libFuzzer does when it gives up, the first time; then run on."""
    if _begin(settings) == 0:
        Path(log).write_text("ERROR: x\nSUMMARY: deadly signal\n0x1,0x2,\nartifact_prefix='./'\n")
        sys.exit(77)
    _say(pipe, Ended(progress(20, 2.0), "time is up", MODULES))


def always_dies(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Be killed each time."""
    number = _begin(settings)
    _say(pipe, progress(1, 1.0))
    _die(log, f"death number {number}")


def dies_after_finding(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Find something new and be killed, four times; then run to the end."""
    number = _begin(settings)
    if number == 4:
        _say(pipe, Ended(progress(1, 1.0), "time is up"))
        return
    _say(pipe, Found(Finding(Kind.HANG, "a hang", Cause(f"hang {number}")), "path", new=True))
    _die(log, "again")


def cannot_run(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Say why nothing can be done."""
    _begin(settings)
    _say(pipe, Faulted("port 8085 on 127.0.0.1 is in use; free it", fatal=True))


def waits_for_stop(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Run until told to stop."""
    _begin(settings)
    _say(pipe, STARTED, progress(10, 1.0))
    while pipe.recv() != STOP:
        continue
    _say(pipe, Ended(progress(12, 1.5), "stopped", MODULES))


def dies_when_stopped(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Be killed while stopping."""
    _say(pipe, STARTED, progress(10, 1.0))
    pipe.recv()
    _die(log, "too late")


def runs_until_nobody_listens(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Go on until the campaign has gone, and leave a note then."""
    _begin(settings)
    try:
        while True:
            pipe.send(progress(1, 1.0))
    except ConnectionError:
        (settings.corpus / "gone").touch()
