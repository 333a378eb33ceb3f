"""The bare loop: what a script would do, as fast as plain sockets do it.

Connect, LOGIN, wait for the reply, send one frame, half-close, read to the end of the stream; one
after another. No mutation, no coverage, no oracle. The frames are those that the judged cases
start from, and each login is a new user, since a server keeps more for one who comes again.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from fuzz.errors import TargetError
from fuzz.target import EmbeddedTarget
from grammar import ClientOpcode

#: Each step on a socket takes well below a millisecond, or the server has gone.
STEP_SECONDS = 10.0
_CHUNK = 4096


def play_one(address: tuple[str, int], user: bytes, frame: bytes) -> None:
    """Play one connection; raise :class:`TargetError` naming the step that was waited for."""
    waited_for = "a connection"
    try:
        with socket.create_connection(address, STEP_SECONDS) as client:
            client.settimeout(STEP_SECONDS)
            waited_for = "the reply to LOGIN"
            client.sendall(bytes([ClientOpcode.LOGIN]) + user)
            if not client.recv(_CHUNK):
                raise TargetError("the bare loop was cut off before the reply to LOGIN")
            waited_for = "the end of the stream after half-close"
            client.sendall(frame)
            client.shutdown(socket.SHUT_WR)
            while client.recv(_CHUNK):
                pass
    except OSError as error:
        why = f"waited {STEP_SECONDS:.0f} s" if isinstance(error, TimeoutError) else str(error)
        raise TargetError(f"the bare loop did not get {waited_for}: {why}") from None


@dataclass(frozen=True, slots=True)
class Slice:
    """So many ``rounds`` of the loop in so many ``seconds``.

    ``node`` are the processor seconds of the node meanwhile, 0 of one that is not ours.
    """

    rounds: int
    seconds: float
    node: float = 0.0

    @property
    def rate(self) -> float:
        """Return rounds a second."""
        return self.rounds / self.seconds


class BareLoop:
    """A target of its own that nobody looks into, and the loop that is played on it.

    ``frames`` are sent in turn.
    """

    def __init__(self, frames: Sequence[bytes], address: tuple[str, int] | None = None) -> None:
        self._frames = itertools.cycle(frames)
        self._users = itertools.count()
        self._address = address
        self._target: EmbeddedTarget | None = None

    def run(self, seconds: float) -> Slice:
        """Run the loop for ``seconds``, one round at least."""
        address = self._address or self._start()
        computed = self._computed()
        played, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds or not played:
            play_one(address, b"bare%d" % next(self._users), next(self._frames))
            played += 1
        return Slice(played, spent, self._computed() - computed)

    def close(self) -> None:
        """End the target."""
        if self._target is not None:
            self._target.stop()
            self._target = None

    def _computed(self) -> float:
        """Return the processor seconds that the node has taken by now."""
        nodes = () if self._target is None else self._target.nodes()
        times = [psutil.Process(node).cpu_times() for node in nodes]
        return sum(one.user + one.system for one in times)

    def _start(self) -> tuple[str, int]:
        self._target = EmbeddedTarget(0)
        started = self._target.start({})
        self._address = started.host, started.port
        return self._address
