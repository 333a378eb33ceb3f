"""The board: what the workers of one campaign tell one another while they run.

Each worker appends notes to a file of its own and reads those of the others, in the folder of the
run. Nobody waits for anybody: there is no lock, and no pipe that can be full while its reader is
busy with a restart. A worker that takes the place of a lost one has a new file, and begins with
reading all there is; what a kill has cut short stays at the end of a file that nobody goes on with.

A case that earned something at one worker is not played at the others. They have the same target
with the same coverage points, so they learn what it earned, and hand it to libFuzzer if that is new
to them: what is found by one is built upon by all, and kept once.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.engines.feedback import BatchMemory, Features, Memory
from fuzz.engines.filters import Filters
from fuzz.store.atomic import store_error, write_all, write_atomic
from fuzz.triage.pattern import Pattern

#: The length of a note.
_HEAD = struct.Struct(">I")
#: Bytes that are read of one file at a time: a worker that comes late takes in what there is bit by
#: bit, and plays in between.
_CHUNK = 1 << 20
#: A count of cases.
_COUNT_BYTES = 8


@dataclass(frozen=True, slots=True)
class Earned:
    """A case that was kept, and the counters that it hit when it was played alone."""

    case: bytes
    features: Features


@dataclass(frozen=True, slots=True)
class Shortened:
    """A case that was kept, and what of it earns the same."""

    case: bytes
    shorter: bytes


@dataclass(frozen=True, slots=True)
class Barred:
    """The pattern of a known bug: cases that match are to be held back."""

    pattern: Pattern


#: What is told of a case that was kept.
OfCase = Earned | Shortened
Note = OfCase | Barred


@dataclass(slots=True)
class _Other:
    descriptor: int
    rest: bytearray = field(default_factory=bytearray)


class Board:
    """The board in ``folder`` as one worker has it; raises :class:`StoreError` if it can't be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._descriptor, name = tempfile.mkstemp(dir=folder)
        except OSError as error:
            raise store_error(folder, "written", error) from None
        self._own = Path(name)
        self._others: dict[str, _Other] = {}

    def tell(self, note: Note) -> None:
        """Tell all other workers."""
        data = pickle.dumps(note, pickle.HIGHEST_PROTOCOL)
        try:
            write_all(self._descriptor, _HEAD.pack(len(data)) + data)
        except OSError as error:
            raise store_error(self._own, "written", error) from None

    def news(self) -> Iterator[Note]:
        """Yield what others have told since the last call, or some of it if that is a lot."""
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.name != self._own.name and entry.name not in self._others:
                        self._others[entry.name] = _Other(os.open(entry.path, os.O_RDONLY))
            for other in self._others.values():
                other.rest += os.read(other.descriptor, _CHUNK)
        except OSError as error:
            raise store_error(self._folder, "read", error) from None
        for other in self._others.values():
            yield from _whole(other.rest)

    def close(self) -> None:
        """Give all files back; nothing is told or heard after that."""
        for descriptor in (self._descriptor, *(one.descriptor for one in self._others.values())):
            os.close(descriptor)
        self._descriptor = -1
        self._others.clear()

    def take_in(
        self,
        filters: Filters,
        hear: Callable[[OfCase], None],
        batches: BatchMemory,
        cases: Memory,
    ) -> Iterator[tuple[bytes, Features]]:
        """Let what others have told be known here; yield cases, with what each has earned here.

        ``hear`` is told of all that was kept.
        """
        for note in self.news():
            if isinstance(note, Barred):
                filters.add(note.pattern)
                continue
            hear(note)
            if isinstance(note, Shortened):
                continue
            batches.learn(note.features, 1)
            batches.account(note.features)
            if cases.learn(note.features):
                yield note.case, note.features


def _whole(rest: bytearray) -> Iterator[Note]:
    """Yield the notes that are whole, and leave what follows them."""
    offset = 0
    while offset + _HEAD.size <= len(rest):
        (length,) = _HEAD.unpack_from(rest, offset)
        end = offset + _HEAD.size + length
        if end > len(rest):
            break
        # The folder of a run is its owner's alone: nobody else can have written this.
        note: Note = pickle.loads(memoryview(rest)[offset + _HEAD.size : end])
        yield note
        offset = end
    del rest[:offset]


class Tally:
    """How many cases the workers have played together: a number for each in the file ``path``.

    Each writes its own, of eight bytes, and reads all of them; the processor tears none. What a
    worker that was lost had played counts on: whoever takes its place adds to that.
    """

    def __init__(self, path: Path, number: int) -> None:
        """Raise :class:`StoreError` if there is no such file."""
        self._number = number
        try:
            with path.open("r+b") as file:
                self._counts = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
        except OSError as error:
            raise store_error(path, "read", error) from None
        self._before = self._counts[number]

    @staticmethod
    def make(path: Path, workers: int) -> None:
        """Make the file for so many workers, none of which has played a case."""
        write_atomic(path, bytes(_COUNT_BYTES * workers), durable=False)

    def played(self, cases: int) -> int:
        """Note that this worker has played so many ``cases``; return how many all have."""
        self._counts[self._number] = self._before + cases
        return sum(self._counts)
