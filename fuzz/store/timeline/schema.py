"""The file of a time line: what is in it, how it is opened, and what is said if it cannot be.

It is in WAL mode: a reader never waits for the writer, and a commit is one append. A process that
is killed at any moment leaves a file that opens as of its last commit. After a power cut it may be
as of some commits before (``synchronous = NORMAL``), and is never damaged by that.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fuzz.errors import StoreError

#: The name of the file in the folder of a campaign.
FILE_NAME = "timeline.sqlite"
#: "IRIS": what tells our files from those of others.
APPLICATION_ID = 0x49524953
#: Raised when a column changes its meaning, or goes; an older harness refuses what it cannot read.
VERSION = 1
#: A reader holds nothing back for long, and a copy of the file is made within seconds.
_BUSY_SECONDS = 10.0

SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,
    command TEXT NOT NULL,
    target TEXT NOT NULL,
    guided_by TEXT NOT NULL,
    versions TEXT NOT NULL,        -- JSON: an object of texts
    workers INTEGER NOT NULL,
    nodes TEXT NOT NULL,           -- JSON: a list of [name, otp, port or null]
    ended_at REAL,
    reason TEXT,
    cases INTEGER NOT NULL,
    seconds REAL NOT NULL,
    judged_before INTEGER
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    cases INTEGER NOT NULL,
    points_covered INTEGER NOT NULL,
    points_total INTEGER NOT NULL,
    corpus INTEGER NOT NULL,
    findings INTEGER NOT NULL,
    restarts INTEGER NOT NULL,
    replays INTEGER NOT NULL,
    recovering_seconds REAL NOT NULL
);
CREATE TABLE vitals (
    sample INTEGER NOT NULL REFERENCES samples (id) ON DELETE CASCADE,
    node TEXT NOT NULL,
    processes INTEGER NOT NULL,
    ports INTEGER NOT NULL,
    atoms INTEGER NOT NULL,
    tables INTEGER NOT NULL,
    memory INTEGER NOT NULL,       -- bytes
    reductions INTEGER NOT NULL,   -- since the start of the node
    PRIMARY KEY (sample, node)
) WITHOUT ROWID;
CREATE TABLE findings (
    fingerprint TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    title TEXT NOT NULL,
    path TEXT NOT NULL,            -- from the folder of this file, if it is in there
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL,
    run INTEGER NOT NULL,
    seconds REAL NOT NULL,
    hits INTEGER NOT NULL,
    rate REAL NOT NULL,
    refined INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE recoveries (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    how TEXT NOT NULL,
    took REAL NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE recovery_totals (
    how TEXT NOT NULL,
    why TEXT NOT NULL,
    times INTEGER NOT NULL,
    took REAL NOT NULL,
    PRIMARY KEY (how, why)
) WITHOUT ROWID;
CREATE TABLE points (
    id INTEGER PRIMARY KEY,
    module TEXT NOT NULL,
    function TEXT NOT NULL,
    arity INTEGER NOT NULL,
    line INTEGER NOT NULL,
    kind TEXT NOT NULL,
    nth INTEGER NOT NULL,          -- of those that are alike in all of the above
    source TEXT,
    hit INTEGER NOT NULL,
    UNIQUE (module, function, arity, line, kind, nth)
);
CREATE TABLE faults (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    sentence TEXT NOT NULL
);
"""

_ADVICE = {
    "SQLITE_FULL": "the disk is full; free some space, then start again",
    "SQLITE_IOERR": "the disk does not take it: it is full, failing, or a limit is reached",
    "SQLITE_CANTOPEN": "it cannot be opened: is its folder there, and may it be written?",
    "SQLITE_READONLY": "it may not be written; make it and its folder writable",
    "SQLITE_PERM": "no permission; make it readable",
    "SQLITE_BUSY": "another program holds it; let that end",
}
#: The last one is what SQLite says of a header that it cannot make sense of.
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")


@contextmanager
def told(path: Path, doing: str) -> Iterator[None]:
    """Turn errors of SQLite at ``path`` into a :class:`StoreError` of one sentence.

    ``doing`` is what could not be done, as in "written".
    """
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(_DAMAGED):
            raise _damaged(path, str(error)) from None
        reason = next((text for one, text in _ADVICE.items() if name.startswith(one)), str(error))
        raise StoreError(f"{path} cannot be {doing}: {reason}") from None


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Like :func:`told`, for what is read: values that no harness of this version has written."""
    try:
        with told(path, "read"):
            yield
    except (ValueError, TypeError, LookupError, OverflowError):
        raise StoreError(
            f"{path} holds what this harness does not understand: move it away, and the next run "
            "begins a new one; cases and findings are files of their own, and stay"
        ) from None


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the time line at ``path``, or make it; raise :class:`StoreError` if it can't be."""
    with told(path, "opened"), ExitStack() as unless_good:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        unless_good.callback(connection.close)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if _number(connection, "application_id") == 0 and _is_empty(connection):
            _make(connection)
        _check(path, connection)
        unless_good.pop_all()
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the time line at ``path``, which another process may be writing.

    Raises :class:`StoreError` if there is none, or none that can be read.
    """
    if not path.is_file():
        raise StoreError(f"{path} is not there: name the folder of a campaign (--campaign)")
    # Readers of a log make files beside it. In a folder that is put away they can't, and nobody
    # writes there either.
    put_away = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    how = "immutable=1" if put_away else "mode=ro"
    with told(path, "opened"), ExitStack() as unless_good:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}", timeout=_BUSY_SECONDS, uri=True
        )
        unless_good.callback(connection.close)
        _check(path, connection)
        unless_good.pop_all()
    return connection


def _make(connection: sqlite3.Connection) -> None:
    # One transaction: whoever is killed meanwhile leaves an empty file, which is made anew.
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {VERSION}; {SCHEMA} COMMIT;"
    )


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Raise :class:`StoreError` if the file is not ours, not of this version, or damaged."""
    if _number(connection, "application_id") != APPLICATION_ID:
        raise StoreError(f"{path} is no time line of a campaign: move it away")
    version = _number(connection, "user_version")
    if version != VERSION:
        raise StoreError(
            f"{path} has version {version}, and this harness reads {VERSION}: "
            "use the harness that has made it, or another folder"
        )
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _damaged(path, verdict)


def _damaged(path: Path, what: str) -> StoreError:
    first = " ".join(what.split())[:100]
    return StoreError(
        f"{path} is damaged ({first}): move it away, and the next run begins a new one; "
        "cases and findings are files of their own, and stay"
    )


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def _is_empty(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables == 0)
