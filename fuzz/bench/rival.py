"""boofuzz against the planted defects, with our own eyes.

What boofuzz sees of a target is whether it can still be connected to; what it would miss of a crash
inside the node, it is told: after each of its cases the watchdog takes the glance that it takes
after a batch of ours, and the same oracles judge. So what is compared is what is sent, and how
fast. It runs in a process of its own, since it knows no way to be ended in time.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import tempfile
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.bench.ratios import Time
from fuzz.clock import Deadline, SystemClock
from fuzz.errors import IrisFuzzError, TargetError
from fuzz.oracles import judge
from fuzz.rig import Rig, rig_of
from fuzz.scratch import scratch_prefix
from fuzz.settings import TargetSettings
from fuzz.target.planted import Planted
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

NAME = "boofuzz"
#: From the start of the process to its first case, and from the end of its time to its word.
_START_SECONDS = 90.0
#: By so many frames each round begins later: in five rounds it has begun all over the protocol.
_TURN = 4


def installed() -> bool:
    """Tell whether boofuzz is there."""
    return importlib.util.find_spec(NAME) is not None


def look_for(defect: Planted, seconds: float, number: int) -> Time:
    """Return how long boofuzz took to show ``defect``; raise :class:`TargetError` if it can't."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory(prefix=scratch_prefix("rival")) as folder, closing(ours):
        process = context.Process(
            target=main, args=(defect, seconds, number, theirs, folder), name="iris-fuzz-rival"
        )
        process.start()
        theirs.close()
        deadline = Deadline.after(
            SystemClock(), seconds + _START_SECONDS, f"{NAME} to end its search for {defect.name}"
        )
        try:
            if not ours.poll(deadline.left()):
                raise TargetError(f"waited in vain for {deadline.what}")
            told = ours.recv()
        except (EOFError, ConnectionResetError):
            log = Path(folder, "log")
            last = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
            raise TargetError(f"{NAME} ended: {last[-1] if last else 'it said nothing'}") from None
        finally:
            process.kill()
            process.join()
    if isinstance(told, Time):
        return told
    raise TargetError(f"{NAME} could not run: {told}")


def main(defect: Planted, seconds: float, number: int, pipe: Connection, folder: str) -> None:
    """Be the process: tell a :class:`Time`, or a sentence that says what is wrong."""
    descriptor = os.open(Path(folder, "log"), os.O_WRONLY | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from fuzz.bench import boofuzz_model  # only where it is installed

    rig = rig_of(TargetSettings(port=0, plants=(defect.name,), auth=defect.auth))
    try:
        rig.start()
        judged = _Judged(rig, defect, seconds, pipe)
        address = rig.endpoint.host, rig.endpoint.port
        boofuzz_model.fuzz(address, judged.look, _TURN * number, Path(folder))
        judged.end(found=False)
    except IrisFuzzError as error:
        pipe.send(str(error))
    finally:
        rig.stop()


class _Judged:
    """Looks at a target after each case, and ends the process with the defect or the time."""

    def __init__(self, rig: Rig, defect: Planted, seconds: float, pipe: Connection) -> None:
        self._rig = rig
        self._kind = defect.kind
        self._seconds = seconds
        self._pipe = pipe
        self._watchdog = Watchdog(rig)
        self._investigator = Investigator(rig, self._watchdog)
        self._begun = rig.clock.now()

    def look(self) -> bool:
        """Return whether the target is well; it is in any case when this returns."""
        glance = self._watchdog.glance(())
        if glance.alarmed:
            evidence = self._watchdog.settle((), glance.events)
            findings = judge(evidence)
            if any(finding.kind.value == self._kind for finding in findings):
                self.end(found=True)
            self._investigator.heal(evidence)
        if self._rig.clock.now() - self._begun >= self._seconds:
            self.end(found=False)
        return not glance.alarmed

    def end(self, found: bool) -> None:
        """Tell how it went and end the process, whose other threads are boofuzz's."""
        spent = self._rig.clock.now() - self._begun
        self._pipe.send(Time(min(spent, self._seconds) if found else self._seconds, found))
        self._rig.stop()
        os._exit(0)
