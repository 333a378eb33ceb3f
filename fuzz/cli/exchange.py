"""``iris-fuzz import`` and ``export``: cases from files of others, and files for others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.case import Case, encode_case, read_case
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.errors import SettingsError, UnplayableError
from fuzz.executor.names import Names
from fuzz.formats.exporting import ExportFormat, exported
from fuzz.formats.importing import Format, Imported, Importer, sources
from fuzz.formats.spoken import Spoken, heard, refuse_unspeakable, spoken, waiting
from fuzz.report.text import say
from fuzz.settings import IRIS_PORT, TargetSettings
from fuzz.store.atomic import ensure_writable, write_atomic
from fuzz.store.gathered import keep, ready
from fuzz.triage.replay import case_files, refuse_namesakes
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

_PATH = click.Path(path_type=Path)
#: The last of all is too high: the next one is that of WebSocket.
_BEYOND = 65_535
_PORT = click.IntRange(1, _BEYOND - 1)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the cases go, each under the SHA-1 of its bytes.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice([kind.value for kind in Format]),
    default=Format.AUTO.value,
    show_default=True,
    help="What the files are; auto looks at each.",
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    type=_PORT,
    default=(IRIS_PORT,),
    show_default=True,
    metavar="PORT",
    help="The server's port in captures; repeated, those of the edges in order. The next port of "
    "each counts too: WebSocket is there.",
)
@click.option("--literal", is_flag=True, help="Leave all bytes as they are, names too.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of the files as JSON.")
def import_(
    paths: tuple[Path, ...],
    to: Path,
    kind: str,
    ports: tuple[int, ...],
    literal: bool,
    as_json: bool,
) -> int:
    """Make cases of files, or folders of them, and keep them in a folder.

    \b
    raw        a payload, sent by a logged-in client as one segment
    libfuzzer  a folder of such, a libFuzzer corpus
    afl        an output folder of AFL: its queue, crashes and hangs
    aflnet     replay files of AFLNet: one client's messages, each with its length
    pcap       captures (pcapng too): each connection to the server becomes one

    A name that logs in becomes a user token, and an id that the server gave becomes a token too,
    wherever they are in a field for names: so the case can be played many times. A login's own
    token is left out, for it would have expired; a play makes a good one. --literal keeps it all.

    Clients over WebSocket become messages of a WebSocket connection if they kept to whole binary
    messages, else bytes on the WebSocket port. Bytes that were not captured end their connection.

    \b
    Examples:
      iris-fuzz import capture.pcapng --to corpus/captured
      iris-fuzz import out-aflnet --to corpus/aflnet
      iris-fuzz import ../decoder/corpus --format libfuzzer --to corpus/buffers

    Exit codes: 0 all were read, 1 some were not, 2 could not run, or none was read.
    """
    files = list(sources(paths, Format(kind)))
    ready(to)
    importer = Importer(ports, literal)
    console = Console(stderr=True) if as_json else screen()
    new = alike = read = raw = 0
    unread: dict[str, str] = {}
    for source in files:
        imported = importer.read(source)
        _tell(console, imported)
        if imported.why:
            unread[str(imported.path)] = imported.why
        read += not imported.why
        for case in imported.cases:
            kept = keep(to, encode_case(case)) is not None
            new, alike, raw = new + kept, alike + (not kept), raw + case.raw
    if as_json:
        counts = {"files": len(files), "read": read, "new": new, "alike": alike, "raw": raw}
        click.echo(json.dumps({**counts, "folder": str(to), "not_read": unread}, indent=2))
    lines = [
        f"{read} of {len(files)} files were read; {new} cases are new in {to}, "
        f"{alike} are alike others",
        *([f"{raw} are raw payloads, each sent by a logged-in client"] if raw else ()),
    ]
    say(console, map(Text, lines))
    return 0 if read == len(files) else 1 if read else 2


@click.command()
@click.argument("cases", nargs=-1, required=True, type=_PATH)
@click.option(
    "--to",
    required=True,
    type=_PATH,
    metavar="PATH",
    help="A file for one case; a folder for several, where each has the name of its case.",
)
@click.option(
    "--format",
    "kind",
    required=True,
    type=click.Choice([kind.value for kind in ExportFormat]),
    help="What they are written as.",
)
@click.option(
    "--play", is_flag=True, help="Play each on the target first, and write what it answered too."
)
@target_options
def export(cases: tuple[Path, ...], to: Path, kind: str, play: bool, target: TargetSettings) -> int:
    """Write cases (files, or folders of them) in a format that other programs read.

    \b
    pcap    a capture of all connections, to the ports of --port and --edge
    aflnet  the segments of the one client, each with its length
    raw     what the one client sends after its login, in one piece

    Users get names as in a play. Without --play nobody answers: ids that a server gives stay
    tokens, and a capture holds what clients send, with handshakes and acknowledgements. With it,
    the target is started, or --target is used, and the answers are where they came. What a case
    shows then is told, and the target is brought back.

    \b
    Examples:
      iris-fuzz export corpus/crashes/crash-SHA1 --format pcap --to crash.pcap
      iris-fuzz export corpus/seeds --format pcap --to captures/ --play

    Exit codes: 0 all were written, 1 some cannot be written so, 2 could not run.
    """
    files = list(case_files(cases))
    places = _places(files, to, kind)
    console = screen()
    written = 0
    with _speaker(target, play, console) as speak:
        for file in files:
            try:
                case = read_case(file)
                said = speak(case)
                ports = _ports(target, case)
                data = exported(case, said, ExportFormat(kind), ports, time.time())
            except UnplayableError as reason:
                say(console, [Text(f"{file} is not written: {reason}")])
                continue
            write_atomic(places[file], data)
            written += 1
            if said.unbound:
                tokens = ", ".join(said.unbound)
                say(console, [Text(f"{file}: only a server gives a value to {tokens}: see --play")])
    say(console, [Text(f"{written} of {len(files)} written to {to}")])
    return 0 if written == len(files) else 1


@contextmanager
def _speaker(
    target: TargetSettings, play: bool, console: Console
) -> Iterator[Callable[[Case], Spoken]]:
    """Yield what returns all that is said in a case: in a play of it on a target, if asked for."""
    if not play:
        names = Names()
        yield lambda case: spoken(case, names)
        return
    with started(target, console) as (rig, status):
        investigator = Investigator(rig, Watchdog(rig))

        def played(case: Case) -> Spoken:
            refuse_unspeakable(case)
            if investigator.lost is not None:
                raise investigator.lost
            status.update("playing a case")
            observation, findings = investigator.witness(waiting(case))
            shown = [f"it shows {one.kind.value}: {one.title}" for one in findings]
            say(console, map(Text, shown))
            return heard(observation)

        yield played


def _ports(target: TargetSettings, case: Case) -> tuple[int, ...]:
    """Return the ports of the edges; those of edges that have none are made up."""
    known: tuple[int, ...] = (target.port or IRIS_PORT,)
    if not target.embedded:
        known = tuple(port for _, port in (target.address(), *target.edge_addresses()))
    taken = {port + beside for port in known for beside in (0, 1)}
    # Every other one: that between them is the WebSocket port. Behind the last there is none.
    some = chain(range(known[-1] + 2, _BEYOND, 2), range(IRIS_PORT, _BEYOND, 2))
    free = (port for port in some if taken.isdisjoint((port, port + 1)))
    return (*known, *islice(free, max(0, case.edges() - len(known))))


def _places(files: Sequence[Path], to: Path, kind: str) -> dict[Path, Path]:
    """Return where each case is written to; a folder for them is made if it is missing."""
    if len(files) == 1 and not to.is_dir():
        ensure_writable(to.absolute().parent)
        return {files[0]: to}
    if to.is_file():
        raise SettingsError(f"{to} is a file, and there are {len(files)} cases: name a folder")
    refuse_namesakes(dict.fromkeys(files), "export them one by one")
    ensure_writable(to)
    return {file: to / f"{file.name}.{kind}" for file in files}


def _tell(console: Console, imported: Imported) -> None:
    lines = [f"{imported.path} is not read: {imported.why}"] if imported.why else []
    lines += [f"{imported.path}: {note}" for note in imported.notes]
    say(console, map(Text, lines))
