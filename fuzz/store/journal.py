"""The journal: every case is in it before its first byte is on the wire.

Theory of operation. A harness that is killed must not take with it the case that was being
played, least of all the one that killed it. So a batch is appended to a file (``begin``)
before it is sent, and a mark is appended (``judged``) once the oracles have spoken. What
was begun and never judged is played first at the next start. A case counts as judged by
its bytes: when it is begun anew and judged then, it is settled, and until that happens it
is carried from segment to segment and from start to start.

One ``write`` for each batch, and no sync: the page cache belongs to the kernel and survives
the death of the process, which is what the journal is for. A power cut may lose the last
seconds of cases, all of them ones that the search can make again; an fsync for each batch
would cost more than playing it. It is synced when a segment is full and when the journal
is closed; a finding is synced by the store of crashes, in files of its own.

A kill tears even a single write, between two pages of the cache; nothing of such a batch was
sent. Segments are never appended to by a later start, so a torn record is always the last
of its file. One process owns a journal at a time (flock on ``journal.lock``, which the
kernel drops when its holder dies, however it dies). The worker of a campaign that was killed still
holds it while it ends its target, so whoever comes next waits for a moment.

A mark also says how many cases of the campaign have been judged with it. So the count is that of
the marks: whatever is killed, a case is in it once, when it is judged.

Of several workers each has a journal of its own. Where there are fewer of them at the next start,
the first worker takes over what the others have left.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import HarnessFault, StoreError
from fuzz.store import locks, records
from fuzz.store.atomic import ensure_writable, store_error, sync_folder, write_all

#: A full segment is about 80,000 cases of 200 bytes: ten seconds of the fastest campaign, and
#: a leak or a delayed effect is traced through the cases of its last seconds.
SEGMENT_BYTES = 16 * 1024 * 1024
#: The one being written and the one before it, so that the tail is never shorter than one
#: segment. With two the journal holds about 32 MiB of disk, however long it runs.
SEGMENTS = 2

_LOCK = "journal.lock"
#: A worker that has lost its campaign looks up after each batch, and then ends its target.
_LEAVING_SECONDS = 10.0
#: The journals of all workers but the first are in the folder of that one's, under these names.
_FURTHER = re.compile(r"worker-(\d+)")


class Journal:
    """The journal in one folder, owned until :meth:`close`. Not for use by two threads."""

    def __init__(self, folder: Path, lock: int, segment_bytes: int) -> None:
        self._folder = folder
        self._lock = lock
        self._segment_bytes = segment_bytes
        self._next_batch = 1
        self._begun: dict[int, tuple[bytes, ...]] = {}
        self._leftover: dict[bytes, int] = {}
        self._notes: list[str] = []
        self._descriptor = -1
        self._number = 0
        self._size = 0  # bytes of the segment that is being written
        self._fresh = 0  # those of them that were appended since it was begun
        self._judged = 0

    @classmethod
    def open(
        cls,
        folder: Path,
        segment_bytes: int = SEGMENT_BYTES,
        patience: float = _LEAVING_SECONDS,
    ) -> Journal:
        """Take the journal in ``folder`` (made if missing) and read what an earlier run left.

        Raise :class:`StoreError` when another process owns it for more than ``patience`` seconds,
        or it cannot be written.
        """
        ensure_writable(folder)
        lock = _take_lock(folder, Deadline.after(SystemClock(), patience, "the journal"))
        journal = cls(folder, lock, segment_bytes)
        try:
            journal._recover()
            journal._rotate()
        except BaseException:  # an interrupt too must give the lock back
            journal._release()
            raise
        return journal

    def begin(self, batch: Sequence[bytes]) -> int:
        """Append the cases of ``batch`` and return the batch's number; then they may be sent."""
        number = self._next_batch
        cases = tuple(batch)
        record = records.begun(number, cases)
        # What was carried over does not count: else a lot of it would mean a rotation each time.
        if self._fresh and self._fresh + len(record) > self._segment_bytes:
            self._rotate()
        self._append(record)
        self._begun[number] = cases
        self._next_batch += 1
        return number

    @property
    def judged_cases(self) -> int:
        """Return how many cases have been judged, in all runs; see :meth:`judged`."""
        return self._judged

    def judged(self, number: int, cases: int = 0) -> None:
        """Mark batch ``number`` as judged: its cases need not be played at the next start.

        So many ``cases`` of it count: none, where one that was counted was played once more.
        """
        begun = self._begun.get(number)
        if begun is None:
            raise HarnessFault(f"batch {number} was judged, but it is not being played")
        self._append(records.judged(number, self._judged + cases))
        self._judged += cases
        del self._begun[number]
        self._settle(begun, number)

    def unjudged(self) -> list[bytes]:
        """Return the cases that an earlier run began and nobody has judged, oldest first."""
        return list(self._leftover)

    def take_over(self, folder: Path) -> None:
        """Add what is unjudged in the journal in ``folder`` to that of this one, and remove it.

        It is on the disk here before it goes there. Raise :class:`StoreError` as :meth:`open` does.
        """
        with Journal.open(folder) as other:
            self._notes += other.notes()
            cases = tuple(other.unjudged())
            if cases:
                number = self.begin(cases)
                # They are not being played: they wait for it like all else that is left over.
                self._leftover |= dict.fromkeys(self._begun.pop(number), number)
                self.sync()
            try:
                shutil.rmtree(folder)
            except OSError as error:
                raise store_error(folder, "removed", error) from None
            # Only now: whoever is killed before takes it over once more.
            self._judged += other.judged_cases
            self._append(records.judged(0, self._judged))

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each part of the files that could not be read."""
        return tuple(self._notes)

    def tail(self, count: int) -> list[bytes]:
        """Return the latest ``count`` cases begun, oldest first, those of earlier runs included.

        It is read from the disk (0.13 s for a full journal): the hot path keeps no copy.
        """
        batches: dict[int, tuple[bytes, ...]] = {}
        for path in self._segments():
            for record in records.read(_content(path)).records:
                if record.cases is not None:
                    # What was carried into a new segment is there twice, in full the first time.
                    batches.setdefault(record.number, record.cases)
        cases = [case for number in sorted(batches) for case in batches[number]]
        return cases[-count:] if count > 0 else []

    def sync(self) -> None:
        """Make what was appended survive a power cut as well; called for a finding."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise store_error(self._path(self._number), "synced", error) from None

    def close(self) -> None:
        """Sync and give the journal back; closing twice is harmless."""
        if self._lock < 0:
            return
        try:
            self.sync()
        finally:
            self._release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, record: bytes) -> None:
        try:
            write_all(self._descriptor, record)
        except OSError as error:
            self._cut_back()
            raise store_error(self._path(self._number), "written", error) from None
        self._size += len(record)
        self._fresh += len(record)

    def _cut_back(self) -> None:
        # Half a record would hide what is appended behind it, should space come back.
        os.ftruncate(self._descriptor, self._size)

    def _rotate(self) -> None:
        """Begin a new segment with all that is not judged, then drop the oldest."""
        path = self._path(self._number + 1)
        carried = self._carried()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            if self._descriptor >= 0:
                os.fsync(self._descriptor)
                os.close(self._descriptor)
            self._descriptor, self._number = descriptor, self._number + 1
            self._size = self._fresh = 0
            write_all(descriptor, carried)
            self._size = len(carried)
            os.fsync(descriptor)
            sync_folder(self._folder)
            for old in self._segments()[:-SEGMENTS]:
                old.unlink()
        except OSError as error:
            raise store_error(path, "written", error) from None

    def _carried(self) -> bytes:
        """Return the start of a new segment: what is not judged, under its old numbers."""
        open_batches = dict(self._begun)
        for case, number in self._leftover.items():
            open_batches[number] = (*open_batches.get(number, ()), case)
        starts = (records.begun(number, open_batches[number]) for number in sorted(open_batches))
        # The number of no batch: it is there for the count, whose last mark may be dropped.
        return b"".join((records.HEADER, records.judged(0, self._judged), *starts))

    def _recover(self) -> None:
        """Read the segments of earlier runs: what is unjudged, and the numbers to go on with."""
        begun: dict[int, tuple[bytes, ...]] = {}
        for path in self._segments():
            self._number = _number(path)
            self._replay(records.read(_content(path)), path, begun)

    def _replay(
        self, content: records.Content, path: Path, begun: dict[int, tuple[bytes, ...]]
    ) -> None:
        if content.note:
            self._notes.append(f"{path} {content.note}")
        for record in content.records:
            self._next_batch = max(self._next_batch, record.number + 1)
            if record.cases is not None:
                begun[record.number] = record.cases
                self._leftover.update(dict.fromkeys(record.cases, record.number))
            else:
                self._settle(begun.pop(record.number, ()), record.number)
                self._judged = max(self._judged, record.judged or 0)

    def _settle(self, cases: Iterable[bytes], number: int) -> None:
        """Take ``cases``, judged in batch ``number``, from those left over by then."""
        if self._leftover:
            for case in cases:
                # Begun once more after that batch, a case is open again.
                if self._leftover.get(case, number + 1) <= number:
                    del self._leftover[case]

    def _segments(self) -> list[Path]:
        try:
            paths = [path for path in self._folder.iterdir() if records.NAME.fullmatch(path.name)]
        except OSError as error:
            raise store_error(self._folder, "read", error) from None
        return sorted(paths)

    def _path(self, number: int) -> Path:
        return self._folder / records.name(number)

    def _release(self) -> None:
        for descriptor in (self._descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lock = -1


def journal_of(folder: Path, number: int) -> Path:
    """Return the folder of the journal of worker ``number``, counted from 0, of those in it."""
    return folder / f"worker-{number + 1}" if number else folder


def left_behind(folder: Path, workers: int) -> list[Path]:
    """Return the journals in ``folder`` that are of none of so many ``workers``."""
    found = []
    for path in folder.glob("worker-*"):
        match = _FURTHER.fullmatch(path.name)
        if match and int(match[1]) > workers and path.is_dir():
            found.append(path)
    return sorted(found)


def _take_lock(folder: Path, deadline: Deadline) -> int:
    lock = locks.take(folder / _LOCK, deadline)
    if lock is None:
        raise StoreError(
            f"{folder} is in use by another campaign: wait for its end or choose another folder"
        )
    return lock


def _number(path: Path) -> int:
    match = records.NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise store_error(path, "read", error) from None
