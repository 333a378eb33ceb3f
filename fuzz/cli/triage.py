"""``iris-fuzz triage``: from a heap of cases to bug reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from fuzz.case import Case, read_case
from fuzz.cli.minimal import SECONDS
from fuzz.cli.options import known_issues, known_option, time_option
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.errors import CaseFileError, IrisFuzzError, StoreError, TargetError
from fuzz.finding import Finding
from fuzz.report.finding import as_json
from fuzz.report.folder import Filed, file_report
from fuzz.report.text import finding_lines, say, width_of
from fuzz.rig import Rig
from fuzz.settings import TargetSettings
from fuzz.store.atomic import ensure_writable
from fuzz.store.crashes import Context
from fuzz.store.golden import read_expecting
from fuzz.store.sidecar import Sidecar, read_sidecar
from fuzz.triage.dossier import Dossier, Examiner, seen_once
from fuzz.triage.judge import TargetLostError
from fuzz.triage.known import KnownIssues
from fuzz.triage.reduce import Budget
from fuzz.triage.replay import ONLY_A_STORM, case_files


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("triage"),
    show_default=True,
    metavar="FOLDER",
    help="Where the reports are written, a folder for each bug.",
)
@time_option("How long each step may take at most for one bug.", SECONDS)
@known_option
@click.option("--json", "as_json_", is_flag=True, help="Print the reports as JSON.")
@target_options
def triage(
    paths: tuple[Path, ...],
    out: Path,
    seconds: float,
    known: Path | None,
    as_json_: bool,
    target: TargetSettings,
) -> int:
    """Play cases or raw payloads, and write a report for each bug that they show.

    A file is a case of ours, or what another fuzzer has saved: a payload, sent by a
    logged-in client. Cases of one bug are put together; the first of them is made small,
    played again on a fresh node, and varied, to tell what of it is needed.

    \b
    Files, in FOLDER/KIND-FINGERPRINT/:
      report.md      for people
      report.json    the same, for programs
      case           the smallest case; case.json is what a replay needs of it
      reproduce.py   plays it with nothing but Python

    \b
    Examples:
      iris-fuzz triage corpus/crashes
      iris-fuzz triage ../afl/out/default/crashes --target 127.0.0.1:8085
      iris-fuzz triage payload --plant hang --out reports

    Each report is written as soon as its bug is examined; Ctrl-C keeps those that are there.

    Exit codes: 0 no finding that is not known, 1 findings, 2 could not run, or no file could
    be played.
    """
    files = list(case_files(paths))
    issues = known_issues(known)
    ensure_writable(out)
    console = screen()

    def tell(bug: _Bug) -> None:
        if not as_json_:
            _tell(console, bug)

    desk = _Desk(files, target, Budget(seconds=seconds), out, issues, console, tell)
    try:
        desk.work()
    finally:  # an error and an interrupt end it too: what was found is told in any case
        if as_json_:
            click.echo(json.dumps(desk.as_json(), indent=2))
        elif desk.played or desk.notes:
            say(console, map(Text, desk.lines()))
    if not desk.played:
        raise CaseFileError("no file could be played")
    return 0 if issues.excuse_all(bug.dossier.finding for bug in desk.bugs.values()) else 1


@dataclass(slots=True)
class _Bug:
    """What is known of a bug, where that was written, and the files that show it."""

    dossier: Dossier
    filed: Filed
    note: str
    files: list[Path]


@dataclass(slots=True)
class _Desk:
    """Takes one file after the other, and files a report for each bug as soon as it can.

    What becomes of the files is counted: ``played`` with or ``without`` a finding, or neither.
    """

    files: Sequence[Path]
    settings: TargetSettings
    budget: Budget
    out: Path
    issues: KnownIssues
    console: Console
    tell: Callable[[_Bug], None]
    context: Context = field(init=False)
    bugs: dict[str, _Bug] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    played: int = 0
    without: int = 0

    def work(self) -> None:
        """Play all files; raise the error behind which none of the rest can be played."""
        with started(self.settings, self.console) as (rig, status):
            self.context = rig.context(self.settings)
            examiner = Examiner(rig, self.budget)
            for number, file in enumerate(self.files, 1):
                status.update(Text(f"playing {number} of {len(self.files)}: {file}"))
                failure = self._play(examiner, status, file)
                if failure is not None:
                    self._go_on(rig, failure, self.files[number:])

    def _go_on(self, rig: Rig, failure: IrisFuzzError, rest: Sequence[Path]) -> None:
        """Have a target for the ``rest`` of the files, or raise why there is none."""
        try:
            if rig.target.restartable:
                rig.recover(fresh_node=True)
            elif isinstance(failure, TargetError):
                raise failure
        except IrisFuzzError:
            self.notes += [f"{file}: not played" for file in rest]
            raise

    def _play(self, examiner: Examiner, status: Status, file: Path) -> IrisFuzzError | None:
        """Play one file and examine what is new in it; return the error that ended that."""
        lost: TargetLostError | None = None
        try:
            case = _read(file)
        except CaseFileError as error:
            self.notes.append(f"{error}; it is left out")
            return None
        saved = _saved(file)
        if saved is not None and saved.of_a_storm:
            self.notes.append(f"{file}: {ONLY_A_STORM}; it is left out")
            return None
        try:
            findings = (
                examiner.findings(case)
                if saved is None
                else examiner.findings(case, saved.cause, saved.evidence)
            )
        except TargetLostError as error:
            findings, lost = error.findings, error
        except IrisFuzzError as error:
            self.notes.append(f"{file}: not played: {error}")
            return error
        self.played += 1
        self.without += not findings
        failure: IrisFuzzError | None = lost
        for shown in findings:
            plain, finding = case, shown
            if failure is None:
                try:
                    plain, finding = examiner.plainest(case, shown)
                except KeyboardInterrupt:
                    self._file(seen_once(case, shown), file)
                    raise
                except IrisFuzzError as error:
                    self.notes.append(f"{file}: not examined to the end: {error}")
                    self._file_last(error, file)
                    failure = error
            if finding.fingerprint in self.bugs:
                self.bugs[finding.fingerprint].files.append(file)
                continue
            status.update(Text(f"examining {finding.title}"))
            failure = self._examine(examiner, file, plain, finding, failure) or failure
        return failure

    def _examine(
        self,
        examiner: Examiner,
        file: Path,
        case: Case,
        finding: Finding,
        failure: IrisFuzzError | None,
    ) -> IrisFuzzError | None:
        """File the report of a new bug; behind a ``failure`` it tells what was seen."""
        if failure is not None:
            self._file(seen_once(case, finding, failure), file)
            return None
        try:
            dossier = examiner.examine(case, finding)
        except KeyboardInterrupt:
            self._file(seen_once(case, finding), file)
            raise
        self._file(dossier, file)
        if dossier.failure is not None:
            self.notes.append(f"{file}: not examined to the end: {dossier.failure}")
            self._file_last(dossier.failure, file)
        return dossier.failure

    def _file_last(self, failure: IrisFuzzError, file: Path) -> None:
        """File what the last case showed, if its play was the end of the target."""
        if isinstance(failure, TargetLostError):
            for last in failure.findings:
                if last.fingerprint not in self.bugs:
                    self._file(seen_once(failure.case, last, failure), file)

    def _file(self, dossier: Dossier, file: Path) -> None:
        finding = dossier.finding
        note = self.issues.note(finding.fingerprint)
        try:
            filed = file_report(self.out, dossier, self.context, note)
        except StoreError:
            told = f"{finding.kind.value} {finding.fingerprint}: {finding.title}"
            self.notes.append(f"{file}: shows {told}; its report is not written")
            raise
        if filed.earlier:
            self.notes.append(f"{file}: not examined; the earlier report in {filed.folder} is kept")
        bug = _Bug(dossier, filed, note, [file])
        self.bugs[finding.fingerprint] = bug
        self.tell(bug)

    def as_json(self) -> dict[str, object]:
        """Return all that was found out as JSON values."""
        bugs = [
            {
                **as_json(bug.dossier, bug.filed.replay, bug.note),
                "folder": str(bug.filed.folder),
                "files": list(map(str, bug.files)),
            }
            for bug in self.bugs.values()
        ]
        counts = {
            "given": len(self.files),
            "without_finding": self.without,
            "not_played": len(self.files) - self.played,
        }
        return {"bugs": bugs, "files": counts, "notes": self.notes}

    def lines(self) -> list[str]:
        """Return what is told at the end: bugs of several files, the total, and the notes."""
        several = [
            f"{len(bug.files)} files show {name}: {bug.dossier.finding.title}"
            for name, bug in self.bugs.items()
            if len(bug.files) > 1
        ]
        total = ", ".join(
            (
                _counted(len(self.files), "file"),
                _counted(len(self.bugs), "bug"),
                f"{_counted(self.without, 'file')} without a finding",
                f"{_counted(len(self.files) - self.played, 'file')} not played",
            )
        )
        return [*several, total, *self.notes]


def _read(file: Path) -> Case:
    try:
        return read_expecting(file)[0]
    except StoreError:
        return read_case(file)  # what is known of it is damaged; it can be played all the same


def _saved(file: Path) -> Sidecar | None:
    """Return what a case was saved with, if it is one of ours."""
    try:
        return read_sidecar(file)
    except StoreError:
        return None  # the case itself can be played all the same


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tell(console: Console, bug: _Bug) -> None:
    finding, known = bug.dossier.finding, bug.dossier
    lines = finding_lines(
        finding.kind, finding.fingerprint, finding.title, str(bug.filed.folder), width_of(console)
    )
    told = [
        f"{bug.files[0]}: {known.confidence.sentence()}",
        known.minimised.sentence(),
        known.needed(),
        *([bug.note] if bug.note else []),
    ]
    say(console, [*lines, *(Text(f"    {line}", style="dim") for line in told)])
