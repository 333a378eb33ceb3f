"""What the tests of store/ share: children that are killed, limited or without rights."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.finding import Cause, Finding, Kind

FAILED = 70


def case_of(payload: bytes) -> bytes:
    """Return the file form of a small case that sends ``payload``."""
    steps = (Step(StepKind.LOGIN, 0, b"<user:A>"), Step(StepKind.SEND, 0, payload))
    return encode_case(Case(steps))


def finding_of(what: str, kind: Kind = Kind.PROCESS_CRASH, **evidence: object) -> Finding:
    """Return a finding whose fingerprint depends on ``what``, which has no digits."""
    cause = Cause(what, "{badmatch,<binary>}", "iris_conn", ("iris_conn:handle/3",))
    return Finding(kind, f"{what} happened", cause, evidence)


def fork(body: Callable[[], None]) -> int:
    """Run ``body`` in a forked child; return its process id. It exits 0 or FAILED."""
    pid = os.fork()
    if pid:
        return pid
    status = FAILED
    try:
        body()
        status = 0
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a child reports by its status
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def status_of(pid: int) -> int:
    """Wait for a child; return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(body: Callable[[], None]) -> int:
    """Run ``body`` in a forked child to its end and return its status."""
    return status_of(fork(body))


def kill_at_call(number: int, body: Callable[[], None]) -> bool:
    """Run ``body`` in a child that kills itself before its ``number``-th change to the disk.

    Return whether it was killed; False when it came to its end first.
    """
    status = run(lambda: _doomed(number, body))
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _doomed(number: int, body: Callable[[], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        left = [number]
        for name in ("open", "write", "fsync", "replace", "unlink", "ftruncate", "mkdir"):
            patch.setattr(os, name, _counting(getattr(os, name), left))
        body()


def _counting(call: Callable[..., object], left: list[int]) -> Callable[..., object]:
    def counted(*arguments: object, **options: object) -> object:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return counted


@contextmanager
def killed_after(beats: int, body: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    """Run ``body`` in a child, kill it once it has beaten ``beats`` times, then go on.

    ``body`` is handed the function to beat with and never ends by itself.
    """
    reader, writer = os.pipe()
    pid = fork(lambda: body(lambda: _beat(writer)))
    os.close(writer)
    try:
        for _ in range(beats):
            assert os.read(reader, 1), "the child ended before it was killed"
        os.kill(pid, signal.SIGKILL)
        assert status_of(pid) == -signal.SIGKILL
        yield
    finally:
        os.close(reader)


def _beat(writer: int) -> None:
    os.write(writer, b".")
