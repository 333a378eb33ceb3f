"""``iris-fuzz swarm``: a campaign in slices, on the machines of a Dask cluster."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Collection
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.cli.options import Seconds, time_option
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.clock import SystemClock
from fuzz.errors import SettingsError
from fuzz.report.text import finding_lines, say, width_of
from fuzz.settings import TargetSettings

#: What the extra brings.
_NEEDED = ("distributed", "fsspec")
#: At most so many slices: more are a mistake in a number.
_MAX_SLICES = 100_000


@click.command()
@click.option(
    "--scheduler", required=True, metavar="ADDRESS", help="The cluster's: tcp://10.0.0.1:8786."
)
@click.option(
    "--corpus",
    required=True,
    metavar="PLACE",
    help="What all share: a folder that all machines see, or a URL that fsspec opens.",
)
@click.option(
    "-n",
    "--at-once",
    type=click.IntRange(1, 10_000),
    default=2,
    show_default=True,
    metavar="N",
    help="How many campaigns run at once.",
)
@time_option("How long it goes on.", 600.0)
@click.option(
    "--slice",
    "slice_seconds",
    type=Seconds(1.0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each campaign lasts; the next of a machine begins with what all have reached.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what it came to as JSON.")
@target_options
def swarm(
    scheduler: str,
    corpus: str,
    at_once: int,
    seconds: float,
    slice_seconds: float,
    as_json: bool,
    target: TargetSettings,
) -> int:
    """Fuzz on the machines of a Dask cluster that is there already.

    The time is divided into slices. Each is a campaign, `iris-fuzz fuzz`, on the machine of a
    worker, at an embedded target or at one that --start starts there. It begins with the corpus
    that all share, and pushes to it what is new, every ten seconds and at its end. Each finding is
    kept once, in crashes/. iris-fuzz[cluster] is to be installed on each machine.

    A slice of a worker that dies is played by another, and lost is only what was not pushed. After
    Ctrl-C, the slices that run play to their end and push. Where --start names commands with fixed
    ports, let there be one worker with one thread on each machine.

    \b
    Examples:
      dask scheduler
      dask worker tcp://10.0.0.1:8786 --nthreads 1      (on each machine)
      iris-fuzz swarm --scheduler tcp://10.0.0.1:8786 --corpus /shared -n 8

    Exit codes: 0 nothing found, 1 findings, 2 could not run, or some slices could not.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            "pip install 'iris-fuzz[cluster]' brings what a swarm takes"
        )
    if not (target.embedded or target.start is not None):
        raise SettingsError(
            "a swarm plays on each machine's own target: the embedded one, or one of --start"
        )
    slices = math.ceil(seconds / slice_seconds) * at_once
    if slices > _MAX_SLICES:
        raise SettingsError(f"that is {slices} slices; at most {_MAX_SLICES}: make --slice longer")
    console = Console(stderr=True) if as_json else screen()
    told = _swarmed(
        scheduler, corpus, at_once, min(seconds, slice_seconds), slices, _words(target), console
    )
    if as_json:
        click.echo(json.dumps(told, indent=2))
    return 1 if told["findings"] else 2 if told["lost"] else 0


def _swarmed(
    scheduler: str,
    corpus: str,
    at_once: int,
    seconds: float,
    number: int,
    words: tuple[str, ...],
    console: Console,
) -> dict[str, object]:
    """Play ``number`` slices and tell of each on ``console``; return what it came to, as JSON."""
    # Only where they are installed, and only by this verb: they take a second to import.
    from fuzz.swarm.cluster import play_all
    from fuzz.swarm.shared import Shared
    from fuzz.swarm.slices import Played, Slice

    url = corpus if "://" in corpus else str(Path(corpus).resolve())
    shared = Shared(url)
    slices = [Slice(n, url, seconds, words) for n in range(1, number + 1)]
    played: list[Played] = []
    failures: list[str] = []

    def promote(fingerprints: Collection[str] | None) -> None:
        for path, sidecar in shared.promote(fingerprints):
            width = width_of(console)
            lines = finding_lines(sidecar.kind, sidecar.fingerprint, sidecar.title, path, width)
            say(console, lines)

    def done(one: Played) -> None:
        played.append(one)
        said = (
            f"slice {one.number} of {number} on {one.where}: {one.cases} cases, {one.new} new in "
            f"the corpus, {len(one.findings)} findings"
        )
        say(console, [Text(said)])
        promote(one.findings)

    def failed(one: Slice, why: str) -> None:
        failures.append(why)
        say(console, [Text(f"slice {one.number} of {number} is lost: {why}")])

    try:
        play_all(scheduler, slices, at_once, SystemClock(), done, failed)
    finally:
        promote(None)  # of slices that did not come to their end too
    found = sorted({fingerprint for one in played for fingerprint in one.findings})
    cases, kept = sum(one.cases for one in played), len(shared.names("evolved"))
    total = (
        f"{len(played)} of {number} slices, {cases} cases, "
        f"{kept} in the corpus, {len(found)} findings in {corpus}"
    )
    say(console, [Text(total)])
    return {
        "slices": number,
        "played": len(played),
        "lost": failures,
        "cases": cases,
        "corpus": kept,
        "findings": found,
    }


def _words(target: TargetSettings) -> tuple[str, ...]:
    """Return the words that choose the target on another machine."""
    coverage = target.coverage
    words = [
        *target.switches(),
        *(word for name in coverage.include for word in ("--include", name)),
        *(word for name in coverage.exclude for word in ("--exclude", name)),
        *(("--cover-core",) if coverage.core else ()),
        *(("--rate", f"{target.rate:g}") if target.rate is not None else ()),
        *(("--port", "0") if target.embedded else ()),
    ]
    return tuple(words)
