"""Known issues: bugs that are accepted for a while, with a reason and an end.

The file is TOML and belongs into the repository of the server:

    [[issue]]
    fingerprint = "0123456789abcdef"
    reason = "the fix waits for the release of the new router"
    expires = 2027-01-31

A known issue is still found, counted and reported; it only fails nothing. From the day
after ``expires`` it fails again. What is in a baseline (:mod:`fuzz.triage.baseline`) fails nothing
either, and has no such day.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from fuzz.errors import SettingsError
from fuzz.finding import Finding

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_FIELDS = frozenset({"fingerprint", "reason", "expires"})


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """A bug, why it is accepted, and the last day on which it is."""

    fingerprint: str
    reason: str
    expires: date

    def sentence(self, today: date) -> str:
        """Return what is to be said beside the finding."""
        if today > self.expires:
            return f"was known until {self.expires}, and that has passed: {self.reason}"
        return f"known until {self.expires}: {self.reason}"


@dataclass(frozen=True, slots=True)
class KnownIssues:
    """The issues of a file, as they stand ``today``, and the fingerprints of a ``baseline``.

    An issue that has expired fails although the baseline has it: a person has set it that day.
    """

    issues: Mapping[str, KnownIssue] = field(default_factory=dict)
    today: date = date.max
    baseline: frozenset[str] = frozenset()

    def excuses(self, fingerprint: str) -> bool:
        """Tell whether a finding is known, and may be for today."""
        issue = self.issues.get(fingerprint)
        if issue is None:
            return fingerprint in self.baseline
        return self.today <= issue.expires

    def excuse_all(self, findings: Iterable[Finding]) -> bool:
        """Tell whether none of ``findings`` is to fail anything."""
        return all(self.excuses(finding.fingerprint) for finding in findings)

    def note(self, fingerprint: str) -> str:
        """Return what is to be said of a finding, nothing if it is in no file."""
        issue = self.issues.get(fingerprint)
        if issue is not None:
            return issue.sentence(self.today)
        return "in the baseline" if fingerprint in self.baseline else ""


def read_known(path: Path | None, today: date) -> KnownIssues:
    """Return the issues in ``path``, none without one; raise :class:`SettingsError`."""
    if path is None:
        return KnownIssues()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{path} nests too deep, or holds a number too long") from None
    entries = document.get("issue", [])
    if set(document) - {"issue"} or not isinstance(entries, list):
        raise SettingsError(f"{path} may hold [[issue]] tables only")
    issues = [_issue(path, number, entry) for number, entry in enumerate(entries, 1)]
    return KnownIssues({issue.fingerprint: issue for issue in issues}, today)


def _issue(path: Path, number: int, entry: object) -> KnownIssue:
    where = f"{path}, issue {number}"
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise SettingsError(f"{where} needs exactly: {', '.join(sorted(_FIELDS))}")
    fingerprint, reason, expires = entry["fingerprint"], entry["reason"], entry["expires"]
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        raise SettingsError(f"{where}: a fingerprint is 16 hex digits, not {fingerprint!r}")
    if not isinstance(reason, str) or not reason.strip():
        raise SettingsError(f"{where}: say in `reason` why it is accepted")
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise SettingsError(f"{where}: `expires` is a day, written as 2027-01-31")
    return KnownIssue(fingerprint, reason.strip(), expires)
