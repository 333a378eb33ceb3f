"""The guardian: it runs the start commands of a target, and ends all that came of them.

It is a process of its own, started by :class:`fuzz.target.guarded.Guardian` as
``python -m fuzz.target.guardian MARK``. Its standard input is a pipe from the harness. When that
ends, because the harness is done or because it was killed, the guardian ends the commands and
everything that they started, and then itself. It heeds nothing else.

Whatever a command starts stays below it: the kernel gives it what has lost its parent. So it is
also who learns how a daemon ended, as long as nobody else, a shell or ``make``, is the parent.

Requests and answers are lines of JSON:

    {"run": COMMAND, "environment": {...}, "folder": PATH, "place": PLACE}
                         ->  {"error": "" or why not}; null is behind the others
    {"tell": "codes"}    ->  {"codes": [CODE or null, ...]}, one for each command
    {"tell": PID}        ->  {"code": CODE or null}, of a process that has ended
    {"lines": COMMAND}   ->  {"lines": [...]}, the last ones that it and its children have printed

A code below zero is the number of a signal. Commands are counted from zero.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import psutil

from fuzz.clock import Deadline, SystemClock
from fuzz.epmd import names
from fuzz.errors import SettingsError
from fuzz.target.processes import (
    EMPTY_LOOKS,
    Started,
    all_listening,
    descendants,
    listening,
    marked,
)

#: From ``linux/prctl.h``.
_PR_SET_CHILD_SUBREAPER = 36
#: A node that is asked to end stops its applications first: it writes down what it holds.
POLITE_SECONDS = 5.0
#: What is killed is gone at once, unless it is writing to a disk that hangs.
KILL_SECONDS = 10.0
#: What must not end it, nor be ignored by what it starts; of the first it is woken.
_HEEDED = (signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
#: How often the processes are looked at while their end is awaited, in seconds.
_LOOK_SECONDS = 0.02
#: Lines of output kept for each command; a crash report is some forty lines.
_TAIL = 400
#: A line longer than this is cut: a node may log a whole mailbox on one.
_LINE = 2_000
_CHUNK = 65_536
#: What a pipe holds at most, from ``pipe(7)``.
_PIPE_BYTES = 65_536
#: Processes whose end is remembered: far more than nodes, and no burden in weeks.
_ENDED = 4_096


class _Command:
    """A start command that was run, and what it has printed last."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.process = process
        self.code: int | None = None
        self.output = process.stdout.fileno()
        os.set_blocking(self.output, False)
        self._lines: deque[bytes] = deque(maxlen=_TAIL)
        self._rest = b""

    def take(self) -> bool:
        """Take some output, if there is any; tell whether more may come.

        Of a line that is too long, the rest is dropped.
        """
        try:
            data = os.read(self.output, _CHUNK)
        except BlockingIOError:
            return True
        *whole, rest = (self._rest + data).split(b"\n")
        self._lines.extend(line[:_LINE] for line in whole)
        self._rest = rest[:_LINE]
        return bool(data)

    def lines(self) -> list[str]:
        """Return the last lines, one that has not ended yet included."""
        for _ in range(_PIPE_BYTES // _CHUNK):
            self.take()  # all that was printed before the question
        rest = [self._rest] if self._rest else []
        return [line.decode("utf-8", "replace").rstrip() for line in [*self._lines, *rest]]


class _Guard:
    """The commands, one loop that waits for whatever happens next, and the end."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._commands: list[_Command] = []
        self._ended: dict[int, int] = {}
        self._requests = b""
        self._open = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._read_requests)
        woken, wake = os.pipe()
        for end in (woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ, lambda: os.read(woken, _CHUNK))

    def serve(self) -> None:
        """Do what is asked, until the input ends."""
        while self._open:
            self._turn(None)

    def end(self) -> bool:
        """End all that was started, the nodes politely; tell whether nothing is left."""
        for one in self._living():
            if one.is_beam:
                _send(one, signal.SIGTERM)
        polite = Deadline.after(SystemClock(), POLITE_SECONDS, "the nodes to end")
        while not polite.expired() and any(one.is_beam for one in self._living()):
            self._turn(_LOOK_SECONDS)
        if not self._kill(lambda: [one for one in self._living() if not one.is_epmd]):
            return False
        # It is asked when our nodes are gone: those that it knows then are of others.
        mappers = [one for one in self._living() if one.is_epmd and not _serves_others(one)]
        return self._kill(lambda: [one for one in mappers if one.process.is_running()])

    def _kill(self, living: Callable[[], list[Started]]) -> bool:
        """Kill what is ``living`` until nothing is, in time; tell whether that was so."""
        deadline = Deadline.after(SystemClock(), KILL_SECONDS, "what was killed to be gone")
        empty = 0
        while empty < EMPTY_LOOKS and not deadline.expired():
            found = living()
            empty = 0 if found else empty + 1
            for one in found:
                _send(one, signal.SIGKILL)
            self._turn(_LOOK_SECONDS)
        return empty == EMPTY_LOOKS

    def _living(self) -> tuple[Started, ...]:
        own = os.getpid()
        found = {one.pid: one for one in (*descendants(own), *marked(self._mark))}
        return tuple(found.values())

    def _turn(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()
        self._reap()

    def _reap(self) -> None:
        """Collect whoever has ended, and note how."""
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                pid, code = found[0], os.waitstatus_to_exitcode(found[1])
                self._ended[pid] = code
                if len(self._ended) > _ENDED:
                    del self._ended[next(iter(self._ended))]
                for command in self._commands:
                    if command.process.pid == pid:
                        command.code = command.process.returncode = code

    def _read_requests(self) -> None:
        data = os.read(sys.stdin.fileno(), _CHUNK)
        if not data:
            self._open = False
            self._selector.unregister(sys.stdin.fileno())
            return
        *whole, self._requests = (self._requests + data).split(b"\n")
        for line in whole:
            self._reap()  # an answer is not older than its question
            answer = json.dumps(self._answer(json.loads(line))).encode() + b"\n"
            # Nobody reads it who has been killed: then the input has ended as well.
            with suppress(BrokenPipeError):
                while answer:
                    answer = answer[os.write(sys.stdout.fileno(), answer) :]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "run" in request:
            return {"error": self._run(**request)}
        if "lines" in request:
            return {"lines": self._commands[request["lines"]].lines()}
        if request["tell"] == "codes":
            return {"codes": [command.code for command in self._commands]}
        return {"code": self._ended.get(request["tell"])}

    def _run(self, run: str, environment: dict[str, str], folder: str, place: int | None) -> str:
        """Run a command through the shell; return why it cannot be run, or nothing.

        One that is run once more takes the ``place`` that it had.
        """
        try:
            process = subprocess.Popen(
                run,
                shell=True,
                # One that is open, and silent: an Erlang shell ends the node with its input.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            return str(error.strerror)
        command = _Command(process)
        if place is None:
            self._commands.append(command)
        else:
            self._commands[place] = command

        def read() -> None:
            if not command.take():
                self._selector.unregister(command.output)

        self._selector.register(command.output, selectors.EVENT_READ, read)
        return ""


def _serves_others(mapper: Started) -> bool:
    """Tell whether a port mapper knows a node that lives; ours have been ended before.

    A node that is started where there is no mapper starts one, so it bears our mark; and it serves
    nodes of other people afterwards, who lose their names if it ends. It may not have noticed yet
    that a node is gone: then nobody listens on the node's port.
    """
    alive = all_listening()
    with suppress(SettingsError):  # one that does not answer serves nobody
        for port in listening(mapper.process):
            if alive.intersection((names(port) or {}).values()):
                return True
    return False


def _send(one: Started, number: signal.Signals) -> None:
    # It is psutil that makes sure that the number has not become another process's.
    with suppress(psutil.Error):
        one.process.send_signal(number)


def _heed_nothing(_signal: int, _frame: FrameType | None) -> None:
    """Take a signal without a consequence. One that is ignored would be ignored by children."""


def main() -> int:
    """Guard until the standard input ends; return 0 if nothing is left of what was started."""
    for number in _HEEDED:
        signal.signal(number, _heed_nothing)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = _Guard(sys.argv[1])
    guard.serve()
    return 0 if guard.end() else 1


if __name__ == "__main__":
    sys.exit(main())
