"""A run that calls the decoder first goes on from what was interesting there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from fuzz.campaign import Campaign, DecoderFirst
from fuzz.decoding import Decoder
from fuzz.events import Decoded, Ended, Event, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.report.summary import Summary
from fuzz.settings import FuzzSettings, TargetSettings

STARTED = Started("a stand-in", "nothing", 100, 2)
FOUND = Found(Finding(Kind.CONFORMANCE, "a title", Cause("decoder")), "somewhere", True)
THEN = FuzzSettings(TargetSettings(), Path("corpus"), (Path("seeds"),), seconds=54.0)
FIRST = replace(THEN, decoder=Decoder("iris", "decode"), seconds=6.0)


def after(cases: int, seconds: float) -> Progress:
    return Progress(cases, seconds, 5, 100, 3, restarts=0, replays=0, recovering_seconds=0.0)


class StandIn:
    """A campaign that yields events, and then its end."""

    def __init__(self, settings: FuzzSettings, events: Sequence[Event]) -> None:
        self.settings = settings
        self.stops = 0
        self._events = events

    def stop(self) -> None:
        self.stops += 1

    def events(self) -> Generator[Event, None, None]:
        yield STARTED
        yield from self._events
        cases = 9_000 if self.settings.decoder else 100
        yield Ended(after(cases, 6.0), "stopped" if self.stops else "time is up")


class Bench:
    """A run of two parts, and the campaigns that it made."""

    def __init__(self, *events: Event, until_finding: bool = False) -> None:
        self.made: list[StandIn] = []
        self._events = events
        settings = (replace(one, until_finding=until_finding) for one in (FIRST, THEN))
        self.run = DecoderFirst(*settings, self._make)

    def _make(self, settings: FuzzSettings) -> Campaign:
        self.made.append(StandIn(settings, self._events))
        return cast(Campaign, self.made[-1])


def test_the_second_part_starts_from_what_the_first_has_kept() -> None:
    bench = Bench(FOUND)
    events = list(bench.run.events())
    assert events == [
        STARTED, FOUND, Decoded(9_000, 6.0, 3), STARTED, FOUND,
        Ended(after(100, 6.0), "time is up"),
    ]  # fmt: skip
    assert [one.settings.decoder for one in bench.made] == [FIRST.decoder, None]
    assert bench.made[1].settings.seeds == (Path("seeds"), Path("corpus/decoder"))


def test_a_stop_ends_both_parts() -> None:
    bench = Bench()
    bench.run.stop()
    assert [type(event) for event in bench.run.events()] == [Started, Ended]
    assert len(bench.made) == 1


def test_a_stop_between_the_parts_is_heard_by_the_second() -> None:
    bench = Bench()
    for event in bench.run.events():
        if isinstance(event, Decoded):
            bench.run.stop()
    assert bench.made[1].stops == 1


def test_the_first_finding_ends_it_where_that_was_asked_for() -> None:
    bench = Bench(FOUND, until_finding=True)
    assert [type(event) for event in bench.run.events()] == [Started, Found, Ended]


def test_the_summary_tells_of_both_parts() -> None:
    summary = Summary()
    for event in Bench(after(7, 5.0), FOUND).run.events():
        summary.take(event)
        assert summary.recent_rate() >= 0
    told = summary.as_json()
    assert told["decoder"] == {"inputs": 9_000, "seconds": 6.0, "seeds": 3}
    assert (told["cases"], told["seconds"]) == (100, 6.0)
    assert len(summary.findings) == 1
