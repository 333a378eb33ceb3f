"""``iris-fuzz triage``, ``tmin`` and ``promote``: from cases to bug reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from fuzz.case import Case, encode_case, read_case
from fuzz.cli.options import (
    known_issues,
    known_option,
    target_options,
    target_settings,
    time_option,
)
from fuzz.cli.screen import screen
from fuzz.clock import SystemClock
from fuzz.errors import CaseFileError, SettingsError
from fuzz.finding import Finding
from fuzz.report.finding import as_json, as_markdown
from fuzz.report.reproducer import reproducer
from fuzz.report.text import finding_lines, say, width_of
from fuzz.rig import Rig
from fuzz.settings import TargetSettings
from fuzz.store.atomic import ensure_writable, write_atomic
from fuzz.store.sidecar import Sidecar, encode_sidecar, read_sidecar, sidecar_path
from fuzz.target.choose import choose_target
from fuzz.triage.dossier import Dossier, Examiner
from fuzz.triage.reduce import Budget
from fuzz.triage.replay import case_files

#: A case of thirty steps shrinks in some hundred plays; a hang costs seconds for each.
_SECONDS = 60.0


@click.command(short_help="Make a case as small as it can be.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the small case here. [default: FILE.min]",
)
@time_option("How long it is tried at most.", _SECONDS)
@target_options
def tmin(
    file: Path,
    output: Path | None,
    seconds: float,
    target: str,
    port: int,
    plants: tuple[str, ...],
    allowed: tuple[str, ...],
) -> int:
    """Make the case in FILE as small as it can be while it shows the same finding.

    Connections go first, then steps, frames, fields (with their lengths put right), cuts
    and bytes. What was saved with planted defects needs them switched on.

    \b
    Examples:
      iris-fuzz tmin corpus/crashes/crash-SHA1
      iris-fuzz tmin payload -o small --plant crash_alone

    Exit codes: 0 written, 1 the case shows no finding, 2 could not run.
    """
    case, saved = read_case(file), read_sidecar(file)
    place = output or file.with_name(f"{file.name}.min")
    ensure_writable(place.absolute().parent)
    console = screen()
    settings = target_settings(target, port, plants, allowed)
    with _started(settings) as (rig, status):
        status.update("playing the case")
        examiner = Examiner(rig, Budget(seconds=seconds))
        finding = _wanted(examiner.findings(case), saved)
        if finding is None:
            console.print("the case shows no finding" + _hint(saved, plants), soft_wrap=True)
            return 1
        status.update("making it smaller")
        small = examiner.minimise(case, finding)
    write_atomic(place, encode_case(small.case))
    say(console, finding_lines(finding.kind, finding.fingerprint, finding.title, str(place), None))
    console.print(small.sentence(), soft_wrap=True)
    return 0


@click.command(short_help="Turn cases into bug reports, one for each bug.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("triage"),
    show_default=True,
    metavar="FOLDER",
    help="Where the reports are written, a folder for each bug.",
)
@time_option("How long each step may take at most for one bug.", _SECONDS)
@known_option
@click.option("--json", "as_json_", is_flag=True, help="Print the reports as JSON.")
@target_options
def triage(
    paths: tuple[Path, ...],
    out: Path,
    seconds: float,
    known: Path | None,
    as_json_: bool,
    target: str,
    port: int,
    plants: tuple[str, ...],
    allowed: tuple[str, ...],
) -> int:
    """Play cases or raw payloads, and write a report for each bug that they show.

    A file is a case of ours, or what another fuzzer has saved: a payload, sent by a
    logged-in client. Cases of one bug are put together; the first of them is made small,
    played again on a fresh node, and varied, to tell what of it is needed.

    \b
    Files, in FOLDER/KIND-FINGERPRINT/:
      report.md      for people
      report.json    the same, for programs
      case           the smallest case
      reproduce.py   plays it with nothing but Python

    \b
    Examples:
      iris-fuzz triage corpus/crashes
      iris-fuzz triage ../afl/out/default/crashes --target 127.0.0.1:8085
      iris-fuzz triage payload --plant hang --out reports

    Exit codes: 0 no finding that is not known, 1 findings, 2 could not run.
    """
    files = list(case_files(paths))
    issues = known_issues(known)
    ensure_writable(out)
    settings = target_settings(target, port, plants, allowed)
    console, notes = screen(), list[str]()
    bugs = _examined(files, settings, Budget(seconds=seconds), notes)
    reports = []
    for bug in bugs:
        note = issues.note(bug.dossier.finding.fingerprint)
        folder, replay = _write(out, bug.dossier, settings, note)
        told = as_json(bug.dossier, replay, note)
        reports.append({**told, "folder": str(folder), "files": list(map(str, bug.files))})
        if not as_json_:
            _tell(console, bug.dossier, folder, len(bug.files), note)
    if as_json_:
        click.echo(json.dumps({"bugs": reports, "notes": notes}, indent=2))
    else:
        without = len(files) - len({file for bug in bugs for file in bug.files})
        console.print(f"{len(files)} files, {len(bugs)} bugs, {without} files without a finding")
        say(console, map(Text, notes))
    return 0 if issues.excuse_all(bug.dossier.finding for bug in bugs) else 1


@dataclass(slots=True)
class _Bug:
    """What is known of a bug, and the files that show it."""

    dossier: Dossier
    files: list[Path]


def _examined(
    files: Sequence[Path], settings: TargetSettings, budget: Budget, notes: list[str]
) -> list[_Bug]:
    """Play ``files`` and examine each bug once; what cannot be played is told in ``notes``."""
    bugs: dict[str, _Bug] = {}
    with _started(settings) as (rig, status):
        examiner = Examiner(rig, budget)
        for number, file in enumerate(files, 1):
            status.update(Text(f"playing {number} of {len(files)}: {file}"))
            try:
                case = read_case(file)
            except CaseFileError as error:
                notes.append(f"{error}; it is left out")
                continue
            for finding in examiner.findings(case):
                if finding.fingerprint in bugs:
                    bugs[finding.fingerprint].files.append(file)
                    continue
                status.update(Text(f"examining {finding.title}"))
                bugs[finding.fingerprint] = _Bug(examiner.examine(case, finding), [file])
    return list(bugs.values())


@click.command(short_help="Copy a minimal case to the regressions.")
@click.argument("crash", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("corpus/regressions"),
    show_default=True,
    metavar="FOLDER",
    help="Where the regressions are.",
)
@click.option("--name", metavar="NAME", help="Name of the file. [default: KIND-FINGERPRINT]")
def promote(crash: Path, to: Path, name: str | None) -> int:
    """Copy a case, and the JSON beside it, to the folder of regressions.

    Each test run plays what is there. A case that ``iris-fuzz tmin`` has made small is
    taken in the place of CRASH if it lies beside it as CRASH.min.

    \b
    Examples:
      iris-fuzz promote corpus/crashes/crash-SHA1
      iris-fuzz promote corpus/crashes/crash-SHA1 --name typing-start-empty-target

    Exit codes: 0 copied, 2 could not: a file of that name is there, or nothing is known of
    the case.
    """
    saved = read_sidecar(crash)
    if saved is None:
        raise CaseFileError(f"{crash} has no JSON beside it; `iris-fuzz triage` tells what it does")
    small = crash.with_name(f"{crash.name}.min")
    case = read_case(small if small.is_file() else crash)
    place = to / (name or f"{saved.kind.value}-{saved.fingerprint}")
    if place.parent != to:
        raise SettingsError(f"--name is the name of a file, not {name!r}")
    if place.exists():
        raise SettingsError(f"{place} is there already; choose another --name")
    ensure_writable(to)
    write_atomic(place, encode_case(case))
    write_atomic(sidecar_path(place), encode_sidecar(saved, place.name))
    screen().print(f"{place}: {saved.title}", soft_wrap=True)
    return 0


@contextmanager
def _started(settings: TargetSettings) -> Iterator[tuple[Rig, Status]]:
    """Start the target, with a status line on the error output."""
    rig = Rig(choose_target(settings), SystemClock())
    with Console(stderr=True).status("starting the target") as status:
        try:
            rig.start()
            yield rig, status
        finally:
            rig.stop()


def _wanted(findings: Sequence[Finding], saved: Sidecar | None) -> Finding | None:
    """Return the finding that was saved if it shows, else the worst."""
    for finding in findings:
        if saved is not None and finding.fingerprint == saved.fingerprint:
            return finding
    return findings[0] if findings else None


def _hint(saved: Sidecar | None, plants: tuple[str, ...]) -> str:
    off = [f"--plant {name}" for name in (saved.plants if saved else ()) if name not in plants]
    return f"; it was found with {' '.join(off)}, which is off" if off else ""


def _write(out: Path, dossier: Dossier, settings: TargetSettings, note: str) -> tuple[Path, str]:
    """Write the files of one bug; return their folder, and how the case is replayed."""
    finding = dossier.finding
    folder = out / f"{finding.kind.value}-{finding.fingerprint}"
    ensure_writable(folder)
    case: Case = dossier.case
    words = ["iris-fuzz", "replay", str(folder / "case")]
    words += [word for name in settings.plants for word in ("--plant", name)]
    words += [] if settings.embedded else ["--target", settings.target]
    replay = " ".join(words)
    write_atomic(folder / "case", encode_case(case))
    write_atomic(folder / "report.md", as_markdown(dossier, replay, note).encode())
    document = json.dumps(as_json(dossier, replay, note), indent=2)
    write_atomic(folder / "report.json", (document + "\n").encode())
    write_atomic(folder / "reproduce.py", reproducer(case, finding).encode())
    return folder, replay


def _tell(console: Console, dossier: Dossier, folder: Path, files: int, note: str) -> None:
    finding = dossier.finding
    lines = finding_lines(
        finding.kind, finding.fingerprint, finding.title, str(folder), width_of(console)
    )
    told = [
        f"{files} {'file' if files == 1 else 'files'}; {dossier.confidence.sentence()}",
        dossier.minimised.sentence(),
        dossier.pattern.sentence(),
        *([note] if note else []),
    ]
    say(console, [*lines, *(Text(f"    {line}", style="dim") for line in told)])
