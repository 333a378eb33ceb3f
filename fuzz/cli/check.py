"""``iris-fuzz check``: ask a server on purpose for what it owes its users."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.case import encode_case
from fuzz.checks import CHECKS, CLIENTS, Check, Terms, check_named, ground_of
from fuzz.cli.options import corpus_option, known_issues, known_option, shipped_or_own, time_option
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.finding import Finding
from fuzz.report.text import finding_lines, say, width_of
from fuzz.rig import Rig
from fuzz.settings import TargetSettings
from fuzz.store.crashes import CrashStore
from fuzz.triage.known import KnownIssues

_NAMES = tuple(check.name for check in CHECKS)
_WIDEST = max((len(name) for name in _NAMES), default=0)


@click.command()
@click.argument("names", nargs=-1, metavar="[CHECK]...")
@time_option("How long a check without an end of its own goes on.", 60.0)
@click.option("--seed", type=int, metavar="N", help="Seed of the random numbers.")
@click.option(
    "--clients",
    type=click.IntRange(2, 50_000),
    default=CLIENTS,
    show_default=True,
    metavar="N",
    help="How many clients a check of a crowd lets come at once; fewer where this machine has no "
    "room for them, which is told.",
)
@corpus_option("Folder of the corpus; findings are saved in its folder crashes.")
@known_option
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("--list", "listed", is_flag=True, help="List the checks and end.")
@target_options
def check(
    names: tuple[str, ...],
    seconds: float,
    seed: int | None,
    clients: int,
    corpus: Path,
    known: Path | None,
    as_json: bool,
    listed: bool,
    target: TargetSettings,
) -> int:
    """Ask a server on purpose for what it owes its users; all checks, or those that are named.

    A campaign comes across what breaks; a check asks for one promise of the protocol after the
    other, where the server stays up and may be wrong. `--list` tells what is asked. What is
    wrong is saved as a case, which replays.

    \b
    Examples:
      iris-fuzz check
      iris-fuzz check model --time 600
      iris-fuzz check model --plant offline_lost
      iris-fuzz check storm --clients 2000
      iris-fuzz check --list

    Checks of tokens need a target whose secret is known: the embedded one, which asks for
    tokens while they are made.

    Exit codes: 0 nothing is wrong (or known issues only), 1 findings, 2 could not run.
    """
    wanted = _wanted(names)
    if listed:
        say(screen(), [Text(f"{one.name:<{_WIDEST}}  {one.summary}") for one in wanted])
        return 0
    seed = secrets.randbits(32) if seed is None else seed
    store = CrashStore(corpus / "crashes")
    terms = Terms(seconds, seed, clients, shipped_or_own(corpus, "golden"))
    desk = _Desk(target, terms, known_issues(known), store, as_json)
    try:
        for auth, checks in groupby(wanted, key=lambda one: one.auth):
            desk.work(list(checks), auth)
    finally:  # an error and an interrupt end it too: what was found is told in any case
        if as_json:
            click.echo(json.dumps(desk.told(), indent=2))
    return 0 if desk.known.excuse_all(desk.findings.values()) else 1


def _wanted(names: Sequence[str]) -> list[Check]:
    """Return the checks of these names, all without any; those that need tokens come last."""
    named = list(map(check_named, names))
    wanted = [one for one in CHECKS if not names or one in named]
    return sorted(wanted, key=lambda one: one.auth)


@dataclass(slots=True)
class _Result:
    """What became of a check: how many questions were asked, and how many answered wrongly."""

    name: str
    asked: int = 0
    wrong: int = 0
    seconds: float = 0.0
    skipped: str = ""
    notes: list[str] = field(default_factory=list)
    findings: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class _Desk:
    """Makes checks one after the other, and saves what they find as soon as it is found."""

    target: TargetSettings
    terms: Terms
    known: KnownIssues
    store: CrashStore
    quiet: bool
    console: Console = field(default_factory=screen)
    results: list[_Result] = field(default_factory=list)
    findings: dict[str, Finding] = field(default_factory=dict)

    def work(self, checks: Sequence[Check], auth: bool) -> None:
        """Make ``checks`` on a target that asks for tokens if ``auth`` says so."""
        if auth and not self.target.embedded:
            for one in checks:
                why = "the secret of the target's tokens is not known"
                self._end(_Result(one.name, skipped=why))
            return
        settings = replace(self.target, auth=True) if auth else self.target
        with started(settings, self.console) as (rig, status):
            for one in checks:
                status.update(f"checking: {one.summary}")
                self._make(one, rig, settings)

    def _make(self, one: Check, rig: Rig, settings: TargetSettings) -> None:
        result, begun = _Result(one.name), rig.clock.now()
        self.results.append(result)
        for trial in one.run(ground_of(one, rig, self.terms)):
            result.asked += 1
            result.notes += [f"{trial.name}: {trial.note}"] if trial.note else []
            result.wrong += bool(trial.findings)
            for finding in trial.findings:
                if finding.fingerprint not in self.findings:
                    self.findings[finding.fingerprint] = finding
                    context = rig.context(settings)
                    saved = self.store.save(encode_case(trial.case), finding, context)
                    self._tell(result, trial.name, finding, saved.path)
        result.seconds = rig.clock.now() - begun
        if not self.quiet:
            notes = (Text(f"{'':{_WIDEST}}  {note}", style="dim") for note in result.notes)
            say(self.console, [_line(result), *notes])

    def _tell(self, result: _Result, trial: str, finding: Finding, path: Path) -> None:
        note = self.known.note(finding.fingerprint)
        result.findings.append(
            {
                "trial": trial,
                "kind": finding.kind.value,
                "severity": finding.kind.severity.value,
                "fingerprint": finding.fingerprint,
                "title": finding.title,
                "file": str(path),
                **({"known": note} if note else {}),
            }
        )
        if not self.quiet:
            lines = finding_lines(
                finding.kind, finding.fingerprint, finding.title, str(path),
                width_of(self.console), note,
            )  # fmt: skip
            say(self.console, lines)

    def _end(self, result: _Result) -> None:
        self.results.append(result)
        if not self.quiet:
            say(self.console, [_line(result)])

    def told(self) -> dict[str, object]:
        """Return all results as JSON values."""
        return {
            "seed": self.terms.seed,
            "checks": [
                {
                    "check": result.name,
                    "asked": result.asked,
                    "wrong": result.wrong,
                    "seconds": round(result.seconds, 2),
                    **({"skipped": result.skipped} if result.skipped else {}),
                    **({"notes": result.notes} if result.notes else {}),
                    "findings": result.findings,
                }
                for result in self.results
            ],
        }


def _line(result: _Result) -> Text:
    name = f"{result.name:<{_WIDEST}}  "
    if result.skipped:
        return Text.assemble((name, "bold"), (f"skipped: {result.skipped}", "yellow"))
    verdict = (f"{result.wrong} wrong", "bold red") if result.wrong else ("none wrong", "green")
    spent = f"{result.asked:,} asked in {result.seconds:.1f} s, "
    return Text.assemble((name, "bold"), spent, verdict)
