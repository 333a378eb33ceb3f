"""A child process that is read while it runs, so that its last words are never lost."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from fuzz.clock import Deadline
from fuzz.descriptors import open_files
from fuzz.errors import TargetError

#: Lines of output kept in memory; a crash report is some forty lines.
_TAIL = 400
#: A line longer than this is cut: a node may log a whole mailbox on one.
_LINE = 2_000
#: What an ended process has written is read in no time; only a grandchild that left the
#: group and holds the pipe open keeps the reader waiting, and it is not waited for longer.
_DRAIN_SECONDS = 2.0


def _bound_to_us(command: Sequence[str]) -> Sequence[str]:
    """Return ``command`` so that the kernel kills it when we are killed, where that can be had.

    A node that watches its input ends by itself then, but not one in which nothing gets to run.
    A command that is not there is left as it is: starting it tells so.
    """
    if shutil.which("setpriv") is None or shutil.which(command[0]) is None:
        return command
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]


def killed_by(code: int) -> str | None:
    """Return the signal that ended a process of this exit code, None if none did.

    Those of real time have no names, but for the first and the last.
    """
    return signal_name(-code) or f"signal {-code}" if code < 0 else None


def signal_name(number: int) -> str | None:
    """Return the name of a signal, None if there is none of that number."""
    return signal.Signals(number).name if number in set(signal.Signals) else None


class ChildProcess:
    """A process group of our own, its merged output drained by one thread.

    The child holds the read end of a pipe as its standard input; the write end closes
    when the harness dies, in whatever way, and a child that watches for that ends too.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        echo: Callable[[str], None] | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Start ``command``; raise :class:`TargetError` when it cannot be started.

        ``echo`` is handed each line, from the thread that reads, until it raises
        :class:`BrokenPipeError`. ``memory_bytes`` is the ceiling of its address space: beyond it,
        the child is refused memory.
        """
        self._echo = echo
        self._lines: deque[str] = deque(maxlen=_TAIL)
        self._news = threading.Condition()
        self._ended = False
        open_files()  # a node counts once, at its start, how many clients it can have
        try:
            self._process = subprocess.Popen(
                _bound_to_us(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise TargetError(f"{command[0]} cannot be started: {error.strerror}") from None
        if memory_bytes is not None:
            # From outside, since nothing may run between fork and exec in a process with threads.
            # One that has ended already tells so itself.
            with suppress(ProcessLookupError):
                resource.prlimit(
                    self._process.pid, resource.RLIMIT_AS, (memory_bytes, memory_bytes)
                )
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Return the operating system's number of the process."""
        return self._process.pid

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the last lines of output so far, the oldest first."""
        with self._news:
            return tuple(self._lines)

    def wait_for_line(self, prefixes: tuple[str, ...], deadline: Deadline) -> str | None:
        """Return the first line that starts with one of ``prefixes``.

        None when the output ends, or the deadline passes, without one.
        """
        with self._news:
            while True:
                for line in self._lines:
                    if line.startswith(prefixes):
                        return line
                if self._ended or deadline.expired():
                    return None
                self._news.wait(deadline.left())

    def returncode(self) -> int | None:
        """Return the exit code (negative: the signal), or None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait for the end at most ``seconds``; return the exit code or None.

        When it has ended, its last words are in :attr:`lines`.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(_DRAIN_SECONDS)
        return code

    def tell(self, line: str) -> bool:
        """Write a line to the child's standard input; tell whether there is still one who reads."""
        if self._process.stdin is None or self._process.stdin.closed:
            return False
        try:
            # Past the buffer: what is left in that would fail once more when it is closed.
            os.write(self._process.stdin.fileno(), f"{line}\n".encode())
        except BrokenPipeError:
            return False
        return True

    def close_input(self) -> None:
        """Close the child's standard input: the polite way to ask it to end."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """End the whole process group, and collect the child."""
        # Without a group left, the child and all that it started have ended already.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.close_input()
        self._reader.join(_DRAIN_SECONDS)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()

    def _drain(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        whole = True
        while raw := stream.readline(_LINE):
            begins, whole = whole, raw.endswith(b"\n")
            if not begins:
                continue  # the rest of a line that was cut
            line = raw.decode("utf-8", "replace").rstrip()
            self._pass_on(line)
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _pass_on(self, line: str) -> None:
        if self._echo is not None:
            try:
                self._echo(line)
            except BrokenPipeError:
                self._echo = None  # nobody listens any more; but the child is still read
