"""Whether a run still finds anything: coverage that it did not have, or another defect."""

from __future__ import annotations

from fuzz.clock import Clock
from fuzz.events import Covered, Event, Found, Progress, Started


class Staleness:
    """How long it is that a run has come upon nothing new, told from its events.

    ``seconds`` is how long that may be, None without end. It is counted from the start of the run
    on: what earlier runs have come upon is new to it when its corpus is played.
    """

    def __init__(self, seconds: float | None, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: float | None = None
        self._paused_at: float | None = None
        self._found: set[str] = set()
        #: The most dialogue shapes that were seen, where there is no agent.
        self._shapes = 0

    def take(self, event: Event) -> None:
        """Take in one event of the run."""
        if self._is_news(event):
            self._since = self._clock.now()

    def pause(self, paused: bool) -> None:
        """Take in that the run rests, or goes on: that time does not count."""
        now, began = self._clock.now(), self._paused_at
        if began is not None and self._since is not None:
            self._since += now - max(began, self._since)
        self._paused_at = now if paused else None

    def over(self) -> bool:
        """Tell whether there was nothing new for too long."""
        if self._seconds is None or self._since is None or self._paused_at is not None:
            return False
        return self._clock.now() - self._since >= self._seconds

    def _is_news(self, event: Event) -> bool:
        if isinstance(event, Found):
            new = event.finding.fingerprint not in self._found
            self._found.add(event.finding.fingerprint)
            return new
        if isinstance(event, Progress):
            new = not event.points_total and event.points_covered > self._shapes
            self._shapes = max(self._shapes, event.points_covered)
            return new
        return isinstance(event, Covered) or (isinstance(event, Started) and self._since is None)
