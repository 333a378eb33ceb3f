"""Operations on where clients connect: in a cluster, to different edges.

What users say to one another on one edge does not leave its node. On two, it goes through the core
and over the distribution, where other code carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from fuzz.case import Case, Step, StepKind, Transport, decode_case, encode_case, opening
from fuzz.errors import CaseFileError
from fuzz.generate.draft import MAX_STEPS, Draft, Operation

#: Of the clients that come, those that take turns with the edges; the others go anywhere.
_IN_TURN = 0.8


def arrival(draft: Draft, connection: int) -> tuple[Step, ...]:
    """Return what a new client of ``connection`` does before its login: nothing, on one edge."""
    if draft.edges < 2:
        return ()
    in_turn = draft.chance(_IN_TURN)
    edge = connection % draft.edges if in_turn else draft.below(draft.edges)
    return (opening(connection, edge=edge),) if edge else ()


def spread(case: Case, edges: int) -> Case:
    """Return ``case`` with its connections on ``edges`` edges in turn."""
    return Case(tuple(_spread(case.steps, edges)), case.raw, case.expects)


def spread_seeds(seeds: Iterable[bytes], edges: int) -> Iterator[bytes]:
    """Yield the seeds of several clients once more, with the clients on different edges.

    What is no case is passed over; on one edge there are none.
    """
    for data in seeds if edges > 1 else ():
        with suppress(CaseFileError):
            case = decode_case(data)
            if len(case.connections()) > 1:
                yield encode_case(spread(case, edges))


def other_edge(draft: Draft) -> bool:
    """Let one connection go to another edge."""
    connection = draft.pick(draft.connections())
    return _move(draft, connection, draft.below(draft.edges))


def spread_out(draft: Draft) -> bool:
    """Let all connections take turns with the edges."""
    steps = list(_spread(draft.steps, draft.edges))
    if steps == draft.steps or len(steps) > MAX_STEPS:
        return False
    draft.steps[:] = steps
    return True


def _spread(steps: Iterable[Step], edges: int) -> Iterator[Step]:
    known: dict[int, int] = {}
    for step in steps:
        if step.kind is StepKind.RESTART:  # it is on no connection
            yield step
            continue
        new = step.connection not in known
        edge = known.setdefault(step.connection, len(known) % edges)
        if step.kind is StepKind.OPEN:
            yield opening(step.connection, step.transport, edge)
            continue
        if new and edge:
            yield opening(step.connection, edge=edge)
        yield step


def _move(draft: Draft, connection: int, edge: int) -> bool:
    """Connect to ``edge``; tell whether that is another one."""
    at = next((i for i, s in enumerate(draft.steps) if s.connection == connection), None)
    if at is None:
        return False
    first = draft.steps[at]
    is_open = first.kind is StepKind.OPEN
    if edge == (first.edge if is_open else 0):
        return False
    opened = opening(connection, first.transport if is_open else Transport.TCP, edge)
    if is_open:
        draft.steps[at] = opened
        return True
    return draft.insert(at, opened)


#: For targets with several edges only: one in eight or so.
OPERATIONS = (Operation("edge", 80, other_edge), Operation("edges-in-turn", 40, spread_out))
