"""The campaign: starts a worker, listens to it, and yields what happened as events.

A worker is a process, since libFuzzer never gives its process back. One that dies (the
engine itself may crash, or be killed for memory) is replaced, with what is left of the
budget; what it had not judged is in the journal and comes first.
"""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from fuzz.clock import Clock, SystemClock
from fuzz.engines import decode_worker, link, worker
from fuzz.errors import HarnessFault, IrisFuzzError
from fuzz.events import Decoded, Ended, Event, Faulted, Found, Progress
from fuzz.scratch import scratch_prefix
from fuzz.settings import FuzzSettings

#: A worker that dies this often without a finding does so for a reason that stays.
_MOST_WORKERS = 3
#: A stop waits for the batch in flight, a recovery perhaps, and the node's clean end.
_STOP_SECONDS = 60.0
#: How often a silent pipe is looked at, in seconds: only a liveness check.
_LOOK_SECONDS = 1.0
#: Characters of a worker's log that are told: a sentence stays one.
_WORDS = 200

#: What a worker's process runs: settings, its end of the pipe, the file for its output.
WorkerMain = Callable[[FuzzSettings, Connection, str], None]


@dataclass(slots=True)
class _Child:
    process: BaseProcess
    pipe: Connection


class Campaign:
    """One run of ``settings``. Iterate :meth:`events`; :meth:`stop` ends it early.

    ``worker_main`` runs in the worker's process: what ``settings`` ask for if None, or what a
    test puts in its place.
    """

    def __init__(
        self,
        settings: FuzzSettings,
        clock: Clock | None = None,
        worker_main: WorkerMain | None = None,
    ) -> None:
        self._settings = settings
        self._worker_main = worker_main or _worker_for(settings)
        self._clock = clock or SystemClock()
        self._child: _Child | None = None
        self._stopping_since: float | None = None
        self._status = 0

    def stop(self) -> None:
        """Ask for the end: events go on until the last one, an :class:`Ended`."""
        if self._stopping_since is None:
            self._stopping_since = self._clock.now()
            if self._child is not None:
                _say(self._child, link.STOP)

    def events(self) -> Generator[Event, None, None]:
        """Yield the events of the run; raise :class:`IrisFuzzError` when it can't go on."""
        settings, last = self._settings, Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0)
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("run")) as folder:
            log = Path(folder) / "worker.log"
            deaths, why, found = 0, "", False
            while deaths < _MOST_WORKERS:
                base, said = last, ""
                deaths += 1
                log.unlink(missing_ok=True)
                for event in self._one_worker(settings, log):
                    if isinstance(event, Progress):
                        last = _sum(base, event)
                        yield last
                    elif isinstance(event, Ended):
                        yield replace(event, progress=_sum(base, event.progress))
                        return
                    elif isinstance(event, Faulted):
                        said = event.sentence
                    else:
                        if isinstance(event, Found):
                            found, deaths = True, 0 if event.new else deaths
                        yield event
                if self._stopping_since is not None:
                    yield Ended(last, "stopped")
                    return
                why = said or _last_words(self._status, log)
                yield Faulted(f"the worker was lost: {why}")
                if found and settings.until_finding:
                    # Another worker would know nothing of it, and wait for one of its own.
                    yield Ended(last, "a finding")
                    return
                settings = _what_is_left(settings, last)
            raise HarnessFault(f"the worker was lost {_MOST_WORKERS} times, lastly: {why}")

    def _one_worker(self, settings: FuzzSettings, log: Path) -> Iterator[Event]:
        """Yield the events of one worker until it ends or dies."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=self._worker_main, args=(settings, theirs, str(log)), name="iris-fuzz-worker"
        )
        # An interrupt is ours to hear: until the worker says so itself, it hears none.
        signals = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        theirs.close()
        self._child = _Child(process, ours)
        if self._stopping_since is not None:
            _say(self._child, link.STOP)
        try:
            while (event := self._next(self._child)) is not None:
                if isinstance(event, Faulted) and event.fatal:
                    raise IrisFuzzError(event.sentence)
                yield event
        finally:
            self._child = None
            # A worker that is still there learns from it that nobody listens any more.
            ours.close()
            self._end(process)

    def _next(self, child: _Child) -> Event | None:
        """Return the next event, or None when the worker is gone."""
        while not child.pipe.poll(_LOOK_SECONDS):
            since = self._stopping_since
            if since is not None and self._clock.now() - since > _STOP_SECONDS:
                return None
            if not child.process.is_alive() and not child.pipe.poll():
                return None
        try:
            event: Event = child.pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        return event

    def _end(self, process: BaseProcess) -> None:
        process.join(_STOP_SECONDS if self._stopping_since is None else 5.0)
        if process.is_alive():
            process.kill()
            process.join()
        self._status = process.exitcode or 0


class DecoderFirst:
    """A run that calls the decoder for a while, and goes on from what was interesting there.

    It is iterated and stopped as a :class:`Campaign`. ``first`` names a decoder; ``then`` does not,
    and starts from its own seeds and those that the first has put into its corpus.
    """

    def __init__(
        self,
        first: FuzzSettings,
        then: FuzzSettings,
        make_campaign: Callable[[FuzzSettings], Campaign] = Campaign,
    ) -> None:
        self._then = then
        self._make_campaign = make_campaign
        self._campaign = make_campaign(first)
        self._seeds = first.corpus / decode_worker.FOLDER
        self._stopped = False

    def stop(self) -> None:
        """Ask for the end: of both parts, if it is the first that runs."""
        self._stopped = True
        self._campaign.stop()

    def events(self) -> Generator[Event, None, None]:
        """Yield the events of both parts, with a :class:`Decoded` between them."""
        found = over = False
        for event in self._campaign.events():
            found = found or isinstance(event, Found)
            over = self._stopped or (found and self._then.until_finding)
            if not isinstance(event, Ended) or over:
                yield event
            else:
                done = event.progress
                yield Decoded(done.cases, done.seconds, done.corpus)
        if over:
            return
        self._campaign = self._make_campaign(
            replace(self._then, seeds=(*self._then.seeds, self._seeds))
        )
        if self._stopped:
            self._campaign.stop()
        yield from self._campaign.events()


def _worker_for(settings: FuzzSettings) -> WorkerMain:
    return worker.main if settings.decoder is None else decode_worker.main


def _say(child: _Child, word: str) -> None:
    # A worker that has ended already left its last events in the pipe.
    with suppress(ConnectionError):
        child.pipe.send(word)


def _sum(base: Progress, more: Progress) -> Progress:
    return replace(
        more,
        cases=base.cases + more.cases,
        points_covered=max(base.points_covered, more.points_covered),
        corpus=base.corpus + more.corpus,
        seconds=base.seconds + more.seconds,
        restarts=base.restarts + more.restarts,
        replays=base.replays + more.replays,
        recovering_seconds=base.recovering_seconds + more.recovering_seconds,
        reductions_per_byte=_higher(base.reductions_per_byte, more.reductions_per_byte),
    )


def _higher(a: int | None, b: int | None) -> int | None:
    return max((one for one in (a, b) if one is not None), default=None)


def _what_is_left(settings: FuzzSettings, spent: Progress) -> FuzzSettings:
    seconds, cases = settings.seconds, settings.cases
    return replace(
        settings,
        seconds=None if seconds is None else max(1.0, seconds - spent.seconds),
        cases=None if cases is None else max(1, cases - spent.cases),
    )


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
