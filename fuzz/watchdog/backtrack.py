"""From a late effect back to the cases that cause it.

A timer may let a process crash seconds after the case that set it; a counter may do so after
forty cases, each of them innocent. What such a defect does is seen in a batch that has
nothing to do with it. So the last cases are played again from a clean start, as many as it
takes for the effect to come: sixty-four, a thousand, eight thousand. Then the list is halved
as long as one of its halves has the effect too, by itself or, for what builds up, when it is
played several times over. What needs two different cases is in no half: then the cases that
it takes are found one after the other, each as the end of the shortest beginning that, with
those found so far, has the effect. Each list that shows it also tells how late it comes, so
that the wait behind the next one gets shorter. What is left is merged into one case with
a pause behind it: from then on it is a case like any other, that shows its finding by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuzz.case import Case
from fuzz.clock import Deadline
from fuzz.executor.endpoint import SEARCHING
from fuzz.oracles import judge
from fuzz.rig import Rig
from fuzz.watchdog.merge import merge, with_pause
from fuzz.watchdog.watchdog import Watchdog

#: How many of the last cases are tried: a batch or two; a build-up; three seconds of a campaign.
_WINDOWS = (64, 1_024, 8_192)
#: A pause in a case is at most ten seconds, and timers of a chat server are seconds.
_LATE_SECONDS = 6.0
#: Added to the lateness that was seen: a busy machine is late by that.
_SLACK_SECONDS = 0.3
#: The whole search: a campaign finds nothing meanwhile.
_BUDGET_SECONDS = 90.0
#: How often a late effect is looked for: each look is two round trips.
_LOOK_SECONDS = 0.05
#: Cases in flight, as in the campaign that saw the effect.
_BATCH = 16


@dataclass(frozen=True, slots=True)
class _Shown:
    """A list of cases that has the effect when it is played ``times`` times over.

    ``late`` is how many seconds after the first play it came at most.
    """

    cases: tuple[Case, ...]
    times: int
    late: float

    def plays(self) -> tuple[Case, ...]:
        """Return all that is played."""
        return self.cases * self.times


class Backtracker:
    """Looks for the cause of one late effect, until it is ``overdue``.

    ``bring_back`` gives the target a clean start.
    """

    def __init__(
        self,
        rig: Rig,
        watchdog: Watchdog,
        bring_back: Callable[[], None],
        overdue: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rig = rig
        self._watchdog = watchdog
        self._bring_back = bring_back
        self._until = Deadline.after(rig.clock, _BUDGET_SECONDS, "the cause of a late effect")
        self._overdue = overdue
        self.plays = 0

    def trace(self, recent: Sequence[Case], fingerprint: str) -> Case | None:
        """Return a case made of some of ``recent`` that has the effect; None if none was found."""
        shown = self._window(recent, fingerprint)
        if shown is None:
            return None
        shown = self._halved(shown, fingerprint)
        if len(shown.cases) > 1:
            shown = self._picked(shown, fingerprint)
        else:
            shown = self._fewest_times(shown, fingerprint)
        case = with_pause(merge(shown.plays()), shown.late)
        return case if self._late([case], fingerprint, 0.0) is not None else None

    def _spent(self) -> bool:
        return self._until.expired() or self._overdue()

    def _window(self, recent: Sequence[Case], fingerprint: str) -> _Shown | None:
        """Return the shortest of the windows that has the effect."""
        tried = 0
        for size in _WINDOWS:
            cases = tuple(recent[-size:])
            if len(cases) == tried or self._spent():
                return None
            tried = len(cases)
            shown = self._try(cases, 1, fingerprint, _LATE_SECONDS)
            if shown is not None:
                return shown
        return None

    def _halved(self, shown: _Shown, fingerprint: str) -> _Shown:
        """Return what is left when the list is halved as often as that keeps the effect."""
        while len(shown.cases) > 1:
            middle = len(shown.cases) // 2
            halves = (shown.cases[middle:], shown.cases[:middle])
            repeats = (shown.times, 2 * shown.times)
            tries = ((half, times) for times in repeats for half in halves)
            found = (self._try(half, times, fingerprint, shown.late) for half, times in tries)
            smaller = next(filter(None, found), None)
            if smaller is None:
                return shown
            shown = smaller
        return shown

    def _fewest_times(self, shown: _Shown, fingerprint: str) -> _Shown:
        """Return how often one case must be played at least."""
        least, most = 1, shown
        while least < most.times:
            middle = (least + most.times) // 2
            fewer = self._try(shown.cases, middle, fingerprint, most.late)
            if fewer is None:
                least = middle + 1
            else:
                most = fewer
        return most

    def _picked(self, shown: _Shown, fingerprint: str) -> _Shown:
        """Return the cases that it takes, or what was left of the list when time was up."""
        picked: tuple[Case, ...] = ()
        while not self._spent():
            rest = shown.cases[: len(shown.cases) - len(picked)]
            least, most = 0, len(rest)
            while least < most:
                middle = (least + most) // 2
                fewer = self._try(rest[:middle] + picked, shown.times, fingerprint, shown.late)
                if fewer is None:
                    least = middle + 1
                else:
                    shown, most = fewer, middle
            if least == 0:
                break  # those that were picked do it alone
            picked = (rest[least - 1], *picked)
            if shown.cases != rest[:least] + picked[1:]:
                # The bisection ended without a play of just this list: what it shows is unsure.
                break
        return shown

    def _try(
        self, cases: tuple[Case, ...], times: int, fingerprint: str, wait: float
    ) -> _Shown | None:
        if self._spent() or not cases:
            return None
        late = self._late(cases * times, fingerprint, wait)
        return None if late is None else _Shown(cases, times, min(late, wait))

    def _late(self, cases: Sequence[Case], fingerprint: str, wait: float) -> float | None:
        """Play ``cases`` from a clean start; return how late the effect came, None if it didn't.

        Lateness is counted from the first play, in seconds, with some slack; ``wait`` is how
        long the effect is waited for behind the last play.
        """
        self._bring_back()
        clock = self._rig.clock
        began = clock.now()
        for start in range(0, len(cases), _BATCH):
            if self._overdue():
                return None
            if self._shows(cases[start : start + _BATCH], fingerprint):
                return clock.now() - began + _SLACK_SECONDS
        until = Deadline.after(clock, wait, "a late effect")
        while not (until.expired() or self._overdue()):
            if self._shows((), fingerprint):
                return clock.now() - began + _SLACK_SECONDS
            # A wait that ends at once if the node does.
            self._rig.target.await_exit(_LOOK_SECONDS)
        return None

    def _shows(self, cases: Sequence[Case], fingerprint: str) -> bool:
        """Play ``cases`` side by side, and tell whether the effect has shown by then."""
        observations = self._rig.play(cases, SEARCHING) if cases else []
        self.plays += len(cases)
        glance = self._watchdog.glance(observations)
        if not glance.alarmed:
            return False
        evidence = self._watchdog.settle(observations, glance.events)
        return fingerprint in {finding.fingerprint for finding in judge(evidence)}
