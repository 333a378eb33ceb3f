"""A worker without a target that keeps everything as a real one does.

Its cases are numbers, each of which covers a point and is kept if that is a new one; some show one
of two findings.
"""

from __future__ import annotations

from collections import Counter
from multiprocessing.connection import Connection
from typing import NoReturn

from fuzz.case import Case, Step, StepKind, decode_case, encode_case
from fuzz.clock import SystemClock
from fuzz.engines.course import Course
from fuzz.engines.link import GoneError, Link, be_a_worker
from fuzz.events import Charted, Covered, Ended, Event, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import Point
from fuzz.settings import FuzzSettings
from fuzz.store.corpus import EvolvedCorpus, load_seeds
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.journal import Journal

BATCH = 5
POINTS = tuple(Point("m", "f", 0, line, "case") for line in range(500))
FINDINGS = (
    Finding(Kind.HANG, "nothing came", Cause("hang")),
    Finding(Kind.LEAK, "rows stay", Cause("leak")),
)
#: The cases that show them, by the rest of their number to fifty.
SHOWS = {20: FINDINGS[0], 40: FINDINGS[1]}


def case_of(number: int) -> bytes:
    return encode_case(Case((Step(StepKind.SEND, 0, b"%d" % number),)))


def number_of(case: bytes) -> int:
    return int(decode_case(case).steps[0].data)


class StoringWorker:
    """Plays the cases that follow those that were judged, first what was not."""

    def __init__(self, settings: FuzzSettings, pipe: Connection) -> None:
        self._settings = settings
        self.link = Link(pipe, self._clean_up)
        self._course = Course(settings, self.link, SystemClock())
        self._store = CrashStore(settings.corpus / "crashes")
        self._journal = Journal.open(settings.corpus / "journal", segment_bytes=8 * 1024)
        self._evolved = EvolvedCorpus(settings.corpus / "evolved")
        self._cases = self._kept = 0
        self._hits: Counter[str] = Counter()
        self._covered: set[int] = set()
        self._fresh: list[int] = []

    def run(self) -> NoReturn:
        unjudged = self._journal.unjudged()
        before = self._journal.judged_cases
        self.link.emit(Started("a stand-in", "nothing", len(POINTS), 0, judged=before))
        self.link.emit(Charted(POINTS))
        self._course.begin()
        for _, case in load_seeds([self._settings.corpus / "evolved"]).seeds:
            self._cover(number_of(case) % len(POINTS))
        if unjudged:
            self._play(unjudged)
        while True:
            number = before + self._cases
            self._play([case_of(number + one) for one in range(BATCH)])

    def _play(self, cases: list[bytes]) -> None:
        number = self._journal.begin(cases)
        for case in cases:
            self._look_at(number_of(case))
        self._journal.judged(number, len(cases))
        self._cases += len(cases)
        self._course.tell(self._told)
        reason = self._course.over(False, self._cases, "all cases are played")
        if reason:
            self.link.leave([*self._news(), Ended(self._progress(), reason)])

    def _look_at(self, number: int) -> None:
        point = number % len(POINTS)
        if point not in self._covered:
            self._cover(point)
            self._kept += self._evolved.add(case_of(number)) is not None
        finding = SHOWS.get(number % 50)
        if finding is not None:
            saved = self._store.save(case_of(number), finding, Context("a stand-in", "25"))
            self._hits[finding.fingerprint] += 1
            hits = self._hits[finding.fingerprint]
            self.link.emit(Found(finding, str(saved.path), saved.new, hits))

    def _cover(self, point: int) -> None:
        self._covered.add(point)
        self._fresh.append(point)

    def _told(self) -> Progress:
        for event in self._news():
            self.link.emit(event)
        return self._progress()

    def _news(self) -> list[Event]:
        fresh, self._fresh = tuple(self._fresh), []
        return [Covered({"m": fresh})] if fresh else []

    def _progress(self) -> Progress:
        seconds, covered = self._course.seconds(), len(self._covered)
        return Progress(self._cases, seconds, covered, len(POINTS), self._kept, 0, 0, 0.0)

    def _clean_up(self) -> None:
        self._store.flush()
        self._journal.close()


def main(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Be the worker."""
    be_a_worker(pipe, log, lambda _: _run(StoringWorker(settings, pipe)))


def _run(worker: StoringWorker) -> NoReturn:
    try:
        worker.run()
    except GoneError:
        worker.link.leave([])
    except Exception as error:  # noqa: BLE001 - as at the boundary to libFuzzer
        worker.link.failed(error)
