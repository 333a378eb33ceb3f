"""``iris-fuzz compat``: what is another in a second version of a server?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from fuzz.case import Case, read_case
from fuzz.cli.config import TARGET_TABLE, read_config, target_defaults
from fuzz.cli.options import shipped_or_own
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_of, transport_options, words_of
from fuzz.errors import IrisFuzzError, SettingsError
from fuzz.report.comparison import comparison_json, comparison_lines
from fuzz.report.text import say
from fuzz.rig import Rig, rig_of
from fuzz.settings import EMBEDDED, TargetSettings
from fuzz.triage.differ import Compared, grouped
from fuzz.triage.replay import case_files
from fuzz.triage.versus import Versus

#: What is played where no case is named: correct use, recorded use, and what once broke.
_CORPUS = ("seeds", "golden", "regressions")
#: How the name of a file ends that says what a target is.
_FILE = ".toml"


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[CASES]...")
@transport_options
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="HOST",
    help="Allow this host although it is not on the loopback interface. It will be sent "
    "malformed traffic: name only what is yours.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compat(
    a: str,
    b: str,
    paths: tuple[Path, ...],
    allowed: tuple[str, ...],
    as_json: bool,
    **transport: Any,
) -> int:
    """Play cases (files, or folders of them) against A and B, and tell what differs.

    A and B are each `embedded`, `embedded:PLANT,PLANT` (the reference Iris, with planted
    defects), the HOST:PORT of a server that is running, or an iris-fuzz.toml whose table [target]
    says how one is started or reached. Behind it, in the same quotes, may stand whatever chooses a
    target in `iris-fuzz fuzz`: --node, --edge, --edges, --port, ... The options of transports are
    for both sides; of those of TLS, the embedded Iris heeds --tls-version only. Without CASES, the
    folders seeds, golden and regressions of corpus are played, or those that were shipped.

    Compared are the frames that each connection of a case hears, how it ends, and findings.
    Names are put back to what stands for them, ids are numbered, and of times only their
    presence counts. Cases in which the same thing differs are one group. A case that differs
    is played again on both sides; what a side does not show each time differs by chance, and
    is told apart.

    \b
    Examples:
      iris-fuzz compat 127.0.0.1:8085 127.0.0.1:9085
      iris-fuzz compat embedded embedded:reply_length
      iris-fuzz compat 127.0.0.1:8085 127.0.0.1:9085 --tls --tls-ca ca.pem
      iris-fuzz compat "127.0.0.1:8085 --node old" "127.0.0.1:9085 --node new"
      iris-fuzz compat v1/iris-fuzz.toml "v2/iris-fuzz.toml --port 9085"
      iris-fuzz compat embedded 127.0.0.1:8085 corpus/golden --json

    Exit codes: 0 no difference (but by chance), 1 differences, 2 could not run to the end.
    """
    both = {name: value for name, value in transport.items() if value}
    if allowed:
        both["allowed"] = allowed
    sides = [_side(text, both) for text in (a, b)]
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


def _side(text: str, both: Mapping[str, Any]) -> TargetSettings:
    """Return the target that one of A and B names; ``both`` are options that hold for each."""
    where, *options = words_of(text) or [""]
    if where.endswith(_FILE):
        config = read_config(Path(where))
        if not config.table(TARGET_TABLE):
            raise SettingsError(f"{where} names no target: it has no table [{TARGET_TABLE}]")
        return target_of(options, {**target_defaults(config), **both})
    name, separator, plants = where.partition(":")
    if name == EMBEDDED:
        if separator and not all(plants.split(",")):
            raise SettingsError(f"{where!r} names a planted defect that is empty")
        switches = (word for plant in plants.split(",") if plant for word in ("--plant", plant))
        return target_of(["--target", EMBEDDED, *switches, *options], both)
    try:
        TargetSettings(where)
    except SettingsError:
        raise SettingsError(
            "a target is an iris-fuzz.toml, `embedded`, `embedded:PLANT,PLANT` or HOST:PORT, "
            f"not {where!r}"
        ) from None
    return target_of(["--target", where, *options], both)


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
