"""Run a command that must not outlive whoever started it: ``python -m fuzz.swarm.kept COMMAND``.

Whoever starts this holds the other end of its standard input. When that closes, even by a SIGKILL,
the command is told to end, and killed if it does not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

#: A campaign judges what is in flight, and stops its node, in well under this many seconds.
_END_SECONDS = 60.0


def main() -> int:
    """Run the command in the arguments; return its exit code."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main())
