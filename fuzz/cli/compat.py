"""``iris-fuzz compat``: what is another in a second version of a server?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from fuzz.case import Case, read_case
from fuzz.cli.options import shipped_or_own
from fuzz.cli.screen import screen
from fuzz.cli.target_options import announce
from fuzz.errors import IrisFuzzError, SettingsError
from fuzz.report.comparison import comparison_json, comparison_lines
from fuzz.report.text import say
from fuzz.rig import Rig, rig_of
from fuzz.settings import TargetSettings
from fuzz.triage.differ import Compared, grouped
from fuzz.triage.replay import case_files
from fuzz.triage.versus import Versus

#: What is played where no case is named: correct use, recorded use, and what once broke.
_CORPUS = ("seeds", "golden", "regressions")


@click.command(short_help="Tell how two versions of a server differ.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[CASES]...")
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="HOST",
    help="Allow this host although it is not on the loopback interface. It will be sent "
    "malformed traffic: name only what is yours.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compat(a: str, b: str, paths: tuple[Path, ...], allowed: tuple[str, ...], as_json: bool) -> int:
    """Play cases (files, or folders of them) against A and B, and tell what differs.

    A and B are each `embedded`, `embedded:PLANT,PLANT` (the reference Iris, with planted
    defects) or the HOST:PORT of a server that is running. Without CASES, the folders seeds,
    golden and regressions of corpus are played, or those that were shipped.

    Compared are the frames that each connection of a case hears, how it ends, and findings.
    Names are put back to what stands for them, ids are numbered, and of times only their
    presence counts. Cases in which the same thing differs are one group. A case that differs
    is played again on both sides; what a side does not show each time differs by chance, and
    is told apart.

    \b
    Examples:
      iris-fuzz compat 127.0.0.1:8085 127.0.0.1:9085
      iris-fuzz compat embedded embedded:reply_length
      iris-fuzz compat embedded 127.0.0.1:8085 corpus/golden --json

    Exit codes: 0 no difference (but by chance), 1 differences, 2 could not run to the end.
    """
    sides = [_side(word, allowed) for word in (a, b)]
    for side in sides:
        announce(side)
    cases = [(file, read_case(file)) for file in case_files(paths or _default())]
    compared: list[Compared] = []
    try:
        with _both(*sides) as (rigs, status):
            _compare(Versus(*rigs), cases, compared, status)
    except IrisFuzzError:
        if compared:  # what was seen until then is told, and that it is not all
            _tell(a, b, compared, len(cases), as_json)
        raise
    _tell(a, b, compared, len(cases), as_json)
    return 1 if grouped(compared) else 0


def _side(word: str, allowed: tuple[str, ...]) -> TargetSettings:
    name, separator, plants = word.partition(":")
    if name == "embedded":
        if separator and not all(plants.split(",")):
            raise SettingsError(f"{word!r} names a planted defect that is empty")
        return TargetSettings(port=0, plants=tuple(plants.split(",")) if separator else ())
    try:
        return TargetSettings(word, allowed=allowed)
    except SettingsError:
        raise SettingsError(
            f"a target is `embedded`, `embedded:PLANT,PLANT` or HOST:PORT, not {word!r}"
        ) from None


def _default() -> tuple[Path, ...]:
    return tuple(shipped_or_own(Path("corpus"), name) for name in _CORPUS)


@contextmanager
def _both(a: TargetSettings, b: TargetSettings) -> Iterator[tuple[tuple[Rig, Rig], Status]]:
    """Start both targets, with a status line on the error output."""
    rigs = (rig_of(a), rig_of(b))
    with Console(stderr=True).status("starting both targets") as status, ExitStack() as stack:
        for rig in rigs:
            rig.start()
            stack.callback(rig.stop)
        yield rigs, status


def _compare(
    versus: Versus, cases: Sequence[tuple[Path, Case]], compared: list[Compared], status: Status
) -> None:
    for number, (file, case) in enumerate(cases, 1):
        status.update(Text(f"playing {number} of {len(cases)}: {file}"))
        compared.append(versus.compare(str(file), case))


def _tell(a: str, b: str, compared: Sequence[Compared], given: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(comparison_json(a, b, compared, given), indent=2))
    else:
        say(screen(), comparison_lines(a, b, compared, given))
