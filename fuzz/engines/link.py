"""The process of a worker, and its link to the campaign that started it.

libFuzzer never gives its process back, so each engine has one of its own. Events go to the campaign
through a pipe, and from it words come back: to stop, to pause, to go on. When the pipe breaks the
campaign is gone, and the worker ends as well.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from fuzz.descriptors import check_open_files
from fuzz.errors import AgentError, HarnessFault, IrisFuzzError, StoreError, TargetError
from fuzz.events import Event, Faulted
from fuzz.node import Point
from fuzz.store.atomic import write_atomic
from fuzz.wakeful import awake

#: What the campaign sends: to end a worker, to let it rest, and to let it go on.
STOP, PAUSE, RESUME = "stop", "pause", "resume"
#: EX_SOFTWARE of sysexits.h: the worker itself is at fault.
_FAULT_STATUS = 70


class GoneError(Exception):
    """The campaign at the other end of the pipe is gone."""


class Link:
    """A worker's end of the pipe; ``clean_up`` is done before the process ends."""

    def __init__(self, pipe: Connection, clean_up: Callable[[], None]) -> None:
        self._pipe = pipe
        self._clean_up = clean_up
        self._stopping = self._pausing = False

    def emit(self, event: Event) -> None:
        """Tell the campaign; raise :class:`GoneError` if it is gone."""
        try:
            self._pipe.send(event)
        except ConnectionError:
            raise GoneError from None

    def told_to_stop(self) -> bool:
        """Tell whether the campaign has asked for the end; raise :class:`GoneError` as above."""
        self._listen()
        return self._stopping

    def told_to_rest(self, seconds: float = 0.0) -> bool:
        """Tell whether nothing is to be played; another word is waited for for ``seconds``."""
        self._listen(seconds)
        return self._pausing and not self._stopping

    def _listen(self, seconds: float = 0.0) -> None:
        try:
            while self._pipe.poll(seconds):
                word, seconds = self._pipe.recv(), 0.0
                self._stopping = self._stopping or word == STOP
                self._pausing = word == PAUSE
        except (ConnectionError, EOFError):
            raise GoneError from None

    def failed(self, error: BaseException, starts_target: bool = False) -> NoReturn:
        """Tell the campaign why the engine cannot go on, and end the process.

        After a fault of the harness nothing says that the run has ended: the campaign sees
        a worker that died, and replaces it. So it is where a target did not come back that is
        started here: the next worker ``starts_target`` from nothing once more, and what it says if
        that fails is the end.
        """
        again = (AgentError, HarnessFault, *((TargetError,) if starts_target else ()))
        fatal = isinstance(error, IrisFuzzError) and not isinstance(error, again)
        if not fatal:
            traceback.print_exception(error)
        self.leave([Faulted(sentence_of(error), fatal)], status=_FAULT_STATUS)

    def leave(self, last: Sequence[Event], status: int = 0) -> NoReturn:
        """Clean up, say ``last``, and go without libFuzzer's own farewell."""
        try:
            try:
                self._clean_up()
            except StoreError as error:
                last = [Faulted(str(error), fatal=True), *last]
            with suppress(GoneError):
                for event in last:
                    self.emit(event)
        finally:
            sys.stderr.flush()
            os._exit(status)


def sentence_of(error: BaseException) -> str:
    """Return what to tell a person about ``error``: its own sentence if it is one of ours."""
    if isinstance(error, IrisFuzzError):
        return str(error)
    return f"a fault in the harness itself: {type(error).__name__}: {error}"


def modules_of(points: Sequence[Point], covered: Sequence[int]) -> dict[str, tuple[int, int]]:
    """Return for each module how many of its points were hit, and how many it has."""
    total = Counter(point.module for point in points)
    hit = Counter(points[index].module for index in covered)
    return {module: (hit[module], total[module]) for module in sorted(total)}


def be_a_worker(pipe: Connection, log: str, run: Callable[[bool], NoReturn]) -> None:
    """Be the process of a worker: ``run`` it, and let what libFuzzer says go to the file ``log``.

    ``run`` is told whether the processors are kept from sleeping.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the campaign says when to stop
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    with awake() as granted:
        try:
            check_open_files()
            run(granted)
        except IrisFuzzError as error:
            pipe.send(Faulted(str(error), fatal=True))


def write_seeds(folder: Path, seeds: Sequence[bytes]) -> Path:
    """Write the seeds as files and return the file that lists them, commas between."""
    if "," in str(folder):
        raise StoreError(f"{folder} has a comma in its name; set TMPDIR to a folder without")
    paths = []
    for number, data in enumerate(seeds):
        path = folder / f"{number:06}"
        write_atomic(path, data, durable=False)
        paths.append(str(path))
    listing = folder / "listing"
    # libFuzzer takes a list apart from its end, and plays it so.
    write_atomic(listing, ",".join(reversed(paths)).encode(), durable=False)
    return listing
