"""What a smoke run comes to: the one thing that all reports for CI are made of."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from fuzz.case import read_case
from fuzz.describe import describe_steps
from fuzz.errors import CaseFileError, StoreError
from fuzz.finding import ASSERTION, Finding
from fuzz.report.source import Place, Sources, from_base
from fuzz.report.summary import Summary
from fuzz.report.text import STYLE
from fuzz.store.sidecar import read_sidecar
from fuzz.triage.known import KnownIssues
from fuzz.triage.replay import Replayed, Verdict

#: A case that was minimised has a handful of steps; of one that was not, these show how it begins.
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Played:
    """A regression that was replayed, and how many ``seconds`` that took."""

    replayed: Replayed
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Return what the replay says of it."""
        return self.replayed.verdict


@dataclass(frozen=True, slots=True)
class Item:
    """A finding as CI is told of it, once for each fingerprint.

    ``file`` is the case that shows it, and ``replay`` the command that plays that; what no case
    shows has a file with what was seen, and no command. ``excused``
    says that it fails nothing, ``note`` what a file of known issues or a baseline says of it.
    ``place`` is the line of the target's source that it points to, if that is known.
    """

    finding: Finding
    file: str
    replay: str
    excused: bool = False
    note: str = ""
    place: Place | None = None
    steps: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def heading(self) -> str:
        """Return what it is, in one line."""
        return f"{self.finding.kind.value}: {self.finding.title}"

    def told(self) -> list[str]:
        """Return what an engineer needs to see it again, in lines."""
        return [
            self.finding.title,
            f"kind: {self.finding.kind.value} ({self.finding.kind.severity.value})",
            f"fingerprint: {self.finding.fingerprint}",
            *([f"source: {self.place.file}:{self.place.line}"] if self.place else []),
            *([f"needed: {self.pattern}"] if self.pattern else []),
            *([self.note] if self.note else []),
            f"file: {self.file}",
            *(f"  {step}" for step in self.steps),
            *([f"replay: {self.replay}"] if self.replay else []),
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it: the ``regressions`` in order, the fuzzing run if there was one, all findings.

    ``faults`` are sentences that say what could not be done.
    """

    regressions: tuple[Played, ...] = ()
    summary: Summary | None = None
    items: Mapping[str, Item] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def new(self) -> tuple[Item, ...]:
        """Return the findings that fail the run, the worst first."""
        return tuple(item for item in self.ordered() if not item.excused)

    def ordered(self) -> list[Item]:
        """Return all findings: those that fail the run first, and the worst of them first."""
        return sorted(self.items.values(), key=lambda one: (one.excused, one.finding.kind.rank))

    def errors(self) -> tuple[str, ...]:
        """Return all that could not be done, in sentences."""
        unplayed = (one.replayed for one in self.regressions if one.verdict is Verdict.ERROR)
        return (*self.faults, *(f"{one.path}: {one.note}" for one in unplayed))

    @property
    def code(self) -> int:
        """Return the exit code; what was found counts for more than what could not be done."""
        if self.new:
            return 1
        return 2 if self.errors() else 0


@dataclass(slots=True)
class Gathered:
    """Gathers an outcome while a smoke run goes on: ``take`` regressions, then ``outcome``.

    ``switches`` are the words of a command line that choose the target again, ``sources`` finds
    the target's source files.
    """

    known: KnownIssues
    switches: Sequence[str]
    sources: Sources
    regressions: list[Played] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    summary: Summary | None = None

    def findings(self) -> dict[str, tuple[Finding, str]]:
        """Return each finding and the file that shows it, by fingerprint."""
        found: dict[str, tuple[Finding, str]] = {}
        for one in self.regressions:
            _worst(found, ((finding, str(one.replayed.path)) for finding in one.replayed.findings))
        if self.summary is not None:
            _worst(found, ((s.finding, s.path) for s in tuple(self.summary.findings.values())))
        return found

    def outcome(self) -> Outcome:
        """Return what it has come to by now."""
        items = {
            fingerprint: self._item(finding, Path(file))
            for fingerprint, (finding, file) in self.findings().items()
        }
        return Outcome(tuple(self.regressions), self.summary, items, tuple(self.faults))

    def _item(self, finding: Finding, file: Path) -> Item:
        told = from_base(file, self.sources.base)
        no_case = finding.cause.what == ASSERTION
        return Item(
            finding,
            told,
            "" if no_case else shlex.join(["iris-fuzz", "replay", told, *self.switches]),
            self.known.excuses(finding.fingerprint),
            self.known.note(finding.fingerprint),
            self.sources.place(finding),
            () if no_case else _steps(file),
            "" if no_case else _pattern(file),
        )


def outcome_lines(outcome: Outcome) -> list[Text]:
    """Return the closing lines: the findings that fail the run, and how many do not."""
    excused = len(outcome.items) - len(outcome.new)
    lines = [
        Text.assemble(
            (item.finding.fingerprint, STYLE[item.finding.kind.severity]), f"  {item.heading}"
        )
        for item in outcome.new
    ]
    total = f"smoke: {len(outcome.new)} new, {excused} known or in the baseline"
    errors = f", {len(outcome.errors())} not done" if outcome.errors() else ""
    return [*lines, Text(total + errors, style="bold")]


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """Return all of it as JSON values."""
    return {
        "new": len(outcome.new),
        "findings": [
            {
                "kind": item.finding.kind.value,
                "severity": item.finding.kind.severity.value,
                "fingerprint": item.finding.fingerprint,
                "title": item.finding.title,
                "path": item.file,
                "source": f"{item.place.file}:{item.place.line}" if item.place else "",
                "excused": item.excused,
                "known": item.note,
                "pattern": item.pattern,
                "replay": item.replay,
            }
            for item in outcome.ordered()
        ],
        "regressions": [
            {
                "path": str(one.replayed.path),
                "verdict": one.verdict.value,
                "shown": one.replayed.shown,
                "plays": one.replayed.plays,
                "seconds": round(one.seconds, 3),
                "note": one.replayed.note,
                "findings": [finding.fingerprint for finding in one.replayed.findings],
            }
            for one in outcome.regressions
        ],
        "fuzzing": None if outcome.summary is None else outcome.summary.as_json(),
        "not_done": list(outcome.errors()),
    }


def _worst(found: dict[str, tuple[Finding, str]], more: Iterable[tuple[Finding, str]]) -> None:
    """Add ``more`` to what was ``found``; of one defect the worst that was seen counts."""
    for finding, file in more:
        before = found.get(finding.fingerprint)
        if before is None or finding.kind.rank < before[0].kind.rank:
            found[finding.fingerprint] = (finding, file)


def _steps(file: Path) -> tuple[str, ...]:
    try:
        steps = describe_steps(read_case(file))
    except CaseFileError:
        return ()  # it was read before, and another process has removed it since
    more = len(steps) - _MOST_STEPS
    return (*steps[:_MOST_STEPS], *([f"... and {more} more"] if more > 0 else []))


def _pattern(file: Path) -> str:
    """Return what of the case is needed, as the campaign has found out."""
    try:
        saved = read_sidecar(file)
    except StoreError:
        return ""  # the finding itself is known all the same
    return "" if saved is None else str(saved.evidence.get("pattern", ""))
