"""The summary of a run: gathered from its events, written as JSON or as text."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fuzz.events import (
    Decoded,
    Dismissed,
    Ended,
    Event,
    Found,
    Progress,
    Recovered,
    Refined,
    Started,
)
from fuzz.finding import Finding
from fuzz.node import NodeSeen
from fuzz.store.atomic import write_atomic
from fuzz.store.timeline import Sample
from fuzz.triage.known import KnownIssues

#: The rate of now is that of so many seconds: shorter jumps about, longer hides a stall.
_RECENT_SECONDS = 5.0


@dataclass(slots=True)
class SeenFinding:
    """A finding of this run: the worst that was seen of it, where it is, how often it came."""

    finding: Finding
    path: str
    new: bool
    hits: int


@dataclass(slots=True)
class Summary:
    """Takes every event; holds the state of the run as it is known so far.

    The findings that ``known`` excuses are told like all others, and fail nothing. ``dismissed``
    counts the suspicions that no fresh node shared, by title, ``reasons`` how often the target was
    brought back in which way, and why. ``left`` is what stays of us in a
    node that somebody else has started. ``campaign`` are the totals of a long campaign of which
    this is a run.
    """

    known: KnownIssues = field(default_factory=KnownIssues)
    started: Started | None = None
    progress: Progress = field(default_factory=lambda: Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0))
    findings: dict[str, SeenFinding] = field(default_factory=dict)
    dismissed: Counter[str] = field(default_factory=Counter)
    recoveries: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lost_seconds: float = 0.0
    modules: dict[str, tuple[int, int]] = field(default_factory=dict)
    reason: str = ""
    decoded: Decoded | None = None
    left: tuple[str, ...] = ()
    campaign: Sample | None = None
    _recent: deque[Progress] = field(default_factory=deque)

    def take(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Started):
            self.started = event
        elif isinstance(event, Progress):
            self._progressed(event)
        elif isinstance(event, Found):
            self._found(event)
        elif isinstance(event, Refined):
            self.findings[event.finding.fingerprint].path = event.path
        elif isinstance(event, Dismissed):
            self.dismissed[event.finding.title] += 1
        elif isinstance(event, Recovered):
            self.recoveries[event.how] += 1
            self._lost_seconds += event.seconds
            self.reasons[event.how, event.why] += 1
        elif isinstance(event, Decoded):
            # What follows is counted from the start, and in cases.
            self.decoded, self.started = event, None
            self.progress = Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0)
            self._recent.clear()
        elif isinstance(event, Ended):
            self.progress, self.reason = event.progress, event.reason
            self.modules = dict(event.modules)
            self.left = event.left

    def failed(self) -> bool:
        """Tell whether there is a finding that is not excused as a known issue."""
        return not self.known.excuse_all(seen.finding for seen in self.findings.values())

    def cases_per_second(self) -> float:
        """Return judged cases per second over the whole run, recoveries included."""
        return self.progress.cases / self.progress.seconds if self.progress.seconds else 0.0

    def recent_rate(self) -> float:
        """Return judged cases per second over the last few seconds of progress."""
        if not self._recent:
            return self.cases_per_second()
        first, last = self._recent[0], self._recent[-1]
        seconds = last.seconds - first.seconds
        return (last.cases - first.cases) / seconds if seconds > 0 else self.cases_per_second()

    def restarts(self) -> tuple[int, float]:
        """Return how often the target was brought back by now, and the seconds that this took.

        Each is told when it has happened, and may be ahead of the progress.
        """
        counted, lost = self.recoveries.total(), self._lost_seconds
        return max(self.progress.restarts, counted), max(self.progress.recovering_seconds, lost)

    def as_json(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        progress = self.progress
        costliest = progress.reductions_per_byte
        restarts, lost_seconds = self.restarts()
        return {
            "cases": progress.cases,
            "seconds": round(progress.seconds, 3),
            "cases_per_second": round(self.cases_per_second(), 1),
            "points_covered": progress.points_covered,
            "points_total": progress.points_total,
            "guided_by": self.started.guided_by if self.started else "",
            "covered": list(self.started.covered) if self.started else [],
            "not_seen": list(self.started.unseen) if self.started else [],
            "workers": self.started.workers if self.started else 1,
            "nodes": [_as_json(node) for node in self.started.nodes] if self.started else [],
            "notes": list(self.started.notes) if self.started else [],
            "left_behind": list(self.left),
            "corpus": progress.corpus,
            "replays": progress.replays,
            "restarts": restarts,
            "dismissed": dict(self.dismissed),
            "recoveries": dict(self.recoveries),
            "recovered_why": [
                {"how": how, "why": why, "times": times}
                for (how, why), times in self.reasons.items()
            ],
            "recovering_seconds": round(lost_seconds, 3),
            **({} if self.decoded is None else {"decoder": asdict(self.decoded)}),
            **({} if costliest is None else {"reductions_per_byte": costliest}),
            **({} if self.campaign is None else {"campaign": _totals(self.campaign)}),
            "ended_by": self.reason,
            "modules": {
                name: {"covered": covered, "total": total}
                for name, (covered, total) in self.modules.items()
            },
            "findings": [
                {
                    "kind": seen.finding.kind.value,
                    "severity": seen.finding.kind.severity.value,
                    "fingerprint": fingerprint,
                    "title": seen.finding.title,
                    "path": seen.path,
                    "new": seen.new,
                    "hits": seen.hits,
                    "known": self.known.note(fingerprint),
                }
                for fingerprint, seen in self.findings.items()
            ],
        }

    def write(self, path: Path) -> None:
        """Write the summary as a JSON file; raise :class:`fuzz.errors.StoreError`."""
        write_atomic(path, (json.dumps(self.as_json(), indent=2) + "\n").encode())

    def _progressed(self, progress: Progress) -> None:
        self.progress = progress
        self._recent.append(progress)
        while (
            len(self._recent) > 2 and progress.seconds - self._recent[1].seconds >= _RECENT_SECONDS
        ):
            self._recent.popleft()

    def _found(self, event: Found) -> None:
        fingerprint = event.finding.fingerprint
        seen = self.findings.get(fingerprint)
        if seen is None:
            self.findings[fingerprint] = SeenFinding(
                event.finding, event.path, event.new, event.hits
            )
            return
        seen.hits, seen.path = event.hits, event.path
        if event.finding.kind.rank < seen.finding.kind.rank:
            seen.finding = event.finding


def _totals(totals: Sample) -> dict[str, object]:
    names = ("run", "cases", "points_covered", "points_total", "corpus", "findings", "restarts")
    return {name: getattr(totals, name) for name in names} | {"seconds": round(totals.seconds, 3)}


def _as_json(node: NodeSeen) -> dict[str, object]:
    own, others = list(node.applications), list(node.others)
    return {**asdict(node), "applications": own, "others": others}
