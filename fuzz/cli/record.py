"""``iris-fuzz record``: keep what a server answers today as golden cases."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.case import read_case
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.report.text import say
from fuzz.settings import TargetSettings
from fuzz.store.atomic import ensure_writable
from fuzz.store.golden import write_golden
from fuzz.triage.record import NotRecordedError, Recorder
from fuzz.triage.replay import case_files, refuse_namesakes


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("corpus/golden"),
    show_default=True,
    metavar="FOLDER",
    help="Where the golden cases are.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what became of each as JSON.")
@target_options
def record(paths: tuple[Path, ...], to: Path, as_json: bool, target: TargetSettings) -> int:
    """Play cases (files, or folders of them), and keep each with the replies that it gets.

    A golden case is a case, NAME, and beside it NAME.replies.json with what each of its clients
    heard, in the grammar's words: no name, id or time of the play is in it. `iris-fuzz check
    golden` compares, and so does `iris-fuzz replay`. Take out of the JSON what a server may
    answer in another way: a field, or a connection, that is left out may hold anything.

    Each case is played some times. One that does not go the same way each time, that shows a
    finding, or in which the server ends a connection, is not kept.

    \b
    Examples:
      iris-fuzz record corpus/seeds/op-02-send-message
      iris-fuzz record my-dialogues --to corpus/golden --target 127.0.0.1:8085

    Exit codes: 0 all are kept, 1 some are not, 2 could not run.
    """
    files = list(dict.fromkeys(case_files(paths)))
    refuse_namesakes(files, "record them to a folder each")
    cases = [(file, read_case(file)) for file in files]
    ensure_writable(to)
    told: list[dict[str, object]] = []
    console = Console(stderr=True) if as_json else screen()
    with started(target, console) as (rig, status):
        recorder = Recorder(rig)
        for number, (file, case) in enumerate(cases, 1):
            status.update(Text(f"recording {number} of {len(cases)}: {file}"))
            try:
                expected = recorder.record(file.name, case)
            except NotRecordedError as reason:
                say(console, [Text(f"{file} is not kept: {reason}")])
                told.append({"path": str(file), "kept": None, "why": str(reason)})
                continue
            write_golden(to / file.name, case, expected)
            told.append({"path": str(file), "kept": str(to / file.name)})
    kept = sum(one["kept"] is not None for one in told)
    say(console, [Text(f"{kept} of {len(cases)} kept in {to}")])
    if as_json:
        click.echo(json.dumps(told, indent=2))
    return 0 if kept == len(cases) else 1
