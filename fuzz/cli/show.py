"""``iris-fuzz show``: a case, frame by frame."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fuzz.case import read_case
from fuzz.cli.screen import screen
from fuzz.report.case_values import case_values
from fuzz.report.show import render_case
from fuzz.store.sidecar import read_sidecar


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with all fields.")
def show(file: Path, as_json: bool) -> int:
    """Print the case in FILE frame by frame, with its fields and a hex view.

    What is known of the finding, from FILE.json, comes first. A file without the case
    format's magic is shown as what a replay takes it for: a raw payload, sent as one segment
    by a logged-in client.

    \b
    Examples:
      iris-fuzz show corpus/crashes/crash-SHA1
      iris-fuzz show corpus/seeds/dialogue-e2ee
      iris-fuzz show corpus/crashes/crash-SHA1 --json
      printf '\\064' >payload && iris-fuzz show payload

    Exit codes: 0 shown, 2 the file cannot be read.
    """
    case = read_case(file)
    saved = read_sidecar(file)
    if as_json:
        click.echo(json.dumps(case_values(case, file.name, saved), indent=2))
    else:
        screen().print(render_case(case, saved), crop=False)
    return 0
