"""Temporary folders that do not outlive a harness that was killed.

The name of each holds the number of the process that owns it. A process that is killed
cannot tidy up; the next one that makes a folder of the same kind does it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuzz.errors import TargetError


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


def new_folder(kind: str, place: Path | None = None) -> Path:
    """Return a new folder of that ``kind`` in ``place``, as :func:`scratch_prefix` names it.

    Raises :class:`TargetError` where none can be made.
    """
    with _told(place):
        return Path(tempfile.mkdtemp(prefix=scratch_prefix(kind, place), dir=place))


def passing_folder(kind: str) -> tempfile.TemporaryDirectory[str]:
    """Return a new temporary folder as :func:`new_folder` does, which goes away with its object."""
    with _told(None):
        return tempfile.TemporaryDirectory(prefix=scratch_prefix(kind))


@contextmanager
def _told(place: Path | None) -> Iterator[None]:
    """Tell in a sentence that no folder can be made in ``place``."""
    try:
        yield
    except OSError as error:
        where = place or os.environ.get("TMPDIR", "/tmp")
        raise TargetError(
            f"no folder for what a target needs can be made in {where} ({error.strerror}): make "
            "room there, or name another place in the variable TMPDIR"
        ) from None
