"""Following a campaign: on a whole screen, by a live status, or line by line.

Whichever it is, the same stays on the terminal behind it: the target, each finding, the summary.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console

from fuzz.cli.screen import is_terminal
from fuzz.cli.watching import Runs
from fuzz.errors import IrisFuzzError
from fuzz.events import Event
from fuzz.report.console import ConsoleReport
from fuzz.report.summary import Summary

if TYPE_CHECKING:
    from fuzz.report.dashboard import Dashboard


class View(StrEnum):
    """How a campaign is shown while it goes on."""

    SCREEN = "screen"
    STATUS = "status"
    LINES = "lines"


def view_of(console: Console) -> View:
    """Return the fullest view that ``console`` can show."""
    if not console.is_terminal:
        return View.LINES
    able = is_terminal(sys.stdin) and not console.is_dumb_terminal
    return View.SCREEN if able else View.STATUS


def follow(
    campaign: Runs,
    console: Console,
    summary: Summary,
    view: View,
    corpus: Path,
    take: Callable[[Event], None],
    show: Callable[[Dashboard], object] | None = None,
) -> None:
    """Run ``campaign``, whose cases are in ``corpus``, to its end; ``take`` is told of each event.

    ``show`` brings a screen to the terminal, if that is the view; None has it run there. Raises
    :class:`fuzz.errors.IrisFuzzError` where the campaign can't go on, or ``take`` can't.
    """
    if view is View.SCREEN:
        _on_a_screen(campaign, console, summary, corpus, take, show)
        return
    report = ConsoleReport(summary, console, live=view is View.STATUS)

    def stop() -> None:
        report.ending()
        campaign.stop()

    with _stopped_by_signals(stop), report, closing(campaign.events()) as events:
        for event in events:
            take(event)
            report.take(event)


def _on_a_screen(
    campaign: Runs,
    console: Console,
    summary: Summary,
    corpus: Path,
    take: Callable[[Event], None],
    show: Callable[[Dashboard], object] | None,
) -> None:
    """Let a thread follow the campaign; all that it hears of is taken in by this one."""
    # Here, since what draws screens takes longer to import than all the rest of a run.
    from fuzz.report.dashboard import Board, Controls, Dashboard

    board = Board(summary, corpus)
    heard = SimpleQueue[Event | None]()
    failures: list[IrisFuzzError] = []

    def run() -> None:
        try:
            with closing(campaign.events()) as events:
                for event in events:
                    heard.put(event)
        finally:
            heard.put(None)

    def take_all(wait: bool = False) -> bool:
        """Take in what was heard; tell whether there will be more."""
        with suppress(Empty):
            while (event := heard.get(wait)) is not None:
                try:
                    take(event)
                except IrisFuzzError as error:
                    failures.append(error)
                    return False
                board.take(event)
            return False
        return True

    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run)
        screen = Dashboard(board, Controls(campaign.stop, campaign.pause), take_all)
        try:
            with _stopped_by_signals(screen.action_stop):
                (show or Dashboard.run)(screen)
        finally:
            campaign.stop()  # the screen was lost, or nothing more can be taken in
        if not (running.done() or failures):
            take_all(wait=True)
        report = ConsoleReport(summary, console, live=False)
        for event in board.kept:
            report.take(event)
        for error in failures:
            raise error
        running.result()


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask for the end while the context lasts."""

    def heard(_signal: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
