"""The corpus that all machines share: a folder, or any URL that fsspec opens.

``evolved`` holds the cases that reached something new, under their hashes; ``found`` what was
found, by whomever and however often; ``crashes`` each finding once. What is there is whole: on a
file system it is written beside its place and renamed, and an object store puts things whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from fuzz.errors import StoreError
from fuzz.store.atomic import ensure_writable, write_atomic
from fuzz.store.crashes import moved
from fuzz.store.sidecar import Sidecar, decode_sidecar, encode_sidecar

EVOLVED, FOUND, CRASHES = "evolved", "found", "crashes"
_JSON = ".json"
#: Files fetched at once: enough for an object store to be asked for many at a time, and few enough
#: to be held in memory.
_AT_ONCE = 500
#: Entries in a listing that are cases of ours, with room to spare; see ``MAX_FILE_BYTES``.
_MAX_BYTES = 16 * 1024 * 1024


class Shared:
    """The shared corpus at ``url``, a folder or what fsspec takes."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._told("opened"):
            self._fs, self._root = fsspec.core.url_to_fs(url)
            self._renames = "file" in (
                self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,)
            )
            for name in (EVOLVED, FOUND, CRASHES):
                self._fs.makedirs(self._at(name), exist_ok=True)

    def pull(self, corpus: Path) -> None:
        """Copy cases and known findings into a corpus of this machine, where they are missing."""
        for name in (EVOLVED, CRASHES):
            ensure_writable(corpus / name)
            here = {path.name for path in (corpus / name).iterdir()}
            missing = sorted(self.names(name) - here)
            for start in range(0, len(missing), _AT_ONCE):
                for there, data in self._read(name, missing[start : start + _AT_ONCE]).items():
                    write_atomic(corpus / name / there, data, durable=False)

    def push(self, corpus: Path) -> int:
        """Copy what a corpus of this machine has and the shared one has not; return how many cases.

        Its findings go to ``found``, a case before the JSON that tells of it.
        """
        cases = self._push(corpus / EVOLVED, EVOLVED, self.names(EVOLVED))
        self._push(corpus / CRASHES, FOUND, self.names(FOUND) | self.names(CRASHES))
        return cases

    def promote(self, only: Collection[str] | None = None) -> list[tuple[str, Sidecar]]:
        """Put each finding in ``found`` that has no like among the crashes there; return those.

        ``only`` names fingerprints; None stands for all. Of several cases that show the same, that
        of the worst effect is taken, and of those the shortest. For one process at a time.
        """
        known = {sidecar.fingerprint for _, sidecar in self._sidecars(CRASHES)}
        best: dict[str, tuple[tuple[int, int, str], Sidecar]] = {}
        for name, sidecar in self._sidecars(FOUND):
            fingerprint = sidecar.fingerprint
            if fingerprint in known or not (only is None or fingerprint in only):
                continue
            rank = (sidecar.kind.rank, len(self._read(FOUND, [name])[name]), name)
            if fingerprint not in best or rank < best[fingerprint][0]:
                best[fingerprint] = (rank, sidecar)
        return [self._promoted(name, sidecar) for (_, _, name), sidecar in best.values()]

    def _promoted(self, name: str, sidecar: Sidecar) -> tuple[str, Sidecar]:
        """Copy a pair to the crashes, the case first; what it is replayed with is there then."""
        case = self._read(FOUND, [name])[name]
        place = Path(CRASHES, name) if "://" in self.url else Path(self.url, CRASHES, name)
        there = moved(sidecar, place, case)
        self._put(f"{CRASHES}/{name}", case)
        self._put(f"{CRASHES}/{name}{_JSON}", encode_sidecar(there, name))
        return str(place), there

    def names(self, folder: str) -> set[str]:
        """Return the names of the files in one of its folders; hidden ones are not whole yet."""
        with self._told("read"):
            self._fs.invalidate_cache()
            listed = self._fs.ls(self._at(folder), detail=True)
        return {
            name
            for one in listed
            if one["type"] == "file" and (one["size"] or 0) <= _MAX_BYTES
            if not (name := PurePosixPath(one["name"]).name).startswith(".")
        }

    def _push(self, folder: Path, to: str, there: set[str]) -> int:
        here = [path for path in folder.iterdir() if not path.name.startswith(".")]
        new = [path for path in here if path.name not in there]
        # A finding is known by its JSON: that comes last.
        for path in sorted(new, key=lambda path: path.suffix == _JSON):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # a better case has taken its place just now
            self._put(f"{to}/{path.name}", data)
        return len(new)

    def _sidecars(self, folder: str) -> Iterator[tuple[str, Sidecar]]:
        """Yield the name of each case in a folder that has a JSON, with what that says."""
        names = self.names(folder)
        for name in sorted(names):
            if name + _JSON in names:
                try:
                    yield name, decode_sidecar(self._read(folder, [name + _JSON])[name + _JSON])
                except StoreError as error:
                    raise StoreError(f"{self.url}: {folder}/{name}{_JSON} {error}") from None

    def _read(self, folder: str, names: list[str]) -> dict[str, bytes]:
        with self._told("read"):
            paths = [self._at(folder, name) for name in names]
            read: dict[str, bytes] = self._fs.cat(paths, on_error="raise")
        return {PurePosixPath(path).name: data for path, data in read.items()}

    def _put(self, name: str, data: bytes) -> None:
        path = PurePosixPath(self._at(name))
        with self._told("written"):
            if not self._renames:
                self._fs.pipe_file(str(path), data)
                return
            temporary = str(path.with_name(f".{uuid.uuid4().hex}.tmp"))
            self._fs.pipe_file(temporary, data)
            self._fs.mv(temporary, str(path))

    def _at(self, *parts: str) -> str:
        return "/".join((self._root.rstrip("/"), *parts))

    @contextmanager
    def _told(self, doing: str) -> Iterator[Any]:
        """Make one sentence of what fsspec raises; an unknown protocol is a ValueError of its."""
        try:
            yield
        except (OSError, ValueError, ImportError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).splitlines()
            why = reason[0] if reason else type(error).__name__
            raise StoreError(f"{self.url} cannot be {doing}: {why}") from None
