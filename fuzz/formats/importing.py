"""From files of others to cases: which format a file has, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fuzz.case import MAGIC, MAX_FILE_BYTES, Case, decode_case, encode_case, raw_case
from fuzz.errors import CaseFileError
from fuzz.formats import afl, aflnet
from fuzz.formats.capture import connections, is_capture
from fuzz.formats.names import Taught, tokenised
from fuzz.formats.sessions import sessions

#: Beside inputs, and none: sidecars and notes for people.
_NO_INPUTS = frozenset({".json", ".md"})


class Format(StrEnum):
    """What a file is, or a folder: AUTO looks at it."""

    AUTO = "auto"
    RAW = "raw"
    LIBFUZZER = "libfuzzer"
    AFL = "afl"
    AFLNET = "aflnet"
    PCAP = "pcap"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import, as what."""

    path: Path
    format: Format


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file: its cases, with notes for people; or ``why`` it could not be read."""

    path: Path
    cases: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Importer:
    """Reads files; ``ports`` are the servers' in captures.

    Names and ids become tokens unless ``literal``; see :mod:`fuzz.formats.names`.
    """

    ports: Sequence[int]
    literal: bool = False

    def read(self, source: Source) -> Imported:
        """Return what comes of a file. One that cannot be read is no error, but is told."""
        try:
            return self._read(source)
        except CaseFileError as error:
            return Imported(source.path, why=str(error))

    def _read(self, source: Source) -> Imported:
        path, kind = source.path, source.format
        head = _content(path, len(MAGIC))
        if kind is Format.PCAP or (kind is Format.AUTO and is_capture(head)):
            return self._capture(path)
        data = _content(path, MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise CaseFileError(f"it is longer than a case may be, {MAX_FILE_BYTES} bytes")
        if not data:
            raise CaseFileError("it is empty")
        if data.startswith(MAGIC):
            return Imported(path, (decode_case(data),))  # ours, and as it is meant
        if kind is Format.AFLNET or (kind is Format.AUTO and aflnet.looks_like(data)):
            return Imported(path, (self._named(aflnet.read(data)),))
        return Imported(path, (self._named(raw_case(data)),))

    def _capture(self, path: Path) -> Imported:
        cases: list[Case] = []
        notes: list[str] = []
        for one in sessions(connections(path, self.ports)):
            cases.append(self._named(one.case, one.taught))
            notes += one.notes
        return Imported(path, tuple(cases), tuple(notes))

    def _named(self, case: Case, taught: Sequence[Taught] = ()) -> Case:
        """Return ``case`` with tokens; raise :class:`CaseFileError` if it is beyond the limits.

        Tokens, waits for what they stand for, and the heads of steps all take their room.
        """
        named = case if self.literal else tokenised(case, taught)
        decode_case(encode_case(named))
        return named


def sources(paths: Iterable[Path], kind: Format) -> Iterator[Source]:
    """Yield the files to import: a folder stands for the inputs in it.

    Raises :class:`CaseFileError` for a path that does not exist or cannot be listed, and for a
    folder with nothing in it to import.
    """
    for path in paths:
        try:
            if not path.is_dir():
                if not path.exists():
                    raise CaseFileError(f"{path} does not exist")
                yield Source(path, _of_file(kind))
                continue
            inside = list(_inside(path, kind))
        except OSError as error:
            raise CaseFileError(f"{path} cannot be read: {error.strerror}") from None
        if not inside:
            raise CaseFileError(f"{path} holds nothing to import")
        yield from inside


def _inside(folder: Path, kind: Format) -> Iterator[Source]:
    if kind is Format.AFL or (kind is Format.AUTO and afl.is_output(folder)):
        for path, replayable in afl.inputs(folder):
            yield Source(path, Format.AFLNET if replayable else Format.RAW)
        return
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.suffix not in _NO_INPUTS and path.is_file():
            yield Source(path, _of_file(kind))


def _of_file(kind: Format) -> Format:
    """Return what a single file of a folder of ``kind`` is: fuzzers of buffers keep those."""
    return Format.RAW if kind in (Format.LIBFUZZER, Format.AFL) else kind


def _content(path: Path, size: int) -> bytes:
    """Return the first bytes of a file."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise CaseFileError(f"it cannot be read: {error.strerror}") from None
