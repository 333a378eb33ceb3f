"""``iris-fuzz planted``: the planted defects, as a list and as a benchmark."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.benchmark import Benchmark, Trial, shared
from fuzz.case import read_case
from fuzz.cli.options import SHIPPED_CORPUS, Seconds
from fuzz.cli.screen import screen
from fuzz.errors import SettingsError
from fuzz.report.text import say
from fuzz.target.planted import Planted, check_plants, planted_defects
from fuzz.triage.reduce import Size, size_of


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def planted(context: click.Context, as_json: bool) -> int | None:
    """List the defects that can be planted in the embedded target, or fuzz each of them.

    Each has a name, the kind of finding that it must produce, what a client needs to trip it,
    and the truth about it. ``iris-fuzz fuzz --plant NAME`` switches one on. Those that no single
    case shows by itself are found by a check, which is named; those that only a cluster shows need
    ``--edges`` (and some ``--clock-skew``), and are played against a cluster here.

    \b
    Examples:
      iris-fuzz planted
      iris-fuzz planted --json
      iris-fuzz planted run --time 60
      iris-fuzz planted run --only hang --only atom_leak

    Exit codes: 0 listed, 2 could not run; of `planted run`, see there.
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
    type=Seconds(1.0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each defect is looked for at most.",
)
@click.option("--seed", "random_seed", type=int, metavar="N", help="Seed of the random numbers.")
@click.option(
    "--whole",
    is_flag=True,
    help="Let each campaign go on to the end of its time: how many findings does one defect give?",
)
@click.option(
    "--minimise",
    is_flag=True,
    help="Make the case of each defect small, as tmin would: is it as short as the one that a "
    "person wrote?",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run(
    only: tuple[str, ...],
    seconds: float,
    random_seed: int | None,
    whole: bool,
    minimise: bool,
    as_json: bool,
) -> int:
    """Play a campaign against each planted defect, one after the other.

    A campaign starts from the shipped seeds and ends with the first finding of the kind that
    the defect must produce, or when its time is up. Where `iris-fuzz planted` names a check,
    that is made instead; a defect of the decoder is looked for by calling that. No file is kept.

    \b
    found      a finding of the right kind, after so long and so many cases
    OTHER      findings, but none of the right kind
    MISSED     nothing was found

    \b
    Examples:
      iris-fuzz planted run
      iris-fuzz planted run --only lost_in_batch --time 20
      iris-fuzz planted run --minimise --json >planted.json

    Exit codes: 0 all were found with the right kind, 1 some were not, 2 could not run,
    130 interrupted: what was measured by then is printed.
    """
    check_plants(only)
    defects = [defect for defect in planted_defects() if not only or defect.name in only]
    seeds = SHIPPED_CORPUS / "seeds"
    if not seeds.is_dir():
        raise SettingsError(f"the shipped seeds are not at {seeds}; install from a checkout")
    benchmark = Benchmark(seeds, seconds, random_seed, whole, minimise)
    console, trials = screen(), list[Trial]()
    try:
        with _until_interrupted(benchmark), Console(stderr=True).status("") as status:
            for number, defect in enumerate(defects, 1):
                status.update(f"{number} of {len(defects)}: {defect.name}")
                trial = benchmark.run(defect)
                if benchmark.stopped:
                    break
                trials.append(trial)
                if not as_json:
                    say(console, _lines(trial))
    finally:  # an error ends it too: what was measured by then is told
        if as_json:
            click.echo(json.dumps([_measured(trial) for trial in trials], indent=2))
        else:
            say(console, _totals(trials, whole, minimise))
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
        if defect.check:
            needs += f"; found by the check {defect.check}"
        if defect.decoder:
            needs += "; found by calling the decoder"
        if defect.edges:
            needs += f"; only in a cluster: --edges {defect.edges}"
        if defect.skew:
            needs += f" --clock-skew {defect.skew}"
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
        "trigger": str(_trigger(defect)),
        "connections": defect.connections,
        "frames": defect.frames,
        "engine": defect.engine,
        "edges": defect.edges,
        "clock_skew": defect.skew,
    }


def _trigger(defect: Planted) -> Path:
    return SHIPPED_CORPUS / "regressions" / defect.trigger


def _lines(trial: Trial) -> list[Text]:
    """Return what became of a defect: a line, and below it what else there is to say."""
    verdict, style = "MISSED", "bold red"
    if trial.right:
        verdict, style = "found", "green"
    elif trial.found:
        verdict, style = "OTHER", "yellow"
    line = Text(f"{verdict:6}  ", style=style)
    spent = f"{trial.seconds:6.1f} s {trial.cases:>9,} cases"
    line.append(f"{trial.defect.name:20} {trial.defect.kind:16} {spent}", style="default")
    told = [trial.right.title] if trial.right else []
    if trial.case is not None:
        small, hand = size_of(trial.case), size_of(read_case(_trigger(trial.defect)))
        told.append(f"{_sized(small)}; by hand {_sized(hand)}")
    told += [f"also {other.kind.value}: {other.title}" for other in trial.others]
    return [line, *(Text(f"{'':8}{words}", style="dim") for words in told)]


def _totals(trials: Sequence[Trial], whole: bool, minimise: bool) -> list[Text]:
    right = sum(trial.right is not None for trial in trials)
    lines = [f"{right} of {len(trials)} found with the right kind"]
    if minimise:
        short = sum(_no_longer(trial) for trial in trials)
        lines.append(f"{short} with a case that is no longer than the one written by hand")
    if whole:
        several = sum(len(trial.findings) > 2 for trial in trials)
        lines.append(f"{several} with more than two findings")
    for fingerprint, names in shared(trials).items():
        lines.append(f"the fingerprint {fingerprint} is shared by {', '.join(names)}")
    return [Text(line) for line in lines]


def _no_longer(trial: Trial) -> bool:
    """Tell whether the case of a trial is no longer than its trigger, in any way."""
    if trial.case is None:
        return False
    small, hand = size_of(trial.case), size_of(read_case(_trigger(trial.defect)))
    return (
        small.connections <= hand.connections
        and small.steps <= hand.steps
        and small.bytes <= hand.bytes
    )


def _sized(size: Size) -> str:
    counts = (
        _counted(size.connections, "connection"),
        _counted(size.steps, "step"),
        _counted(size.bytes, "byte"),
    )
    return ", ".join(counts)


def _measured(trial: Trial) -> dict[str, object]:
    measured: dict[str, object] = {
        "name": trial.defect.name,
        "expected": trial.defect.kind,
        "found": trial.found,
        "right_kind": trial.right is not None,
        "findings": [
            {"kind": f.kind.value, "fingerprint": f.fingerprint, "title": f.title}
            for f in trial.findings
        ],
        "seconds": round(trial.seconds, 2),
        "cases": trial.cases,
    }
    if trial.case is not None:
        measured |= {"size": asdict(size_of(trial.case)), "no_longer": _no_longer(trial)}
    return measured
