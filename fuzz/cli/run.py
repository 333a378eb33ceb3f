"""A run of a campaign as a verb makes it: followed, watched, written down, and told at its end."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console

from fuzz.cli.follow import View, follow, view_of
from fuzz.cli.telling import Telling
from fuzz.cli.watching import Runs, Watching
from fuzz.errors import IrisFuzzError, StoreError
from fuzz.events import Event
from fuzz.report.chronicle import Chronicle, Circumstances
from fuzz.report.console import summary_lines
from fuzz.report.summary import Summary
from fuzz.report.text import say, width_of
from fuzz.settings import FuzzSettings
from fuzz.store.campaign_folder import campaign_folder
from fuzz.target.sources import sources_of


def run_told(
    campaign: Runs,
    telling: Telling,
    watching: Watching,
    corpus: Path,
    view: View | None = None,
    chronicle: Chronicle | None = None,
) -> int:
    """Run ``campaign`` with all that watches it, tell of it, and return the exit code.

    Its cases are in the folder ``corpus``; without a ``view`` it is the fullest that there can be.
    """
    summary, console = Summary(telling.known), telling.console()
    try:
        with watching.over(campaign, summary, corpus, console) as watched:
            shown = view or view_of(console)
            return run_campaign(watched, console, summary, telling.file, corpus, shown, chronicle)
    finally:
        telling.end(summary)


def run_campaign(
    campaign: Runs,
    console: Console,
    summary: Summary,
    summary_file: Path | None,
    corpus: Path,
    view: View = View.STATUS,
    chronicle: Chronicle | None = None,
) -> int:
    """Run ``campaign``, whose cases are in ``corpus``, to its end; return the exit code.

    ``chronicle`` writes down the history of a long one, of which the summary tells the totals.
    """

    def take(event: Event) -> None:
        summary.take(event)
        if chronicle is not None:
            chronicle.take(event)
            summary.campaign = chronicle.totals()

    failures: list[IrisFuzzError] = []
    with _written(summary, summary_file, failures):
        try:
            follow(campaign, console, summary, view, corpus, take)
        except IrisFuzzError as error:
            failures.append(error)
            if chronicle is not None:
                with suppress(StoreError):  # of two sentences about one disk, the first will do
                    chronicle.failed(str(error))
        if not failures or summary.started is not None:
            say(console, summary_lines(summary, width_of(console)))
    # What was found counts for more than how the run ended: then all of that is but told.
    raised = failures.pop() if failures and not summary.failed() else None
    for failure in failures:
        click.echo(f"iris-fuzz: {failure}", err=True)
    if raised is not None:
        raise raised
    return 1 if summary.failed() else 0


@contextmanager
def _written(summary: Summary, file: Path | None, failures: list[IrisFuzzError]) -> Iterator[None]:
    """Write the summary at the end, also where an output that breaks is the end.

    Add to ``failures`` why it cannot be written. A run that failed before it began has none.
    """
    try:
        yield
    finally:
        if file is not None and (summary.started is not None or not failures):
            try:
                summary.write(file)
            except StoreError as error:
                failures.append(error)


@contextmanager
def chronicled(settings: FuzzSettings) -> Iterator[Chronicle]:
    """Own the folder of a campaign while the context lasts; give what writes down its history."""
    with campaign_folder(settings.corpus, settings.target) as timeline:
        timeline.note("settings", json.dumps(asdict(settings), default=str))
        circumstances = Circumstances(
            shlex.join(("iris-fuzz", *sys.argv[1:])),
            _versions(),
            lambda: sources_of(settings.target),
        )
        yield Chronicle(timeline, settings.corpus, circumstances)


def _versions() -> dict[str, str]:
    """Return the versions of what takes part in a run, as far as they are installed."""
    versions = {"Python": platform.python_version()}
    for name in ("iris-fuzz", "atheris"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
