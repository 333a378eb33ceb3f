"""Making a check in a test: on a target of its own, with defects or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from fuzz.checks import Check, Ground, Trial
from fuzz.clock import Deadline, SystemClock
from fuzz.rig import Rig
from fuzz.target import EmbeddedTarget
from fuzz.target.cluster import ClusterTarget

#: A check without an end of its own ends then; none of those in use here is.
_SECONDS = 120.0


@contextmanager
def trials_of(
    check: Check, *plants: str, edges: int = 0, skew: float = 0.0
) -> Iterator[Iterator[Trial]]:
    """Yield the trials of ``check`` as it makes them; its nodes end with the context.

    With ``edges`` it is made on a cluster, whose clocks are off by ``skew`` seconds.
    """
    clock = SystemClock()
    options = {"auth_enabled": "true"} if check.auth else {}
    target = (
        ClusterTarget(edges, 0, plants, options, clock_skew=skew)
        if edges
        else EmbeddedTarget(0, plants, options)
    )
    rig = Rig(target, clock)
    rig.start()
    try:
        yield check.run(Ground(rig, Deadline.after(clock, _SECONDS, "the check"), Random(1)))
    finally:
        rig.stop()


def asked(check: Check) -> list[Trial]:
    """Return all trials on a clean target."""
    with trials_of(check) as trials:
        return list(trials)


def reasons(check: Check, plant: str, last: tuple[str, str]) -> set[tuple[str, str]]:
    """Return cause and reason of what is found with a defect, until ``last`` is among them."""
    found: set[tuple[str, str]] = set()
    with trials_of(check, plant) as trials:
        for trial in trials:
            found |= {(one.cause.what, one.cause.reason) for one in trial.findings}
            if last in found:
                break
    return found
