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
from fuzz.evidence import Evidence
from fuzz.finding import Cause, Finding, Kind
from fuzz.rig import Rig
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

#: Clients of a crowd, unless another number is asked for: what breaks only under thousands shows
#: with them, and the limits of a usual machine have room for so many.
CLIENTS = 10_000
#: The repository's own golden cases: where an editable installation keeps them.
SHIPPED_GOLDEN = Path(__file__).resolve().parents[2] / "corpus" / "golden"
#: The cause of what is looked for where any finding will do.
_ANY = Cause("")


@dataclass(frozen=True, slots=True)
class Trial:
    """One question to the server: its name, the case that asks it, and what was wrong.

    ``note`` is what there is to tell of it in any case, empty as a rule.
    """

    name: str
    case: Case
    findings: tuple[Finding, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person sets for all checks: ``seconds`` for each, ``seed`` for what is left to chance.

    ``clients`` is how many come at once where it takes a crowd, ``golden`` the folder of golden
    cases.
    """

    seconds: float
    seed: int
    clients: int = CLIENTS
    golden: Path = SHIPPED_GOLDEN


@dataclass(slots=True)
class Ground:
    """What a check works with: a rig that is started, the time that it has, and its chance.

    A check that has no end of its own ends with ``deadline``. ``random`` is the only source of
    what it leaves to chance. ``clients`` and ``golden`` are as in :class:`Terms`.
    """

    rig: Rig
    deadline: Deadline
    random: Random
    clients: int = CLIENTS
    golden: Path = SHIPPED_GOLDEN
    watchdog: Watchdog = field(init=False)
    _judge: Investigator = field(init=False)

    def __post_init__(self) -> None:
        self.watchdog = Watchdog(self.rig)
        self._judge = Investigator(self.rig, self.watchdog)

    def ask(self, name: str, case: Case, cause: Cause = _ANY) -> Trial:
        """Play ``case`` on a target that is well, and judge what it does.

        A hang rests on a wait and must be seen twice. What a case costs is left to campaigns: it
        takes a fresh node to tell that from what the node does for earlier cases.

        ``cause`` tells what it takes to see it, if that is more than one play: the variants of a
        relation.

        Raises :class:`fuzz.errors.TargetError` where an earlier case took the target down and
        it is not ours to bring back.
        """
        self._be_there()
        findings = [f for f in self._judge.judge_as(case, cause) if f.kind is not Kind.COST]
        if any(finding.kind is Kind.HANG for finding in findings):
            again = {finding.fingerprint for finding in self._judge.judge_as(case, cause)}
            findings = [f for f in findings if f.kind is not Kind.HANG or f.fingerprint in again]
        return Trial(name, case, tuple(findings))

    def weigh(self, name: str, case: Case, evidence: Evidence) -> Trial:
        """Judge what was seen of what no case shows; ``case`` is what comes nearest to it."""
        self._be_there()
        return Trial(name, case, self._judge.weigh(evidence))

    def _be_there(self) -> None:
        if self._judge.lost is not None:
            raise self._judge.lost


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


def ground_of(check: Check, rig: Rig, terms: Terms) -> Ground:
    """Return the ground on which ``check`` is made."""
    deadline = Deadline.after(rig.clock, terms.seconds, f"the end of the check {check.name}")
    chance = Random(f"{terms.seed} {check.name}")
    return Ground(rig, deadline, chance, terms.clients, terms.golden)
