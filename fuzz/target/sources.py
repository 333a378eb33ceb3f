"""Where the Erlang source of a target is, so that a person can be shown what a case has reached."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from fuzz.settings import TargetSettings
from fuzz.target.reference_build import REFERENCE_SOURCES

#: Folders that are looked into: a server with all of its dependencies has some hundreds.
_MOST_FOLDERS = 5_000


def sources_of(settings: TargetSettings) -> Mapping[str, Path]:
    """Return the file of each module of a target, by its name, as far as they can be found.

    Those of a server that is started are looked for in its folder; of two with one name, the one
    that lies less deep is taken. Of a target that runs already nothing is known.
    """
    if settings.embedded:
        folder = REFERENCE_SOURCES
    elif settings.start is not None:
        folder = settings.start.folder
    else:
        return {}
    found: dict[str, Path] = {}
    for path in sorted(_erlang_in(folder.absolute()), key=lambda one: (len(one.parts), one)):
        found.setdefault(path.stem, path)
    return found


def _erlang_in(folder: Path) -> Iterator[Path]:
    for number, (where, folders, files) in enumerate(os.walk(folder)):
        if number >= _MOST_FOLDERS:
            return
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(where, name) for name in files if name.endswith(".erl"))
