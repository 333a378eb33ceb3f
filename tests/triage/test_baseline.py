"""A baseline: what it excuses, that nothing falls out of it, and what is wrong with a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from fuzz.errors import SettingsError, StoreError
from fuzz.finding import Cause, Finding, Kind
from fuzz.triage.baseline import read_baseline, write_baseline
from fuzz.triage.known import KnownIssue, KnownIssues

HANG = Finding(Kind.HANG, "a reply did not come \ud800", Cause("hang"))
LEAK = Finding(Kind.LEAK, "atoms stay", Cause("leak", "atoms"))


def test_what_was_written_is_read_and_grows(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    first = write_baseline(file, {}, [HANG])
    assert read_baseline(file) == first
    both = write_baseline(file, first, [replace(HANG, title="another title"), LEAK])
    assert read_baseline(file) == both
    assert set(both) == {HANG.fingerprint, LEAK.fingerprint}
    assert both[HANG.fingerprint]["title"] == HANG.title, "what stands there stays"


def test_the_same_findings_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    write_baseline(tmp_path / "a", {}, [HANG, LEAK])
    write_baseline(tmp_path / "b", {}, [LEAK, HANG])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_baseline_excuses_without_an_end_but_not_what_has_expired() -> None:
    issue = KnownIssue(HANG.fingerprint, "waits", date(2027, 1, 31))
    known = KnownIssues({}, date(2030, 1, 1), frozenset({HANG.fingerprint}))
    assert known.excuse_all([HANG])
    assert known.note(HANG.fingerprint) == "in the baseline"
    assert not known.excuse_all([HANG, LEAK])
    expired = replace(known, issues={HANG.fingerprint: issue})
    assert not expired.excuses(HANG.fingerprint)
    assert "has passed" in expired.note(HANG.fingerprint)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "does not exist; `iris-fuzz smoke --baseline"),
        ("{", "is no JSON; move it away, and --write-baseline makes a new one"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no baseline of schema 1"),
        ('{"schema": 2}', "is no baseline of schema 1"),
        ('{"schema": 1}', "has no list of findings"),
        ('{"schema": 1, "findings": [7]}', "finding 1 is no object of texts"),
        ('{"schema": 1, "findings": [{"fingerprint": 7}]}', "finding 1 is no object of texts"),
        ('{"schema": 1, "findings": [{"fingerprint": "x"}]}', "16 hex digits, not 'x'"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
    tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "baseline.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=r"baseline\.json") as error:
        read_baseline(file)
    assert words in str(error.value)


def test_a_folder_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_baseline(tmp_path)
    with pytest.raises(StoreError):
        write_baseline(tmp_path / "no" / "folder", {}, [HANG])
