"""Rigs for tests: a started target under watch, and the judge that a replay uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fuzz.case import Case, StepKind
from fuzz.clock import SystemClock
from fuzz.finding import Cause, Finding
from fuzz.rig import Recovery, Rig
from fuzz.settings import TRANSPORTS, TlsSettings
from fuzz.target import EmbeddedTarget
from fuzz.target.cluster import ClusterTarget
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

#: The cause of what is looked for where any finding will do.
ANY = Cause("")
#: What a case may pause for that is played many times.
LONG_MS = 4_000


class Bench:
    """A rig, and what is said of the cases that are played on it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.recoveries: list[Recovery] = []
        self._watchdog = Watchdog(rig)
        self._judge = Investigator(rig, self._watchdog, lambda _: False, self.recoveries.append)

    def renew(self) -> None:
        """Start the node anew: one whose store is full lets something old go for all that comes."""
        self.rig.recover(fresh_node=True)
        self._watchdog.forget_levels()

    def judge(self, case: Case, cause: Cause = ANY) -> tuple[Finding, ...]:
        """Return the findings of one play, then those of many plays if there are none.

        For a relation, ``cause`` has it asked for in place of the one play. A case that pauses for
        seconds is played once: it waits for a clock, and ten plays would take a minute and a half.
        """
        findings = self._judge.judge_as(case, cause)
        if findings or pauses(case) > LONG_MS:
            return findings
        return self._judge.judge_growth(case)


def pauses(case: Case) -> int:
    """Return for how many milliseconds a case pauses."""
    return sum(step.value for step in case.steps if step.kind is StepKind.PAUSE)


@contextmanager
def bench(
    *plants: str, edges: int = 0, transport: str = "tcp", skew: float = 0.0
) -> Iterator[Bench]:
    """Return a bench whose target has these defects; its nodes end with the context.

    With ``edges`` it is a cluster of so many, whose clocks are off by ``skew`` seconds.
    """
    tls, websocket = TRANSPORTS[transport]
    secure = TlsSettings() if tls else None
    target = (
        ClusterTarget(edges, 0, plants, tls=secure, websocket=websocket, clock_skew=skew)
        if edges
        else EmbeddedTarget(0, plants, tls=secure, websocket=websocket)
    )
    rig = Rig(target, SystemClock())
    rig.start()
    try:
        yield Bench(rig)
    finally:
        rig.stop()
