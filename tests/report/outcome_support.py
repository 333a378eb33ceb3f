"""Outcomes of smoke runs that never were, and text that a hostile target may have in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fuzz.events import Ended, Found, Progress, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.report.outcome import Gathered, Outcome, Played
from fuzz.report.source import Sources
from fuzz.report.summary import Summary
from fuzz.triage.known import KnownIssues
from fuzz.triage.replay import Replayed, Verdict

#: Controls, a half of a character, what closes and opens in XML, Markdown, HTML and GitHub.
HOSTILE = "\x1b[31m\x00\ud800]]>&<img src=x>|`**\r\n::stop-commands::x\n- [a](b) % , : @team"

HANG = Finding(Kind.HANG, "a reply did not come", Cause("hang"))
CRASH = Finding(
    Kind.PROCESS_CRASH,
    f"iris crashed {HOSTILE}",
    Cause("crash", "error:badarg", "iris_conn", ("iris_conn:init/1", "proc_lib:init_p/3")),
    {"reports": [{"text": '[{iris_conn,init,1,[{file,"iris_conn.erl"},\n {line,7}]}]'}]},
)
ENDED = Ended(Progress(1000, 4.0, 30, 120, 7, 2, 5, 0.75), "time is up")


def summary_of(*findings: Finding, known: KnownIssues | None = None, path: str = "c") -> Summary:
    """Return the summary of a run that found ``findings`` and came to its end."""
    summary = Summary(known or KnownIssues())
    summary.take(Started("embedded", "BEAM coverage", 120, 9))
    for finding in findings:
        summary.take(Found(finding, path, new=True))
    summary.take(ENDED)
    return summary


def played(name: str, *findings: Finding, verdict: Verdict | None = None, note: str = "") -> Played:
    """Return a regression that gave ``findings`` in each of two plays."""
    verdict = verdict or (Verdict.FAILED if findings else Verdict.FIXED)
    shown = 2 if findings else 0
    return Played(Replayed(Path(name), verdict, shown, 2, findings, note), 0.25)


def outcome_of(
    regressions: Iterable[Played] = (),
    *found: Finding,
    excused: Iterable[Finding] = (),
    faults: Iterable[str] = (),
    base: Path = Path(),
) -> Outcome:
    """Return what it comes to; ``excused`` are in the baseline."""
    known = replace(KnownIssues(), baseline=frozenset(one.fingerprint for one in excused))
    gathered = Gathered(known, ("--plant", "hang"), Sources(base, base), list(regressions))
    gathered.faults += faults
    gathered.summary = summary_of(*found, known=known, path=str(base / "c"))
    return gathered.outcome()
