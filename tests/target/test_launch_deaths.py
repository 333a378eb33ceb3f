"""Who of several nodes that ended is told: the one that the others needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from fuzz.clock import SystemClock
from fuzz.errors import TargetError
from fuzz.settings import StartSettings
from fuzz.target.brought_up import BroughtUp, Look
from fuzz.target.guarded import Guardian
from fuzz.target.launch import Launch
from fuzz.target.processes import Started

#: Two processes that live: only their numbers count here.
PIDS = (os.getpid(), os.getppid())
CORE, EDGE = 0, 1


class Seen(BroughtUp):
    """Nodes, one of each command, that are seen in turn; the last look is what there is."""

    def __init__(self, pids: Sequence[int], looks: Sequence[tuple[int, ...]]) -> None:
        self._pids = pids
        self._looks = list(looks)

    def look(self) -> Look:
        living = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        nodes = (Started(psutil.Process(self._pids[n]), n, "beam.smp") for n in living)
        return Look(tuple(nodes), {})

    def up(self, look: Look) -> tuple[Started, ...]:
        return look.processes

    def name(self, pid: int) -> str:
        return ("core", "edge")[self.command(pid)]

    def command(self, pid: int) -> int:
        return self._pids.index(pid)

    def log(self, pid: int) -> list[str]:
        return [f"log of the {self.name(pid)}"]


class Silent(Guardian):
    """A guardian whose commands have returned, and said nothing."""

    def __init__(self) -> None:
        pass

    def codes(self) -> Sequence[int | None]:
        return (0, 0)

    def code_of(self, pid: int) -> int | None:
        return 3

    def lines(self, command: int) -> list[str]:
        return []


@pytest.mark.parametrize("pids", [PIDS, PIDS[::-1]])
@pytest.mark.parametrize("then", [(), (CORE,)], ids=["both are gone", "the core a look later"])
def test_of_nodes_that_ended_the_one_that_was_started_first_is_told(
    pids: tuple[int, int], then: tuple[int, ...]
) -> None:
    """An edge without its core ends as well, and its log does not tell what ailed the core."""
    settings = StartSettings(("make core", "make edge"), Path())
    seen = Seen(pids, [(CORE, EDGE), then, ()])
    launch = Launch(settings, Silent(), seen, (), SystemClock())
    launch.look()
    with pytest.raises(TargetError) as told:
        launch.look()
    assert str(told.value) == (
        "core, which `make core` started, ended by exit code 3 before the target was ready\n"
        "Its last lines:\n  log of the core"
    )
