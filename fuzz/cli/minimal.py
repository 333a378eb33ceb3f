"""``iris-fuzz tmin`` and ``promote``: a small case, and a place for it among the regressions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.text import Text

from fuzz.case import Case, encode_case, read_case
from fuzz.cli.options import time_option
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.errors import CaseFileError, SettingsError, StoreError
from fuzz.finding import Cause, Finding
from fuzz.report.finding import as_json as dossier_json
from fuzz.report.text import finding_lines, say
from fuzz.settings import TargetSettings
from fuzz.store.atomic import ensure_writable
from fuzz.store.crashes import Context, describe, moved, write_pair
from fuzz.store.golden import read_expecting
from fuzz.store.sidecar import Sidecar, read_sidecar, sidecar_path
from fuzz.triage.dossier import Dossier, Examiner, seen_once
from fuzz.triage.judge import TargetLostError
from fuzz.triage.reduce import Budget
from fuzz.triage.replay import ONLY_A_STORM, is_passed_over

#: A case of thirty steps shrinks in some hundred plays; a hang costs seconds for each.
SECONDS = 60.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the small case here. [default: FILE.min]",
)
@click.option(
    "--any",
    "any_finding",
    is_flag=True,
    help="Minimise what the case shows now, although it was saved for another finding.",
)
@time_option("How long it is tried at most.", SECONDS)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@target_options
def tmin(
    file: Path,
    output: Path | None,
    any_finding: bool,
    seconds: float,
    as_json: bool,
    target: TargetSettings,
) -> int:
    """Make the case in FILE as small as it can be while it shows the same finding.

    Connections go first, then steps, frames, fields (with their lengths put right), cuts
    and bytes. What was saved with planted defects needs them switched on. A JSON is written
    beside the small case, with what that shows.

    \b
    Examples:
      iris-fuzz tmin corpus/crashes/crash-SHA1
      iris-fuzz tmin payload -o small --plant crash_alone

    Exit codes: 0 written, 1 the case shows no finding, or not the one that is in the JSON
    beside it, 2 could not run.
    """
    case, saved = read_expecting(file)
    if saved is not None and saved.of_a_storm:
        raise CaseFileError(f"{file} cannot be made smaller: {ONLY_A_STORM}")
    place = output or file.with_name(f"{file.name}.min")
    ensure_writable(place.absolute().parent)
    wanted = None if saved is None or any_finding else saved.cause
    with started(target, screen()) as (rig, status):
        status.update("playing the case")
        examiner = Examiner(rig, Budget(seconds=seconds))
        findings, lost = _played(examiner, case, wanted, {} if saved is None else saved.evidence)
        finding = _chosen(findings, wanted)
        if finding is not None:
            status.update("making it smaller")
            known = seen_once(case, finding, lost) if lost else examiner.minimise(case, finding)
        context = rig.context(target)
    if finding is None:
        _tell_note(_nothing(file, findings, saved, target.plants), as_json)
    elif known.failure is None or known.minimised.after != known.minimised.before:
        data = encode_case(known.case)
        if _has_smaller(place, data, known):
            why = "has a smaller case of it already, which is kept: this run was cut short"
            _tell_note(f"{place} {why}", as_json, str(place))
        else:
            sidecar = _sidecar(place, data, known, context, saved)
            write_pair(place, data, sidecar)
            _tell(known, str(place), sidecar.replay, as_json)
    else:
        _tell(known, str(file), "" if saved is None else saved.replay, as_json)
    failure = lost if finding is None else known.failure
    if failure is not None:
        raise failure
    return 1 if finding is None else 0


@click.command()
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
    taken in the place of CRASH if it lies beside it as CRASH.min, with a JSON of its own.

    \b
    Examples:
      iris-fuzz promote corpus/crashes/crash-SHA1
      iris-fuzz promote corpus/crashes/crash-SHA1 --name typing-start-empty-target

    Exit codes: 0 copied, 2 could not: a file of that name is there, nothing is known of the
    case, or CRASH.min shows another finding than CRASH.
    """
    source, saved = _pair(crash)
    if saved.of_a_storm:
        raise CaseFileError(f"{crash} cannot be played in each test run: {ONLY_A_STORM}")
    place = to / (name or f"{saved.kind.value}-{saved.fingerprint}")
    if place.parent != to:
        raise SettingsError(f"--name is the name of a file, not {name!r}")
    if is_passed_over(place.name):
        raise SettingsError(
            f"a replay passes over files that are called like {name!r}; choose another"
        )
    if _is_there(place):
        raise SettingsError(f"{place} is there already; choose another --name")
    data = encode_case(read_case(source))
    ensure_writable(to)
    write_pair(place, data, moved(saved, place, data))
    say(screen(), [Text(f"{place}: {saved.title}")])
    return 0


def _played(
    examiner: Examiner, case: Case, wanted: Cause | None, known: Mapping[str, object]
) -> tuple[tuple[Finding, ...], TargetLostError | None]:
    """Return what ``case`` shows, and the error if the target did not survive it."""
    try:
        return examiner.findings(case, wanted, known), None
    except TargetLostError as lost:
        return lost.findings, lost


def _chosen(findings: Sequence[Finding], wanted: Cause | None) -> Finding | None:
    """Return the finding of the cause ``wanted``, or the worst where any will do."""
    fingerprint = None if wanted is None else wanted.fingerprint()
    return next((one for one in findings if fingerprint in (None, one.fingerprint)), None)


def _nothing(
    file: Path, findings: Sequence[Finding], saved: Sidecar | None, plants: tuple[str, ...]
) -> str:
    """Say what the case shows instead of what it was saved for."""
    off = [f"--plant {name}" for name in (saved.plants if saved else ()) if name not in plants]
    hint = f"; it was found with {' '.join(off)}, which is off" if off else ""
    if saved is None or not findings:
        return f"the case shows no finding{hint}"
    told = f"{findings[0].kind.value} {findings[0].fingerprint}: {findings[0].title}"
    return (
        f"{file} shows another finding than {saved.kind.value} {saved.fingerprint}, which it was "
        f"saved for{hint}; it shows {told}; --any minimises that"
    )


def _sidecar(
    place: Path, data: bytes, known: Dossier, context: Context, saved: Sidecar | None
) -> Sidecar:
    """Return what is known of the small case; the finding is as old as that of the large one."""
    evidence = {
        **known.shown.evidence,
        "reproduced": known.confidence.sentence(),
        "minimised": known.minimised.sentence(),
    }
    finding = replace(known.shown, evidence=evidence)
    sidecar = describe(place, data, finding, context, datetime.now(UTC))
    if saved is None or saved.fingerprint != sidecar.fingerprint:
        return sidecar
    return replace(sidecar, first_seen=saved.first_seen, hits=saved.hits)


def _has_smaller(place: Path, data: bytes, known: Dossier) -> bool:
    """Tell whether a run that was cut short finds a smaller case of the finding in its place."""
    if known.minimised.complete:
        return False
    try:
        there = read_sidecar(place)
        if there is None or there.fingerprint != known.shown.fingerprint:
            return False
        return len(encode_case(read_case(place))) < len(data)
    except (CaseFileError, StoreError):
        return False


def _tell_note(why: str, as_json: bool, file: str | None = None) -> None:
    if as_json:
        click.echo(json.dumps({"file": file, "note": why}, indent=2))
    else:
        say(screen(), [Text(why)])


def _tell(known: Dossier, path: str, replay: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": path, **dossier_json(known, replay)}, indent=2))
        return
    finding = known.shown
    lines = finding_lines(finding.kind, finding.fingerprint, finding.title, path, None)
    told = (known.confidence.sentence(), known.minimised.sentence())
    say(screen(), [*lines, *map(Text, told)])


def _pair(crash: Path) -> tuple[Path, Sidecar]:
    """Return the case to promote, and what is known of it."""
    saved = read_sidecar(crash)
    if saved is None:
        raise CaseFileError(f"{crash} has no JSON beside it; `iris-fuzz triage` tells what it does")
    small = crash.with_name(f"{crash.name}.min")
    if not _is_there(small):
        return crash, saved
    known = read_sidecar(small)
    if known is None:
        raise CaseFileError(f"{small} has no JSON beside it; `iris-fuzz tmin {crash}` writes both")
    if known.fingerprint != saved.fingerprint:
        raise CaseFileError(
            f"{small} shows {known.kind.value} {known.fingerprint}, and {crash} was saved for "
            f"{saved.kind.value} {saved.fingerprint}; move one of them away"
        )
    return small, known


def _is_there(path: Path) -> bool:
    """Tell whether there is a file, or the JSON of one, in the place of ``path``."""
    try:
        return path.exists() or sidecar_path(path).exists()
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}") from None
