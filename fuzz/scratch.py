"""Temporary folders that do not outlive a harness that was killed.

The name of each holds the number of the process that owns it. A process that is killed
cannot tidy up; the next one that makes a folder of the same kind does it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def scratch_prefix(kind: str, place: Path | None = None) -> str:
    """Return the prefix of a new folder's name, for :mod:`tempfile`.

    The folders of that ``kind`` in ``place`` (the temporary folder, if None) whose owner is
    gone are removed first.
    """
    stem = f"iris-fuzz-{kind}-"
    for left in (place or Path(tempfile.gettempdir())).glob(f"{stem}*"):
        owner = left.name.removeprefix(stem).partition("-")[0]
        if owner.isdecimal() and not Path("/proc", owner).exists():
            # Another harness may be removing it as well.
            shutil.rmtree(left, ignore_errors=True)
    return f"{stem}{os.getpid()}-"
