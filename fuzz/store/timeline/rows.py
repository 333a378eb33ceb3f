"""The rows of a time line as values.

A time ``at`` is that of the wall clock, in seconds since 1970, and goes back where the clock was
set back. ``seconds`` are seconds of the campaign: how long all runs have taken by then. They go
on from run to run, and never go back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.finding import Kind, Severity
from fuzz.node import QuickVitals


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node of the target: ``port`` is where clients are sent to it, None if they are not."""

    name: str
    otp: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One start of the campaign; the first has the number 1.

    ``command`` is what was typed, ``versions`` those of what took part, by its name. ``reason`` is
    why it ended, None where it did not get to say so: it goes on, or was killed. ``cases`` are
    those that were judged in it, ``seconds`` how long it took. ``judged_before`` is how many cases
    had been judged in this folder when it began, as the journal counts them: None until that is
    known.
    """

    number: int
    started_at: float
    command: str
    target: str
    guided_by: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    nodes: tuple[NodeRow, ...] = ()
    ended_at: float | None = None
    reason: str | None = None
    cases: int = 0
    seconds: float = 0.0
    judged_before: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """The totals of the campaign at one moment of run ``run``.

    ``points_covered`` are the points that were hit in any run (shapes of dialogues where there is
    no agent: then ``points_total`` is 0), ``corpus`` the cases in ``evolved/``, ``findings`` the
    defects known by then. None of the totals ever goes back, but for points of code that has
    changed, which are forgotten. ``vitals`` are the counts of each node by its name, without its
    host if that is not needed to tell them apart; a node that is alone has an empty one. There are
    none where no agent told any.
    """

    run: int
    at: float
    seconds: float
    cases: int
    points_covered: int
    points_total: int
    corpus: int
    findings: int
    restarts: int
    replays: int
    recovering_seconds: float
    vitals: Mapping[str, QuickVitals] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A defect: the worst kind that it was seen to be, and the file of its case.

    ``first_seen`` and ``last_seen`` are times of the wall clock. It was told first in run ``run``
    (0: before there was a time line), ``seconds`` into the campaign. ``hits`` is how often it was
    seen in all runs, ``rate`` the share of plays, 0 to 1, in which its case shows it by itself.
    ``refined`` counts how often a better case took the place of the one before.
    """

    fingerprint: str
    kind: Kind
    title: str
    path: Path
    first_seen: float
    last_seen: float
    run: int
    seconds: float
    hits: int = 1
    rate: float = 1.0
    refined: int = 0

    @property
    def severity(self) -> Severity:
        """Return how bad it is for the users of the server."""
        return self.kind.severity


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """The target was brought back ``at`` that time, in ``took`` seconds; ``how`` and ``why``."""

    run: int
    at: float
    seconds: float
    how: str
    took: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryTotal:
    """The target was brought back ``times`` in one way, for one reason, in ``took`` seconds."""

    how: str
    why: str
    times: int
    took: float


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Something that the harness could not do."""

    run: int
    at: float
    seconds: float
    sentence: str


@dataclass(frozen=True, slots=True)
class PointRow:
    """A coverage point as :class:`fuzz.node.Point` tells of it, and whether it was ever ``hit``.

    ``source`` is the file that ``line`` is of, None where that is not known.
    """

    module: str
    function: str
    arity: int
    line: int
    kind: str
    hit: bool
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """How many of the ``total`` points of a module were ever hit."""

    module: str
    covered: int
    total: int
