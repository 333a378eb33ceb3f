"""The records of a journal segment: bytes only, no files.

A segment is :data:`HEADER` and then records. A record is its kind, the batch's number, the
length of what follows, a CRC-32 over all of it, and the content: for BEGUN the count of
cases, the length of each, and their bytes; for JUDGED the count of all cases judged by then, or
nothing, as journals had it before they counted. All integers are big-endian.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

#: What a segment starts with: whose it is, and the version of its records.
HEADER = b"IRISJRNL\x01"
#: The file name of a segment; eight digits keep the order of names that of time.
NAME = re.compile(r"journal-(\d{8})\.log")

_HEAD = struct.Struct(">BQI")
_CRC = struct.Struct(">I")
_COUNT = struct.Struct(">Q")
_START = _HEAD.size + _CRC.size


class RecordKind(IntEnum):
    """What a record says of its batch."""

    BEGUN = 1
    JUDGED = 2


_KINDS = frozenset(RecordKind)
_TORN = "ends in a record cut short"
_DAMAGED = "is damaged, and what follows is left out,"


@dataclass(frozen=True, slots=True)
class Record:
    """A batch that was begun with ``cases``, or was judged (``cases`` is None).

    ``judged`` is how many cases had been judged by then, where that is told.
    """

    number: int
    cases: tuple[bytes, ...] | None
    judged: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The records of a segment, and what is to be said about bytes that are not (or "")."""

    records: tuple[Record, ...]
    note: str


def name(number: int) -> str:
    """Return the file name of segment ``number``."""
    return f"journal-{number:08d}.log"


def begun(number: int, cases: tuple[bytes, ...]) -> bytes:
    """Return the record that batch ``number`` is about to be sent."""
    lengths = struct.pack(f">I{len(cases)}I", len(cases), *map(len, cases))
    return _record(RecordKind.BEGUN, number, b"".join((lengths, *cases)))


def judged(number: int, total: int) -> bytes:
    """Return the record that batch ``number`` has been judged, ``total`` cases being so by then."""
    return _record(RecordKind.JUDGED, number, _COUNT.pack(total))


def read(data: bytes) -> Content:
    """Return what a segment holds up to the first byte that is no whole record. Total."""
    if not data.startswith(HEADER):
        if HEADER.startswith(data):
            return Content((), "")  # killed before the first write: nothing is missing
        return Content((), "is no journal of this version and is not read")
    records: list[Record] = []
    offset = len(HEADER)
    while offset < len(data):
        found = _read_one(data, offset)
        if isinstance(found, str):
            return Content(tuple(records), f"{found} at byte {offset} of {len(data)}")
        record, offset = found
        records.append(record)
    return Content(tuple(records), "")


def _record(kind: RecordKind, number: int, content: bytes) -> bytes:
    head = _HEAD.pack(kind, number, len(content))
    return b"".join((head, _CRC.pack(zlib.crc32(content, zlib.crc32(head))), content))


def _read_one(data: bytes, offset: int) -> tuple[Record, int] | str:
    """Return the record at ``offset`` and its end, or why there is none."""
    start = offset + _START
    if start > len(data):
        return _TORN
    kind, number, length = _HEAD.unpack_from(data, offset)
    if kind not in _KINDS:
        return _DAMAGED
    end = start + length
    if end > len(data):
        return _TORN
    (crc,) = _CRC.unpack_from(data, offset + _HEAD.size)
    content = data[start:end]
    if crc != zlib.crc32(content, zlib.crc32(data[offset : offset + _HEAD.size])):
        return _DAMAGED
    if kind == RecordKind.JUDGED:
        counts = length == _COUNT.size
        return Record(number, None, _COUNT.unpack(content)[0] if counts else None), end
    cases = _cases(content)
    if cases is None:
        return _DAMAGED
    return Record(number, cases), end


def _cases(content: bytes) -> tuple[bytes, ...] | None:
    """Divide the content of a BEGUN record, None when its lengths do not add up."""
    if len(content) < 4:
        return None
    count = int.from_bytes(content[:4], "big")
    offset = 4 + 4 * count
    if offset > len(content):
        return None
    cases = []
    for length in struct.unpack_from(f">{count}I", content, 4):
        cases.append(content[offset : offset + length])
        offset += length
    return tuple(cases) if offset == len(content) else None
