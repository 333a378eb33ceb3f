"""Writing a time line: one process does, and each call is one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuzz.node import Point
from fuzz.store.timeline.reader import read_finding, read_run, read_samples
from fuzz.store.timeline.rows import FaultRow, FindingRow, RecoveryRow, Run, Sample
from fuzz.store.timeline.schema import FILE_NAME, open_to_write, told, understood

#: So many make any curve, and with the counts of three nodes they are some two megabytes.
MAX_SAMPLES = 4_096
#: How far apart two samples are at first, in seconds of the campaign; twice as far each time that
#: there are too many.
FIRST_INTERVAL = 1.0
#: The latest recoveries and faults that are kept one by one: a target that falls over all the time
#: does it some ten thousand times a day, each time alike.
MAX_RECOVERIES = 2_000
MAX_FAULTS = 500

_INTERVAL = "interval"


class TimelineWriter:
    """The time line in ``folder``, which is made if it is missing. Not for use by two threads.

    All methods raise :class:`fuzz.errors.StoreError` if the file cannot be written; what was
    written before stays.
    """

    def __init__(self, folder: Path, max_samples: int = MAX_SAMPLES) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._max_samples = max_samples
        self._db = open_to_write(self._path)
        with understood(self._path):
            self._interval = float(self.about().get(_INTERVAL, FIRST_INTERVAL))
            (self._samples,) = self._db.execute("SELECT count(*) FROM samples").fetchone()
            (self._run,) = self._db.execute("SELECT ifnull(max(number), 0) FROM runs").fetchone()
        #: Rows of the points of the target that runs, by their number there.
        self._points: list[int] = []

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return self._path

    # What there is.

    def about(self) -> Mapping[str, str]:
        """Return the facts about the campaign."""
        with understood(self._path):
            return dict(self._db.execute("SELECT key, value FROM about"))

    def runs(self) -> list[Run]:
        """Return the runs, the first one first."""
        with understood(self._path):
            return [read_run(row) for row in self._db.execute("SELECT * FROM runs ORDER BY number")]

    def latest(self) -> Sample | None:
        """Return the last sample, None if there is none."""
        with understood(self._path):
            last = "SELECT * FROM samples ORDER BY id DESC LIMIT 1"
            return next(iter(read_samples(self._db, last)), None)

    def findings(self) -> dict[str, FindingRow]:
        """Return the findings by their fingerprint."""
        with understood(self._path):
            rows = self._db.execute("SELECT * FROM findings")
            return {row[0]: read_finding(row, self._folder) for row in rows}

    # What is added.

    def note(self, key: str, value: str) -> None:
        """Put down a fact about the campaign, in the place of an earlier one."""
        with self._change() as db:
            db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", _texts(key, value))

    def put_run(self, run: Run) -> None:
        """Add a run, or put what is known of it by now in the place of what was."""
        self._run = max(self._run, run.number)
        with self._change() as db:
            _put_run(db, run)

    def sample(self, sample: Sample, run: Run) -> None:
        """Add a sample, and put down ``run`` as it stands.

        The last sample always is the latest. One that is too near to the one before it gives way
        to the next; where there are too many, every second one goes.
        """
        with self._change() as db:
            _put_run(db, run)
            self._make_room(db)
            cursor = db.execute(
                "INSERT INTO samples VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    sample.run, sample.at, sample.seconds, sample.cases, sample.points_covered,
                    sample.points_total, sample.corpus, sample.findings, sample.restarts,
                    sample.replays, sample.recovering_seconds,
                ),
            )  # fmt: skip
            self._samples += 1
            db.executemany(
                "INSERT INTO vitals VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (cursor.lastrowid, node, one.processes, one.ports, one.atoms, one.tables,
                     one.memory, one.reductions)
                    for node, one in sample.vitals.items()
                ),
            )  # fmt: skip

    def put_finding(self, finding: FindingRow) -> None:
        """Add a finding, or put what is known of it by now in the place of what was."""
        path = finding.path
        if path.is_relative_to(self._folder):
            path = path.relative_to(self._folder)
        with self._change() as db:
            db.execute(
                "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                _texts(
                    finding.fingerprint, finding.kind.value, finding.severity.value, finding.title,
                    str(path), finding.first_seen, finding.last_seen, finding.run, finding.seconds,
                    finding.hits, finding.rate, finding.refined,
                ),
            )  # fmt: skip

    def recovery(self, row: RecoveryRow) -> None:
        """Add that the target was brought back."""
        with self._change() as db:
            db.execute(
                "INSERT INTO recoveries VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                _texts(row.run, row.at, row.seconds, row.how, row.took, row.why),
            )
            db.execute(
                "INSERT INTO recovery_totals VALUES (?, ?, 1, ?) ON CONFLICT (how, why)"
                " DO UPDATE SET times = times + 1, took = took + excluded.took",
                _texts(row.how, row.why, row.took),
            )
            _keep_last(db, "recoveries", MAX_RECOVERIES)

    def fault(self, row: FaultRow) -> None:
        """Add that the harness could not do something."""
        with self._change() as db:
            db.execute(
                "INSERT INTO faults VALUES (NULL, ?, ?, ?, ?)",
                _texts(row.run, row.at, row.seconds, row.sentence),
            )
            _keep_last(db, "faults", MAX_FAULTS)

    def chart(self, points: Sequence[Point], sources: Mapping[str, Path]) -> int:
        """Take the coverage points of the target; return how many of them were hit before.

        ``sources`` are files by the module that is in them. A point that was there in an earlier
        run is the same one; those that are no more, for the code has changed, are forgotten.
        """
        alike: Counter[Point] = Counter()
        keys = []
        for point in points:
            keys.append(
                (point.module, point.function, point.arity, point.line, point.kind, alike[point])
            )
            alike[point] += 1
        with self._change() as db:
            rows = db.execute("SELECT id, module, function, arity, line, kind, nth FROM points")
            known = {tuple(key): number for number, *key in rows}
            db.executemany(
                "INSERT INTO points VALUES (NULL, ?, ?, ?, ?, ?, ?, NULL, 0)",
                (key for key in keys if key not in known),
            )
            gone = known.keys() - set(keys)
            db.executemany("DELETE FROM points WHERE id = ?", ((known[key],) for key in gone))
            modules = {point.module for point in points}
            db.executemany(
                "UPDATE points SET source = ? WHERE module = ?",
                (_texts(str(sources[name]) if name in sources else None, name) for name in modules),
            )
            rows = db.execute("SELECT id, module, function, arity, line, kind, nth FROM points")
            numbers = {tuple(key): number for number, *key in rows}
        self._points = [numbers[key] for key in keys]
        return self._hit()

    def hit(self, points: Iterable[int]) -> int:
        """Take in that points, by their numbers in the chart, were hit; return how many are now."""
        with self._change() as db:
            db.executemany(
                "UPDATE points SET hit = 1 WHERE id = ?", ((self._points[n],) for n in points)
            )
        return self._hit()

    def _hit(self) -> int:
        with understood(self._path):
            (count,) = self._db.execute("SELECT count(*) FROM points WHERE hit").fetchone()
            return int(count)

    def _make_room(self, db: sqlite3.Connection) -> None:
        """Let the last sample go if it is too near to that before it, or every second one."""
        last = "SELECT id, seconds FROM samples ORDER BY id DESC LIMIT 2"
        rows = db.execute(last).fetchall()
        if len(rows) == 2 and rows[0][1] - rows[1][1] < self._interval:
            db.execute("DELETE FROM samples WHERE id = ?", (rows[0][0],))
            self._samples -= 1
        if self._samples >= self._max_samples:
            numbers = [row[0] for row in db.execute("SELECT id FROM samples ORDER BY id")]
            gone = [(number,) for number in numbers[1:-1:2]]
            db.executemany("DELETE FROM samples WHERE id = ?", gone)
            self._samples -= len(gone)
            self._interval *= 2
            db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_INTERVAL, self._interval))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Change the file as one transaction."""
        with told(self._path, "written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite has ended some of them itself
                    self._db.execute("ROLLBACK")
                raise


def _put_run(db: sqlite3.Connection, run: Run) -> None:
    db.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _texts(
            run.number, run.started_at, run.command, run.target, run.guided_by,
            json.dumps(dict(run.versions)), run.workers,
            json.dumps([[node.name, node.otp, node.port] for node in run.nodes]),
            run.ended_at, run.reason, run.cases, run.seconds, run.judged_before,
        ),
    )  # fmt: skip


def _texts(*values: object) -> tuple[object, ...]:
    """Return the values of a row, with text as SQLite takes it.

    A name of a file that is no UTF-8, and what a target says, may hold half of a character.
    """
    return tuple(
        value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for value in values
    )


def _keep_last(db: sqlite3.Connection, table: str, count: int) -> None:
    """Keep the latest ``count`` rows of a table whose ids are in order."""
    db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (count,))
