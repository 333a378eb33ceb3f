"""The worker: the child process of a campaign that libFuzzer takes over.

It owns the target, so that a campaign of several workers is several of these, and saves
findings itself, at once. To the campaign it sends events through a pipe, and from it it
hears one word: stop. When the pipe breaks the campaign is gone, and it ends as well. What
several workers tell one another goes over a board (:mod:`fuzz.engines.board`).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from fuzz.beam.covered import without_points
from fuzz.case import Case, decode_case, encode_case
from fuzz.clock import SystemClock
from fuzz.engines.board import Barred, Board, Tally
from fuzz.engines.course import Course
from fuzz.engines.coverage import CoverageEngine
from fuzz.engines.elusive import Elusive
from fuzz.engines.libfuzzer import MAX_BYTES, byte_mutate, fuzz
from fuzz.engines.link import GoneError, Link, be_a_worker, modules_of, write_seeds
from fuzz.events import (
    Charted,
    Covered,
    Dismissed,
    Ended,
    Event,
    Found,
    Gauged,
    Progress,
    Refined,
    Started,
)
from fuzz.finding import Finding, Kind
from fuzz.generate.edges import spread_seeds
from fuzz.generate.mutate import Mutator
from fuzz.processors import stay
from fuzz.rig import rig_of
from fuzz.settings import FAMILIES, FuzzSettings, Place
from fuzz.store.corpus import EvolvedCorpus, load_seeds
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.journal import Journal, journal_of, left_behind
from fuzz.triage.brief import brief, made_small
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.watchdog import Watchdog

#: Cases among which the cause of a late effect is looked for: four seconds of a campaign.
_RECENT = 8_192
#: A case whose play takes longer is made small by ``iris-fuzz tmin``: the campaign goes on.
_QUICK_SECONDS = 2.0
#: The counts of nodes go out at most this often: what a curve of them can show.
_GAUGE_SECONDS = 1.0
#: What only an agent can tell of a target.
_UNSEEN = ("coverage", "crash reports", "leaks", "the end of the node", "what it is busy with")
#: What is in the folder that several workers share: their board, how many cases they have played,
#: and the file by which they take turns at saving findings.
BOARD, TALLY, TURNS = "board", "tally", "turns"


class Worker:
    """One fuzzing run in this process; :meth:`run` never returns."""

    def __init__(self, settings: FuzzSettings, pipe: Connection, folder: Path) -> None:
        """Take the corpus; ``folder`` is the run's own, and goes away with the campaign."""
        self._folder = folder
        self._settings = settings
        self._link = Link(pipe, self._clean_up)
        self._course = Course(settings, self._link, SystemClock())
        self._rig = rig_of(settings.target)
        place = settings.place
        turns = None if place is None else place.shared / TURNS
        self._store = CrashStore(settings.corpus / "crashes", turns=turns)
        self._journal = _journal(settings.corpus / "journal", place, settings.jobs)
        self._board = None if place is None else Board(place.shared / BOARD)
        self._tally = None if place is None else Tally(place.shared / TALLY, place.number)
        self._evolved = EvolvedCorpus(settings.corpus / "evolved")
        self._watchdog = Watchdog(self._rig)
        self._engine: CoverageEngine
        self._found: Counter[str] = Counter()
        #: What was told, by fingerprint and kind.
        self._told: dict[tuple[str, Kind], Finding] = {}
        self._elusive = Elusive()
        #: What another worker was the first to find in this run, and looks into.
        self._elsewhere: set[tuple[str, Kind]] = set()
        #: Points that were told to be covered.
        self._covered: set[int] = set()
        #: When the counts of the nodes were told last, in seconds of the run.
        self._gauged_at = float("-inf")

    def run(self, awake: bool) -> NoReturn:
        """Start the target, fuzz it until the budget is spent, and end the process.

        ``awake`` tells whether the processors are kept from sleeping.
        """
        loaded = load_seeds(self._settings.seeds)
        unjudged = self._journal.unjudged()
        if self._settings.place is not None:
            stay(self._settings.place.number, self._settings.jobs)
        self._rig.start()
        edges = len(self._rig.endpoint.edges())
        offered = dict.fromkeys([*unjudged, *(data for _, data in loaded.seeds)])
        offered |= dict.fromkeys(spread_seeds(offered, edges))
        seeds = [data for data in offered if len(data) <= MAX_BYTES]
        watchdog = self._watchdog
        investigator = Investigator(
            self._rig,
            watchdog,
            self._known,
            self._course.recovered,
            self._recent,
            self._course.overdue,
            self._made_small,
        )
        self._engine = CoverageEngine(
            self._rig,
            watchdog,
            investigator,
            Mutator(
                random.Random(self._settings.random_seed),
                byte_mutate,
                edges=edges,
                families=self._settings.families,
            ),
            self._journal,
            self._evolved,
            self._attributed,
            self._after_batch,
            seeds,
            self._settings.feedback,
            random.Random(self._settings.random_seed),
            climb=self._settings.maximise == "cost",
            board=self._board,
            trims="steps" in (self._settings.families or FAMILIES),
        )
        notes = [*self._store.problems(), *self._journal.notes(), *loaded.problems]
        if len(seeds) < len(offered):
            left_out = len(offered) - len(seeds)
            notes.append(f"{left_out} seeds are longer than {MAX_BYTES} bytes and are left out")
        if not awake:
            notes.append("processors may sleep between steps, which costs speed; see the manual")
        self._link.emit(self._start_event(len(seeds), len(unjudged), notes))
        if self._rig.points:
            self._link.emit(Charted(self._rig.points))
        self._course.begin()
        listing = write_seeds(self._folder, seeds)
        fuzz(self._engine, listing, self._settings.dictionary, self._failed)
        raise SystemExit(0)

    def _start_event(self, seeds: int, unjudged: int, notes: list[str]) -> Started:
        notes += self._rig.notes
        if unjudged:
            notes.append(
                f"{unjudged} cases were not judged when the last run ended: they come first"
            )
        blind = self._rig.agent is None
        if blind:
            notes.append(
                f"there is no agent in this target: {', '.join(_UNSEEN)} cannot be seen, and the "
                "search is guided by the shape of the replies alone; for a node of this machine, "
                "--node NAME brings one in"
            )
        elif not self._rig.points:
            notes.append(without_points(self._settings.target.coverage, self._rig.notes))
        guide = "BEAM coverage" if self._rig.points else "replies"
        return Started(
            target=self._rig.target.name,
            guided_by=guide if self._settings.feedback else f"nothing ({guide} is only measured)",
            points_total=len(self._rig.points),
            seeds=seeds,
            notes=tuple(notes),
            unseen=_UNSEEN if blind else (),
            covered=self._rig.covered,
            nodes=self._rig.nodes,
            judged=self._journal.judged_cases,
        )

    # What the engine calls back.

    def _known(self, finding: Finding) -> bool:
        saved = self._store.known().get(finding.fingerprint)
        if saved is None or self._elusive.wanted(finding):
            return False
        return saved.kind.rank <= finding.kind.rank

    def _recent(self) -> list[Case]:
        """Return the cases played last, for the cause of a late effect."""
        return [decode_case(data) for data in self._journal.tail(_RECENT)]

    def _attributed(self, attributed: Attributed) -> None:
        """Save a finding before anything else happens, then tell the campaign."""
        finding = attributed.finding
        key = finding.fingerprint, finding.kind
        if attributed.dismissed:
            self._link.emit(Dismissed(finding))
            return
        if key in self._elsewhere and attributed.confirms:
            return
        if attributed.case is None or key in self._elsewhere:
            saved = self._store.count(finding)
        else:
            better = self._elusive.note(finding, attributed.rate, attributed.confirms)
            if attributed.confirms:
                self._confirmed(attributed, attributed.case, better)
                return
            told = self._with_rate(attributed)
            saved = self._store.save(encode_case(attributed.case), told, self._context())
        self._found[finding.fingerprint] += 1
        if saved.kept or self._is_ours(key):
            self._told[key] = finding
        else:
            self._elsewhere.add(key)
            self._elusive.give_up(finding)
        self._link.emit(self._progress())  # what was spent until then
        self._link.emit(
            Found(
                finding,
                str(saved.path),
                saved.new,
                self._found[finding.fingerprint],
                rate=0.0,  # it may have been the late effect of another case
            )
        )

    def _is_ours(self, key: tuple[str, Kind]) -> bool:
        """Tell whether no other worker looks into a finding, so that this one may end the run."""
        place = self._settings.place
        return place is None or key in self._told or key[0] in place.known

    def _confirmed(self, attributed: Attributed, case: Case, better: bool) -> None:
        """Keep what was seen on a fresh node, and look at the finding more closely."""
        if better:
            told = self._with_rate(attributed)
            improved = self._store.improve(encode_case(case), told, self._context())
            self._link.emit(Refined(attributed.finding, str(improved.path), attributed.rate))
        if self._affordable(attributed) and not self._course.overdue():
            self._brief(case, attributed.finding, better)

    def _with_rate(self, attributed: Attributed) -> Finding:
        """Return the finding, with how often its case showed it."""
        ground = " on a fresh node" if self._rig.target.restartable else " on the running node"
        where = ground if attributed.confirms else ""
        rate = f"{attributed.reproduced} of {attributed.plays}{where}"
        if attributed.plays == 0:
            rate = "not played again: the target was gone, or the run over"
        finding = attributed.finding
        return replace(finding, evidence={**finding.evidence, "reproduced": rate})

    def _affordable(self, attributed: Attributed) -> bool:
        """Tell whether some hundred plays of a finding's case are cheap, and harm nobody.

        A target that is not ours to restart is not to be brought down by curiosity.
        """
        quick = attributed.seconds <= _QUICK_SECONDS * attributed.plays
        return quick and attributed.reproduced > 0 and self._rig.target.restartable

    def _made_small(self, case: Case, finding: Finding) -> Case:
        """Return ``case`` without what a finding, which it shows, does not take."""
        overdue, recovered = self._course.overdue, self._course.recovered
        small = made_small(self._rig, case, finding, overdue, recovered)
        self._watchdog.forget_levels()
        return small

    def _brief(self, case: Case, finding: Finding, saved: bool) -> None:
        """Make the case of a new finding small, and hold back those like it from now on."""
        known = brief(
            self._rig,
            case,
            finding,
            self._engine.ordinary,
            self._course.overdue,
            self._course.recovered,
        )
        self._watchdog.forget_levels()
        # What is to be driven up is not to be held back once it is too much.
        climbs = self._engine.costs is not None and finding.kind is Kind.COST
        if known.filter is not None and not climbs:
            self._engine.filters.add(known.filter)
            if self._board is not None:
                self._board.tell(Barred(known.filter))
        if saved and known.minimised.shown:
            evidence = {
                **self._store.evidence(finding.fingerprint),
                "minimised": known.minimised.sentence(),
                "pattern": known.pattern.sentence(),
            }
            refined = self._store.improve(
                encode_case(known.minimised.case),
                replace(finding, evidence=evidence),
                self._context(),
            )
            self._link.emit(Refined(finding, str(refined.path)))

    def _after_batch(self) -> None:
        """Look at the budget and at the pipe; end the process when it is time."""
        self._course.tell(self._told_progress)
        if self._course.rest():
            self._rig.reseat()  # a server may have sent away who said nothing for so long
            self._watchdog.forget_levels()
        cases = self._engine.totals.cases
        played = cases if self._tally is None else self._tally.played(cases)
        told = not all(map(self._elusive.wanted, self._told.values()))
        reason = self._course.over(told, played, "all cases are played")
        if reason:
            self._end(reason)

    def _failed(self, error: BaseException) -> NoReturn:
        """End the process: the engine cannot go on, or nobody listens to it any more."""
        if isinstance(error, GoneError):
            self._end("the campaign is gone")
        self._link.failed(error, self._rig.target.restartable)

    def _end(self, reason: str) -> NoReturn:
        """End the run: its last event carries the totals."""
        progress, covered = self._progress(), self._newly_covered()
        modules = modules_of(self._rig.points, self._engine.covered())
        self._rig.stop()  # what stays in a node is known only then
        self._link.leave([*covered, Ended(progress, reason, modules, self._rig.left)])

    def _clean_up(self) -> None:
        """Stop the target, and write what is only in memory."""
        self._rig.stop()
        self._store.flush()
        self._journal.close()

    def _progress(self) -> Progress:
        totals, costs = self._engine.totals, self._engine.costs
        return Progress(
            cases=totals.cases,
            seconds=self._course.seconds(),
            points_covered=self._engine.points_covered,
            points_total=len(self._rig.points),
            corpus=totals.corpus,
            restarts=self._course.restarts,
            replays=totals.replays,
            recovering_seconds=self._course.recovering_seconds,
            reductions_per_byte=None if costs is None else round(costs.most),
        )

    def _told_progress(self) -> Progress:
        news: tuple[Event, ...] = (*self._newly_covered(), *self._gauged())
        for event in news:
            self._link.emit(event)
        return self._progress()

    def _gauged(self) -> list[Gauged]:
        """Return the counts of the nodes, if they were not told just now."""
        reading, now = self._watchdog.latest, self._course.seconds()
        other = self._settings.place is not None and self._settings.place.number > 0
        if reading is None or other or now - self._gauged_at < _GAUGE_SECONDS:
            return []
        self._gauged_at = now
        return [Gauged(dict(reading.nodes) or {"": reading.vitals})]

    def _newly_covered(self) -> list[Covered]:
        """Return which points were covered since this was asked last."""
        if not self._rig.points or self._engine.points_covered == len(self._covered):
            return []
        new: dict[str, list[int]] = {}
        for index in self._engine.covered():
            if index not in self._covered:
                new.setdefault(self._rig.points[index].module, []).append(index)
        self._covered.update(index for some in new.values() for index in some)
        return [Covered({module: tuple(some) for module, some in new.items()})]

    def _context(self) -> Context:
        return self._rig.context(self._settings.target)


def _journal(folder: Path, place: Place | None, workers: int) -> Journal:
    """Return the worker's own journal; the first has what workers have left that are no more."""
    number = 0 if place is None else place.number
    journal = Journal.open(journal_of(folder, number))
    if number == 0:
        for left in left_behind(folder, workers):
            journal.take_over(left)
    return journal


def main(settings: FuzzSettings, pipe: Connection, log: str) -> None:
    """Run a worker in a fresh process; what libFuzzer says goes to the file ``log``."""
    be_a_worker(pipe, log, lambda awake: Worker(settings, pipe, Path(log).parent).run(awake))
