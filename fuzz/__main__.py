"""``python -m fuzz`` is ``iris-fuzz``: its way in, whatever ends it before it is all there."""

from __future__ import annotations

import sys
from types import TracebackType

#: What a shell gives for a command that was interrupted: 128 and the number of SIGINT.
_INTERRUPTED = 130


def main() -> None:
    """Import the command line, which takes its time, and run it."""
    sys.excepthook = _mistaken
    try:
        from fuzz.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _mistaken(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a mistake of ours, and end with 2: 1 says that something was found."""
    sys.__excepthook__(kind, error, trace)
    sys.exit(2)


if __name__ == "__main__":
    main()
