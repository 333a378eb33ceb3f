"""The campaign: starts its workers, listens to them, and yields what happened as events."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from multiprocessing import connection
from pathlib import Path

from fuzz.campaign.seat import Seat, WorkerMain, settings_of
from fuzz.campaign.staleness import Staleness
from fuzz.campaign.totals import Totals
from fuzz.clock import Clock, SystemClock, span
from fuzz.engines import board, decode_worker, worker
from fuzz.errors import HarnessFault, IrisFuzzError, StoreError
from fuzz.events import (
    Charted,
    Covered,
    Ended,
    Event,
    Faulted,
    Found,
    Gauged,
    Progress,
    Refined,
    Started,
)
from fuzz.scratch import scratch_prefix
from fuzz.settings import FuzzSettings, Place
from fuzz.store.atomic import store_error
from fuzz.store.crashes import CrashStore

#: A worker that dies this often without a finding does so for a reason that stays.
_MOST_WORKERS = 3
#: A stop waits for the batch in flight, a recovery perhaps, and the node's clean end.
_STOP_SECONDS = 60.0
#: One that was told to stop so long ago does not need as long again.
_LAST_SECONDS = 5.0
#: How often silent pipes are looked at, in seconds: only a liveness check.
_LOOK_SECONDS = 1.0


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
        self._seats: list[Seat] = []
        self._paused = False
        #: When the end was asked for, by whoever runs this or by a finding.
        self._stopping_since: float | None = None
        #: Why the run is to end, where no worker has said so.
        self._reason = "stopped"
        self._staleness = Staleness(settings.until_stale, self._clock)
        self._found = False

    def stop(self) -> None:
        """Ask for the end: events go on until the last one, an :class:`Ended`."""
        if self._stopping_since is None:
            self._stopping_since = self._clock.now()
            for seat in self._seats:
                seat.stop()

    def pause(self, paused: bool) -> None:
        """Let the workers rest once what they play is judged, or go on; that time is not spent."""
        self._paused = paused
        self._staleness.pause(paused)
        for seat in self._seats:
            seat.pause(paused)

    def events(self) -> Generator[Event, None, None]:
        """Yield the events of the run; raise :class:`IrisFuzzError` when it can't go on."""
        with _own_folder() as folder:
            known = self._known_before()
            self._seats = self._make_seats(Path(folder), known)
            totals = Totals(self._seats, known)
            try:
                for seat in self._seats:
                    self._start(seat)
                while any(seat.pipe for seat in self._seats):
                    for seat in self._heard():
                        for event in self._take(seat, totals):
                            self._staleness.take(event)
                            yield event
                    self._look_for_stale(totals)
                yield from totals.start()
                yield from totals.news()
                if len(self._seats) > 1:
                    yield from totals.settled(self._store().known())
                yield totals.end(self._reason)
            finally:
                for seat in self._seats:
                    seat.leave()
                for seat in self._seats:
                    seat.end(self._patience())

    def _look_for_stale(self, totals: Totals) -> None:
        if self._stopping_since is None and self._staleness.over():
            totals.ends_by(f"nothing new for {span(self._settings.until_stale or 0.0)}")
            self.stop()

    def _make_seats(self, folder: Path, known: frozenset[str]) -> list[Seat]:
        settings, main = self._settings, self._worker_main
        if settings.jobs == 1:
            return [Seat(settings, main, folder)]
        (folder / worker.BOARD).mkdir()
        board.Tally.make(folder / worker.TALLY, settings.jobs)
        seats = []
        for number in range(settings.jobs):
            own = folder / f"worker-{number + 1}"
            own.mkdir()
            seats.append(Seat(settings_of(settings, Place(number, folder, known)), main, own))
        return seats

    def _known_before(self) -> frozenset[str]:
        """Return the fingerprints that none of several workers finds as a new one."""
        return frozenset(self._store().known() if self._settings.jobs > 1 else ())

    def _store(self) -> CrashStore:
        return CrashStore(self._settings.corpus / "crashes")

    def _start(self, seat: Seat) -> None:
        seat.start()
        if self._paused:
            seat.pause(True)
        if self._stopping_since is not None:
            seat.stop()

    def _heard(self) -> list[Seat]:
        """Return seats of which there is something to take: an event, or that nobody sits there."""
        seats = {seat.pipe: seat for seat in self._seats if seat.pipe is not None}
        ready = connection.wait(list(seats), _LOOK_SECONDS)
        if ready:
            return [seat for pipe, seat in seats.items() if pipe in ready]
        since = self._stopping_since
        if since is not None and self._clock.now() - since > _STOP_SECONDS:
            for seat in seats.values():
                seat.leave()
            return list(seats.values())
        return [seat for seat in seats.values() if seat.gone()]

    def _take(self, seat: Seat, totals: Totals) -> Iterator[Event]:
        """Take one event of a worker, or its end; yield what there is to tell."""
        event = seat.next()
        if event is None:
            yield from self._lost(seat, totals)
        elif isinstance(event, Started):
            seat.began(event)
            yield from totals.started(seat, event)
            yield from totals.news()
        elif isinstance(event, Charted):
            totals.charted(event)
            yield from totals.news()
        elif isinstance(event, Covered):
            totals.covered(event)
            yield from totals.news()
        elif isinstance(event, Gauged):
            if not totals.waiting:
                yield event
        elif isinstance(event, Progress):
            seat.takes(event)
            if not totals.waiting:
                yield totals.progress()
        elif isinstance(event, Faulted):
            if event.fatal:
                raise IrisFuzzError(event.sentence)
            seat.said = event.sentence
        elif isinstance(event, Ended):
            totals.ended(seat, event)
            seat.leave()
            if self._settings.until_finding and any(other.pipe for other in self._seats):
                self.stop()  # whatever ended this one: the rest of the time is for nothing
        else:
            yield from totals.start()
            if isinstance(event, Found):
                self._found, seat.starts = True, 0 if event.new else seat.starts
                event = totals.found(seat, event)
            elif isinstance(event, Refined):
                totals.refined(event)
            yield event

    def _lost(self, seat: Seat, totals: Totals) -> Iterator[Event]:
        """Replace a worker that is gone without an end of the run."""
        why = seat.end(self._patience())
        if self._stopping_since is not None:
            return
        yield from totals.start()
        yield Faulted(f"{seat.name} was lost: {why}")
        if self._found and self._settings.until_finding:
            # Another worker would know nothing of it, and wait for one of its own.
            self._reason = "a finding"
            self.stop()
        elif seat.starts >= _MOST_WORKERS:
            raise HarnessFault(f"{seat.name} was lost {_MOST_WORKERS} times, lastly: {why}")
        else:
            self._start(seat)

    def _patience(self) -> float:
        """Return how many seconds a worker may take that nobody listens to any more."""
        return _STOP_SECONDS if self._stopping_since is None else _LAST_SECONDS


def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of a run; it goes away with it.

    Where that is not possible, without descriptors for one, the next run removes it: why this one
    has ended is not to be hidden by it.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:  # whatever the reason is: all folders were tried
        raise StoreError(
            "no temporary file can be written anywhere: make room, raise the limit on file sizes "
            "(ulimit -f), or name a folder that takes files by TMPDIR"
        ) from None
    try:
        return tempfile.TemporaryDirectory(prefix=scratch_prefix("run"), ignore_cleanup_errors=True)
    except OSError as error:
        raise store_error(Path(os.environ.get("TMPDIR", "/tmp")), "used", error) from None


def _worker_for(settings: FuzzSettings) -> WorkerMain:
    return worker.main if settings.decoder is None else decode_worker.main
