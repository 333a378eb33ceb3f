"""What a check is, and the ground that it stands on.

A campaign comes across what a server does wrong; a check asks for it, on purpose. It makes up
cases, plays each once with all patience, and the oracles judge it as they judge any other. So
what a check finds is a case like any other, to be replayed, triaged and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz.case import Case
from fuzz.clock import Deadline
from fuzz.finding import Finding, Kind
from fuzz.rig import Rig
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Trial:
    """One question to the server: its name, the case that asks it, and what was wrong."""

    name: str
    case: Case
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Ground:
    """What a check works with: a rig that is started, the time that it has, and its chance.

    A check that has no end of its own ends with ``deadline``. ``random`` is the only source of
    what it leaves to chance. ``golden`` is the folder of golden cases.
    """

    rig: Rig
    deadline: Deadline
    random: Random
    golden: Path = Path("corpus/golden")
    _judge: Investigator = field(init=False)

    def __post_init__(self) -> None:
        self._judge = Investigator(self.rig, Watchdog(self.rig))

    def ask(self, name: str, case: Case) -> Trial:
        """Play ``case`` on a target that is well, and judge what it does.

        A hang rests on a wait and must be seen twice. What a case costs is left to campaigns: it
        takes a fresh node to tell that from what the node does for earlier cases.

        Raises :class:`fuzz.errors.TargetError` where an earlier case took the target down and
        it is not ours to bring back.
        """
        if self._judge.lost is not None:
            raise self._judge.lost
        findings = [f for f in self._judge.judge_alone(case) if f.kind is not Kind.COST]
        if any(finding.kind is Kind.HANG for finding in findings):
            again = {finding.fingerprint for finding in self._judge.judge_alone(case)}
            findings = [f for f in findings if f.kind is not Kind.HANG or f.fingerprint in again]
        return Trial(name, case, tuple(findings))


@dataclass(frozen=True, slots=True)
class Check:
    """A check: ``run`` yields its trials one by one, as they are made.

    ``summary`` says in a few words what it asks. ``auth`` tells that LOGIN must need a token,
    signed with a secret that is known.
    """

    name: str
    summary: str
    run: Callable[[Ground], Iterator[Trial]]
    auth: bool = False
