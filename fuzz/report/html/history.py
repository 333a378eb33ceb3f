"""The runs of a campaign, and what went wrong beside the findings."""

from __future__ import annotations

from fuzz.report.html.model import Fact, History, RunView
from fuzz.report.html.words import counted, duration, moment
from fuzz.store.timeline import Run, Timeline

#: The latest ones are told: the first thousand of a campaign that is started anew each hour are
#: like them.
MAX_RUNS = 50
MAX_RECOVERIES = 50
MAX_FAULTS = 50
_MAX_TEXT = 400


def history_of(timeline: Timeline) -> History:
    """Return the runs, recoveries and faults, the latest first and the most frequent first."""
    runs, faults = timeline.runs, timeline.faults
    totals = sorted(timeline.recovery_totals, key=lambda total: -total.times)
    cut = []
    for what, there, most in (
        ("run", len(runs), MAX_RUNS),
        ("reason to bring the target back", len(totals), MAX_RECOVERIES),
        ("fault", len(faults), MAX_FAULTS),
    ):
        if there > most:
            cut.append(f"{counted(there - most, what)} more not listed")
    return History(
        tuple(_run(run) for run in reversed(runs[-MAX_RUNS:])),
        tuple(
            (_cut(total.how), _cut(total.why), total.times, f"{total.took:,.1f} s")
            for total in totals[:MAX_RECOVERIES]
        ),
        tuple(
            Fact(moment(fault.at), _cut(fault.sentence)) for fault in reversed(faults[-MAX_FAULTS:])
        ),
        tuple(cut),
    )


def _run(run: Run) -> RunView:
    unsaid = "it goes on, or was killed" if run.ended_at is None else ""
    return RunView(
        run.number,
        moment(run.started_at),
        duration(run.seconds),
        f"{run.cases:,}",
        _cut(run.reason or unsaid),
        _cut(run.command),
        _cut(", ".join(filter(None, (run.target, run.guided_by and f"guided by {run.guided_by}")))),
        _cut(", ".join(f"{name} {version}" for name, version in run.versions.items())),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
