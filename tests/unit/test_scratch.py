"""What a killed harness left behind is removed by the next; what is in use is not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.scratch import scratch_prefix


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
