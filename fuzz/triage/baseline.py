"""The baseline: what a server is known to do wrong already, so that only what is new fails.

It is a list of fingerprints that a machine writes (``iris-fuzz smoke --write-baseline``), without
reasons and without an end: the state of a server on the day on which it came under test. What a
person has decided about a bug belongs into the file of :mod:`fuzz.triage.known` instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from fuzz.errors import SettingsError
from fuzz.finding import Finding
from fuzz.store.atomic import write_atomic

#: Raised when a field changes its meaning.
_SCHEMA = 1
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")

#: What is known of a finding of a baseline: by its fingerprint, what to say of it to a reader.
Entries = dict[str, dict[str, str]]


def read_baseline(path: Path) -> Entries:
    """Return what is in ``path``; raise :class:`SettingsError` saying what is wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist; `iris-fuzz smoke --baseline {path} --write-baseline` makes it"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise SettingsError(
            f"{path} is no JSON; move it away, and --write-baseline makes a new one"
        ) from None
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise SettingsError(f"{path} is no baseline of schema {_SCHEMA}")
    findings = document.get("findings")
    if not isinstance(findings, list):
        raise SettingsError(f"{path} has no list of findings")
    return dict(_entry(path, number, one) for number, one in enumerate(findings, 1))


def write_baseline(path: Path, before: Entries, findings: Iterable[Finding]) -> Entries:
    """Write what is in ``before`` and the ``findings``; return it.

    Nothing is taken out: a short run does not come across everything. Raises
    :class:`fuzz.errors.StoreError`.
    """
    new = {
        one.fingerprint: {
            "fingerprint": one.fingerprint,
            "kind": one.kind.value,
            "title": one.title,
        }
        for one in findings
    }
    entries = new | before
    ordered = [entries[name] for name in sorted(entries)]
    text = json.dumps({"schema": _SCHEMA, "findings": ordered}, indent=2)
    write_atomic(path, (text + "\n").encode("ascii"))
    return entries


def _entry(path: Path, number: int, entry: object) -> tuple[str, dict[str, str]]:
    where = f"{path}, finding {number}"
    if not isinstance(entry, dict) or not all(isinstance(word, str) for word in entry.values()):
        raise SettingsError(f"{where} is no object of texts")
    fingerprint = entry.get("fingerprint", "")
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise SettingsError(f"{where}: a fingerprint is 16 hex digits, not {fingerprint!r}")
    return fingerprint, entry
