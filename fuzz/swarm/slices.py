"""A slice: a campaign of bounded time on the machine of a worker, and what came of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fuzz.errors import TargetError
from fuzz.scratch import scratch_prefix
from fuzz.swarm.shared import Shared

#: What was found within so many seconds is lost with a worker, at most; pushing takes a listing.
_PUSH_SECONDS = 10.0
#: A campaign takes some seconds to start its target, and to confirm what it has found at the end.
_GRACE_SECONDS = 300.0
#: What a file of options in the worker's folder says is not what was asked for.
_NO_CONFIG = ("--config", os.devnull)
#: The last lines of a campaign that could not run: the sentence is among them.
_TAIL_LINES = 3


@dataclass(frozen=True, slots=True)
class Slice:
    """One of the slices of a swarm: its ``number``, where the corpus is, and how long it lasts.

    ``words`` choose the target, as on a command line. ``command`` runs a campaign on the machine of
    the worker; empty, it is this iris-fuzz as installed there.
    """

    number: int
    url: str
    seconds: float
    words: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a slice: ``cases`` were played, ``new`` ones of the corpus pushed.

    ``findings`` are fingerprints. ``where`` names machine and process.
    """

    number: int
    where: str
    cases: int
    new: int
    findings: tuple[str, ...]


def play(one: Slice) -> Played:
    """Play a slice; raise :class:`TargetError` if its campaign could not run.

    What it has reached and found by then is pushed all the same.
    """
    with tempfile.TemporaryDirectory(prefix=scratch_prefix("swarm")) as folder:
        corpus, summary, log = (Path(folder, name) for name in ("corpus", "summary", "log"))
        shared = Shared(one.url)
        shared.pull(corpus)
        iris_fuzz = one.command or (sys.executable, "-m", "fuzz")
        command = (*iris_fuzz, *_NO_CONFIG, "fuzz", *one.words)
        bounds = ("--corpus", str(corpus), "--time", f"{one.seconds:g}", "--summary", str(summary))
        with log.open("wb") as output:
            process = subprocess.Popen(
                (sys.executable, "-m", "fuzz.swarm.kept", *command, *bounds),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                new = _pushed_while(process, shared, corpus, one.seconds + _GRACE_SECONDS)
            finally:
                _end(process)
        new += shared.push(corpus)
        if process.returncode not in (0, 1):
            raise TargetError(f"slice {one.number} on {_where()} could not run: {_tail(log)}")
        told = json.loads(summary.read_text(encoding="utf-8"))
        return Played(one.number, _where(), _count(told), new, _fingerprints(told))


def _pushed_while(
    process: subprocess.Popen[bytes], shared: Shared, corpus: Path, seconds: float
) -> int:
    """Push what is new now and then until the campaign ends; return how many cases."""
    new = 0
    while seconds > 0:
        try:
            process.wait(_PUSH_SECONDS)
        except subprocess.TimeoutExpired:
            seconds -= _PUSH_SECONDS
            new += shared.push(corpus)
        else:
            break
    return new


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of a campaign, which ends it if it has not ended."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.wait()


def _where() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line for line in lines if line.strip()]
    return " / ".join(said[-_TAIL_LINES:]) or "it said nothing"


def _count(told: Mapping[str, object]) -> int:
    cases = told["cases"]
    assert isinstance(cases, int)
    return cases


def _fingerprints(told: Mapping[str, object]) -> tuple[str, ...]:
    findings = told["findings"]
    assert isinstance(findings, list)
    return tuple(str(finding["fingerprint"]) for finding in findings)
