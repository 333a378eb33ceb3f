"""What the verbs print to."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console

#: Columns where there is no terminal and nobody says how many: nothing common is folded.
_COLUMNS = 120


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether ``stream`` is one; it is None where the program was started without."""
    return stream is not None and stream.isatty()


def screen() -> Console:
    """Return a console on standard output; it colours and folds for a terminal only."""
    told = is_terminal(sys.stdout) or "COLUMNS" in os.environ
    return Console(width=None if told else _COLUMNS, highlight=False)
