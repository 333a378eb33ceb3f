"""The options that say how a run is told when it has ended, and what of it fails nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from rich.console import Console

from fuzz.cli.options import known_issues, known_option
from fuzz.cli.screen import screen
from fuzz.report.summary import Summary
from fuzz.store.atomic import ensure_writable
from fuzz.triage.known import KnownIssues

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SUMMARY = click.option(
    "--summary",
    "summary_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the summary to this file, as JSON.",
)
_JSON = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the summary as JSON at the end; all else goes to the error output.",
)


@dataclass(frozen=True, slots=True)
class Telling:
    """Where the summary of a run goes, and the issues that were known before it."""

    known: KnownIssues
    file: Path | None = None
    as_json: bool = False

    def console(self) -> Console:
        """Return what the run is shown on."""
        return Console(stderr=True) if self.as_json else screen()

    def end(self, summary: Summary) -> None:
        """Print the summary as JSON if that was asked for, and there was a run."""
        if self.as_json and summary.started is not None:
            click.echo(json.dumps(summary.as_json(), indent=2))


def summary_options(command: _Command) -> _Command:
    """Add ``--summary``, ``--json`` and ``--known``; the command gets them as one ``telling``.

    Raises :class:`fuzz.errors.IrisFuzzError` if the known issues cannot be read, or the file could
    not be written.
    """

    @wraps(command)
    def with_telling(*args: Any, **words: Any) -> Any:
        file, as_json, known = (words.pop(n) for n in ("summary_file", "as_json", "known"))
        issues = known_issues(known)
        if file is not None:
            ensure_writable(file.absolute().parent)
        return command(*args, telling=Telling(issues, file, as_json), **words)

    wrapped = cast(_Command, with_telling)
    for option in (known_option, _JSON, _SUMMARY):
        wrapped = option(wrapped)
    return wrapped
