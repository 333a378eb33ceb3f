"""From the folder of a campaign to the values of its page. It only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.errors import StoreError
from fuzz.report.html.coverage import SourceReader
from fuzz.report.html.findings import findings_of
from fuzz.report.html.folder import (
    CaseFile,
    Saved,
    case_files,
    checked,
    crash_folder,
    saved_findings,
)
from fuzz.report.html.history import history_of
from fuzz.report.html.matrix import MatrixMaker
from fuzz.report.html.model import Coverage, Figure, Findings, Matrix, Page
from fuzz.report.html.trends import search_plots, vital_plots
from fuzz.report.html.words import counted, duration, moment, share, short_number
from fuzz.store.timeline import FILE_NAME, Timeline, read_timeline
from fuzz.triage.known import KnownIssues


@dataclass(frozen=True, slots=True)
class Gathered:
    """A page, and why its time line could not be read, if there is one."""

    page: Page
    failure: StoreError | None = None


@dataclass(slots=True)
class Gatherer:
    """Reads one folder, again and again if need be.

    ``seeds`` are cases that it started from, ``known`` issues are told as such.
    """

    folder: Path
    version: str
    seeds: Path | None = None
    known: KnownIssues = field(default_factory=KnownIssues)
    _matrix: MatrixMaker = field(default_factory=MatrixMaker)
    _sources: SourceReader = field(default_factory=SourceReader)

    def gather(self, now: float) -> Gathered:
        """Return the page as of ``now``; raise :class:`StoreError` if there is no such folder.

        A time line that is damaged takes its part of the page with it, and nothing else.
        """
        folder = checked(self.folder)
        timeline, failure = _timeline(folder)
        saved, problems = saved_findings(crash_folder(folder))
        rates = {} if timeline is None else {f.fingerprint: f.rate for f in timeline.findings}
        findings = findings_of(saved, problems, rates, self.known)
        matrix = self._matrix.matrix(self._groups(folder))
        coverage = None if timeline is None else self._sources.coverage(timeline)
        page = Page(
            name=folder.resolve().name or str(folder),
            made=moment(now),
            version=self.version,
            verdict=_verdict(findings),
            lines=tuple(_lines(timeline, saved, matrix)),
            figures=tuple(_figures(saved, timeline, coverage, matrix)),
            findings=findings,
            matrix=matrix,
            plots=() if timeline is None else search_plots(timeline),
            vitals=() if timeline is None else vital_plots(timeline),
            coverage=coverage,
            history=None if timeline is None else history_of(timeline),
            no_timeline=_why_not(timeline, failure),
            problems=() if failure is None else (str(failure),),
        )
        return Gathered(page, failure)

    def _groups(self, folder: Path) -> Mapping[str, tuple[CaseFile, ...]]:
        """Return the cases by where they come from, those of the findings first."""
        groups = {
            "findings": tuple(
                file for file in case_files(crash_folder(folder)) if _is_crash(file.path)
            ),
            "evolved": case_files(folder / "evolved"),
            "decoder": case_files(folder / "decoder"),
        }
        if self.seeds is not None:
            groups["seeds"] = case_files(self.seeds)
        return groups


def _is_crash(path: Path) -> bool:
    return path.name.startswith("crash-")


def _timeline(folder: Path) -> tuple[Timeline | None, StoreError | None]:
    if not (folder / FILE_NAME).exists():
        return None, None
    try:
        return read_timeline(folder), None
    except StoreError as error:
        return None, error


def _why_not(timeline: Timeline | None, failure: StoreError | None) -> str:
    if failure is not None:
        return str(failure)
    if timeline is None:
        return (
            f"This folder has no time line ({FILE_NAME}), which iris-fuzz fuzz --campaign keeps: "
            "what went on over time, and what was covered, is not known."
        )
    if timeline.last is None:
        return "The campaign has only just begun: nothing was measured yet."
    return ""


def _verdict(findings: Findings) -> str:
    if not findings.total:
        return "No defect found"
    bad = [f"{count} {severity}" for severity, count in findings.by_severity if count]
    return f"{counted(findings.total, 'defect')} found: {', '.join(bad)}"


def _lines(timeline: Timeline | None, saved: Sequence[Saved], matrix: Matrix) -> list[str]:
    """Return the sentences of the summary."""
    lines = []
    last = None if timeline is None else timeline.last
    if last is not None and timeline is not None:
        runs = f", over {counted(len(timeline.runs), 'run')}" if len(timeline.runs) > 1 else ""
        lines.append(
            f"In {duration(last.seconds)}{runs}, {counted(last.cases, 'case')} were played against "
            f'the target "{timeline.runs[-1].target if timeline.runs else "?"}", and judged.'
        )
        if last.restarts:
            lines.append(
                f"The target had to be brought back {counted(last.restarts, 'time')}, which took "
                f"{duration(last.recovering_seconds)}."
            )
    else:
        lines.append(f"The folder holds {counted(matrix.cases, 'case')}, seeds included.")
    planted = sorted({name for one in saved for name in one.sidecar.plants})
    if planted:
        names = ", ".join(planted[:12]) + (" and more" if len(planted) > 12 else "")
        lines.append(f"The target had defects planted on purpose: {names}.")
    return lines


def _figures(
    saved: Sequence[Saved], timeline: Timeline | None, coverage: Coverage | None, matrix: Matrix
) -> list[Figure]:
    hits = sum(one.sidecar.hits for one in saved)
    figures = [Figure("Defects", f"{len(saved):,}", f"seen {counted(hits, 'time')}")]
    last = None if timeline is None else timeline.last
    if last is None or timeline is None:
        return [*figures, Figure("Cases at hand", f"{matrix.cases:,}")]
    rate = last.cases / last.seconds if last.seconds else 0.0
    figures += [
        Figure("Cases judged", f"{last.cases:,}", f"{short_number(round(rate, 1))} per second"),
        Figure("Time", duration(last.seconds), counted(len(timeline.runs), "run")),
    ]
    if coverage is not None:
        figures.append(
            Figure(
                "Coverage",
                share(coverage.covered, coverage.total),
                f"{coverage.covered:,} of {coverage.total:,} points",
            )
        )
    return [
        *figures,
        Figure("Corpus", f"{last.corpus:,}", "cases that reached something new"),
        Figure("Brought back", f"{last.restarts:,}", f"in {duration(last.recovering_seconds)}"),
    ]
