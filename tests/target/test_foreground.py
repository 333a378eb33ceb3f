"""The target in the foreground, with commands that end at once in the place of its nodes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from fuzz.errors import TargetError
from fuzz.target import foreground
from fuzz.target.foreground import Layout, run_foreground
from tests.unit.test_scratch import ended_pid


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where temporary folders are made; the only node ends with exit code 3."""
    ends = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(foreground, "_commands", lambda *_: [ends])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_one_that_was_killed_has_left_is_removed_by_the_next(temporary: Path) -> None:
    (temporary / f"iris-fuzz-target-{ended_pid()}-abc").mkdir()
    assert run_foreground(Layout(0), print) == 3
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("temporary")
def test_where_no_folder_can_be_made_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with pytest.raises(TargetError, match=r"no folder .* can be made"):
        run_foreground(Layout(0), print)
