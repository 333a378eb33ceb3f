"""A target that runs while a verb needs it, with a line on the screen that says what is done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

from fuzz.cli.screen import is_terminal
from fuzz.report.text import say
from fuzz.rig import Rig, rig_of
from fuzz.settings import TargetSettings


@contextmanager
def started(settings: TargetSettings, console: Console) -> Iterator[tuple[Rig, Status]]:
    """Start the target, with a status line.

    On a terminal it is on ``console``, which keeps it below all that is printed there. Else it
    is on the error output: what is printed may be JSON, or go to a file.
    """
    rig = rig_of(settings)
    shown = console if is_terminal(sys.stdout) else Console(stderr=True)
    with shown.status("starting the target") as status:
        try:
            rig.start()
            yield rig, status
        finally:
            rig.stop()
            say(Console(stderr=True), [Text(f"note: {sentence}") for sentence in rig.left])
