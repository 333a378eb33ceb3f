"""What the verbs print to."""

from __future__ import annotations

import os
import sys

from rich.console import Console

#: Columns where there is no terminal and nobody says how many: nothing common is folded.
_COLUMNS = 120


def screen() -> Console:
    """Return a console on standard output; it colours and folds for a terminal only."""
    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if told else _COLUMNS, highlight=False)
