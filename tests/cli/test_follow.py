"""Following a campaign: which view there is, and that each leaves the same behind."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from fuzz.campaign import Campaign
from fuzz.cli.follow import View, follow, view_of
from fuzz.errors import HarnessFault, StoreError
from fuzz.events import Ended, Event, Faulted, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.report.dashboard import Dashboard
from fuzz.report.summary import Summary

STARTED = Started("a stand-in", "nothing", 100, 2)
PROGRESS = Progress(7, 1.0, 5, 100, 1, 0, 0, 0.0)
FOUND = Found(Finding(Kind.HANG, "a hang", Cause("hang")), "the file", True)
FAULT = Faulted("the worker was lost")
ENDED = Ended(PROGRESS, "time is up")
ALL: tuple[Event, ...] = (STARTED, PROGRESS, FOUND, FAULT, ENDED)


class StandIn:
    """A campaign that says ``events``, and then waits to be stopped if it is to."""

    def __init__(self, *events: Event, waits: bool = False, fails: bool = False) -> None:
        self._events = events
        self._fails = fails
        self.stopped = threading.Event()
        if not waits:
            self.stopped.set()

    def stop(self) -> None:
        self.stopped.set()

    def pause(self, paused: bool) -> None:
        raise AssertionError("nobody has asked for a pause")

    def events(self) -> Generator[Event, None, None]:
        yield from self._events
        assert self.stopped.wait(60), "waited 60 s to be stopped"
        if self._fails:
            raise HarnessFault("the worker was lost 3 times")


def terminal(**words: object) -> Console:
    return Console(file=io.StringIO(), width=100, **words)  # type: ignore[arg-type]


class Followed:
    """What came of following a campaign in a view."""

    def __init__(self, folder: Path, take: Callable[[Event], None] = lambda _: None) -> None:
        self.summary = Summary()
        self.taken: list[Event] = []
        self.console = terminal(force_terminal=True)
        self._folder = folder
        self._take = take

    def run(
        self,
        campaign: StandIn,
        view: View,
        show: Callable[[Dashboard], object] = lambda screen: screen.run(headless=True),
    ) -> str:
        def take(event: Event) -> None:
            self.taken.append(event)
            self.summary.take(event)
            self._take(event)

        follow(cast(Campaign, campaign), self.console, self.summary, view, self._folder, take, show)
        return self.text

    @property
    def text(self) -> str:
        return cast(io.StringIO, self.console.file).getvalue()


@pytest.mark.parametrize("view", View)
def test_each_view_takes_all_events_and_leaves_the_findings(view: View, tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    text = followed.run(StandIn(*ALL), view)
    assert followed.taken == list(ALL)
    for words in ("a stand-in", "a hang", "the file", "fault: the worker was lost"):
        assert text.count(words) == 1, words


@pytest.mark.parametrize("view", View)
def test_what_a_campaign_cannot_go_on_for_is_raised_behind_what_was_found(
    view: View, tmp_path: Path
) -> None:
    followed = Followed(tmp_path)
    with pytest.raises(HarnessFault, match="lost 3 times"):
        followed.run(StandIn(STARTED, FOUND, fails=True), view)
    assert "a hang" in followed.text


@pytest.mark.parametrize("view", View)
def test_what_cannot_be_taken_in_ends_the_campaign(view: View, tmp_path: Path) -> None:
    def full(event: Event) -> None:
        if isinstance(event, Found):
            raise StoreError("the disk is full")

    campaign = StandIn(*ALL, waits=view is View.SCREEN)
    with pytest.raises(StoreError, match="the disk is full"):
        Followed(tmp_path, full).run(campaign, view)
    assert campaign.stopped.is_set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_campaign_and_not_the_screen(number: int, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    campaign = StandIn(STARTED, waits=True)

    def show(screen: Dashboard) -> None:
        os.kill(os.getpid(), number)
        screen.run(headless=True)

    followed = Followed(tmp_path)
    followed.run(campaign, View.SCREEN, show)
    assert campaign.stopped.is_set()
    assert signal.getsignal(number) is before


def test_a_screen_that_is_lost_ends_the_campaign_and_nothing_is_lost_with_it(
    tmp_path: Path,
) -> None:
    followed = Followed(tmp_path)
    followed.run(StandIn(*ALL, waits=True), View.SCREEN, show=lambda _: None)
    assert followed.taken == list(ALL)


def test_the_view_is_the_fullest_that_the_terminal_can_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert view_of(terminal()) is View.LINES
    assert view_of(terminal(force_terminal=True)) is View.STATUS  # there are no keys
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert view_of(terminal(force_terminal=True)) is View.SCREEN
    monkeypatch.setenv("TERM", "dumb")
    assert view_of(terminal(force_terminal=True)) is View.STATUS
