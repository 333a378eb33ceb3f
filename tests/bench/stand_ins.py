"""Campaigns and parts that are made up, for tests of what measures them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import cast

from fuzz.bench import Ratio, Result, Row
from fuzz.bench.parts import MakeCampaign
from fuzz.campaign import Campaign
from fuzz.errors import TargetError
from fuzz.events import Ended, Event, Progress
from fuzz.settings import FuzzSettings


def after(cases: int, seconds: float, **others: float) -> Progress:
    totals = {
        "points_covered": 5, "points_total": 100, "corpus": 1, "restarts": 0, "replays": 0,
        "recovering_seconds": 0.0, **others,
    }  # fmt: skip
    return Progress(cases=cases, seconds=seconds, **totals)  # type: ignore[arg-type]


def at_rate(cases_per_second: float, seconds: int = 60) -> list[Event]:
    """Return the progress of a campaign of that rate, told each second."""
    return [after(round(cases_per_second * t), float(t)) for t in range(1, seconds + 1)]


class StandIn:
    """A campaign that yields ``events`` until it is stopped."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    def events(self) -> Generator[Event, None, None]:
        last = after(0, 0.0)
        for event in self._events:
            last = event if isinstance(event, Progress) else last
            if self.stopped:
                break
            yield event
        yield Ended(last, "time is up")


class Campaigns:
    """Makes campaigns of ``events``, which are made from settings, and keeps these."""

    def __init__(self, events: Callable[[FuzzSettings], Sequence[Event]]) -> None:
        self.settings: list[FuzzSettings] = []
        self.made: list[StandIn] = []
        self._events = events

    def __call__(self, settings: FuzzSettings) -> Campaign:
        self.settings.append(settings)
        self.made.append(StandIn(self._events(settings)))
        return cast(Campaign, self.made[-1])

    @property
    def make(self) -> MakeCampaign:
        return self


class StandInPart:
    """A part whose rounds are ``ratios``; it notes what is done with it in ``log``."""

    def __init__(
        self, name: str, ratios: Sequence[float], log: list[str], fails_at: int | None = None
    ) -> None:
        self.name = name
        self._ratios = ratios
        self._log = log
        self._fails_at = fails_at
        self._measured = 0

    def measure(self, number: int) -> None:
        self._log.append(f"{self.name} {number}")
        if number == self._fails_at:
            raise TargetError("waited in vain for a stand-in")
        self._measured += 1

    def result(self) -> Result:
        ratio = Ratio(tuple(self._ratios[: self._measured]))
        row = Row("ours", "theirs", ratio)
        return Result(self.name, "a stand-in", self._measured, (row,))

    def close(self) -> None:
        self._log.append(f"{self.name} closed")
