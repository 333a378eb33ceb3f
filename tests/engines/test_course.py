"""The course of a run: what is told of it, and each reason for which it is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import pytest

from fuzz.clock import FakeClock
from fuzz.engines.course import Course
from fuzz.engines.link import PAUSE, RESUME, STOP, GoneError, Link
from fuzz.events import Progress, Recovered
from fuzz.rig import Recovery
from fuzz.settings import FuzzSettings, TargetSettings

SETTINGS = FuzzSettings(TargetSettings(), Path("corpus"), (), seconds=10.0, cases=5)
PROGRESS = Progress(1, 0.5, 0, 0, 0, 0, 0, 0.0)


class Bench:
    """A course, its clock, and the campaign's end of the pipe."""

    def __init__(self, settings: FuzzSettings, ours: Connection, theirs: Connection) -> None:
        self.clock = FakeClock()
        self.pipe = ours
        self.course = Course(settings, Link(theirs, lambda: None), self.clock)
        self.clock.advance(100.0)
        self.course.begin()

    def over(self, found: bool = False, played: int = 0) -> str:
        return self.course.over(found, played, "all is played")


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


def test_a_run_is_over_when_one_of_its_budgets_is(pipe: tuple[Connection, Connection]) -> None:
    bench = Bench(SETTINGS, *pipe)
    assert bench.over(found=True, played=4) == ""
    assert bench.over(played=5) == "all is played"
    bench.clock.advance(10.0)
    assert bench.over() == "time is up"
    bench.pipe.send(STOP)
    assert bench.over() == "stopped"


def test_a_finding_ends_a_run_that_waits_for_one(pipe: tuple[Connection, Connection]) -> None:
    settings = replace(SETTINGS, seconds=None, cases=None, until_finding=True)
    bench = Bench(settings, *pipe)
    bench.clock.advance(1e6)
    assert bench.over(played=10**6) == ""
    assert bench.over(found=True) == "a finding"


class Pausing:
    """A link over which so many words come before the one to go on, each after 50 s."""

    def __init__(self, clock: FakeClock, words: int) -> None:
        self._clock = clock
        self._words = words

    def told_to_rest(self, seconds: float = 0.0) -> bool:
        if seconds and self._words:
            self._clock.advance(50.0)
            self._words -= 1
        return bool(self._words)

    def told_to_stop(self) -> bool:
        return False


def test_while_it_is_paused_no_time_is_spent() -> None:
    clock = FakeClock()
    course = Course(SETTINGS, cast(Link, Pausing(clock, 3)), clock)
    course.begin()
    clock.advance(9.0)
    assert course.rest()
    assert course.seconds() == pytest.approx(9.0)
    assert not course.rest()
    clock.advance(1.0)
    assert course.over(False, 0, "") == "time is up"


def test_a_word_that_is_waited_for_ends_the_wait(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    link = Link(theirs, lambda: None)
    ours.send(PAUSE)
    assert link.told_to_rest()
    ours.send(RESUME)
    assert not link.told_to_rest(60.0)


def test_what_rests_ends_when_it_is_told_to_stop_or_nobody_is_there(
    pipe: tuple[Connection, Connection],
) -> None:
    bench = Bench(SETTINGS, *pipe)
    bench.pipe.send(PAUSE)
    bench.pipe.send(STOP)
    bench.course.rest()
    assert bench.over() == "stopped"
    other = Bench(SETTINGS, *Pipe())
    other.pipe.send(PAUSE)
    other.pipe.close()
    with pytest.raises(GoneError):
        other.course.rest()


def test_progress_is_told_now_and_then_and_a_recovery_at_once(
    pipe: tuple[Connection, Connection],
) -> None:
    bench = Bench(SETTINGS, *pipe)
    for seconds in (0.0, 0.1, 0.2):
        bench.clock.advance(seconds)
        bench.course.tell(lambda: PROGRESS)
    bench.course.recovered(Recovery("node", 1.5, "for it had ended"))
    told = []
    while bench.pipe.poll():
        told.append(bench.pipe.recv())
    assert told == [PROGRESS, PROGRESS, Recovered("node", 1.5, "for it had ended")]
    course = bench.course
    assert (course.restarts, course.recovering_seconds) == (1, 1.5)
    assert course.seconds() == pytest.approx(0.3)
