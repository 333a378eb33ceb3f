"""``iris-fuzz report`` and ``serve``: a campaign as a page, in a file or live."""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import click

from fuzz.cli.options import known_issues, known_option, shipped_or_own
from fuzz.errors import StoreError
from fuzz.report.html.folder import checked, crash_folder
from fuzz.report.html.gather import Gatherer
from fuzz.report.html.render import page_html
from fuzz.report.html.server import Desk, PageServer
from fuzz.store.atomic import write_atomic

_NAME = "report.html"
#: Above the ports of Iris and its edges, and those of a common web server.
_PORT = 8765


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Where the page is written. [default: {_NAME} in FOLDER, or beside it if the cases of "
    "findings are right in there]",
)
@known_option
def report(folder: Path, out: Path | None, known: Path | None) -> int:
    """Write what is in FOLDER as one page of HTML, which needs nothing else, and no network.

    FOLDER is that of a campaign (iris-fuzz fuzz --campaign), also while it runs, or a corpus. What
    went on over time, and the coverage, are there of a campaign only.

    \b
    Examples:
      iris-fuzz report night
      iris-fuzz report corpus --out report.html

    Exit codes: 0 written, 2 not written, or without the time line, which could not be read.
    """
    gathered = _gatherer(folder, known).gather(time.time())
    path = _beside_no_case(folder) if out is None else out
    write_atomic(path, page_html(gathered.page).encode())
    click.echo(str(path))
    if gathered.failure is not None:
        raise StoreError(f"{gathered.failure} (the report is written, without its time line)")
    return 0


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=_PORT,
    show_default=True,
    metavar="PORT",
    help="Where the page is, on the loopback interface; 0 lets the system choose.",
)
@known_option
def serve(folder: Path, port: int, known: Path | None) -> int:
    """Show what is in FOLDER as a page that keeps up with a campaign that runs.

    It is the page of `iris-fuzz report`. Only this machine can see it, and nothing is written to
    FOLDER: the campaign may run, end, and be started again meanwhile. Ctrl-C ends it.

    \b
    Examples:
      iris-fuzz serve night
      iris-fuzz serve corpus --port 9000

    Exit codes: 0 ended by Ctrl-C, 2 could not be served.
    """
    desk = Desk(_gatherer(folder, known))
    desk.latest()  # whatever is wrong with the folder is said here, and not in a browser
    with PageServer(desk, port) as server, suppress(KeyboardInterrupt):
        click.echo(f"{folder} is shown at {server.url} (Ctrl-C ends it)")
        server.serve_forever()
    return 0


def _beside_no_case(folder: Path) -> Path:
    """Return where the page goes: a folder of cases is replayed as a whole, and it is none."""
    return (folder.resolve().parent if crash_folder(folder) == folder else folder) / _NAME


def _gatherer(folder: Path, known: Path | None) -> Gatherer:
    try:
        version = metadata.version("iris-fuzz")
    except metadata.PackageNotFoundError:
        version = "from its sources"
    seeds = shipped_or_own(checked(folder), "seeds")
    return Gatherer(folder, version, seeds if seeds.is_dir() else None, known_issues(known))
