"""The harness's end of the guardian, which runs start commands and ends what came of them."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from fuzz.clock import Deadline, SystemClock
from fuzz.descriptors import open_files
from fuzz.errors import HarnessFault, TargetError
from fuzz.target.processes import Started, marked

#: It answers at once, and does so on a machine that is busy beyond measure.
_ANSWER_SECONDS = 30.0
#: It ends nodes politely, then kills what is left, and asks a port mapper: each has its limit.
_END_SECONDS = 30.0
#: How often processes are looked at whose guardian is lost, in seconds.
_LOOK_SECONDS = 0.02
_CHUNK = 65_536
#: The folder of the packages, which the guardian imports from wherever it runs.
_SOURCES = Path(__file__).resolve().parents[2]


class Guardian:
    """A guardian that runs, for processes with ``mark``; :meth:`end` it.

    Should this process be killed, the guardian ends all that it has started.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._clock = SystemClock()
        open_files()  # a node counts once, at its start, how many clients it can have
        # -P: the folder that the harness was started in has no say in what is imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fuzz.target.guardian", mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_SOURCES)},
            start_new_session=True,
        )
        self._answers = b""
        self.codes()  # nothing is to be run before somebody is there to end it

    @property
    def pid(self) -> int:
        """Return the number of its process."""
        return self._process.pid

    def run(
        self,
        command: str,
        environment: Mapping[str, str],
        folder: Path,
        place: int | None = None,
    ) -> None:
        """Run a command through the shell, in ``folder`` and with all of ``environment``.

        ``place`` is that of the command if it was run before; how that ended is forgotten then.
        """
        request = {"run": command, "environment": dict(environment), "folder": str(folder)}
        error = self._ask({**request, "place": place})
        if error["error"]:
            raise TargetError(f"`{command}` cannot be run in {folder}: {error['error']}")

    def codes(self) -> Sequence[int | None]:
        """Return how each command has ended, None for one that runs; below zero is a signal."""
        codes: list[int | None] = self._ask({"tell": "codes"})["codes"]
        return codes

    def code_of(self, pid: int) -> int | None:
        """Return how a process has ended, None if only its parent knows: a shell, or ``make``."""
        code: int | None = self._ask({"tell": pid})["code"]
        return code

    def lines(self, command: int) -> list[str]:
        """Return the last lines that a command has printed, and what it started with it."""
        lines: list[str] = self._ask({"lines": command})["lines"]
        return lines

    def end(self) -> None:
        """End everything that was started, and the guardian.

        Raises :class:`TargetError` if something cannot be ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # one that was killed has not read all that it was told
            self._process.stdin.close()
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process.stdout.close()
        left = self._kill_what_is_left() if code else ()
        if left:
            told = ", ".join(f"{one.program} ({one.pid})" for one in left)
            raise TargetError(f"what the start commands have started cannot be ended: {told}")

    def _kill_what_is_left(self) -> Sequence[Started]:
        """Do what the guardian, which was lost, would have done; return what does not end."""
        deadline = Deadline.after(self._clock, _END_SECONDS, "what was killed to be gone")
        while left := [one for one in marked(self._mark) if not one.is_epmd]:
            if deadline.expired():
                break
            for one in left:
                with suppress(psutil.Error):  # it has ended meanwhile
                    one.process.kill()
            psutil.wait_procs([one.process for one in left], _LOOK_SECONDS)
        return left

    def _ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        deadline = Deadline.after(self._clock, _ANSWER_SECONDS, "the guardian to answer")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None
        while b"\n" not in self._answers:
            self._answers += self._read(deadline)
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _read(self, deadline: Deadline) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(deadline.left()):
                raise HarnessFault(f"waited in vain for {deadline.what}")
        data = os.read(self._process.stdout.fileno(), _CHUNK)
        if not data:
            raise self._lost()
        return data

    def _lost(self) -> HarnessFault:
        return HarnessFault(
            "the guardian of what was started has ended; did somebody kill it? "
            f"Its process was {self._process.pid}"
        )
