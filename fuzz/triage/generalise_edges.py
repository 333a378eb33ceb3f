"""Whether it matters, in a cluster, which edges the clients of a case are on."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.case import Case, Step, StepKind, opening
from fuzz.generate.edges import spread
from fuzz.triage.generalise_survey import Survey
from fuzz.triage.pattern import Part, Place
from fuzz.triage.pattern_frames import edges_of

_ALIKE = "on one edge or on two alike"


def edges(survey: Survey, parts: list[Part], known: int) -> int | None:
    """Say whether the edges matter, of which the target has ``known``.

    Returns on how many a case must be, as :attr:`fuzz.triage.pattern.Pattern.edges` has it.
    """
    used, several = edges_of(survey.case), len(survey.case.connections()) > 1
    if known < 2 or (used == {0} and not several):
        return None
    tally = survey.tally()
    if tally.shows(spread(survey.case, 2 if used == {0} else 1)):
        parts.append(tally.part(_ALIKE if several else "on the first edge alike"))
        return None
    if len(used) == 1:
        words, place = "seen on one edge only", Place.NOTE
    elif tally.shows(Case(tuple(_turned(survey.case, known)))):
        words, place = "only when the clients are on different edges", Place.CONTEXT
    else:
        words, place = "seen with the clients on these edges only", Place.NOTE
    if survey.exhausted:
        words, place = "edges", Place.SETTING
    parts.append(tally.part(words, place))
    return len(used)


def _turned(case: Case, known: int) -> Iterator[Step]:
    """Yield the steps with each client on the next edge, the last one's on the first."""
    connected = set[int]()
    for step in case.steps:
        if step.kind is StepKind.OPEN:
            yield opening(step.connection, step.transport, (step.edge + 1) % known)
        else:
            if step.kind is not StepKind.RESTART and step.connection not in connected:
                yield opening(step.connection, edge=1)
            yield step
        connected.add(step.connection)
