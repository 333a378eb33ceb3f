"""A seat: the place of one worker, taken by one process after the other if they are lost.

A worker is a process, since libFuzzer never gives its process back. One that dies (the engine
itself may crash, or be killed for memory) is replaced, with what is left of the budget; what it had
not judged is in its journal and comes first.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from fuzz.engines import link
from fuzz.errors import HarnessFault
from fuzz.events import Event, Progress, Started
from fuzz.settings import FuzzSettings, Place

#: Characters of a worker's log that are told: a sentence stays one.
_WORDS = 200

#: A worker says little: what it says all the time is not to fill the disk in a week.
_LOG_BYTES = 1024 * 1024
#: Who has run for so long does not die of what is wrong from the start: a campaign of days is not
#: to end with its third mishap.
_LONG_SECONDS = 600.0

#: What a worker's process runs: settings, its end of the pipe, the file for its output.
WorkerMain = Callable[[FuzzSettings, Connection, str], None]

NOTHING = Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0)


class Seat:
    """The seat of a worker that runs ``main`` with ``settings``; it writes into ``folder``."""

    def __init__(self, settings: FuzzSettings, main: WorkerMain, folder: Path) -> None:
        #: What all that sat here have come to.
        self.progress = NOTHING
        #: How many were lost one after the other without a new finding, the one that sits included.
        self.starts = 0
        #: Why the last one could not go on, in its own words.
        self.said = ""
        self._settings = settings
        self._main = main
        self._log = folder / "worker.log"
        self._base = NOTHING
        #: The cases that were judged before the first that sat here began, None until it told.
        self.judged_before: int | None = None
        self._hits: Counter[str] = Counter()
        self._earlier_hits: Counter[str] = Counter()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def name(self) -> str:
        """Return how the worker is called, where a sentence begins with it."""
        place = self._settings.place
        return "the worker" if place is None else f"worker {place.number + 1}"

    @property
    def pipe(self) -> Connection | None:
        """Return our end of the pipe to the worker; None while there is none."""
        return self._pipe

    def start(self) -> None:
        """Start a worker, with what those before it have left of the budget."""
        self._log.unlink(missing_ok=True)
        self._settings = _what_is_left(self._settings, self._base, self.progress)
        self._base, self.said = self.progress, ""
        self._earlier_hits.update(self._hits)
        self._hits.clear()
        self.starts += 1
        try:
            self._begin()
        except OSError as error:
            raise HarnessFault(
                f"{self.name} cannot be started: {error.strerror}; raise the limits on open files "
                "and on processes (ulimit -n, ulimit -u)"
            ) from None

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=self._main,
            args=(self._settings, theirs, str(self._log)),
            name="iris-fuzz-worker",
        )
        # An interrupt is ours to hear: until the worker says so itself, it hears none.
        signals = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        process.start()
        # Whoever stops us from now on knows of it.
        self._process, self._pipe = process, ours
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        theirs.close()

    def stop(self) -> None:
        """Tell the worker to end."""
        self._say(link.STOP)

    def pause(self, paused: bool) -> None:
        """Tell the worker to rest, or to go on."""
        self._say(link.PAUSE if paused else link.RESUME)

    def _say(self, word: str) -> None:
        # One that has ended already left its last events in the pipe.
        with suppress(ConnectionError):
            if self._pipe is not None:
                self._pipe.send(word)

    def next(self) -> Event | None:
        """Return the next event, waiting for it; None when the worker is gone."""
        try:
            event: Event | None = None if self._pipe is None else self._pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        return event

    def gone(self) -> bool:
        """Tell whether the worker is gone though its pipe does not say so."""
        process, pipe = self._process, self._pipe
        return process is None or pipe is None or not (process.is_alive() or pipe.poll())

    def leave(self) -> None:
        """Listen no longer: a worker that is still there learns from it that nobody does."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def end(self, seconds: float) -> str:
        """Wait for the end of the worker, and kill it after ``seconds``; return how it ended."""
        self.leave()
        process, self._process = self._process, None
        if process is None:
            return ""
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
        return self.said or _last_words(process.exitcode or 0, self._log)

    def began(self, started: Started) -> None:
        """Take in that a worker has begun: it knows how many cases those before it have judged."""
        if started.judged is None:
            return
        if self.judged_before is None:
            self.judged_before = started.judged
        judged = max(self._base.cases, started.judged - self.judged_before)
        self._base = replace(self._base, cases=judged)

    def takes(self, progress: Progress) -> None:
        """Take in the totals of the worker that sits here."""
        self.progress = added(self._base, progress)
        if progress.seconds >= _LONG_SECONDS:
            self.starts = 1  # what it dies of next was not there from the beginning
        self._trim_log()

    def _trim_log(self) -> None:
        """Keep the end of the log, if it has grown too long: it is appended to all the time."""
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            return  # a stand-in has none
        if size > _LOG_BYTES:
            with self._log.open("r+b") as file:
                file.seek(size - _LOG_BYTES // 2)
                rest = file.read()
                file.truncate(0)
            with self._log.open("ab") as file:
                file.write(rest)

    def hit(self, fingerprint: str, times: int) -> None:
        """Take in that the worker that sits here has seen a finding so often by now."""
        self._hits[fingerprint] = times

    def hits(self, fingerprint: str) -> int:
        """Return how often all that sat here have seen a finding."""
        return self._earlier_hits[fingerprint] + self._hits[fingerprint]


def settings_of(settings: FuzzSettings, place: Place) -> FuzzSettings:
    """Return the settings of the worker at a ``place`` among the ``jobs`` of a run.

    The first has the port that was asked for, and the system chooses those of the others. Each
    draws other random numbers, and the same ones in each run with one ``random_seed``.
    """
    if place.number == 0:
        return replace(settings, place=place)
    seed = settings.random_seed
    if seed is not None:
        seed = random.Random(f"{seed}/{place.number}").getrandbits(64)
    return replace(settings, target=replace(settings.target, port=0), random_seed=seed, place=place)


def added(base: Progress, more: Progress) -> Progress:
    """Return the totals of two that worked one after the other."""
    return replace(
        more,
        cases=base.cases + more.cases,
        points_covered=max(base.points_covered, more.points_covered),
        corpus=base.corpus + more.corpus,
        seconds=base.seconds + more.seconds,
        restarts=base.restarts + more.restarts,
        replays=base.replays + more.replays,
        recovering_seconds=base.recovering_seconds + more.recovering_seconds,
        reductions_per_byte=highest((base.reductions_per_byte, more.reductions_per_byte)),
    )


def highest(numbers: tuple[int | None, ...]) -> int | None:
    """Return the highest of the numbers that are there, None if none is."""
    return max((one for one in numbers if one is not None), default=None)


def _what_is_left(settings: FuzzSettings, before: Progress, after: Progress) -> FuzzSettings:
    """Return ``settings`` without what was spent since ``before``.

    Several workers count their cases together, and those of one that was lost with them.
    """
    seconds, cases = settings.seconds, settings.cases
    spent_seconds, spent_cases = after.seconds - before.seconds, after.cases - before.cases
    if seconds is not None and spent_seconds:
        seconds = max(1.0, seconds - spent_seconds)
    if cases is not None and spent_cases and settings.place is None:
        cases = max(1, cases - spent_cases)
    return replace(settings, seconds=seconds, cases=cases)


def _last_words(status: int, log: Path) -> str:
    """Return how a worker ended that told nothing itself, and what its log says of it.

    libFuzzer sums up why it gives up and then prints the input as well; elsewhere the last
    line is the one that tells most.
    """
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("SUMMARY: ")] or lines
    said = f"and said: {told[-1][:_WORDS]}" if told else "and said nothing"
    return f"it ended by {how} {said}"


def check_alike(seats: list[Seat]) -> None:
    """Raise :class:`HarnessFault` if the targets of workers differ in what is covered of them."""
    totals = {seat.progress.points_total for seat in seats if seat.progress.points_total}
    if len(totals) > 1:
        raise HarnessFault(
            f"the targets of the workers have {' and '.join(map(str, sorted(totals)))} coverage "
            "points, and should be alike"
        )
