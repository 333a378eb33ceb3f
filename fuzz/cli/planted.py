"""``iris-fuzz planted``: the planted defects, as a list and as a benchmark."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.benchmark import Benchmark, Trial
from fuzz.cli.options import SHIPPED_CORPUS
from fuzz.cli.screen import screen
from fuzz.errors import SettingsError
from fuzz.target.planted import Planted, check_plants, planted_defects


@click.group(
    invoke_without_command=True, short_help="List the planted defects, or measure who finds them."
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def planted(context: click.Context, as_json: bool) -> int | None:
    """List the defects that can be planted in the embedded target, or fuzz each of them.

    Each has a name, the kind of finding that it must produce, what a client needs to trip it,
    and the truth about it. ``iris-fuzz fuzz --plant NAME`` switches one on.

    \b
    Examples:
      iris-fuzz planted
      iris-fuzz planted --json
      iris-fuzz planted run --time 60
      iris-fuzz planted run --only hang --only atom_leak
    """
    if context.invoked_subcommand is not None:
        return None
    defects = planted_defects()
    if as_json:
        click.echo(json.dumps([_described(defect) for defect in defects], indent=2))
    else:
        screen().print(_listing(defects))
    return 0


@planted.command(short_help="Play a campaign against each planted defect.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this defect; may be repeated.")
@click.option(
    "--time",
    "seconds",
    type=click.FloatRange(1.0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each defect is looked for at most.",
)
@click.option("--seed", "random_seed", type=int, metavar="N", help="Seed of the random numbers.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run(only: tuple[str, ...], seconds: float, random_seed: int | None, as_json: bool) -> int:
    """Play a campaign against each planted defect, one after the other.

    A campaign starts from the shipped seeds and ends with the first finding of the kind that
    the defect must produce, or when its time is up. No file is kept.

    \b
    found      a finding of the right kind, after so long and so many cases
    OTHER      findings, but none of the right kind
    MISSED     nothing was found

    \b
    Examples:
      iris-fuzz planted run
      iris-fuzz planted run --only lost_in_batch --time 20
      iris-fuzz planted run --json >planted.json

    Exit codes: 0 all were found with the right kind, 1 some were not, 2 could not run,
    130 interrupted: what was measured by then is printed.
    """
    check_plants(only)
    defects = [defect for defect in planted_defects() if not only or defect.name in only]
    seeds = SHIPPED_CORPUS / "seeds"
    if not seeds.is_dir():
        raise SettingsError(f"the shipped seeds are not at {seeds}; install from a checkout")
    benchmark, console, trials = Benchmark(seeds, seconds, random_seed), screen(), list[Trial]()
    with _until_interrupted(benchmark), Console(stderr=True).status("") as status:
        for number, defect in enumerate(defects, 1):
            status.update(f"{number} of {len(defects)}: {defect.name}")
            trial = benchmark.run(defect)
            if benchmark.stopped:
                break
            trials.append(trial)
            if not as_json:
                console.print(_line(trial), soft_wrap=True)
    if as_json:
        click.echo(json.dumps([_measured(trial) for trial in trials], indent=2))
    else:
        right = sum(trial.right for trial in trials)
        console.print(f"{right} of {len(trials)} found with the right kind")
    if benchmark.stopped:
        return 130
    return 0 if all(trial.right for trial in trials) else 1


@contextmanager
def _until_interrupted(benchmark: Benchmark) -> Iterator[None]:
    """Let an interrupt end the running campaign in order: its node goes with it."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        benchmark.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listing(defects: Sequence[Planted]) -> Table:
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="dim", pad_edge=False)
    for column in ("name", "finding", "what it does"):
        table.add_column(column)
    for defect in defects:
        needs = f"{_counted(defect.connections, 'connection')}, {_counted(defect.frames, 'frame')}"
        told = Text.assemble((f"{defect.mistake}: ", "bold"), defect.truth, (f" ({needs})", "dim"))
        table.add_row(defect.name, defect.kind, told)
    return table


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _described(defect: Planted) -> dict[str, object]:
    return {
        "name": defect.name,
        "class": defect.mistake,
        "kind": defect.kind,
        "truth": defect.truth,
        "connections": defect.connections,
        "frames": defect.frames,
    }


def _line(trial: Trial) -> Text:
    verdict, style = "MISSED", "bold red"
    if trial.right:
        verdict, style = "found", "green"
    elif trial.found:
        verdict, style = "OTHER", "yellow"
    line = Text(f"{verdict:6}  ", style=style)
    spent = f"{trial.seconds:6.1f} s {trial.cases:>9,} cases"
    line.append(f"{trial.defect.name:20} {trial.defect.kind:16} {spent}", style="default")
    others = [kind for kind in trial.kinds if kind != trial.defect.kind]
    if others:
        line.append(f"  also {', '.join(others)}", style="dim")
    return line


def _measured(trial: Trial) -> dict[str, object]:
    return {
        "name": trial.defect.name,
        "expected": trial.defect.kind,
        "found": trial.found,
        "right_kind": trial.right,
        "kinds": list(trial.kinds),
        "seconds": round(trial.seconds, 2),
        "cases": trial.cases,
    }
