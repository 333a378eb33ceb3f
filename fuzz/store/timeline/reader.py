"""Reading a time line: all of it at once, as values."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fuzz.finding import Kind
from fuzz.node import QuickVitals
from fuzz.store.timeline.rows import (
    FaultRow,
    FindingRow,
    ModuleRow,
    NodeRow,
    PointRow,
    RecoveryRow,
    RecoveryTotal,
    Run,
    Sample,
)
from fuzz.store.timeline.schema import FILE_NAME, open_to_read, understood


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that a time line holds, as of one moment; each list is in order of time or of names."""

    about: Mapping[str, str]
    runs: tuple[Run, ...]
    samples: tuple[Sample, ...]
    findings: tuple[FindingRow, ...]
    recoveries: tuple[RecoveryRow, ...]
    recovery_totals: tuple[RecoveryTotal, ...]
    points: tuple[PointRow, ...]
    faults: tuple[FaultRow, ...]

    @property
    def last(self) -> Sample | None:
        """Return the totals of the campaign; None before the first sample."""
        return self.samples[-1] if self.samples else None

    def modules(self) -> tuple[ModuleRow, ...]:
        """Return the coverage of each module, in the order of their names."""
        hits: dict[str, list[bool]] = defaultdict(list)
        for point in self.points:
            hits[point.module].append(point.hit)
        return tuple(ModuleRow(name, sum(hits[name]), len(hits[name])) for name in sorted(hits))


def read_timeline(folder: Path) -> Timeline:
    """Read the time line of the campaign in ``folder``, which may be running.

    Raises :class:`fuzz.errors.StoreError` with one sentence if there is none, or it is damaged.
    """
    path = folder / FILE_NAME
    with closing(open_to_read(path)) as db, understood(path):
        db.execute("BEGIN")  # all of one moment, whatever is written meanwhile
        return Timeline(
            about=dict(db.execute("SELECT key, value FROM about")),
            runs=tuple(map(read_run, db.execute("SELECT * FROM runs ORDER BY number"))),
            samples=tuple(read_samples(db, "SELECT * FROM samples ORDER BY id")),
            findings=tuple(
                read_finding(row, folder)
                for row in db.execute("SELECT * FROM findings ORDER BY seconds, fingerprint")
            ),
            recoveries=tuple(
                RecoveryRow(*row)
                for row in db.execute(
                    "SELECT run, at, seconds, how, took, why FROM recoveries ORDER BY id"
                )
            ),
            recovery_totals=tuple(
                RecoveryTotal(*row)
                for row in db.execute("SELECT how, why, times, took FROM recovery_totals")
            ),
            points=tuple(map(_point, db.execute(_POINTS))),
            faults=tuple(
                FaultRow(*row)
                for row in db.execute("SELECT run, at, seconds, sentence FROM faults ORDER BY id")
            ),
        )


_POINTS = """
SELECT module, function, arity, line, kind, hit, source FROM points
ORDER BY module, line, function, arity, kind, nth
"""


def read_run(row: Sequence[Any]) -> Run:
    """Return a row of ``runs`` as a value."""
    number, started, command, target, guided, versions, workers, nodes, *rest = row
    seen = tuple(NodeRow(name, otp, port) for name, otp, port in json.loads(nodes))
    ended, _, *counts = rest
    _check_numbers(number, started, workers, ended, *counts)
    return Run(number, started, command, target, guided, json.loads(versions), workers, seen, *rest)


def read_samples(db: sqlite3.Connection, query: str) -> list[Sample]:
    """Return the samples that ``query`` selects, with their vitals."""
    rows = db.execute(query).fetchall()
    vitals: dict[int, dict[str, QuickVitals]] = defaultdict(dict)
    first = min((row[0] for row in rows), default=0)
    for sample, node, *counts in db.execute("SELECT * FROM vitals WHERE sample >= ?", (first,)):
        _check_numbers(*counts)
        vitals[sample][node] = QuickVitals(*counts)
    for row in rows:
        _check_numbers(*row)
    return [replace(Sample(*rest), vitals=vitals[number]) for number, *rest in rows]


def read_finding(row: Sequence[Any], folder: Path) -> FindingRow:
    """Return a row of ``findings`` of the campaign in ``folder`` as a value."""
    fingerprint, kind, _, title, path, *rest = row
    _check_numbers(*rest[:-1])
    # A path that leads elsewhere is absolute, and stays as it is.
    return FindingRow(fingerprint, Kind(kind), title, folder / path, *rest)


def _check_numbers(*values: object) -> None:
    """Raise :class:`TypeError` for what is no number: a column of SQLite takes any value."""
    for value in values:
        if not isinstance(value, int | float | None):
            raise TypeError(f"{value!r} is no number")


def _point(row: Sequence[Any]) -> PointRow:
    module, function, arity, line, kind, hit, source = row
    found = None if source is None else Path(source)
    return PointRow(module, function, arity, line, kind, bool(hit), found)
