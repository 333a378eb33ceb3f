"""The options that let others see a campaign, and let a campaign see what others assert."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import click
from rich.console import Console
from rich.text import Text

from fuzz.assertions import VITALS, Assertion, Keeper, Source, parse_assertion, source_of
from fuzz.errors import SettingsError
from fuzz.events import Event
from fuzz.report.metrics import CampaignMetrics, served
from fuzz.report.summary import Summary
from fuzz.report.text import say
from fuzz.settings import TargetSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_METRICS_PORT = click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Tell Prometheus of the run on this port of the loopback interface; 0 takes a free one. "
    "`iris-fuzz metrics --help` tells more.",
)
_ASSERT = click.option(
    "--assert",
    "sentences",
    multiple=True,
    metavar="EXPR",
    help="A comparison of your server's own metrics that is to hold while it is fuzzed, as in "
    "'iris_errors / iris_messages < 0.001'; may be repeated; see `iris-fuzz metrics --help`.",
)
_METRICS_URL = click.option(
    "--metrics-url",
    metavar="URL",
    help="Where the metrics for --assert are, in the text format of Prometheus, as in "
    "http://127.0.0.1:9568/metrics. Another host must be named with --allow-host too.",
)


class Runs(Protocol):
    """What can be run and stopped: a campaign, or one in the clothes of another."""

    def events(self) -> Generator[Event, None, None]:
        """Yield the events of the run."""

    def pause(self, paused: bool) -> None:
        """Let it rest, or go on."""

    def stop(self) -> None:
        """Ask for the end."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What is asserted, of the metrics at which place, and the port for those of the run."""

    port: int | None = None
    assertions: tuple[Assertion, ...] = ()
    source: Source | None = None

    @contextmanager
    def over(self, run: Runs, summary: Summary, corpus: Path, console: Console) -> Iterator[Runs]:
        """Give the run with all that while the context lasts."""
        if self.assertions:
            run = _Kept(run, Keeper(self.assertions, self.source, corpus / "crashes"))
        if self.port is None:
            yield run
            return
        metrics = CampaignMetrics(summary)
        with served(metrics, self.port) as url:
            say(console, [Text(f"metrics of this run: {url}")])
            yield _Measured(run, metrics)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A run whose assertions are kept."""

    run: Runs
    keeper: Keeper

    def events(self) -> Generator[Event, None, None]:
        return self.keeper.watch(self.run.events())

    def pause(self, paused: bool) -> None:
        self.run.pause(paused)

    def stop(self) -> None:
        self.run.stop()


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run whose metrics are read behind each event, when the summary has taken it in."""

    run: Runs
    metrics: CampaignMetrics

    def events(self) -> Generator[Event, None, None]:
        with closing(self.run.events()) as events:
            for event in events:
                yield event
                self.metrics.take(event)

    def pause(self, paused: bool) -> None:
        self.run.pause(paused)

    def stop(self) -> None:
        self.run.stop()


def watching_options(command: _Command) -> _Command:
    """Add the options of assertions and metrics; the command gets them as one ``watching``.

    They stand below those of the target, for the hosts that are allowed are named there.
    """

    @wraps(command)
    def with_watching(*args: Any, target: TargetSettings, **words: Any) -> Any:
        names = ("metrics_port", "sentences", "metrics_url")
        port, sentences, url = (words.pop(name) for name in names)
        watching = watching_of(port, sentences, url, target)
        return command(*args, target=target, watching=watching, **words)

    wrapped = cast(_Command, with_watching)
    for option in (_METRICS_PORT, _METRICS_URL, _ASSERT):
        wrapped = option(wrapped)
    return wrapped


def watching_of(
    port: int | None, sentences: tuple[str, ...], url: str | None, target: TargetSettings
) -> Watching:
    """Return what is asked for; raise :class:`SettingsError` if it cannot be."""
    assertions = tuple(dict.fromkeys(map(parse_assertion, sentences)))
    asked = {one.name for assertion in assertions for one in assertion.selectors}
    if url is None and asked - VITALS.keys():
        raise SettingsError("--assert wants to know where the metrics are: --metrics-url URL")
    if url is not None and not assertions:
        raise SettingsError("--metrics-url is for --assert EXPR, which is missing")
    return Watching(port, assertions, None if url is None else source_of(url, target.allowed))
