"""``iris-fuzz show``: a case, frame by frame."""

from __future__ import annotations

from pathlib import Path

import click

from fuzz.case import read_case
from fuzz.cli.screen import screen
from fuzz.report.show import render_case
from fuzz.store.sidecar import read_sidecar


@click.command(short_help="Print a case frame by frame.")
@click.argument("file", type=click.Path(path_type=Path))
def show(file: Path) -> int:
    """Print the case in FILE frame by frame, with its fields and a hex view.

    What is known of the finding, from FILE.json, comes first. A file without the case
    format's magic is shown as what a replay takes it for: a raw payload, sent as one segment
    by a logged-in client.

    \b
    Examples:
      iris-fuzz show corpus/crashes/crash-SHA1
      iris-fuzz show corpus/seeds/dialogue-e2ee
      printf '\\064' >payload && iris-fuzz show payload

    Exit codes: 0 shown, 2 the file cannot be read.
    """
    case = read_case(file)
    screen().print(render_case(case, read_sidecar(file)), crop=False)
    return 0
