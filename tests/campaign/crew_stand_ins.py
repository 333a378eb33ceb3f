"""Stand-ins for one of several workers; what each does depends on its place.

Where the order of what two of them do matters, the second waits for a file that the first makes in
the folder they share.
"""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.clock import Deadline, SystemClock
from fuzz.engines.board import Board, Earned, Tally
from fuzz.engines.link import STOP
from fuzz.engines.worker import BOARD, TALLY, TURNS
from fuzz.events import Charted, Covered, Ended, Event, Faulted, Found, Progress, Refined, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import Point
from fuzz.settings import FuzzSettings, Place
from fuzz.store.crashes import Context, CrashStore

CRASH = Finding(Kind.PROCESS_CRASH, "a crash", Cause("crash", "error:badarg"))
OTHER = Finding(Kind.HANG, "a hang", Cause("hang"))
NOTE = "what all of them say"
SIZES = {"one": 4, "two": 6}
POINTS = tuple(
    Point(name, "f", 0, line, "case") for name, size in SIZES.items() for line in range(size)
)


def case_of(name: str) -> bytes:
    return encode_case(Case((Step(StepKind.SEND, 0, name.encode()),)))


def progress(cases: int, seconds: float, covered: int) -> Progress:
    return Progress(cases, seconds, covered, 10, 2, 1, 3, 0.5)


def _place(settings: FuzzSettings) -> Place:
    assert settings.place is not None
    return settings.place


def _say(pipe: Connection, *events: Event) -> None:
    for event in events:
        pipe.send(event)


def _await(file: Path) -> None:
    deadline = Deadline.after(SystemClock(), 30.0, f"{file.name} of another worker")
    while not file.exists():
        assert not deadline.expired(), f"waited in vain for {deadline.what}"
        threading.Event().wait(0.01)


def _until_stopped(pipe: Connection) -> None:
    while pipe.recv() != STOP:
        continue


def _write_down(settings: FuzzSettings) -> None:
    """Write down which budget this worker was given."""
    told = {"seconds": settings.seconds, "cases": settings.cases}
    with (settings.corpus / f"told-{_place(settings).number}").open("a") as file:
        file.write(f"{told}\n")


def plays(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Cover some points, one of them the same as the other does, and end."""
    place = _place(settings)
    points = {"one": (0, 1)} if place.number == 0 else {"one": (1,), "two": (5, 7)}
    hit = {"one": len(points["one"]), "two": len(points.get("two", ()))}
    done = progress(100 + place.number, 5.0 + place.number, sum(hit.values()))
    modules = {name: (hit[name], size) for name, size in SIZES.items()}
    own = () if place.number == 0 else ("3 cases were not judged",)
    _say(
        pipe,
        Started("a stand-in", "nothing", 10, 20 + place.number, (NOTE, *own)),
        Charted(POINTS),
        Covered(points),
        Ended(done, "time is up", modules, ("something stays",)),
    )


def saves_the_same(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Save the same finding as the other, and the second one a better case of it."""
    place = _place(settings)
    store = CrashStore(settings.corpus / "crashes", turns=place.shared / TURNS)
    context = Context("a stand-in", "25")
    if place.number:
        _await(place.shared / "saved")
    saved = store.save(case_of(f"{place.number}"), CRASH, context)
    (place.shared / "saved").touch()
    _say(pipe, Started("a stand-in", "nothing", 10, 2))
    if place.number:
        _say(pipe, Found(CRASH, str(saved.path), saved.new, 2))
        better = store.improve(case_of("better"), CRASH, context)
        _say(pipe, Refined(CRASH, str(better.path)), Ended(progress(1, 1.0, 0), "time is up"))
        (place.shared / "improved").touch()
        return
    # What is told late is of a place where the case is no more.
    _await(place.shared / "improved")
    _await(settings.corpus / "heard")  # that of the second one, first
    _say(pipe, Found(CRASH, str(saved.path), saved.new, 3), Refined(CRASH, str(saved.path)))
    _say(pipe, Ended(progress(1, 1.0, 0), "time is up"))


def one_finds(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Find something if it is the second worker's turn to; else go on until told to stop."""
    _say(pipe, Started("a stand-in", "nothing", 10, 2))
    if _place(settings).number == 1:
        _say(pipe, Found(OTHER, "path", new=True), Ended(progress(7, 1.0, 0), "a finding"))
        return
    _until_stopped(pipe)
    _say(pipe, Ended(progress(5, 1.0, 0), "stopped"))


def waits_for_stop(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Run until told to stop."""
    _say(pipe, Started("a stand-in", "nothing", 10, 2), progress(10, 1.0, 0))
    _until_stopped(pipe)
    _say(pipe, Ended(progress(20, 2.0, 0), "stopped"))


def second_dies_once(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Let the second worker be killed the first time; the first ends when all is over."""
    _write_down(settings)
    place = _place(settings)
    tally = Tally(place.shared / TALLY, place.number)
    _say(pipe, Started("a stand-in", "nothing", 10, 2))
    again = place.shared / "again"
    if place.number == 0:
        _await(place.shared / "done")
    elif not again.exists():
        again.touch()
        Board(place.shared / BOARD).tell(Earned(b"kept", ((1, 1),)))
        tally.played(30)
        _say(pipe, Found(OTHER, "path", True, 4), progress(30, 3.0, 0))
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        _say(pipe, Found(OTHER, "path", False, 2))
        (heard,) = Board(place.shared / BOARD).news()
        assert heard == Earned(b"kept", ((1, 1),))
        (place.shared / "done").touch()
    played = tally.played(20)
    _say(pipe, Ended(progress(20, 2.0, 0), f"{played} are played"))


def second_cannot_run(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Let the second worker say why nothing can be done; the first goes on until it is alone."""
    if _place(settings).number == 1:
        _say(pipe, Faulted("the disk is full", fatal=True))
        return
    try:
        while True:
            pipe.send(progress(1, 1.0, 0))
    except ConnectionError:
        (settings.corpus / "gone").touch()
