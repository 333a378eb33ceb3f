"""A target that runs while a verb needs it, with a line on the screen that says what is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from fuzz.clock import SystemClock
from fuzz.rig import Rig
from fuzz.settings import TargetSettings
from fuzz.target.choose import choose_target


@contextmanager
def started(settings: TargetSettings) -> Iterator[tuple[Rig, Status]]:
    """Start the target, with a status line on the error output: the output may be JSON."""
    rig = Rig(choose_target(settings), SystemClock())
    with Console(stderr=True).status("starting the target") as status:
        try:
            rig.start()
            yield rig, status
        finally:
            rig.stop()
