"""Whole campaigns, in this process or as the program that a person starts."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.campaign import Campaign
from fuzz.clock import Deadline, SystemClock
from fuzz.report.summary import Summary
from fuzz.settings import FuzzSettings

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "corpus" / "seeds"

#: An embedded target is up in two seconds on an idle machine.
START_SECONDS = 60.0
#: From a signal to the last line: a batch, perhaps a recovery, and the node's clean end.
END_SECONDS = 60.0
#: How often a file is looked at while the process that writes it is awaited, in seconds.
_LOOK_SECONDS = 0.02


def soon(what: str, seconds: float = END_SECONDS) -> Deadline:
    """Return a deadline that no healthy machine comes near."""
    return Deadline.after(SystemClock(), seconds, what)


def run_campaign(settings: FuzzSettings) -> Summary:
    """Run a campaign to its end and return what it came to."""
    summary = Summary()
    for event in Campaign(settings).events():
        summary.take(event)
    return summary


def kinds_of(summary: Summary) -> list[str]:
    """Return the kinds of all findings."""
    return [seen.finding.kind.value for seen in summary.findings.values()]


@dataclass(slots=True)
class Watched:
    """A process of somebody else's, held by a descriptor: its number cannot be another's."""

    pid: int
    name: str
    descriptor: int

    def gone(self, deadline: Deadline) -> bool:
        """Tell whether it has ended by then."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(deadline.left() * 1000))


@dataclass(slots=True)
class Program:
    """``iris-fuzz`` as a process of its own; its output goes to a file."""

    process: subprocess.Popen[bytes]
    output: Path
    _stack: ExitStack = field(default_factory=ExitStack)

    def text(self) -> str:
        """Return what it has printed so far."""
        return self.output.read_text(errors="replace")

    def end(self) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(END_SECONDS)

    def awaits(self, deadline: Deadline) -> None:
        """Let a moment pass for what ``deadline`` names; fail if it, or the program, is over."""
        try:
            code = self.process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            assert not deadline.expired(), f"waited in vain for {deadline.what}: {self.text()}"
        else:
            raise AssertionError(f"it ended with {code} before {deadline.what}: {self.text()}")

    def journal_grows(self, corpus: Path, size: int) -> None:
        """Wait until the journal of this run has begun, and has grown by ``size`` bytes.

        Its segment begins, in one write, with what earlier runs have left in it.
        """
        deadline = soon(f"{size} bytes of journal", START_SECONDS)
        folder, first = corpus / "journal", 0
        before = set(folder.glob("journal-*.log"))
        while not first or _newest(folder, before) - first < size:
            first = first or _newest(folder, before)
            self.awaits(deadline)

    def family(self) -> list[Watched]:
        """Return it and all its descendants: worker, node, and their helpers."""
        watched = []
        for pid in [self.process.pid, *_descendants(self.process.pid)]:
            # One that has ended meanwhile was a helper at its work.
            with suppress(ProcessLookupError, FileNotFoundError):
                descriptor = os.pidfd_open(pid)
                self._stack.callback(os.close, descriptor)
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                watched.append(Watched(pid, name, descriptor))
        return watched

    def close(self) -> None:
        """End it, if it has not ended, and let go of its family."""
        self.process.kill()
        self.process.wait()
        self._stack.close()


@contextmanager
def program(
    folder: Path, *arguments: object, environment: dict[str, str] | None = None
) -> Iterator[Program]:
    """Run ``iris-fuzz`` with ``arguments`` in ``folder``; it is over when the context is."""
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from fuzz.cli import main; main()", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            # A group of its own, to be signalled as a terminal does it.
            start_new_session=True,
        )
    running = Program(process, output)
    try:
        yield running
    finally:
        running.close()


def _newest(folder: Path, before: set[Path]) -> int:
    """Return the bytes of the newest segment, if it was not there ``before``."""
    new = sorted(set(folder.glob("journal-*.log")) - before)
    return new[-1].stat().st_size if new else 0


def _descendants(pid: int) -> Sequence[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (parent := _parent(folder)) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found, todo = list[int](), [pid]
    while todo:
        todo += (below := children.get(todo.pop(), []))
        found += below
    return found


def _parent(folder: Path) -> int | None:
    try:
        status = (folder / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None  # it has ended meanwhile
    # The name of the program, in brackets, may hold anything.
    return int(status.rpartition(")")[2].split()[1])
