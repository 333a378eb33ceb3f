"""The corpus: the seeds that a campaign starts from, and what it adds to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fuzz.case import MAX_FILE_BYTES, decode_case
from fuzz.errors import CaseFileError, StoreError
from fuzz.store.atomic import ensure_writable, store_error, sweep, write_atomic

#: All of it is played once at each start: 20,000 cases are some ten seconds of that.
MAX_ENTRIES = 20_000
#: Entries are read into memory at a start, by each worker.
MAX_TOTAL_BYTES = 256 * 1024 * 1024

#: What may lie beside cases and is none: sidecars and notes for people.
_NO_CASES = frozenset({".json", ".md"})


@dataclass(frozen=True, slots=True)
class Seeds:
    """Cases as (path, bytes) in the order of their paths, and a sentence for each bad file."""

    seeds: tuple[tuple[Path, bytes], ...]
    problems: tuple[str, ...] = ()


def load_seeds(folders: Iterable[Path]) -> Seeds:
    """Read the cases that lie in ``folders``, each file once.

    Hidden files, sidecars (``.json``), notes (``.md``) and sub-folders are passed over; a
    file that is no case becomes a problem, and so does a case that restarts the server: cases of
    a campaign are played side by side, and a hundred of them in the time that takes. A folder that
    is missing or cannot be read raises :class:`StoreError`: a campaign without the seeds it was
    given is not what was asked for.
    """
    paths = {path for folder in folders for path in _files(folder)}
    seeds: list[tuple[Path, bytes]] = []
    problems: list[str] = []
    for path in sorted(paths):
        try:
            seeds.append((path, _read(path)))
        except CaseFileError as error:
            problems.append(f"{path}: {error}")
    return Seeds(tuple(seeds), tuple(problems))


class EvolvedCorpus:
    """The cases that reached something new, each under the SHA-1 of its bytes."""

    def __init__(
        self,
        folder: Path,
        max_entries: int = MAX_ENTRIES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        ensure_writable(folder)
        sweep(folder)
        self._folder = folder
        self._max_entries = max_entries
        self._max_total_bytes = max_total_bytes
        self._names: set[str] = set()
        self._total = 0
        self.full = False
        """True once a case was turned away because a ceiling was reached."""
        for path in _files(folder):
            self._names.add(path.name)
            self._total += _size(path)

    def __len__(self) -> int:
        """Return the number of cases in the folder."""
        return len(self._names)

    def add(self, case: bytes) -> Path | None:
        """Keep ``case``; return its path, or None when it is there already or a ceiling is.

        Whole or not at all, but not synced: what a power cut takes the search finds again,
        and an fsync for each of the thousands of entries of the first seconds would cost
        more than that.
        """
        name = _name(case)
        if name in self._names:
            return None
        if len(self._names) >= self._max_entries or self._total + len(case) > self._max_total_bytes:
            self.full = True
            return None
        path = self._folder / name
        there = path.exists()  # if another worker of this campaign has found the same
        if not there:
            write_atomic(path, case, durable=False)
        self._names.add(name)
        self._total += len(case)
        return None if there else path

    def replace(self, case: bytes, shorter: bytes) -> None:
        """Keep ``shorter`` in the place of ``case``, also where the corpus is full.

        Raises :class:`StoreError` if that cannot be written; ``case`` stays then.
        """
        kept = self._forget(case)
        self.add(shorter)
        if not kept:
            return
        path = self._folder / _name(case)
        try:
            path.unlink(missing_ok=True)  # another worker may have done so
        except OSError as error:
            raise store_error(path, "removed", error) from None

    def take_in(self, case: bytes, replaced: bytes | None = None) -> None:
        """Know of ``case``, which another worker has added: the ceilings are for all of them.

        It may have come in the place of one that it has ``replaced``.
        """
        if replaced is not None:
            self._forget(replaced)
        name = _name(case)
        if name not in self._names:
            self._names.add(name)
            self._total += len(case)

    def _forget(self, case: bytes) -> bool:
        name = _name(case)
        if name not in self._names:
            return False
        self._names.remove(name)
        self._total -= len(case)
        return True


def _name(case: bytes) -> str:
    return hashlib.sha1(case, usedforsecurity=False).hexdigest()


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder: name one that holds cases, or make it")
    try:
        return [
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and path.suffix not in _NO_CASES and path.is_file()
        ]
    except OSError as error:
        raise store_error(folder, "read", error) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CaseFileError(f"cannot be read: {error.strerror}") from None
    if decode_case(data).restarts():
        raise CaseFileError("it restarts the server, which a campaign never does")
    return data


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # another worker's, gone between listing and asking
    except OSError as error:
        raise store_error(path, "read", error) from None
