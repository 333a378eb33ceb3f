"""What the page says, as values. All text in them may come from a target: it is hostile.

Times ``at`` are seconds since 1970, ``seconds`` those of the campaign over all of its runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuzz.finding import Kind


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what is to be said under it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is seen first; ``note`` says what it is of, or how it came."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a segment; ``lies`` tells of a length that counts what is not there."""

    offset: int
    length: int
    path: str
    role: str
    value: str
    note: str = ""
    lies: bool = False
    opcode: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that a case sends, decoded; ``more_fields`` of it are not listed."""

    step: int
    connection: int
    size: int
    fields: tuple[FieldRow, ...]
    more_fields: int
    hex: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lifeline:
    """A party of a dialogue, at ``x`` of its diagram."""

    x: int
    name: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """One event of a diagram at ``y``: an arrow from ``x1`` to ``x2``, or a mark where they agree.

    ``kind`` is one of: open, login, send, owed, half-close, reset, wait, pause, restart, outcome.
    """

    y: int
    kind: str
    x1: int
    x2: int
    text: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class Diagram:
    """The sequence diagram of a dialogue; ``cut`` says what of it is not drawn."""

    width: int
    height: int
    lifelines: tuple[Lifeline, ...]
    strokes: tuple[Stroke, ...]
    title: str
    summary: str
    cut: str = ""
    owed: bool = False

    @property
    def wide(self) -> bool:
        """Tell whether nothing has room beside it."""
        return len(self.lifelines) > 3  # two clients and the server take half of a page


@dataclass(frozen=True, slots=True)
class Side:
    """What was heard in one of two plays that were to be heard alike."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding in full. Empty texts and tuples are what is not known of it."""

    fingerprint: str
    kind: Kind
    title: str
    effect: str
    hits: int
    first_seen: str
    file: str
    facts: tuple[Fact, ...]
    pattern: str
    reason: str
    process: str
    frames: tuple[str, ...]
    diagram: Diagram | None
    steps: tuple[str, ...]
    tokens: tuple[str, ...]
    segments: tuple[Segment, ...]
    more_segments: int
    logged: tuple[str, ...]
    sides: tuple[Side, ...]
    evidence: tuple[Fact, ...]
    replay: str
    reproducer: str
    no_reproducer: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding as one line of a table; ``full`` tells that it is on the page in full as well.

    ``known`` is what a file of known issues says of it.
    """

    fingerprint: str
    kind: Kind
    title: str
    effect: str
    hits: int
    first_seen: str
    full: bool
    known: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings, the worst first; ``cut`` says how many are not in ``rows``, or not in full."""

    total: int
    by_severity: tuple[tuple[str, int], ...]
    rows: tuple[FindingRow, ...]
    full: tuple[FindingView, ...]
    cut: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """How often an opcode was sent in a state: ``frames`` in so many ``cases``.

    ``effective`` tells that the protocol gives it an effect there; ``heat`` is 0 (never) to 5.
    """

    frames: int
    cases: int
    effective: bool
    heat: int


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """An opcode, in hex, and its cells in the order of the states."""

    opcode: str
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which frames were sent in which state; ``gaps`` are those with an effect, never sent."""

    states: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    cases: int
    sources: tuple[Fact, ...]
    gaps: tuple[str, ...]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot: (x, y) in the order of x. ``steps`` draws it as stairs."""

    name: str
    points: tuple[tuple[float, float], ...]
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at ``x``; with ``y`` it is a dot, else a line across."""

    x: float
    text: str
    y: float | None = None
    kind: str = "run"


@dataclass(frozen=True, slots=True)
class Plot:
    """Values over the time of the campaign; ``now`` is the last one, ``note`` says what it is."""

    name: str
    title: str
    now: str
    unit: str
    summary: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of source: ``hit`` of its ``points`` were reached; 0 of 0 where there is nothing."""

    number: int
    text: str
    hit: int = 0
    points: int = 0

    @property
    def state(self) -> str:
        """Return none, hit, part or miss."""
        if not self.points:
            return "none"
        return "hit" if self.hit == self.points else "part" if self.hit else "miss"


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the target; ``note`` is a doubt about it, as that it is newer than the run."""

    name: str
    lines: tuple[Line, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModuleView:
    """The coverage of a module, its functions that nothing reached, and its source, if at hand."""

    name: str
    covered: int
    total: int
    missed: tuple[str, ...]
    sources: tuple[Source, ...]
    no_source: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of all modules, the least covered first; ``cut`` says what is not shown."""

    covered: int
    total: int
    modules: tuple[ModuleView, ...]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunView:
    """A start of the campaign, in words."""

    number: int
    started: str
    took: str
    cases: str
    reason: str
    command: str
    target: str
    versions: str


@dataclass(frozen=True, slots=True)
class History:
    """The runs, how often the target was brought back and why, and what the harness failed at."""

    runs: tuple[RunView, ...]
    recoveries: tuple[tuple[str, str, int, str], ...]
    faults: tuple[Fact, ...]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """All of it. Without a time line, ``no_timeline`` says why, and what comes of it is empty."""

    name: str
    made: str
    version: str
    verdict: str
    lines: tuple[str, ...]
    figures: tuple[Figure, ...]
    findings: Findings
    matrix: Matrix
    plots: tuple[Plot, ...] = ()
    vitals: tuple[Plot, ...] = ()
    coverage: Coverage | None = None
    history: History | None = None
    no_timeline: str = ""
    problems: tuple[str, ...] = ()
