"""``iris-fuzz smoke``: what CI asks on each change, in minutes."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from fuzz.campaign import Campaign
from fuzz.cli.fuzz import default_seeds, dictionary
from fuzz.cli.options import corpus_option, known_issues, known_option, shipped_or_own, time_option
from fuzz.cli.reports import Reports, report_options
from fuzz.cli.run import run_campaign
from fuzz.cli.running import started
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.cli.watching import Runs, Watching, watching_options
from fuzz.clock import SystemClock
from fuzz.errors import IrisFuzzError, SettingsError
from fuzz.events import Event
from fuzz.report.outcome import Gathered, Played, outcome_json, outcome_lines
from fuzz.report.source import Sources
from fuzz.report.summary import Summary
from fuzz.report.text import finding_lines, say, width_of
from fuzz.settings import MAX_JOBS, FuzzSettings, TargetSettings
from fuzz.store.atomic import ensure_writable
from fuzz.triage.baseline import Entries, read_baseline, write_baseline
from fuzz.triage.known import KnownIssues
from fuzz.triage.replay import Replayed, Replayer, Verdict, case_files

#: With the shipped regressions, played once, a run takes a minute and a half of a quiet machine.
_SECONDS = 60.0


@click.command()
@target_options
@watching_options
@click.option(
    "--regressions",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Replay the cases in this folder. [default: regressions of the corpus, or those that "
    "were shipped]",
)
@click.option(
    "--plays",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="How many times each regression is played.",
)
@time_option("How long to fuzz after that.", _SECONDS)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    default=1,
    show_default=True,
    metavar="N",
    help="Fuzz with so many workers, each with an embedded target of its own.",
)
@click.option("--seed", "random_seed", type=int, metavar="N", help="Seed of the random numbers.")
@corpus_option("Where crashes/, evolved/ and journal/ are kept.")
@report_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="JSON file of findings that were there before: they are reported, and fail nothing.",
)
@click.option(
    "--write-baseline",
    "writes_baseline",
    is_flag=True,
    help="Add all that this run finds to the file that --baseline names, which need not be there.",
)
@known_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def smoke(
    target: TargetSettings,
    regressions: Path | None,
    plays: int,
    seconds: float,
    jobs: int,
    random_seed: int | None,
    corpus: Path,
    reports: Reports,
    baseline: Path | None,
    writes_baseline: bool,
    known: Path | None,
    as_json: bool,
    watching: Watching,
) -> int:
    """Replay all regressions, then fuzz for a bounded time, and tell CI what is new.

    \b
    Examples:
      iris-fuzz smoke
      iris-fuzz smoke --start "make start" --baseline baseline.json
      iris-fuzz smoke --baseline baseline.json --write-baseline --time 600
      iris-fuzz smoke --time 30 --junit smoke.xml --sarif smoke.sarif

    A baseline is a list of fingerprints that --write-baseline makes: what a server did wrong on the
    day on which it came under test. It has no reasons and no end. A file of --known is written by
    a person, and has both: from its day on, a bug fails again, also if a baseline has it.

    On GitHub the summary is added to the page of the step, and each finding is an annotation.

    Exit codes: 0 no finding, or none that is new; 1 a finding that is neither known nor in the
    baseline; 2 could not run to the end, or a regression could not be played. 1 counts for more
    than 2.
    """
    ensure_writable(corpus)
    before = _before(baseline, writes_baseline)
    settings = FuzzSettings(
        target, corpus, default_seeds(corpus), dictionary(), seconds,
        random_seed=random_seed, jobs=jobs,
    )  # fmt: skip
    issues = replace(known_issues(known), baseline=frozenset(before))
    desk = _Desk(settings, issues, Console(stderr=True) if as_json else screen())
    folder = regressions or shipped_or_own(corpus, "regressions")
    try:
        with desk.noting():
            try:
                desk.replay(folder, plays)
                desk.fuzz(watching)
            finally:
                if baseline is not None and writes_baseline:
                    desk.excuse(baseline, before)
    finally:  # an interrupt ends it too: what was found is told in any case
        code = desk.tell(reports, as_json)
    return code


def _before(baseline: Path | None, writes: bool) -> Entries:
    """Return what the baseline has; nothing if it is to be made, and there is none yet."""
    if baseline is None:
        if writes:
            raise SettingsError("--write-baseline wants to know where: name a file by --baseline")
        return {}
    if writes and not baseline.exists():
        ensure_writable(baseline.absolute().parent)
        return {}
    return read_baseline(baseline)


@dataclass(slots=True)
class _Bounded:
    """A run that is to take all of its time; it notes whether somebody has ``stopped`` it."""

    run: Runs
    stopped: bool = False

    def events(self) -> Generator[Event, None, None]:
        return self.run.events()

    def pause(self, paused: bool) -> None:
        self.run.pause(paused)

    def stop(self) -> None:
        self.stopped = True
        self.run.stop()


class _Desk:
    """Does one part after the other, and gathers what they come to; ``faults`` are sentences."""

    def __init__(self, settings: FuzzSettings, known: KnownIssues, console: Console) -> None:
        target = settings.target
        root = Path(os.environ.get("GITHUB_WORKSPACE") or ".")
        sources = Sources(target.start.folder if target.start else Path(), root)
        self._gathered = Gathered(known, target.switches(), sources)
        self._settings = settings
        self._console = console
        self.faults = self._gathered.faults

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what ends the work early; what is no error of the harness is raised on."""
        try:
            yield
        except IrisFuzzError as error:
            self.faults.append(str(error))
        except KeyboardInterrupt:
            self.faults.append("it was interrupted: not all of it was done")
            raise
        except BaseException as error:  # also the end of whoever reads the output
            why = str(error) if isinstance(error, OSError) else type(error).__name__
            self.faults.append(f"it was broken off ({why}): not all of it was done")
            raise

    def replay(self, folder: Path, plays: int) -> None:
        """Play the cases in ``folder``; those that are not as they should be are told at once."""
        files = list(case_files([folder]))
        clock = SystemClock()
        with started(self._settings.target, self._console) as (rig, status):
            replayer = Replayer(rig)
            for number, file in enumerate(files, 1):
                status.update(Text(f"playing {number} of {len(files)}: {file}"))
                begun = clock.now()
                replayed = replayer.replay(file, plays)
                self._gathered.regressions.append(Played(replayed, clock.now() - begun))
                if replayed.verdict is not Verdict.FIXED:
                    say(self._console, self._told(replayed))
        say(self._console, [Text(f"{_counted(len(files), 'regression')} of {folder} played")])

    def _told(self, replayed: Replayed) -> Iterator[Text]:
        times = f"in {replayed.shown} of {replayed.plays} plays" if replayed.findings else ""
        yield Text(" ".join(filter(None, (replayed.verdict.value, str(replayed.path), times))))
        if replayed.verdict is Verdict.ERROR:
            yield Text(replayed.note)
        for finding in replayed.findings:
            yield from finding_lines(
                finding.kind, finding.fingerprint, finding.title, str(replayed.path),
                width_of(self._console), self._gathered.known.note(finding.fingerprint),
            )  # fmt: skip

    def fuzz(self, watching: Watching) -> None:
        """Fuzz; the summary has all that was found, also if an error ends it."""
        summary = self._gathered.summary = Summary(self._gathered.known)
        bounded, corpus = _Bounded(Campaign(self._settings)), self._settings.corpus
        with watching.over(bounded, summary, corpus, self._console) as watched:
            run_campaign(watched, self._console, summary, None, corpus)
        if bounded.stopped:
            self.faults.append("fuzzing was stopped before its time was up")
        elif not summary.reason:  # the error was told already, before the findings that it left
            self.faults.append("fuzzing did not come to its end")

    def excuse(self, baseline: Path, before: Entries) -> None:
        """Write all findings into the ``baseline``, from where on they fail nothing."""
        found = [finding for finding, _ in self._gathered.findings().values()]
        try:
            entries = write_baseline(baseline, before, found)
        except IrisFuzzError as error:
            self.faults.append(str(error))
            return
        known = replace(self._gathered.known, baseline=frozenset(entries))
        self._gathered.known = known
        added = len(entries) - len(before)
        said = f"{baseline} has {_counted(len(entries), 'finding')}, {added} of them new"
        say(self._console, [Text(said)])

    def tell(self, reports: Reports, as_json: bool) -> int:
        """Write the reports, print what it has come to, and return the exit code."""
        self.faults += reports.write(self._gathered.outcome(), to_errors=as_json)
        outcome = self._gathered.outcome()
        if as_json:
            click.echo(json.dumps(outcome_json(outcome), indent=2))
        else:
            say(self._console, outcome_lines(outcome))
        for sentence in outcome.faults:
            click.echo(f"iris-fuzz: {sentence}", err=True)
        return outcome.code


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
