"""The options that say which reports of a run CI is to get, and the writing of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from fuzz.errors import IrisFuzzError
from fuzz.report.annotations import annotated
from fuzz.report.junit import as_junit
from fuzz.report.markdown import as_markdown
from fuzz.report.outcome import Outcome
from fuzz.report.sarif import as_sarif
from fuzz.store.atomic import ensure_writable, store_error, write_atomic

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML to this file."),
    click.option("--sarif", type=_FILE, metavar="FILE", help="Write SARIF 2.1.0 to this file."),
    click.option(
        "--markdown",
        type=_FILE,
        metavar="FILE",
        help="Write a summary in Markdown to this file. [default: it is added to the file that "
        "GITHUB_STEP_SUMMARY names, where that is set]",
    ),
)


@dataclass(frozen=True, slots=True)
class Reports:
    """Where reports go. ``page`` is a file of others, to whose end the Markdown is added.

    With ``annotate``, commands for GitHub are printed.
    """

    junit: Path | None = None
    sarif: Path | None = None
    markdown: Path | None = None
    page: Path | None = None
    annotate: bool = False

    def check(self) -> None:
        """Raise :class:`fuzz.errors.StoreError` if a report could not be written later."""
        for file in filter(None, (self.junit, self.sarif, self.markdown)):
            ensure_writable(file.absolute().parent)

    def write(self, outcome: Outcome, to_errors: bool) -> list[str]:
        """Write all reports, annotations to the error output if asked; return what went wrong."""
        wrong = []
        for write in (self._junit, self._sarif, self._markdown):
            try:
                write(outcome)
            except IrisFuzzError as error:
                wrong.append(str(error))
        if self.annotate:
            for line in annotated(outcome):
                click.echo(line, err=to_errors)
        return wrong

    def _junit(self, outcome: Outcome) -> None:
        if self.junit is not None:
            write_atomic(self.junit, as_junit(outcome))

    def _sarif(self, outcome: Outcome) -> None:
        if self.sarif is not None:
            write_atomic(self.sarif, as_sarif(outcome))

    def _markdown(self, outcome: Outcome) -> None:
        text = as_markdown(outcome).encode()
        if self.markdown is not None:
            write_atomic(self.markdown, text)
        elif self.page is not None:
            try:
                with self.page.open("ab") as page:
                    page.write(text)
            except OSError as error:
                raise store_error(self.page, "written", error) from None


def report_options(command: _Command) -> _Command:
    """Add the options of reports; the command gets them as one ``reports``."""

    @wraps(command)
    def with_reports(*args: Any, **words: Any) -> Any:
        named = {name: words.pop(name) for name in ("junit", "sarif", "markdown")}
        reports = reports_of(os.environ, **named)
        reports.check()
        return command(*args, reports=reports, **words)

    wrapped = cast(_Command, with_reports)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def reports_of(
    environment: Mapping[str, str],
    junit: Path | None = None,
    sarif: Path | None = None,
    markdown: Path | None = None,
) -> Reports:
    """Return the reports that were asked for, and those that GitHub asks for."""
    page = environment.get("GITHUB_STEP_SUMMARY")
    annotate = environment.get("GITHUB_ACTIONS") == "true"
    return Reports(junit, sarif, markdown, Path(page) if page else None, annotate)
