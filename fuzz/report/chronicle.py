"""The chronicle of a campaign: takes the events of a run, and adds them to the time line.

All of it goes on from what earlier runs have come to. Nothing is counted twice:

- Cases are counted by the journal, when they are judged (:mod:`fuzz.store.journal`). What a run
  that was killed could not tell any more is added when the next one begins, and a case that was
  in flight is counted by the run that plays it again.
- A coverage point is hit or it is not: playing the corpus at each start hits what was hit before.
- A finding is known by its fingerprint. One that was saved when the run was killed, and not told
  any more, is taken over from its files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from fuzz.errors import StoreError
from fuzz.events import (
    Charted,
    Covered,
    Decoded,
    Ended,
    Event,
    Faulted,
    Found,
    Gauged,
    Progress,
    Recovered,
    Refined,
    Started,
)
from fuzz.node import QuickVitals, off_node
from fuzz.store.crashes import CrashStore
from fuzz.store.sidecar import read_sidecar
from fuzz.store.timeline import (
    FaultRow,
    FindingRow,
    NodeRow,
    RecoveryRow,
    Run,
    Sample,
    TimelineWriter,
)

#: The totals are written so often, in seconds of the run: what a kill may lose of its time.
_SAMPLE_SECONDS = 1.0
_NOTHING = Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0)
_START = Sample(0, 0.0, 0.0, 0, 0, 0, 0, 0, 0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a run is, besides its events: its command line, and the versions of what takes part.

    ``sources`` finds the files of modules, by their names.
    """

    command: str
    versions: Mapping[str, str] = field(default_factory=dict)
    sources: Callable[[], Mapping[str, Path]] = dict


class Chronicle:
    """Takes the events of one run of the campaign in ``folder``, whose time line is ``timeline``.

    ``wall`` tells the time of day in seconds since 1970, which may go back. All methods raise
    :class:`StoreError` if that cannot be written down.
    """

    def __init__(
        self,
        timeline: TimelineWriter,
        folder: Path,
        circumstances: Circumstances,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._timeline = timeline
        self._folder = folder
        self._circumstances = circumstances
        self._wall = wall
        self._file = _identity(timeline.path)
        runs = timeline.runs()
        #: The run before this one, and all that those before have come to.
        self._last = runs[-1] if runs else None
        self._earlier_cases = sum(run.cases for run in runs)
        self._earlier_seconds = sum(run.seconds for run in runs)
        self._base = replace(
            timeline.latest() or _START,
            cases=self._earlier_cases,
            seconds=self._earlier_seconds,
            vitals={},
        )
        self._run = Run(len(runs) + 1, wall(), circumstances.command, "")
        self._begun = False
        self._inputs = False
        self._progress = _NOTHING
        self._restarts = 0
        self._charted = False
        self._hit = self._base.points_covered
        self._vitals: Mapping[str, QuickVitals] = {}
        self._sampled = float("-inf")
        self._findings = self._known()
        self._hits_before = {name: row.hits for name, row in self._findings.items()}
        self._kept = _count(folder / "evolved")

    def totals(self) -> Sample:
        """Return what the campaign has come to by now, this run included."""
        base, progress = self._base, self._progress
        played = _NOTHING if self._inputs else progress
        restarts = max(progress.restarts, self._restarts)
        covered = self._hit if self._charted else max(self._hit, played.points_covered)
        return Sample(
            run=self._run.number,
            at=self._wall(),
            seconds=base.seconds + progress.seconds,
            cases=base.cases + played.cases,
            points_covered=covered,
            points_total=progress.points_total or base.points_total,
            corpus=max(base.corpus, self._kept + played.corpus),
            findings=len(self._findings),
            restarts=base.restarts + restarts,
            replays=base.replays + played.replays,
            recovering_seconds=base.recovering_seconds + progress.recovering_seconds,
            vitals=self._vitals,
        )

    def take(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Progress):
            self._progressed(event)
        elif isinstance(event, Charted):
            self._chart(event)
        elif isinstance(event, Covered):
            if self._charted:
                points = (point for some in event.points.values() for point in some)
                self._hit = self._timeline.hit(points)
        elif isinstance(event, Gauged):
            self._vitals = event.levels
        elif isinstance(event, Found):
            self._found(event)
        elif isinstance(event, Refined):
            self._refined(event)
        elif isinstance(event, Recovered):
            self._recovered(event)
        elif isinstance(event, Faulted):
            self._faulted(event.sentence)
        elif isinstance(event, Decoded):
            # What follows is counted from the start, and in cases.
            self._base = replace(self.totals(), vitals={})
            self._progress, self._restarts, self._inputs = _NOTHING, 0, False
            self._kept = _count(self._folder / "evolved")
            self._hits_before = {name: row.hits for name, row in self._findings.items()}
        elif isinstance(event, Ended):
            self._progress = event.progress
            self._end(event.reason)

    def failed(self, sentence: str) -> None:
        """Take in that the run cannot go on, and why."""
        self._faulted(sentence)
        self._end(sentence)

    # What is done with each.

    def _started(self, event: Started) -> None:
        self._inputs = bool(event.decoder)
        nodes = tuple(NodeRow(node.name, node.otp, node.port) for node in event.nodes)
        otp = {"OTP": ", ".join(dict.fromkeys(node.otp for node in nodes))} if nodes else {}
        self._run = replace(
            self._run,
            target=event.target,
            guided_by=event.guided_by,
            versions={**self._circumstances.versions, **otp},
            workers=event.workers,
            nodes=nodes,
        )
        self._begun = True
        if event.judged is not None and self._run.judged_before is None:
            self._run = replace(self._run, judged_before=event.judged)
            self._settle_last(event.judged)
        self._write()

    def _settle_last(self, judged: int) -> None:
        """Add to the run before what it has judged and could not tell any more."""
        last = self._last
        if last is None or last.judged_before is None:
            return
        untold = judged - last.judged_before - last.cases
        # Less is there after a power cut, or if somebody has removed the journal.
        if untold > 0:
            self._timeline.put_run(replace(last, cases=last.cases + untold))
            self._base = replace(self._base, cases=self._base.cases + untold)
            self._earlier_cases += untold

    def _progressed(self, event: Progress) -> None:
        self._progress = event
        if self._begun and event.seconds - self._sampled >= _SAMPLE_SECONDS:
            self._sampled = event.seconds
            self._write()

    def _chart(self, event: Charted) -> None:
        sources = self._circumstances.sources()
        modules = {point.module for point in event.points}
        files = {
            name: sources[off_node(name)[0]] for name in modules if off_node(name)[0] in sources
        }
        self._hit = self._timeline.chart(event.points, files)
        self._charted = True

    def _found(self, event: Found) -> None:
        finding, now = event.finding, self._wall()
        fingerprint = finding.fingerprint
        row = self._findings.get(fingerprint)
        if row is None:
            totals = self.totals()
            row = FindingRow(
                fingerprint, finding.kind, finding.title, Path(event.path), now, now,
                self._run.number, totals.seconds, event.hits, event.rate,
            )  # fmt: skip
        else:
            row = replace(
                row,
                path=Path(event.path),
                last_seen=max(now, row.last_seen),
                hits=self._hits_before.get(fingerprint, 0) + event.hits,
                rate=event.rate or row.rate,
            )
            if finding.kind.rank < row.kind.rank:
                row = replace(row, kind=finding.kind, title=finding.title)
        self._put(row)

    def _refined(self, event: Refined) -> None:
        row = self._findings.get(event.finding.fingerprint)
        if row is not None:
            better = replace(row, path=Path(event.path), rate=event.rate, refined=row.refined + 1)
            self._put(better)

    def _put(self, row: FindingRow) -> None:
        self._findings[row.fingerprint] = row
        self._timeline.put_finding(row)

    def _recovered(self, event: Recovered) -> None:
        self._restarts += 1
        totals = self.totals()
        self._timeline.recovery(
            RecoveryRow(totals.run, totals.at, totals.seconds, event.how, event.seconds, event.why)
        )

    def _faulted(self, sentence: str) -> None:
        totals = self.totals()
        self._timeline.fault(FaultRow(totals.run, totals.at, totals.seconds, sentence))

    def _end(self, reason: str) -> None:
        self._run = replace(self._run, ended_at=self._wall(), reason=reason)
        if self._begun:
            self._write()

    def _write(self) -> None:
        """Write the totals, if the file is still where it was."""
        if _identity(self._timeline.path) != self._file:
            raise StoreError(
                f"{self._folder} was removed, or replaced, while its campaign ran: "
                "what was in it is gone; start again, and it begins anew"
            )
        totals = self.totals()
        self._run = replace(
            self._run,
            cases=totals.cases - self._earlier_cases,
            seconds=totals.seconds - self._earlier_seconds,
        )
        self._timeline.sample(totals, self._run)

    def _known(self) -> dict[str, FindingRow]:
        """Return the findings by fingerprint: those in the time line, and those that are saved."""
        known = self._timeline.findings()
        for fingerprint, saved in CrashStore(self._folder / "crashes").known().items():
            row, sidecar = known.get(fingerprint), read_sidecar(saved.path)
            if row is None and sidecar is not None:
                seen = datetime.fromisoformat(sidecar.first_seen).timestamp()
                row = FindingRow(
                    fingerprint, saved.kind, sidecar.title, saved.path, seen, seen,
                    self._run.number - 1, self._base.seconds, saved.hits, rate=0.0,
                )  # fmt: skip
            elif row is not None and (saved.hits > row.hits or not row.path.exists()):
                row = replace(row, hits=max(row.hits, saved.hits), path=saved.path)
            if row is not None and row != known.get(fingerprint):
                known[fingerprint] = row
                self._timeline.put_finding(row)
        return known


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one in its place; None if it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _count(folder: Path) -> int:
    """Return how many cases lie in a folder, which need not be there yet."""
    if not folder.is_dir():
        return 0
    return sum(1 for path in folder.iterdir() if not path.name.startswith("."))
