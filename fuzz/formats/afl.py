"""The output folder of an AFL campaign (AFL, AFL++, AFLNet): which of its files are inputs.

It has ``queue``, ``crashes`` and ``hangs``, directly or for each instance in a folder of its own.
AFLNet keeps the messages of those apart in ``replayable-queue`` and so on, which are taken in
their place: in the others nobody can tell where a message ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_INPUTS = re.compile(r"(replayable-)?(queue|crashes|hangs)(\..*)?")
_REPLAYABLE = "replayable-"
#: Beside the crashes, for people.
_NO_INPUTS = frozenset({"README.txt"})


def is_output(folder: Path) -> bool:
    """Tell whether ``folder`` is the output of a campaign, or one of its folders of inputs."""
    return bool(_INPUTS.fullmatch(folder.name)) or any(_input_folders(folder))


def inputs(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the inputs in ``folder``, sorted, and whether each is a replay file of AFLNet."""
    folders = list(_input_folders(folder)) or [folder]
    for one in sorted(folders):
        for path in sorted(one.iterdir()):
            # .state and .cur_input are AFL's own.
            if not path.name.startswith(".") and path.name not in _NO_INPUTS and path.is_file():
                yield path, one.name.startswith(_REPLAYABLE)


def _input_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of inputs of one campaign, and of those of each instance below it."""
    for base in (folder, *(one for one in folder.iterdir() if one.is_dir())):
        inside = [one for one in base.iterdir() if one.is_dir() and _INPUTS.fullmatch(one.name)]
        replayable = [one for one in inside if one.name.startswith(_REPLAYABLE)]
        yield from replayable or inside
