"""Where in the sources of a target a finding points to, as far as its reports say that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fuzz.finding import Finding
from fuzz.oracles.causes import own_frames

#: A place as a term of Erlang, and as the shell prints it.
_PLACE = re.compile(
    r'\{file,\s*"(?P<term>[^"\n]+)"\},\s*\{line,\s*(?P<term_line>\d+)\}'
    r"|\((?P<text>[^()\s]+\.[a-z]+), line (?P<text_line>\d+)\)"
)
#: Folders that hold copies of sources, or those of others.
_NOT_SEARCHED = frozenset({"_build", "deps", "node_modules", "__pycache__"})
#: No repository of one server has so many files; a search that meets more was given a disk.
_MOST_FILES = 200_000


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a source file, as a path from the folder that reports are read in."""

    file: str
    line: int


def named_place(finding: Finding) -> Place | None:
    """Return the innermost place in the target's own code, with the file as the node names it."""
    texts = list(_texts(finding))
    for frame in own_frames(finding.cause.frames):
        module = frame.partition(":")[0]
        for text in texts:
            for found in _PLACE.finditer(text):
                file = found["term"] or found["text"]
                if PurePosixPath(file).stem == module:
                    return Place(file, int(found["term_line"] or found["text_line"]))
    return None


@dataclass(slots=True)
class Sources:
    """Finds source files below ``folder``; their paths are told from ``base`` on."""

    folder: Path
    base: Path
    _by_name: dict[str, list[Path]] | None = field(default=None, init=False)

    def place(self, finding: Finding) -> Place | None:
        """Return where ``finding`` points to, None if that is not said, or no such file is here."""
        named = named_place(finding)
        file = None if named is None else self._find(named.file)
        if named is None or file is None:
            return None
        return Place(from_base(file, self.base), named.line)

    def _find(self, name: str) -> Path | None:
        """Return the file of that name: where it says, or wherever there is one of its kind."""
        file = self.folder / name
        if file.is_file():
            return file
        if self._by_name is None:
            self._by_name = self._index()
        alike = self._by_name.get(PurePosixPath(name).name, [])
        return alike[0] if len(alike) == 1 else None

    def _index(self) -> dict[str, list[Path]]:
        index: dict[str, list[Path]] = {}
        seen = 0
        for folder, folders, files in os.walk(self.folder):
            folders[:] = [f for f in folders if f not in _NOT_SEARCHED and not f.startswith(".")]
            for name in files:
                index.setdefault(name, []).append(Path(folder, name))
            seen += len(files)
            if seen > _MOST_FILES:
                return {}
        return index


def from_base(file: Path, base: Path) -> str:
    """Return the path of ``file`` from ``base`` on; the whole path if it is not below that."""
    file, base = file.resolve(), base.resolve()
    return (file.relative_to(base) if file.is_relative_to(base) else file).as_posix()


def _texts(finding: Finding) -> Iterator[str]:
    reports = finding.evidence.get("reports")
    if isinstance(reports, list | tuple):
        for report in reports:
            if isinstance(report, dict):
                yield str(report.get("text", ""))
