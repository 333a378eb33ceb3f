"""Passes that make a case smaller in its steps: connections, order, cuts, users, pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from fuzz.case import (
    ALL_USER_TOKENS,
    USER_TOKENS,
    Step,
    StepKind,
    Transport,
    bind,
    connections_of,
    opening,
)
from fuzz.triage.reduce import USER, Reduction, lowest, sift
from grammar import ClientOpcode

#: A pause is told to about this many milliseconds: shorter ones are below the scheduler's noise.
_PAUSE_GRAIN = 10


def drop_connections(reduction: Reduction) -> None:
    """Leave out connections with all that is done on them."""
    steps = reduction.steps
    sift(
        list(connections_of(steps)),
        lambda kept: reduction.offer(
            [s for s in steps if s.connection in kept or s.kind is StepKind.RESTART]
        ),
    )


def join_connections(reduction: Reduction) -> None:
    """Do on one connection what is done on two, with the second login and without it."""
    for first, second in combinations(connections_of(reduction.steps), 2):
        for kinds in (set(StepKind) - {StepKind.OPEN}, {StepKind.SEND}):
            moved = [
                replace(step, connection=first) if step.connection == second else step
                for step in reduction.steps
                if step.connection != second or step.kind in kinds or step.kind is StepKind.RESTART
            ]
            if reduction.offer(moved):
                return


def drop_steps(reduction: Reduction) -> None:
    """Leave out steps."""
    steps = reduction.steps
    sift(range(len(steps)), lambda kept: reduction.offer([steps[index] for index in kept]))


def join_segments(reduction: Reduction) -> None:
    """Send in one segment what is sent in two that follow one another on a connection."""
    index = 0
    while index < len(reduction.steps):
        if not any(map(reduction.offer, list(_joined(reduction.steps, index)))):
            index += 1


def gather_segments(reduction: Reduction) -> None:
    """Send in one segment what is sent in two of different connections, where either was sent.

    Then one of the two may have nothing more to do.
    """
    index = 0
    while index < len(reduction.steps):
        if not any(map(reduction.offer, list(_gathered(reduction.steps, index)))):
            index += 1


def login_steps(reduction: Reduction) -> None:
    """Log in by a step where a segment of the case does so."""
    for index, step in enumerate(reduction.steps):
        if step.kind is StepKind.SEND and step.data[:1] == bytes([ClientOpcode.LOGIN]):
            login = Step(StepKind.LOGIN, step.connection, step.data[1:])
            reduction.offer_at(index, login)


def fewer_users(reduction: Reduction) -> None:
    """Do as one user what is done as two, and name those that are left A, B, C."""
    for earlier, later in combinations(_users(reduction.steps), 2):
        if later in _users(reduction.steps):
            _rename(reduction, {later: earlier})
    used = _users(reduction.steps)
    _rename(reduction, dict(zip(used, ALL_USER_TOKENS, strict=False)))
    for user in _users(reduction.steps):
        free = [token for token in USER_TOKENS if token not in _users(reduction.steps)]
        if free:
            _rename(reduction, {user: free[0]})


def shorten_pauses(reduction: Reduction) -> None:
    """Pause for as short as will do: each play that comes after takes as much less."""
    for index, step in enumerate(reduction.steps):
        if step.kind is StepKind.PAUSE:
            lowest(0, step.value // _PAUSE_GRAIN, _pausing(reduction, index, step))


def plain_ways(reduction: Reduction) -> None:
    """Connect to the first edge, and over the plainest transport."""
    for index, step in enumerate(reduction.steps):
        if step.kind is StepKind.OPEN:
            for value in _plainer(step):
                if reduction.offer_at(index, replace(step, value=value)):
                    break


def renumber(reduction: Reduction) -> None:
    """Number the connections from zero in the order of their first use."""
    numbers = {old: new for new, old in enumerate(connections_of(reduction.steps))}
    reduction.offer([replace(s, connection=numbers.get(s.connection, 0)) for s in reduction.steps])


def _plainer(step: Step) -> Iterator[int]:
    """Yield the values of an OPEN step that ask for less, those that ask for the least first."""
    plainer = tuple(transport for transport in Transport if transport < step.transport)
    for edge in range(step.edge + 1):
        here = plainer if edge == step.edge else (*plainer, step.transport)
        yield from (opening(step.connection, transport, edge).value for transport in here)


def _joined(steps: Sequence[Step], index: int) -> Iterator[list[Step]]:
    """Yield ``steps`` with the segment at ``index`` joined to the next of its connection.

    Where something happens on another connection in between: once before it, once after.
    """
    first = steps[index]
    behind = range(index + 1, len(steps))
    after = next((at for at in behind if steps[at].connection == first.connection), None)
    if after is None or not first.kind is steps[after].kind is StepKind.SEND:
        return
    joined = replace(first, data=first.data + steps[after].data)
    between, rest = steps[index + 1 : after], steps[after + 1 :]
    yield [*steps[:index], joined, *between, *rest]
    if between:
        yield [*steps[:index], *between, joined, *rest]


def _gathered(steps: Sequence[Step], index: int) -> Iterator[list[Step]]:
    """Yield ``steps`` with the segment at ``index`` joined to a later one of another connection."""
    first = steps[index]
    for after in range(index + 1, len(steps)):
        second = steps[after]
        if not first.kind is second.kind is StepKind.SEND or first.connection == second.connection:
            continue
        data, between, rest = first.data + second.data, steps[index + 1 : after], steps[after + 1 :]
        yield [*steps[:index], replace(first, data=data), *between, *rest]
        yield [*steps[:index], *between, replace(second, data=data), *rest]


def _pausing(reduction: Reduction, index: int, step: Step) -> Callable[[int], bool]:
    def holds(grains: int) -> bool:
        return reduction.offer_at(index, replace(step, value=grains * _PAUSE_GRAIN))

    return holds


def _rename(reduction: Reduction, names: dict[bytes, bytes]) -> bool:
    return reduction.offer([replace(step, data=bind(step.data, names)) for step in reduction.steps])


def _users(steps: Sequence[Step]) -> list[bytes]:
    """Return the user tokens of ``steps`` in order of first appearance."""
    return list(dict.fromkeys(user for step in steps for user in USER.findall(step.data)))
