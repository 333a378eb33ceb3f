"""Folders that cases are gathered in, each under the SHA-1 of its bytes.

Two who gather in the same folder need no lock: a name stands for one content.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from fuzz.errors import SettingsError
from fuzz.store.atomic import ensure_writable, store_error, sweep, write_atomic


def name_of(case: bytes) -> str:
    """Return the name of the file that holds ``case``."""
    return hashlib.sha1(case, usedforsecurity=False).hexdigest()


def keep(folder: Path, case: bytes) -> Path | None:
    """Write ``case`` to ``folder``; return its path, None if it is there already."""
    path = folder / name_of(case)
    if path.exists():
        return None
    write_atomic(path, case)
    return path


def ready(folder: Path) -> None:
    """Make ``folder`` if it is missing, and rid it of what a killed process left there.

    Raises :class:`fuzz.errors.StoreError` if it cannot be written to.
    """
    ensure_writable(folder)
    sweep(folder)


def new_folder(folder: Path) -> None:
    """Make ``folder``, which must be new or empty: else raise :class:`SettingsError`."""
    ready(folder)
    try:
        taken = next((path for path in folder.iterdir() if not path.name.startswith(".")), None)
    except OSError as error:
        raise store_error(folder, "read", error) from None
    if taken is not None:
        raise SettingsError(
            f"{folder} holds files already ({taken.name}, ...): name a folder that is new or empty"
        )
