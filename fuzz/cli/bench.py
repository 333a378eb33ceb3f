"""``iris-fuzz bench``: how fast and how strong the harness is, as ratios of one run."""

from __future__ import annotations

import json
from dataclasses import replace

import click
from rich.console import Console

from fuzz.bench import FULL, PARTS, QUICK, Bench, make_parts
from fuzz.cli.options import SHIPPED_CORPUS, Seconds
from fuzz.cli.screen import screen
from fuzz.errors import SettingsError
from fuzz.report.bench import as_json, lines_of
from fuzz.report.text import say
from fuzz.wakeful import awake

#: A day: who wants to see a campaign for longer, plots it.
MAX_AGE = 86_400.0


@click.command()
@click.option(
    "--quick", is_flag=True, help="Twenty minutes in place of three hours, and a wider spread."
)
@click.option(
    "--only",
    multiple=True,
    metavar="PART",
    help=f"Only this part, of {', '.join(PARTS)}; may be repeated.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    metavar="N",
    help=f"How often each part is measured. [default: {FULL.rounds}, or {QUICK.rounds} with "
    "--quick]",
)
@click.option(
    "--age",
    type=Seconds(3.0, MAX_AGE),
    metavar="SECONDS",
    help="How long the campaign of `scale` is, whose last third is held against its first. "
    f"[default: {FULL.age:.0f}, or {QUICK.age:.0f} with --quick]",
)
@click.option("--json", "as_text", is_flag=True, help="Print the results as JSON.")
def bench(
    quick: bool, only: tuple[str, ...], rounds: int | None, age: float | None, as_text: bool
) -> int:
    """Measure the harness against what a script would do, and against itself.

    All that is compared is measured side by side, round by round, on embedded targets of this
    machine. Told are ratios: the median of the rounds, with the lowest and the highest. Where
    the rounds differ by more than the ratio would claim, it says so in place of the ratio. Two
    runs differ, and two machines do; leave this one alone meanwhile.

    \b
    throughput   judged cases a second, against a bare loop of plain sockets
    scale        the cost of a case by corpus, coverage points, and age
    workers      what several do, each held to the same low rate, against one
    strength     planted defects found, with parts of the engine switched off;
                 and by boofuzz, where `pip install iris-fuzz[bench]` brought it
    storm        what a bug that crashes the server all the time costs

    \b
    Examples:
      iris-fuzz bench --quick
      iris-fuzz bench --only throughput --rounds 10
      iris-fuzz bench --only scale --rounds 2 --age 3600
      iris-fuzz bench --json >bench.json

    Exit codes: 0 it was measured, 2 could not run, 130 interrupted: what was measured by then is
    printed.
    """
    plan = QUICK if quick else FULL
    plan = replace(plan, rounds=rounds or plan.rounds, age=age or plan.age)
    seeds = SHIPPED_CORPUS / "seeds"
    if not seeds.is_dir():
        raise SettingsError(f"the shipped seeds are not at {seeds}; install from a checkout")
    with Console(stderr=True).status("") as status, awake():
        run = Bench(make_parts(only or PARTS, plan, seeds), plan.rounds, status.update)
        try:
            run.run()
        finally:  # an interrupt or an error ends it too: what was measured by then is told
            status.stop()
            results = run.results()
            if as_text:
                click.echo(json.dumps(as_json(results), indent=2))
            else:
                say(screen(), [line for result in results for line in lines_of(result)])
    return 0
