"""``iris-fuzz replay``: do saved cases still do what they did?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.cli.options import known_issues, known_option
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.errors import StoreError
from fuzz.report.text import say
from fuzz.settings import TargetSettings
from fuzz.store.sidecar import read_sidecar
from fuzz.triage.known import KnownIssues
from fuzz.triage.replay import Replayed, Replayer, Verdict, case_files

_STYLE = {
    Verdict.FIXED: "green",
    Verdict.FAILED: "bold red",
    Verdict.DIFFERENT: "yellow",
    Verdict.ERROR: "magenta",
}
_CODE = {Verdict.FIXED: 0, Verdict.FAILED: 1, Verdict.DIFFERENT: 1, Verdict.ERROR: 2}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@target_options
@click.option(
    "--plays",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    metavar="N",
    help="How many times each case is played.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@known_option
def replay(
    paths: tuple[Path, ...],
    target: TargetSettings,
    plays: int,
    as_json: bool,
    known: Path | None,
) -> int:
    """Play saved cases (files, or folders of them) again, and say what became of each.

    \b
    FIXED      no finding in any play
    FAILED     the finding that was saved is still there
    DIFFERENT  there is a finding, but another one
    ERROR      the case could not be played

    \b
    Examples:
      iris-fuzz replay corpus/crashes
      iris-fuzz replay corpus/regressions --target 127.0.0.1:8085
      iris-fuzz replay corpus/crashes/crash-SHA1 --plant hang --plays 10
      printf '\\064' >payload && iris-fuzz replay payload

    No file is written.

    Exit codes: 0 all FIXED (or known issues only), 1 any FAILED or DIFFERENT, 2 any ERROR, or
    could not run.
    """
    files = list(case_files(paths))
    issues = known_issues(known)
    console = screen()
    results = []
    with started(target, console) as (rig, status):
        replayer = Replayer(rig)
        for number, file in enumerate(files, 1):
            status.update(Text(f"playing {number} of {len(files)}: {file}"))
            results.append(replayer.replay(file, plays))
            if not as_json:
                off = _switched_off(file, target.plants) if target.embedded else ""
                _say(console, results[-1], off, issues)
    if as_json:
        click.echo(json.dumps([_told(result, issues) for result in results], indent=2))
    elif len(results) > 1:
        counts = Counter(result.verdict for result in results)
        console.print(", ".join(f"{counts[v]} {v.value}" for v in Verdict if counts[v]))
    return max(_code(result, issues) for result in results)


def _code(result: Replayed, issues: KnownIssues) -> int:
    excused = bool(result.findings) and issues.excuse_all(result.findings)
    return 0 if excused else _CODE[result.verdict]


def _switched_off(file: Path, plants: tuple[str, ...]) -> str:
    """Return the planted defects that a case was found with and that are off now, as options."""
    try:
        saved = read_sidecar(file)
    except StoreError:
        return ""  # the verdict says so
    return " ".join(
        f"--plant {name}" for name in (saved.plants if saved else ()) if name not in plants
    )


def _say(console: Console, result: Replayed, off: str, issues: KnownIssues) -> None:
    line = Text(f"{result.verdict.value:9}  ", style=_STYLE[result.verdict])
    line.append(f"{result.shown} of {result.plays}  {result.path}", style="default")
    notes = [result.note] if result.note else []
    if off and result.verdict is Verdict.FIXED:
        notes.append(f"it was found with {off}, which is off in this replay")
    notes += filter(None, (issues.note(finding.fingerprint) for finding in result.findings))
    found = [f"{finding.kind.value}: {finding.title}" for finding in result.findings]
    indent = " " * 11
    say(
        console,
        [
            line,
            *(Text(indent + note, style="dim") for note in notes),
            *(Text(indent + words) for words in found),
        ],
    )


def _told(result: Replayed, issues: KnownIssues) -> dict[str, object]:
    return {
        "path": str(result.path),
        "verdict": result.verdict.value,
        "shown": result.shown,
        "plays": result.plays,
        "note": result.note,
        "findings": [
            {
                "kind": f.kind.value,
                "fingerprint": f.fingerprint,
                "title": f.title,
                "known": issues.note(f.fingerprint),
            }
            for f in result.findings
        ],
    }
