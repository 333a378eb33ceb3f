"""A node that has booted beside the one that serves, to take its place when it is started anew.

Most of what a start takes is the boot of the emulator, and that needs nothing of what goes on
around it. So it is done ahead: the spare stands by with an empty folder of its own, has no port and
no agent yet, and goes on with its start when it is told to serve.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuzz.target.process import ChildProcess

#: What it is told; see ``iris_ref.erl``.
_SERVE = "serve"


@dataclass(frozen=True, slots=True)
class Spare:
    """A node that stands by, the folder that is its own, and what its environment was to have."""

    process: ChildProcess
    folder: Path
    environment: Mapping[str, str]

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Tell it to serve; return False if it has ended, or has another ``environment``."""
        lives = self.process.returncode() is None
        return lives and environment == self.environment and self.process.tell(_SERVE)

    def discard(self) -> None:
        """End it, and remove its folder."""
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
