"""The JSON file beside a saved case: what was seen, and how to see it again."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from fuzz.errors import StoreError
from fuzz.finding import ASSERTION, STORM, Cause, Kind

#: Raised when a field changes its meaning; an older harness refuses what it cannot read.
SCHEMA = 1
#: Far above any sidecar that is written (evidence and steps of the longest case); what is
#: larger is not ours and is not pulled into memory.
MAX_SIDECAR_BYTES = 16 * 1024 * 1024
#: Evidence is flat in practice; a deeper value is shown as text instead of descended.
_MAX_DEPTH = 32
#: The BEAM knows integers of any size; Python turns very long ones to decimal text no more.
_MAX_BITS = 1024
#: Nothing is seen as often in the time that there is, and a time line can still hold it.
_MOST_HITS = 2**53
#: Text of what is neither; it bounds depth and length, and no ``__repr__`` makes it fail.
_TEXT = reprlib.Repr()
_TEXT.maxother = 1_000


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Everything that is kept about a finding beside the bytes of its case.

    ``fingerprint`` is what a replay must show again, ``plants`` the defects that the target
    had switched on, ``replay`` the command line, ``first_seen`` an ISO 8601 time in UTC and
    ``hits`` how often the fingerprint came up. ``transport`` is what its clients came over, where
    the case does not say.
    """

    fingerprint: str
    kind: Kind
    title: str
    cause: Cause
    evidence: Mapping[str, object]
    steps: tuple[str, ...]
    target: str
    otp: str
    plants: tuple[str, ...]
    replay: str
    first_seen: str
    hits: int = 1
    transport: str = "tcp"

    @property
    def of_a_storm(self) -> bool:
        """Tell whether it took a crowd to see it: no play of the case shows it."""
        return STORM in self.evidence


def sidecar_path(case: Path) -> Path:
    """Return the path of the JSON that belongs to a saved case."""
    return case.with_name(case.name + ".json")


def read_sidecar(case: Path) -> Sidecar | None:
    """Return what is known about a saved case, None when there is no JSON beside it.

    Raise :class:`StoreError` when there is one that cannot be understood.
    """
    path = sidecar_path(case)
    data = _read(path)
    if data is None:
        return None
    try:
        return decode_sidecar(data)
    except StoreError as error:
        raise StoreError(f"{path} {error}; move it away to replay the case without it") from None


def read_caseless(path: Path) -> Sidecar | None:
    """Return what is known of a finding that no case shows, None if there is no such file.

    What only a case can have, and what such a file does not tell, is empty. Raises
    :class:`StoreError` like :func:`read_sidecar`.
    """
    data = _read(path)
    if data is None:
        return None
    try:
        document = _document(data)
        evidence = _object(document, "evidence")
        told = evidence.get(ASSERTION)
        return Sidecar(
            fingerprint=_text(document, "fingerprint"),
            kind=_kind(_text(document, "kind")),
            title=_text(document, "title"),
            cause=Cause(ASSERTION, told if isinstance(told, str) else ""),
            evidence=evidence,
            steps=(),
            target="",
            otp="",
            plants=(),
            replay="",
            first_seen="",
        )
    except StoreError as error:
        raise StoreError(f"{path} {error}") from None


def _read(path: Path) -> bytes | None:
    """Return what is in a file, None if it is not there."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIDECAR_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_SIDECAR_BYTES:
        raise StoreError(f"{path} is over {MAX_SIDECAR_BYTES} bytes: it is no file of ours")
    return data


def encode_sidecar(sidecar: Sidecar, case_name: str) -> bytes:
    """Return the JSON text: readable by a person, in the order in which one asks."""
    document = {
        "schema": SCHEMA,
        "case": case_name,
        "severity": sidecar.kind.severity.value,
        "kind": sidecar.kind.value,
        "title": sidecar.title,
        "fingerprint": sidecar.fingerprint,
        "cause": {
            "what": sidecar.cause.what,
            "reason": sidecar.cause.reason,
            "origin": sidecar.cause.origin,
            "frames": list(sidecar.cause.frames),
        },
        "evidence": plain(sidecar.evidence),
        "steps": list(sidecar.steps),
        "target": {
            "name": sidecar.target,
            "otp": sidecar.otp,
            "plants": list(sidecar.plants),
            "transport": sidecar.transport,
        },
        "replay": sidecar.replay,
        "first_seen": sidecar.first_seen,
        "hits": sidecar.hits,
    }
    return (json.dumps(document, indent=2) + "\n").encode("ascii")


def decode_sidecar(data: bytes) -> Sidecar:
    """Return the sidecar in ``data``; raise :class:`StoreError` saying what is wrong."""
    document = _document(data)
    if document.get("schema") != SCHEMA:
        raise StoreError(f"has schema {document.get('schema')!r}; this harness reads {SCHEMA}")
    cause = _object(document, "cause")
    target = _object(document, "target")
    return Sidecar(
        fingerprint=_text(document, "fingerprint"),
        kind=_kind(_text(document, "kind")),
        title=_text(document, "title"),
        cause=Cause(
            _text(cause, "what"),
            _text(cause, "reason"),
            _text(cause, "origin"),
            _texts(cause, "frames"),
        ),
        evidence=_object(document, "evidence"),
        steps=_texts(document, "steps"),
        target=_text(target, "name"),
        otp=_text(target, "otp"),
        plants=_texts(target, "plants"),
        replay=_text(document, "replay"),
        first_seen=_time(document, "first_seen"),
        hits=_count(document, "hits"),
        # What was kept before there was any other has none.
        transport=_text(target, "transport") if "transport" in target else "tcp",
    )


def plain(value: object, depth: int = 0) -> object:
    """Return ``value`` as JSON holds it; what JSON has no form for becomes its text."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return hex(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {str(plain(key, _MAX_DEPTH)): plain(v, depth + 1) for key, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            items = sorted(value, key=_TEXT.repr) if isinstance(value, set | frozenset) else value
            return [plain(item, depth + 1) for item in items]
    return _TEXT.repr(value)


def _document(data: bytes) -> dict[str, object]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise StoreError("is damaged: it is not JSON") from None
    if not isinstance(document, dict):
        raise StoreError("is damaged: it holds no object")
    return document


def _object(document: Mapping[str, object], name: str) -> dict[str, object]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise StoreError(f"is damaged: its {name!r} is no object")
    return value


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise StoreError(f"is damaged: its {name!r} is no text")
    return value


def _texts(document: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = document.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise StoreError(f"is damaged: its {name!r} is no list of texts")
    return tuple(cast("list[str]", value))


def _count(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_HITS:
        raise StoreError(f"is damaged: its {name!r} is no count")
    return value


def _time(document: Mapping[str, object], name: str) -> str:
    value = _text(document, name)
    try:
        datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError, OSError):
        raise StoreError(f"is damaged: its {name!r} is no time") from None
    return value


def _kind(name: str) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        raise StoreError(f"is damaged: it names the unknown kind {name!r}") from None
