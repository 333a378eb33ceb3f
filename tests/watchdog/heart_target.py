"""A node that ``heart`` looks after: the reference Iris, started again whenever it ends."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import TargetError
from fuzz.observation import NodeExit
from fuzz.target.base import Address
from fuzz.target.embedded import BOOT_SECONDS, reference_command
from fuzz.target.process import ChildProcess
from fuzz.target.reference_build import compile_reference

#: Heart waits for at most five seconds for a node to end, and asks once a second.
_STOP_SECONDS = 15.0
#: Between two looks whether the child can be collected.
_LOOK_SECONDS = 0.05
#: The node's input is a pipe with a name, since that of heart ends with the node before. Without
#: the file ``wanted``, or without us, heart starts nothing. What a node says goes where its errors
#: go: nobody listens to heart.
_SCRIPT = """\
#!/bin/sh
test -e wanted && kill -0 {owner} 2>/dev/null || exit 0
echo $$ >pid
exec {command} <life >&2
"""


class HeartTarget:
    """Lives in ``folder``; its end is not seen, as that of a daemon would not be."""

    name = "heart"
    restartable = True
    forgets = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = _free_ports()
        self._process: ChildProcess | None = None
        self._life: int | None = None
        self._stopped = threading.Event()
        os.mkfifo(folder / "life")

    def start(self, environment: Mapping[str, str]) -> Address:
        """Start the node; return when it says that it is ready."""
        port, ws_port = self._ports
        arguments = {"port": str(port), "ws_port": str(ws_port), "stop_on_eof": "true"}
        words = reference_command(compile_reference(), arguments)
        command = shlex.join([words[0], "-heart", *words[1:]])
        script = self._folder / "start"
        script.write_text(_SCRIPT.format(owner=os.getpid(), command=command))
        script.chmod(0o700)
        (self._folder / "wanted").touch()
        # Both ends, so that the node need not wait for somebody to write.
        self._life = os.open(self._folder / "life", os.O_RDWR)
        self._stopped.clear()
        variables = {"HEART_COMMAND": str(script), "ERL_CRASH_DUMP_SECONDS": "0"}
        self._process = ChildProcess([str(script)], {**variables, **environment}, str(self._folder))
        deadline = Deadline.after(SystemClock(), BOOT_SECONDS, "the node to be ready")
        if self._process.wait_for_line(("IRIS_REF READY",), deadline) is None:
            raise TargetError("\n".join(self._process.lines))
        return Address("127.0.0.1", port, ws_port)

    def nodes(self) -> tuple[int, ...]:
        """Return none: which process it is changes behind our back."""
        return ()

    def poll(self) -> NodeExit | None:
        """Return None: heart sees to it that there is a node."""
        return self.await_exit(0)

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Return None when the time is over.

        The child is collected, or heart would take it for a node that does not end.
        """
        deadline = Deadline.after(SystemClock(), seconds, "nothing")
        while not (deadline.expired() or self._stopped.wait(min(_LOOK_SECONDS, deadline.left()))):
            if self._process is not None:
                self._process.returncode()
        return None

    def retire(self) -> None:
        """End it as ``stop`` does."""
        self.stop()

    def stop(self) -> None:
        """End the node and its heart; raise :class:`TargetError` for what is left then."""
        self._stopped.set()
        if self._process is None or self._life is None:
            return
        (self._folder / "wanted").unlink()
        os.close(self._life)
        self._process.wait(0)
        # Every node and every heart holds the pipe that is read here.
        deadline = Deadline.after(SystemClock(), _STOP_SECONDS, "the end of all output")
        self._process.wait_for_line(("there is no such line",), deadline)
        left = deadline.expired()
        if left:
            with suppress(ProcessLookupError):
                os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)
        self._process.kill()
        self._process = self._life = None
        if left:
            raise TargetError(f"heart: waited in vain for {deadline.what}")


def _free_ports() -> tuple[int, int]:
    """Return two ports that nobody uses: a node that is started again has to have the same."""
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        return first.getsockname()[1], second.getsockname()[1]
