"""Options that several verbs share, and the settings they make."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from fuzz.settings import IRIS_PORT
from fuzz.triage.known import KnownIssues, read_known

#: One below the last of all: the next one is that of WebSocket.
_LAST_PORT = 65_534

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: The repository's own corpus: where an editable installation keeps it.
SHIPPED_CORPUS = Path(__file__).resolve().parents[2] / "corpus"


def shipped_or_own(corpus: Path, name: str) -> Path:
    """Return the folder ``name`` of a corpus, or the shipped one if it has none."""
    own = corpus / name
    return own if own.is_dir() else SHIPPED_CORPUS / name


def port_option(text: str) -> Callable[[_Command], _Command]:
    """Return the option ``--port``, explained by ``text``."""
    return click.option(
        "--port",
        type=click.IntRange(0, _LAST_PORT),
        default=IRIS_PORT,
        show_default=True,
        metavar="PORT",
        help=text,
    )


def plant_option(text: str) -> Callable[[_Command], _Command]:
    """Return the option ``--plant``, explained by ``text``."""
    return click.option("--plant", "plants", multiple=True, metavar="NAME", help=text)


def clock_skew_option() -> Callable[[_Command], _Command]:
    """Return the option ``--clock-skew``, for the embedded target with ``--edges``."""
    return click.option(
        "--clock-skew",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="With --edges: let the clock of the first edge be so far ahead, that of the second so "
        "far behind, and so on in turn. [default: 0]",
    )


def corpus_option(text: str) -> Callable[[_Command], _Command]:
    """Return the option ``--corpus``, explained by ``text``."""
    return click.option(
        "--corpus",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("corpus"),
        show_default=True,
        metavar="FOLDER",
        help=text,
    )


def known_option(command: _Command) -> _Command:
    """Add the option ``--known``."""
    option = click.option(
        "--known",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="TOML file of known issues, each with a reason and a day on which it expires: "
        "they are reported, and fail nothing until then.",
    )
    return option(command)


def known_issues(file: Path | None) -> KnownIssues:
    """Return the known issues as they stand today; raise :class:`SettingsError`."""
    return read_known(file, datetime.now(UTC).date())


#: The units of a span of time, the largest first, and how many seconds each has.
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
#: A span of time: numbers with their units.
_SPAN = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS))


class Finite(click.FloatRange):
    """A number within bounds: what is none is below no bound, and the infinite no limit."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fail if it is none, or out of bounds."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number that limits anything", param, ctx)
        return number


class Seconds(Finite):
    """A span of time: a number of seconds, or with units, as in ``90s``, ``30m`` or ``1h30m``."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; fail if it is no span of time, or out of bounds."""
        span = _SPAN.fullmatch(str(value).strip())
        if span is not None and span[0]:
            counts = map(float, span.groups("0"))
            value = sum(map(operator.mul, counts, _UNITS.values()))
        try:
            known = math.isfinite(float(value))
        except (TypeError, ValueError):
            known = False
        if not known:
            self.fail(f"{value!r} is no time: 90, 90s, 30m and 1h30m are", param, ctx)
        return super().convert(value, param, ctx)


def time_option(text: str, seconds: float) -> Callable[[_Command], _Command]:
    """Return the option ``--time``, with ``seconds`` as its default."""
    return click.option(
        "--time",
        "seconds",
        type=Seconds(1.0),
        default=seconds,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )
