"""Slices on a Dask cluster: handed out, played again where a worker died, counted once.

The scheduler gives the slice of a worker that died to another; what that one pushed is there for
the others, and only what it reached or found after its last push is lost. A slice whose campaign
fails is tried again, perhaps elsewhere. What counts is the one result of each slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distributed import Client, Future, wait

from fuzz.clock import Clock
from fuzz.errors import SettingsError, TargetError
from fuzz.swarm.slices import Played, Slice, play

#: Seconds for a scheduler on the network to answer.
_CONNECT_SECONDS = 10.0
#: A campaign that fails is tried so often again: a machine may be short of something.
_RETRIES = 2
#: Between two looks at whether there are workers.
_LOOK_SECONDS = 2.0
#: Workers that are restarted (by a nanny, a batch system, a person) are back by then.
_IDLE_SECONDS = 120.0


def play_all(
    scheduler: str,
    slices: Sequence[Slice],
    at_once: int,
    clock: Clock,
    done: Callable[[Played], None],
    failed: Callable[[Slice, str], None],
) -> None:
    """Play ``slices``, so many ``at_once``; ``done`` and ``failed`` hear of each.

    Raises :class:`SettingsError` if no scheduler answers, and :class:`TargetError` if the cluster
    has no worker for two minutes.
    """
    try:
        client = Client(scheduler, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"no Dask scheduler answers at {scheduler} ({type(error).__name__}): start one with "
            "`dask scheduler`, and workers with `dask worker`"
        ) from None
    with client:
        _Round(client, slices, at_once, clock).play(done, failed)


class _Round:
    """One swarm on a cluster that is connected."""

    def __init__(self, client: Client, slices: Sequence[Slice], at_once: int, clock: Clock) -> None:
        self._client = client
        self._waiting = list(reversed(slices))
        self._at_once = at_once
        self._clock = clock
        self._running: dict[Future, Slice] = {}
        self._seen_worker = clock.now()

    def play(self, done: Callable[[Played], None], failed: Callable[[Slice, str], None]) -> None:
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._at_once:
                one = self._waiting.pop()
                future = self._client.submit(play, one, pure=False, retries=_RETRIES)
                self._running[future] = one
            for future in self._finished():
                one = self._running.pop(future)
                if future.status == "finished":
                    done(future.result())
                else:
                    failed(one, str(future.exception()) or future.status)

    def _finished(self) -> list[Future]:
        """Wait until one has ended; return those that have."""
        try:
            ended = wait(list(self._running), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            self._look_for_workers()
            return []
        return list(ended.done)

    def _look_for_workers(self) -> None:
        now = self._clock.now()
        if self._client.nthreads():
            self._seen_worker = now
        elif now - self._seen_worker > _IDLE_SECONDS:
            raise TargetError(
                f"the cluster has had no worker for {_IDLE_SECONDS:.0f} seconds: start some with "
                "`dask worker`; what was pushed is kept"
            )
