"""The course of a worker's run: what it has spent, what of that was told, and when it is over."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.clock import Clock
from fuzz.engines.link import Link
from fuzz.events import Progress, Recovered
from fuzz.rig import Recovery
from fuzz.settings import FuzzSettings

#: Progress goes out at most this often: what a person can follow.
_PROGRESS_SECONDS = 0.25
#: A run that is over in time looks into what it has seen last for so much longer: what is told
#: without a case of its own is worth little, and who has given a time waits for the end of it.
_GRACE_SECONDS = 10.0
#: How long a worker that rests waits for a word at a time: any word ends the wait at once.
_WORD_SECONDS = 60.0


class Course:
    """The course of a run of ``settings``, told over ``link``; it counts from :meth:`begin` on."""

    def __init__(self, settings: FuzzSettings, link: Link, clock: Clock) -> None:
        self.restarts = 0
        #: How long the target was being brought back, all in all.
        self.recovering_seconds = 0.0
        self._settings = settings
        self._link = link
        self._clock = clock
        self._started = self._told = 0.0

    def begin(self) -> None:
        """Count from now on."""
        self._started = self._clock.now()

    def seconds(self) -> float:
        """Return how long the run has taken."""
        return self._clock.now() - self._started

    def recovered(self, recovery: Recovery) -> None:
        """Take in that the target was brought back, and tell it."""
        self.recovering_seconds += recovery.seconds
        self.restarts += 1
        self._link.emit(Recovered(recovery.how, recovery.seconds, recovery.why))

    def tell(self, progress: Callable[[], Progress]) -> None:
        """Tell the progress, if that was not done just now."""
        now = self._clock.now()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            self._link.emit(progress())

    def rest(self) -> bool:
        """Wait for as long as the campaign has it paused, which is no part of the run's time.

        Tells whether there was anything to wait for.
        """
        rested = False
        while self._link.told_to_rest():
            began, rested = self._clock.now(), True
            self._link.told_to_rest(_WORD_SECONDS)
            self._started += self._clock.now() - began
        return rested

    def overdue(self) -> bool:
        """Tell whether nothing more is to be looked into: the end was asked for, or is past."""
        seconds = self._settings.seconds
        late = seconds is not None and self.seconds() >= seconds + _GRACE_SECONDS
        return late or self._link.told_to_stop()

    def over(self, found: bool, played: int, all_played: str) -> str:
        """Return why the run is over, empty while it is not.

        ``found`` tells whether there is a finding that may end it, ``all_played`` how it is said
        that the budget of cases, of which ``played`` are, is spent.
        """
        settings = self._settings
        if self._link.told_to_stop():
            return "stopped"
        if settings.until_finding and found:
            return "a finding"
        if settings.seconds is not None and self.seconds() >= settings.seconds:
            return "time is up"
        if settings.cases is not None and played >= settings.cases:
            return all_played
        return ""
