"""The way of a case: into the journal, over the wire, before the watchdog, laws and oracles.

A batch is played at once and judged as one; who of it is to blame is for the investigator. A case
that is played alone is told what it did by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from fuzz.case import Case, encode_case
from fuzz.engines.feedback import Features, features_of, shape_of
from fuzz.engines.lawful import Lawful
from fuzz.meanwhile import Meanwhile
from fuzz.observation import Observation
from fuzz.rig import Rig
from fuzz.store.journal import Journal
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.leaks import LeakSurvey
from fuzz.watchdog.watchdog import Glance, Watchdog, calm


@dataclass(frozen=True, slots=True)
class Played:
    """Cases that were played together, under a ``number`` of the journal.

    ``features`` are what was covered, or the shapes of the dialogues where no agent tells that.
    ``suspect`` tells that something is out of order, and is to be looked into.
    """

    number: int
    cases: Sequence[Case]
    observations: Sequence[Observation]
    glance: Glance
    features: Features
    suspect: bool

    def calm(self) -> list[Case]:
        """Return the cases that ended as they should."""
        pairs = zip(self.cases, self.observations, strict=True)
        return [case for case, observation in pairs if calm(observation)]


class Plays:
    """Plays and judges; ``found`` is handed what is told of that."""

    def __init__(
        self,
        rig: Rig,
        watchdog: Watchdog,
        investigator: Investigator,
        journal: Journal,
        found: Callable[[Attributed], None],
        chance: Random,
    ) -> None:
        self._rig = rig
        self._watchdog = watchdog
        self._investigator = investigator
        self._journal = journal
        self._found = found
        self._blind = rig.agent is None
        self._lawful = Lawful(investigator, found, rig.clock, chance)

    def batch(
        self, queue: Sequence[bytes], cases: Sequence[Case], otherwise: Meanwhile, hasty: bool
    ) -> Played:
        """Play ``cases``, whose file forms are ``queue``; :meth:`judged` is to follow.

        ``otherwise`` is done where all wait for the node and no play is to be judged. ``hasty``
        asks the laws only of as many plays as there is time for.
        """
        number = self._journal.begin(queue)
        hearing = self._lawful.begin(otherwise)
        observations = self._rig.play(cases, meanwhile=hearing.work, finished=hearing.hear)
        glance = self._watchdog.glance(observations)
        disorder = glance.alarmed or glance.grown or glance.cost(cases).excessive()
        suspect = disorder or self._lawful.broken(observations, hearing if hasty else None)
        features = self._features(observations, glance)
        return Played(number, cases, observations, glance, features, bool(suspect))

    def look_into(self, played: Played) -> None:
        """Find out what is out of order, and who of those that were played is to blame."""
        cases, observations = played.cases, played.observations
        for attributed in self._investigator.investigate(cases, observations, played.glance):
            self._found(attributed)

    def judged(self, played: Played) -> None:
        """Note that a batch has been judged."""
        self._journal.judged(played.number, len(played.cases))

    def alone(self, case: Case, lawful: bool = False) -> Played | None:
        """Play one case by itself; ``lawful`` holds it to the laws too.

        None when it raised an alarm, which is looked into: a case that breaks the target is a
        finding, and no ground to build upon. The bystanders are asked after the next batch: they
        take as long as the play of one case does.
        """
        number = self._journal.begin([encode_case(case)])
        observations = self._rig.play([case])
        glance = self._watchdog.glance(observations, bystanders=False)
        alarmed = glance.alarmed or (lawful and self._lawful.broken(observations))
        features = self._features(observations, glance)
        played = Played(number, (case,), observations, glance, features, alarmed)
        if alarmed:
            self.look_into(played)
        self._journal.judged(number)
        return None if alarmed else played

    def look_for_leaks(self, survey: LeakSurvey) -> None:
        """Look into a suspicion that has rested, if there is one."""
        due = survey.due()
        if due is None:
            return
        what, case = due
        for attributed in self._investigator.investigate_growth(case, what):
            if attributed.dismissed:
                survey.dismiss(attributed.finding.cause.reason)
            self._found(attributed)

    def _features(self, observations: Sequence[Observation], glance: Glance) -> Features:
        if self._blind:
            return shape_of(observations)
        return features_of(glance.reading.coverage) if glance.reading is not None else ()
