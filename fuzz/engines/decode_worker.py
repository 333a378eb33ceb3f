"""The worker that calls a decoder: see :mod:`fuzz.engines.decoder` and :mod:`fuzz.engines.worker`.

Nothing is in a journal here: what was asked when the harness is killed is lost, and asked for again
within the second; what was found is saved before anything else is asked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from fuzz.case import StepKind, decode_case, encode_case
from fuzz.clock import SystemClock
from fuzz.engines.arbiter import Shown
from fuzz.engines.course import Course
from fuzz.engines.decoder import DecoderEngine, case_of
from fuzz.engines.libfuzzer import MAX_BYTES, byte_mutate, fuzz
from fuzz.engines.link import GoneError, Link, be_a_worker, modules_of, write_seeds
from fuzz.errors import HarnessFault
from fuzz.events import Ended, Found, Progress, Refined, Started
from fuzz.finding import Finding
from fuzz.generate.payload import PayloadMutator
from fuzz.rig import rig_of
from fuzz.settings import FuzzSettings
from fuzz.store.corpus import EvolvedCorpus, load_seeds
from fuzz.store.crashes import CrashStore
from fuzz.watchdog.decoding import find
from grammar import ClientOpcode

#: The folder of a corpus for what a decoder has shown to be interesting.
FOLDER = "decoder"


class DecodeWorker:
    """One run that calls a decoder, in this process; :meth:`run` never returns."""

    def __init__(self, settings: FuzzSettings, pipe: Connection, folder: Path) -> None:
        """Take the corpus; ``folder`` is the run's own, and goes away with the campaign."""
        if settings.decoder is None:
            raise HarnessFault("a run without a decoder was given to the worker that calls one")
        self._folder = folder
        self._settings = settings
        self._decoder = settings.decoder
        self._link = Link(pipe, self._clean_up)
        self._course = Course(settings, self._link, SystemClock())
        self._rig = rig_of(settings.target)
        self._store = CrashStore(settings.corpus / "crashes")
        self._kept = EvolvedCorpus(settings.corpus / FOLDER)
        self._engine: DecoderEngine
        #: What was told, by fingerprint: the finding, and where it is.
        self._told: dict[str, tuple[Finding, Path]] = {}

    def run(self, awake: bool) -> NoReturn:
        """Start the target, ask its decoder until the budget is spent, and end the process.

        ``awake`` tells whether the processors are kept from sleeping.
        """
        loaded = load_seeds(self._settings.seeds)
        seeds = list(dict.fromkeys(_payloads(data for _, data in loaded.seeds)))
        self._rig.start()
        try:
            find(self._rig, self._decoder)
        except BaseException:  # whatever it is, it must leave no node behind
            self._rig.stop()
            raise
        self._engine = DecoderEngine(
            self._rig,
            self._decoder,
            self._settings.meaning,
            PayloadMutator(random.Random(self._settings.random_seed), byte_mutate),
            self._kept,
            self._found,
            self._course.recovered,
            self._after_batch,
            seeds,
            self._settings.feedback,
            random.Random(self._settings.random_seed),
        )
        notes = [*self._store.problems(), *loaded.problems, *self._rig.notes]
        if not awake:
            notes.append("processors may sleep between steps, which costs speed; see the manual")
        self._link.emit(
            Started(
                target=f"{self._decoder} in {self._rig.target.name}",
                guided_by="BEAM coverage"
                if self._settings.feedback
                else "nothing (BEAM coverage is only measured)",
                points_total=len(self._rig.points),
                seeds=len(seeds),
                notes=tuple(notes),
                nodes=self._rig.nodes,
                decoder=str(self._decoder),
            )
        )
        self._course.begin()
        listing = write_seeds(self._folder, seeds)
        fuzz(self._engine, listing, self._settings.dictionary, self._failed)
        raise SystemExit(0)

    # What the engine calls back.

    def _found(self, shown: Shown) -> None:
        """Save a finding before anything else happens, then tell the campaign."""
        finding, case = _told(shown), encode_case(case_of(shown.inputs))
        context = self._rig.context(self._settings.target)
        fingerprint = finding.fingerprint
        if fingerprint in self._told:
            saved = self._store.improve(case, finding, context)
            self._link.emit(Refined(finding, str(saved.path)))
        else:
            saved = self._store.save(case, finding, context)
            self._link.emit(self._progress())  # what was spent until then
            self._link.emit(Found(finding, str(saved.path), saved.new))
        self._told[fingerprint] = finding, saved.path

    def _after_batch(self) -> None:
        """Look at the budget and at the pipe; end the process when it is time."""
        self._course.tell(self._progress)
        self._course.rest()
        asked = self._engine.totals.inputs
        reason = self._course.over(bool(self._told), asked, "all inputs are asked for")
        if reason:
            self._end(reason)

    def _failed(self, error: BaseException) -> NoReturn:
        """End the process: the engine cannot go on, or nobody listens to it any more."""
        if isinstance(error, GoneError):
            self._end("the campaign is gone")
        self._link.failed(error, self._rig.target.restartable)

    def _end(self, reason: str) -> NoReturn:
        """End the run: its last events carry the totals."""
        last: list[Found | Ended] = []
        for fingerprint, (finding, path) in self._told.items():
            times = self._engine.arbiter.hits[fingerprint]
            if times > 1:
                self._store.count(finding, times - 1)
                last.append(Found(finding, str(path), False, times))
        modules = {name: of for name, of in self._modules().items() if of[0]}
        self._link.leave([*last, Ended(self._progress(), reason, modules)])

    def _modules(self) -> dict[str, tuple[int, int]]:
        return modules_of(self._rig.points, self._engine.covered())

    def _clean_up(self) -> None:
        """Stop the target, and write what is only in memory."""
        self._rig.stop()
        self._store.flush()

    def _progress(self) -> Progress:
        engine = self._engine
        return Progress(
            cases=engine.totals.inputs,
            seconds=self._course.seconds(),
            points_covered=engine.points_covered,
            points_total=len(self._rig.points),
            corpus=engine.totals.kept,
            restarts=self._course.restarts,
            replays=engine.arbiter.repeated,
            recovering_seconds=self._course.recovering_seconds,
        )


def _payloads(cases: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what the clients of ``cases`` send: their segments, and their LOGIN frames."""
    for case in map(decode_case, cases):
        for step in case.steps:
            if step.kind is StepKind.LOGIN:
                yield (bytes([ClientOpcode.LOGIN]) + step.data)[:MAX_BYTES]
            elif step.kind is StepKind.SEND and step.data:
                yield step.data[:MAX_BYTES]


def _told(shown: Shown) -> Finding:
    """Return the finding, with how often its input showed it."""
    rate = f"{shown.reproduced} of {shown.plays}" if shown.plays else "not asked for by itself"
    remark = {"remark": shown.remark} if shown.remark else {}
    evidence = {**shown.finding.evidence, "reproduced": rate, **remark}
    return replace(shown.finding, evidence=evidence)


def main(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Run a worker in a fresh process; what libFuzzer says goes to the file ``log``."""
    be_a_worker(pipe, log, lambda awake: DecodeWorker(settings, pipe, Path(log).parent).run(awake))
