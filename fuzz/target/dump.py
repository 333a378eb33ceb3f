"""``erl_crash.dump``: what a dying emulator leaves behind."""

from __future__ import annotations

from pathlib import Path

#: The head of a dump holds its slogan and the sizes that matter; the rest may be gigabytes.
_HEAD_BYTES = 65_536
#: The lines of the head that help to tell why a node died.
_KEYS = ("Slogan", "System version", "Taints", "Atoms", "Calling Thread")


def read_dump(path: Path) -> dict[str, object]:
    """Return the head of a crash dump as key and text; empty when there is none.

    One that cannot be read says why under ``unreadable``: a finding is not lost over it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        return {"unreadable": error.strerror}
    found: dict[str, object] = {}
    for line in head.splitlines():
        key, separator, value = line.partition(": ")
        if separator and key in _KEYS:
            found.setdefault(key.lower().replace(" ", "_"), value)
    return found
