"""What makes a play suspect, and a finding doubtful, before it is known whose fault it was."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.case import Case, StepKind
from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Finding, Kind
from fuzz.observation import Ending, Observation

#: From the worst way to end: nothing came, all was cut, nobody was let in.
_WORST = (Ending.DEADLINE, Ending.RESET, Ending.REFUSED)

#: Kinds that rest on a count or on a wait, and so must be seen twice.
SEEN_TWICE = frozenset({Kind.HANG, Kind.LEAK, Kind.COST})
#: Kinds after which the target is brought back.
RESTARTS = frozenset({Kind.NODE_DOWN, Kind.APP_DOWN})
#: Plays on a fresh node that tell how surely a case shows its finding: a defect that depends on
#: one bit of chance passes for sure in one of eight, and the search goes on for those told apart.
_CONFIRMATIONS = 3
#: The same where each play takes seconds of waiting, or a restart, or ten plays.
_COSTLY_CONFIRMATIONS = 2


def confirmations(kind: Kind) -> int:
    """Return how many plays on a fresh node tell how surely a case shows a finding of ``kind``."""
    return _COSTLY_CONFIRMATIONS if kind in SEEN_TWICE | RESTARTS else _CONFIRMATIONS


def is_doubtful(finding: Finding) -> bool:
    """Tell whether ``finding`` may come of something else than the case that was played.

    What grows, and what takes long, may be what earlier cases have left. A node that has served
    a million cases may be full: what comes in then pushes out something else, one table grows at
    the expense of another, and who logs in gets what thousands have sent. A hang in which no
    process was seen stuck is a wait that took too long, and a busy machine makes those too.
    """
    if finding.kind is Kind.HANG:
        return not finding.cause.origin
    return finding.kind in (Kind.LEAK, Kind.COST)


def is_silent(observation: Observation) -> bool:
    """Tell whether something did not come in time on a connection of the play."""
    return Ending.DEADLINE in observation.endings()


def what_ails(evidence: Evidence) -> str:
    """Return why a target is brought back after ``evidence``, the end of a sentence."""
    ailments = (
        (evidence.node_exit is not None, "it had ended"),
        (evidence.node_silent, "it answered nobody"),
        (evidence.node_restarted, "it had restarted itself"),
        (bool(evidence.applications_lost), "an application had stopped"),
        (evidence.pulse not in (None, Pulse.WELL), "new clients were not served"),
        (bool(evidence.bystanders_cut), "clients that did nothing were cut off"),
        (bool(evidence.suspects), "a process was stuck"),
    )
    return next((what for ails, what in ailments if ails), "an answer did not come in time")


def answered_in(case: Case, observation: Observation) -> float:
    """Return how long a play of ``case`` waited for answers, in seconds: its pauses are its own."""
    paused = sum(step.value for step in case.steps if step.kind is StepKind.PAUSE)
    return max(0.0, observation.seconds - paused / 1000)


def most_suspicious_first(
    batch: Sequence[Case], observations: Sequence[Observation]
) -> list[tuple[Case, Observation]]:
    """Order cases by how badly they ended: silent ones first, then those cut off."""

    def rank(pair: tuple[Case, Observation]) -> int:
        endings = pair[1].endings()
        return min((n for n, ending in enumerate(_WORST) if ending in endings), default=len(_WORST))

    return sorted(zip(batch, observations, strict=True), key=rank)
