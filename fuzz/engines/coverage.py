"""The coverage engine: libFuzzer proposes, a live BEAM node answers, its counters steer.

libFuzzer calls :meth:`CoverageEngine.test_one` with one input after the other and reads
its counters after each call. Playing one case at a time would leave node and harness
waiting for each other, so cases are collected and played at once, sixteen or more, with one
reading of the node's coverage for all. libFuzzer meanwhile sees only the constant counter
for each of them. When the reading of a batch holds something new, its cases are played
again one by one, in their turn; those that earned something go on the list of *credits*.
The next time libFuzzer asks for a mutation it is handed a credited case instead, and when
it runs that, the counters that the case had earned alone are put before it: it keeps the
case and learns from it as if it had just been played.

A part of the mutations are not of what libFuzzer has chosen: a case that came close to a branch
which was never taken is told what that compares with (:mod:`fuzz.engines.frontier`).
The seeds come first, one at a time, each with a counter of its own, so that libFuzzer
keeps them all. Behind those stand the levels of cost, if cost is to be maximised: see
:mod:`fuzz.engines.cost_levels`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fuzz.case import Case, decode_case, encode_case
from fuzz.engines.board import Board
from fuzz.engines.cost_levels import CLIMB_SHARE, LEVELS, CostLevels, Spent, spent_by
from fuzz.engines.counters import Counters
from fuzz.engines.feedback import (
    SHAPES,
    BatchMemory,
    Breadth,
    Features,
    Memory,
    News,
)
from fuzz.engines.filters import Filters
from fuzz.engines.frontier import Frontier
from fuzz.engines.kept import Kept
from fuzz.engines.plays import Played, Plays
from fuzz.engines.stock import Made, Stock
from fuzz.engines.turns import Turns
from fuzz.engines.unexplained import Unexplained
from fuzz.errors import CaseFileError
from fuzz.generate.mutate import Mutator
from fuzz.rig import Rig
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.journal import Journal
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.leaks import LeakSurvey
from fuzz.watchdog.watchdog import Watchdog

#: Decoded cases kept: libFuzzer mutates the same few hundred units again and again.
_DECODED = 4096


@dataclass(slots=True)
class Totals:
    """What the engine has done so far."""

    cases: int = 0
    replays: int = 0
    corpus: int = 0

    def now(self) -> float:
        """Return how many plays there were: what :class:`Unexplained` takes a share of."""
        return self.cases + self.replays


class CoverageEngine:
    """Batches, plays, judges and credits; see the top of this module.

    ``after_batch`` is called when a batch has been judged: the place where the budget is
    looked at. ``found`` is handed what the investigator attributes. ``climb`` lets the
    search prefer what costs the node most for each byte. ``board`` is None if there are no others.
    What is kept loses its idle steps in time unless ``trims`` is false.
    """

    def __init__(
        self,
        rig: Rig,
        watchdog: Watchdog,
        investigator: Investigator,
        mutator: Mutator,
        journal: Journal,
        evolved: EvolvedCorpus,
        found: Callable[[Attributed], None],
        after_batch: Callable[[], None],
        seeds: Sequence[bytes],
        feedback: bool = True,
        chance: random.Random | None = None,
        climb: bool = False,
        board: Board | None = None,
        trims: bool = True,
    ) -> None:
        self.totals = Totals()
        self._mutator = mutator
        self._evolved = evolved
        self._after_batch = after_batch
        self._feedback = feedback
        self._board = board
        self._blind = rig.agent is None
        self._size = SHAPES if self._blind else len(rig.points)
        self._seeds = {data: self._size + number for number, data in enumerate(seeds)}
        own = self._size + len(self._seeds)
        self.costs = CostLevels(own) if climb else None
        self.counters = Counters(own + LEVELS if climb else own)
        self._batches = BatchMemory(self._size)
        self._cases = Memory(self._size)
        self._queue: list[bytes] = []
        self._breadth = Breadth()
        self._unexplained = Unexplained(self.totals, self._credit)
        self._credits: deque[tuple[bytes, Features]] = deque()
        self._due: dict[bytes, Features] = {}
        self._ascents: set[bytes] = set()
        self._made: dict[bytes, Case] = {}
        self._stock = Stock()
        self._decoded = lru_cache(_DECODED)(decode_case)
        self._seeding = True
        #: The seeds, less those that have raised an alarm: what a filter must let through.
        self.ordinary = [self._case(data) for data in seeds]
        self._last_features: Features = ()
        self._random = chance or random.Random()
        self._turns = Turns(self._random)
        self._plays = Plays(rig, watchdog, investigator, journal, found, self._random)
        gates = rig.gates if feedback and mutator.says else ()
        self._frontier = Frontier(rig.points, gates, self._random)
        self.filters = Filters(self._random)
        self._survey = None if self._blind else LeakSurvey(rig, watchdog)
        self._kept = Kept(evolved, board, self._survey, self._alone, rig.clock, trims)

    # What libFuzzer calls.

    def test_one(self, data: bytes) -> None:
        """Take one input from libFuzzer."""
        earned = self._due.pop(data, None)
        if earned is not None:
            self._steer(earned)
            return
        self._steer(())
        if not data:
            return
        self._queue.append(data)
        if self._seeding:
            self._flush()
            seed = self._seeds.get(data)
            own = ((seed, 1),) if seed is not None and self._last_features else ()
            self._steer((*own, *self._last_features))
        elif data in self._ascents:
            self._ascents.clear()
            waiting, self._queue = self._queue[:-1], [data]
            self._flush(waiting)
        elif len(self._queue) >= self._breadth.cases():
            self._flush()

    def mutate(self, data: bytes, max_bytes: int) -> bytes:
        """Return a credited case if one is due, else a mutation of ``data``."""
        self._end_seeding()
        credited = self._credited(max_bytes)
        if credited:
            return credited
        climbs = self.costs is not None and self._random.random() < CLIMB_SHARE
        hill = self.costs.hill(self._random) if self.costs is not None and climbs else None
        if hill is not None:
            # Played alone, what it costs is known and not guessed.
            ascent = self._handed(self._made_of(lambda: self._mutator.grow(hill, max_bytes)))
            self._ascents.add(ascent)
            return ascent
        errand = self._frontier.errand()
        if errand is not None:
            cut = self._kept.cut(errand.case)
            close = self._turns.grant(self._case(cut), len(cut))
            return self._ordered(lambda: self._mutator.say(close, errand.saying, max_bytes))
        base = self._chosen(data)
        return self._ordered(lambda: self._mutator.mutate(base, max_bytes))

    def cross(self, a: bytes, b: bytes, max_bytes: int) -> bytes:
        """Return a credited case if one is due, else a case made of two."""
        self._end_seeding()
        credited = self._credited(max_bytes)
        if credited:
            return credited
        one, other = self._chosen(a), self._chosen(b)
        return self._ordered(lambda: self._mutator.cross(one, other, max_bytes))

    # What they rest on.

    @property
    def points_covered(self) -> int:
        """Return how many coverage points (or dialogue shapes) were ever hit."""
        return self._batches.count()

    def covered(self) -> list[int]:
        """Return the indices of the coverage points that were ever hit."""
        return [] if self._blind else self._batches.covered()

    def _end_seeding(self) -> None:
        """Take what libFuzzer asks for as the sign that it has run all seeds."""
        if self._seeding:
            self._seeding = False
            self._kept.look_at(self.ordinary)

    def _chosen(self, data: bytes) -> Case:
        data = self._kept.shorter(data)
        return self._turns.grant(self._case(data), len(data))

    def _credited(self, max_bytes: int) -> bytes:
        """Return the next case on the list of credits; empty when there is none."""
        while self._credits:
            credited, features = self._credits.popleft()
            if len(credited) <= max_bytes:
                self._due[credited] = features
                return credited
        return b""

    def _ordered(self, make: Callable[[], Case]) -> bytes:
        """Order what ``make`` makes, and return the next case that is made."""
        return self._handed(self._stock.trade(lambda: self._made_of(make)))

    def _made_of(self, make: Callable[[], Case]) -> Made:
        """Return a case that ``make`` makes, and its file form."""
        case = self.filters.through(make)
        return encode_case(case), case

    def _handed(self, made: Made) -> bytes:
        """Hand a case to libFuzzer, and remember what its bytes stand for."""
        data, self._made[data] = made
        return data

    def _case(self, data: bytes) -> Case:
        made = self._made.get(data)
        if made is not None:
            return made
        try:
            return self._decoded(data)
        except CaseFileError:
            # Only libFuzzer's own first input, and what it was given as empty.
            return Case(())

    def _steer(self, features: Sequence[tuple[int, int]]) -> None:
        if self._feedback:
            self.counters.write(features)
        else:
            self.counters.write([f for f in features if f[0] >= self._size])

    def _flush(self, waiting: Sequence[bytes] = ()) -> None:
        """Play, judge and credit what is in the queue; those ``waiting`` are its start anew."""
        queue, self._queue = self._queue, list(waiting)
        cases = [self._case(data) for data in queue]
        played = self._plays.batch(queue, cases, self._stock.make, hasty=not self._seeding)
        # A seed that raises an alarm is a finding, and no ground to build upon.
        alarmed = self._seeding and played.glance.alarmed
        self._last_features = () if alarmed else played.features
        self._hear_others()
        news = self._batches.learn(self._last_features, len(cases))
        self._frontier.note(bool(news))
        if self._seeding:
            self._look_at_seed(played, queue[0])
        else:
            self._look_at_batch(played, news)
        if self._survey is not None:
            self._plays.look_for_leaks(self._survey)
        self._plays.judged(played)
        self.totals.cases += len(cases)
        if not waiting:
            self._made.clear()
        self._after_batch()

    def _hear_others(self) -> None:
        """Take in what other workers have kept."""
        if self._board is None:
            return
        for data, features in self._board.take_in(
            self.filters, self._kept.hear, self._batches, self._cases
        ):
            self._frontier.learn(data, features)
            self._credits.append((data, features))

    def _look_at_seed(self, played: Played, data: bytes) -> None:
        """Look into what is wrong with a seed, and learn what it has covered."""
        if played.suspect:
            self.ordinary = [case for case in self.ordinary if case not in played.cases]
            self._plays.look_into(played)
        self._cases.learn(self._last_features)
        self._batches.account(self._last_features)
        self._frontier.learn(data, self._last_features, seed=True)
        self._note_costs(played)

    def _look_at_batch(self, played: Played, news: News) -> None:
        """Look into what is wrong or new about a batch, and then into what has waited longer."""
        if self.costs is None:  # what a case costs is told by small batches
            self._breadth.note(calm=not (news or played.suspect))
        if played.suspect:
            self._plays.look_into(played)
        if news and self._feedback:
            self._unexplained.add(played.calm(), news)
        self._note_costs(played)
        if self.costs is not None:
            self._climb(self.costs, played)
        self._unexplained.work()
        self._kept.work()

    def _note_costs(self, played: Played) -> None:
        """Note what a case has cost that was played alone."""
        if self.costs is not None and len(played.cases) == 1 and not played.glance.alarmed:
            glance = played.glance
            self.costs.note(
                played.cases[0], played.observations[0], glance.reductions, glance.hottest
            )

    def _credit(self, cases: Sequence[Case], news: News) -> None:
        """Play cases alone until the news is explained; credit those that earn something."""
        unexplained = {index for index in news.hit if not self._cases.knows(index)}
        if not (unexplained or news.louder):
            return  # another batch that hit the same was looked into
        for case in cases:
            features = self._alone(case, lawful=True)
            if features is None:
                continue
            earned = self._cases.learn(features)
            if earned:
                leads = self._frontier.learn(encode_case(case), features)
                data = self._kept.keep(case, features, earned, leads)
                self._credits.append((data, features))
                self.totals.corpus += 1
            unexplained.difference_update(index for index, _ in features)
            if news.hit and not unexplained:
                return

    def _climb(self, costs: CostLevels, played: Played) -> None:
        """Credit the cases of a batch that cost more than any before, as two plays tell."""
        last: Features = ()

        def spends(case: Case) -> Spent | None:
            nonlocal last
            alone = self._played_alone(case)
            if alone is None:
                return None
            last = alone.features
            return spent_by(case, alone.observations[0], alone.glance.reductions)

        reductions = played.glance.reductions
        for case, reached in costs.climb(played.cases, played.observations, reductions, spends):
            data = encode_case(case)
            self._credits.append((data, (*last, *reached)))
            self._evolved.add(data)
            self.totals.corpus += 1

    def _alone(self, case: Case, lawful: bool = False) -> Features | None:
        """Play one case and return what it did by itself; None if it raised an alarm."""
        played = self._played_alone(case, lawful)
        return None if played is None else played.features

    def _played_alone(self, case: Case, lawful: bool = False) -> Played | None:
        self.totals.replays += 1
        played = self._plays.alone(case, lawful)
        if played is not None:
            self._note_costs(played)
            self._batches.account(played.features)
        return played
