"""Known issues excuse a finding until their day has passed, and are checked when read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fuzz.errors import SettingsError
from fuzz.triage.known import read_known

FINGERPRINT = "0123456789abcdef"
GOOD = f'[[issue]]\nfingerprint = "{FINGERPRINT}"\nreason = "waits"\nexpires = 2027-01-31\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "known.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("today", "excused", "words"),
    [
        (date(2027, 1, 31), True, "known until 2027-01-31: waits"),
        (date(2027, 2, 1), False, "was known until 2027-01-31, and that has passed: waits"),
    ],
)
def test_an_issue_is_an_excuse_until_its_last_day(
    today: date, excused: bool, words: str, tmp_path: Path
) -> None:
    known = read_known(written(tmp_path, GOOD), today)
    assert known.excuses(FINGERPRINT) is excused
    assert known.note(FINGERPRINT) == words
    assert not known.excuses("another")
    assert known.note("another") == ""


def test_without_a_file_nothing_is_excused() -> None:
    assert not read_known(None, date(2027, 1, 1)).excuses(FINGERPRINT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[issue", "is no TOML"),
        ("issue = " + "[" * 100_000, "nests too deep"),
        ("issue = " + "9" * 5_000, "a number too long"),
        ("issue = 1", "may hold"),
        ("[other]\n", "may hold"),
        (GOOD.replace("reason", "why"), "issue 1 needs exactly: expires, fingerprint, reason"),
        (GOOD.replace(FINGERPRINT, "12"), "16 hex digits"),
        (GOOD.replace("waits", "  "), "say in `reason`"),
        (GOOD.replace("2027-01-31", '"soon"'), "is a day"),
        (GOOD.replace("2027-01-31", "2027-01-31T10:00:00"), "is a day"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_a_sentence(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=words):
        read_known(written(tmp_path, text), date(2027, 1, 1))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_known(tmp_path / "none.toml", date(2027, 1, 1))
