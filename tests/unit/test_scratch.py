"""What a killed harness left behind is removed by the next; what is in use is not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.errors import TargetError
from fuzz.scratch import new_folder, passing_folder, scratch_prefix


def ended_pid() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_folder_of_a_dead_owner_is_removed(tmp_path: Path) -> None:
    dead = tmp_path / f"iris-fuzz-run-{ended_pid()}-abc"
    dead.mkdir()
    (dead / "worker.log").write_text("last words")
    scratch_prefix("run", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_use_or_somebody_elses_stays(tmp_path: Path) -> None:
    ours = Path(tempfile.mkdtemp(prefix=scratch_prefix("run", tmp_path), dir=tmp_path))
    names = {
        ours.name,
        f"iris-fuzz-run-{os.getppid()}-abc",
        f"iris-fuzz-agent-{ended_pid()}-abc",
        "iris-fuzz-run-notes",
        f"other-{ended_pid()}-abc",
    }
    for name in names:
        (tmp_path / name).mkdir(exist_ok=True)
    scratch_prefix("run", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_folder_is_made_where_it_is_wanted_and_a_passing_one_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with passing_folder("agent") as passing:
        stays = new_folder("node", tmp_path)
        assert set(tmp_path.iterdir()) == {stays, Path(passing)}
    assert list(tmp_path.iterdir()) == [stays]


@pytest.mark.parametrize("make", [new_folder, passing_folder])
def test_where_there_is_no_temporary_folder_it_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[str], object]
) -> None:
    def fails() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", fails)
    with pytest.raises(TargetError, match=r"\(No usable .*\): make room there, or name another"):
        make("node")
