"""The coverage of each module, and its source with what was reached line by line."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.node import NATIVE_FUNCTION
from fuzz.report.html.model import Coverage, Line, ModuleView, Source
from fuzz.report.html.words import counted
from fuzz.store.timeline import PointRow, Timeline

#: What is shown is source of Erlang and its kin: a target tells the path, and must not choose what
#: else of this machine is put on a page that is given away.
_SUFFIXES = frozenset({".erl", ".hrl", ".yrl", ".xrl", ".ex"})
#: Of one file: a module that is larger is made by a program, and read by none.
MAX_FILE_BYTES = 400_000
#: Of all files: each byte of them is about three of the page.
MAX_SOURCE_BYTES = 900_000
MAX_MODULES = 400
MAX_MISSED = 40


@dataclass(slots=True)
class SourceReader:
    """Reads sources, and knows again those that it has read before."""

    _known: dict[Path, tuple[tuple[int, int], str]] = field(default_factory=dict)

    def coverage(self, timeline: Timeline) -> Coverage | None:
        """Return the coverage of all modules; None where there is no point."""
        modules: dict[str, list[PointRow]] = defaultdict(list)
        for point in timeline.points:
            modules[point.module].append(point)
        if not modules:
            return None
        ended = timeline.runs[-1].ended_at if timeline.runs else None
        order = sorted(modules, key=lambda name: (-_missing(modules[name]), name))
        views, room, left_out = [], MAX_SOURCE_BYTES, 0
        for name in order[:MAX_MODULES]:
            view, size = self._module(name, modules[name], room, ended)
            views.append(view)
            room -= size
            left_out += view.no_source == _NO_ROOM
        cut = []
        if left_out:
            cut.append(
                f"the sources of {counted(left_out, 'module')} are left out: those above are "
                f"{MAX_SOURCE_BYTES // 1000:,} kB already"
            )
        if len(order) > MAX_MODULES:
            cut.append(f"{len(order) - MAX_MODULES} more modules are not listed")
        hit = sum(point.hit for point in timeline.points)
        return Coverage(hit, len(timeline.points), tuple(views), tuple(cut))

    def _module(
        self, name: str, points: Sequence[PointRow], room: int, ended: float | None
    ) -> tuple[ModuleView, int]:
        """Return a module, and how many bytes of source are in it: no more than ``room``."""
        files: dict[Path, list[PointRow]] = defaultdict(list)
        for point in points:
            if point.source is not None and point.line > 0:
                files[point.source].append(point)
        sources, used = [], 0
        why = "" if files else "nobody told where its source is"
        for path, of_file in sorted(files.items()):
            text, reason, changed = self._text(path)
            if text is None:
                why = reason
            elif used + len(text) > room:
                why = _NO_ROOM
            else:
                used += len(text)
                note = _doubt(text, of_file, ended is not None and changed > ended)
                sources.append(Source(path.name, tuple(_lines(text, of_file)), note))
        missed = tuple(_missed(points))
        covered = len(points) - _missing(points)
        return ModuleView(name, covered, len(points), missed, tuple(sources), why), used

    def _text(self, path: Path) -> tuple[str | None, str, float]:
        """Return the text of a source, why there is none, and when it was changed."""
        if path.suffix not in _SUFFIXES:
            return None, f"{path.name} is no source of Erlang", 0.0
        try:
            seen = path.stat()
            if not stat.S_ISREG(seen.st_mode):
                return None, f"{path.name} is no file", 0.0
            if seen.st_size > MAX_FILE_BYTES:
                return None, f"{path.name} is {seen.st_size:,} bytes: too long for a page", 0.0
            stamp = (seen.st_mtime_ns, seen.st_size)
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                text = path.read_bytes()[:MAX_FILE_BYTES].decode("utf-8", "replace")
                known = self._known[path] = (stamp, text)
            return known[1], "", seen.st_mtime
        except OSError as error:
            return None, f"{path.name} is not at hand: {error.strerror}", 0.0


_NO_ROOM = "left out, for the page is long enough"


def _missing(points: Iterable[PointRow]) -> int:
    return sum(not point.hit for point in points)


def _missed(points: Sequence[PointRow]) -> Iterator[str]:
    """Yield the functions of which no point was hit, in the order of the source."""
    functions: dict[str, list[PointRow]] = defaultdict(list)
    for point in points:
        if point.function:
            functions[f"{point.function}/{point.arity}"].append(point)
    never = [name for name, own in functions.items() if not any(point.hit for point in own)]
    yield from never[:MAX_MISSED]
    if len(never) > MAX_MISSED:
        yield f"and {len(never) - MAX_MISSED} more"


def _lines(text: str, points: Iterable[PointRow]) -> Iterator[Line]:
    hits: dict[int, list[bool]] = defaultdict(list)
    for point in points:
        if point.kind != NATIVE_FUNCTION:
            hits[point.line].append(point.hit)
    # Not splitlines: what Erlang takes for a line ends with a line feed and nothing else.
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        seen = hits.get(number, [])
        yield Line(number, line.removesuffix("\r"), sum(seen), len(seen))


def _doubt(text: str, points: Iterable[PointRow], newer: bool) -> str:
    if max(point.line for point in points) > text.count("\n") + 1:
        return "the file is shorter than what was run: its lines are not those that were counted"
    return "the file was changed after the last run: lines may have moved" if newer else ""
