"""Following a campaign: on a whole screen, by a live status, or line by line.

Whichever it is, the same stays on the terminal behind it: the target, each finding, the summary.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType

from rich.console import Console

from fuzz.campaign import Campaign, DecoderFirst
from fuzz.events import Event
from fuzz.report.console import ConsoleReport
from fuzz.report.dashboard import Board, Controls, Dashboard
from fuzz.report.summary import Summary


class View(StrEnum):
    """How a campaign is shown while it goes on."""

    SCREEN = "screen"
    STATUS = "status"
    LINES = "lines"


def view_of(asked: str | None, console: Console) -> View:
    """Return the view that was ``asked`` for, else the fullest that the terminal can show."""
    if asked is not None:
        return View(asked)
    if not console.is_terminal:
        return View.LINES
    able = sys.stdin.isatty() and not console.is_dumb_terminal
    return View.SCREEN if able else View.STATUS


def follow(
    campaign: Campaign | DecoderFirst,
    console: Console,
    summary: Summary,
    view: View,
    corpus: Path,
    take: Callable[[Event], None],
) -> None:
    """Run ``campaign`` to its end and show it; ``take`` is told of each event.

    Raises :class:`fuzz.errors.IrisFuzzError` where it can't go on.
    """
    if view is View.SCREEN:
        _on_a_screen(campaign, console, summary, corpus, take)
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
    campaign: Campaign | DecoderFirst,
    console: Console,
    summary: Summary,
    corpus: Path,
    take: Callable[[Event], None],
) -> None:
    board = Board(summary, corpus)
    running: list[Future[None]] = []

    def run() -> None:
        try:
            with closing(campaign.events()) as events:
                for event in events:
                    take(event)
                    board.take(event)
        finally:
            screen.leave()

    # The screen has the main thread, as signals do; the campaign has one of its own.
    with ThreadPoolExecutor(1) as beside:
        controls = Controls(campaign.stop, campaign.pause)
        screen = Dashboard(board, controls, begin=lambda: running.append(beside.submit(run)))
        with _stopped_by_signals(screen.action_stop):
            screen.run()
        campaign.stop()  # where the screen was lost before the campaign has ended
        report = ConsoleReport(summary, console, live=False)
        try:
            for one in running:
                one.result()
        finally:
            for event in board.kept:
                report.take(event)


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
