"""The announcement of an agent: a small file that the agent writes into the agents' folder.

Lines of ``key=value``: ``node`` and ``os_pid`` say where the agent is, ``port`` where it listens,
``error`` why it does not. The file of a node that was killed stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: The variable of a node's environment that names the agents' folder.
AGENTS_FOLDER = "IRIS_FUZZ_DIR"


def announcement_files(folder: Path) -> list[Path]:
    """Return the announcements in a folder, sorted by name."""
    return sorted(folder.glob("*.agent"))


def facts_of(content: str) -> dict[str, str]:
    """Return what an announcement says; of a key that is not there, nothing."""
    return dict(line.partition("=")[::2] for line in content.splitlines())


def announced_facts(folder: Path) -> Iterator[dict[str, str]]:
    """Yield what each announcement in a folder says."""
    for path in announcement_files(folder):
        with suppress(FileNotFoundError):  # an agent that leaves its node removes its own
            yield facts_of(path.read_text("utf-8"))
