"""Which cases may leak? A survey of each case that enters the corpus.

Counts that are free to read (atoms, processes, ports) are looked at after every batch. What
costs more, the rows and bytes of tables, binaries, mailboxes, would be lost in the traffic
of a batch: half of what grows there is meant to, and is gone in a second. So each case
that reached something new is played eight times once, and what has grown by as much is a
*suspicion*. It rests while the campaign goes on. What is not back after some seconds is
confirmed by the watchdog, with many plays, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fuzz.case import Case
from fuzz.node import DURABLE
from fuzz.rig import Rig
from fuzz.watchdog.growth import COUNTED, is_stored, kind_of, noise_of, thing_of
from fuzz.watchdog.pauses import Pauses
from fuzz.watchdog.watchdog import Watchdog

#: Plays of a survey: what grows with each of eight is hardly made by chance, and what is made once
#: (a module that is loaded late) does not grow eightfold.
_PLAYS = 8
#: A resource that grows in fewer than nine of ten plays would not be confirmed either.
_LEAST = 0.9
#: A suspicion rests for this long; timers of a second or two have fired by then.
_REST_SECONDS = 4.0
#: A survey costs one batch and a look; suspicions are looked at this often.
_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class _Suspicion:
    case: Case
    since: float
    level: int
    recoveries: int


class LeakSurvey:
    """Keeps the suspicions of one campaign."""

    def __init__(self, rig: Rig, watchdog: Watchdog) -> None:
        self._rig = rig
        self._watchdog = watchdog
        self._suspicions: dict[str, _Suspicion] = {}
        #: What has come back, or was looked into, is not suspected again at once.
        self._pauses = Pauses(rig.clock)
        self._next = 0.0

    def survey(self, cases: Iterable[Case]) -> None:
        """Play each of ``cases`` many times, and note what has grown with each play.

        A look at what a node holds takes as long as the plays: the one after a case is that before
        the next.
        """
        level: Mapping[str, int] = self._watchdog.levels()
        for case in cases:
            level = self._survey(case, level)
        self._watchdog.forget_levels()

    def _survey(self, case: Case, before: Mapping[str, int]) -> Mapping[str, int]:
        observations = self._rig.play([case] * _PLAYS)
        after = self._watchdog.levels()
        rows = after.get(DURABLE, 0) - before.get(DURABLE, 0)
        sent = _PLAYS * case.sent_bytes()
        if not (before and after) or any(o.cut_short for o in observations):
            return after
        for name, level in after.items():
            amount = level - before.get(name, 0)
            if name == DURABLE or is_stored(name, amount, rows, sent):
                continue
            grown = amount > max(noise_of(name), _LEAST) * _PLAYS
            if grown and kind_of(name) not in COUNTED and not self._pauses.holds(thing_of(name)):
                now, recoveries = self._rig.clock.now(), self._rig.recoveries
                suspicion = _Suspicion(case, now, level, recoveries)
                held = self._suspicions.setdefault(name, suspicion)
                if len(case.steps) < len(held.case.steps):
                    held.case = case  # the less else it does, the surer it is confirmed
        return after

    def due(self) -> tuple[str, Case] | None:
        """Return a resource and a case whose suspicion has rested and still stands, if any."""
        now = self._rig.clock.now()
        if not self._suspicions or now < self._next:
            return None
        self._next = now + _LOOK_SECONDS
        self._begin_anew()
        levels = self._watchdog.levels()
        for name, suspicion in list(self._suspicions.items()):
            gone = levels.get(name, 0) < suspicion.level
            if gone and thing_of(name) != "binaries":
                self._pauses.begin(thing_of(name))
                del self._suspicions[name]
            elif now - suspicion.since >= _REST_SECONDS:
                self._pauses.begin(thing_of(name))
                return name, self._suspicions.pop(name).case
        return None

    def dismiss(self, name: str) -> None:
        """Leave ``name`` alone from now on: a fresh node did not share the suspicion.

        A node that is full raises the same suspicion with every other case.
        """
        self._pauses.begin(name)

    def _begin_anew(self) -> None:
        """Survey again the cases whose growth went with a target that was brought back."""
        lost = {
            name: suspicion.case
            for name, suspicion in self._suspicions.items()
            if suspicion.recoveries != self._rig.recoveries
        }
        for name in lost:
            del self._suspicions[name]
        if lost:
            self.survey(dict.fromkeys(lost.values()))
