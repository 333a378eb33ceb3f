"""A case as it goes over the wire: what is said on each connection, in order, names bound.

Without a play only the clients speak, and what only a server can give a value to (the ids of
groups and messages) stays a token. A play has it all: who wants the replies where they belong
plays :func:`waiting`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, Case, Step, StepKind, Transport, bind
from fuzz.errors import UnplayableError
from fuzz.executor.names import Names
from fuzz.formats.websocket import Pair
from fuzz.observation import ConnectionTrace, Ending, Observation

_HOST = "127.0.0.1"
#: What only a play gives a value to.
_IDS = re.compile(b"|".join(map(re.escape, (GROUP_TOKEN, MSGID_TOKEN))))


class Saying(Enum):
    """What happens on a connection; ``HEARD`` and ``LEFT`` are the server's."""

    OPENED = "opened"
    SENT = "sent"
    HEARD = "heard"
    ENDED = "ended"
    CUT = "cut"
    LEFT = "left"
    THROWN_OUT = "thrown out"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a connection; ``web`` tells that it goes to the WebSocket port.

    ``data`` is on the wire as it is. ``value`` is the edge of what is OPENED, and the milliseconds
    of a pause.
    """

    saying: Saying
    connection: int = 0
    data: bytes = b""
    value: int = 0
    web: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """All of it, with the tokens that stayed as they are."""

    said: tuple[Said, ...]
    unbound: tuple[str, ...] = ()


def refuse_unspeakable(case: Case) -> None:
    """Raise :class:`UnplayableError` for a case that restarts the server: nobody says that."""
    if case.restarts():
        raise UnplayableError("it restarts the server, which nothing on the wire does")


def waiting(case: Case) -> Case:
    """Return ``case`` with a wait for the replies after each thing that is sent."""
    steps: list[Step] = []
    for step in case.steps:
        steps.append(step)
        if step.kind in (StepKind.SEND, StepKind.LOGIN):
            steps.append(Step(StepKind.WAIT, step.connection))
    return Case(tuple(steps))


def spoken(case: Case, names: Names) -> Spoken:
    """Return what the clients of ``case`` say when nobody answers, under fresh ``names``."""
    refuse_unspeakable(case)
    values, made = names.fresh(), dict[bytes, bytes]()

    def bound(step: Step) -> bytes:
        data = bind(step.data, values)
        if step.kind is not StepKind.LOGIN:
            return names.tokens.bind(data, made)
        text = names.tokens.credentials(data) if step.data in values else data
        return b"\x01" + names.tokens.bind(text, made)

    said = tuple(_all_said(case.steps, bound))
    ids = dict.fromkeys(token for one in case.steps for token in _IDS.findall(one.data))
    return Spoken(said, tuple(token.decode() for token in ids))


def _all_said(steps: Sequence[Step], bound: Callable[[Step], bytes]) -> Iterator[Said]:
    """Yield what the steps do; at the end, what is open is ended in the order of opening."""
    framings: dict[int, Pair | None] = {}
    web: dict[int, bool] = {}
    over: set[int] = set()
    for step in steps:
        number = step.connection
        if step.kind is StepKind.PAUSE:
            yield Said(Saying.PAUSED, value=step.value)
            continue
        if step.kind is StepKind.WAIT or number in over:
            continue
        if number not in framings:
            opens = step.kind is StepKind.OPEN
            transport = step.transport if opens else Transport.TCP
            framings[number] = Pair(_HOST) if transport is Transport.WEBSOCKET else None
            web[number] = transport is not Transport.TCP
            edge = step.edge if opens else 0
            yield Said(Saying.OPENED, number, value=edge, web=web[number])
            pair = framings[number]
            if pair is not None:
                yield Said(Saying.SENT, number, pair.request)
        if step.kind in (StepKind.SEND, StepKind.LOGIN):
            data, pair = bound(step), framings[number]
            yield Said(Saying.SENT, number, data if pair is None else pair.said(data))
        elif step.kind is not StepKind.OPEN:
            over.add(number)
            ends = step.kind is StepKind.HALF_CLOSE
            yield Said(Saying.ENDED if ends else Saying.CUT, number)
    for number in framings:
        if number not in over:
            yield Said(Saying.ENDED, number)


def heard(observation: Observation) -> Spoken:
    """Return all that was said in a play, the server's part included.

    A WebSocket session is written anew from its messages. Connections that were never made are
    left out.
    """
    said: list[tuple[tuple[float, int], Said]] = []
    for trace in observation.traces:
        if trace.ending not in (Ending.UNUSED, Ending.REFUSED):
            said += _of_trace(trace)
    said.sort(key=lambda pair: pair[0])
    return Spoken(tuple(one for _, one in said))


def _of_trace(trace: ConnectionTrace) -> Iterator[tuple[tuple[float, int], Said]]:
    """Yield what was said on one connection, each with its place in the play."""
    number = trace.number
    orders = [*(sent.order for sent in trace.sent), *filter(None, (trace.left, *trace.heard))]
    first, last = min(orders, default=0), max(orders, default=0)
    opened = Said(Saying.OPENED, number, value=trace.edge, web=not trace.plain)
    yield (first - 0.5, 0), opened
    pair = Pair(_HOST) if trace.messages else None
    if pair is not None:
        yield (first - 0.5, 1), Said(Saying.SENT, number, pair.request)
        yield (first - 0.5, 2), Said(Saying.HEARD, number, pair.answer)
    for sent in trace.sent:
        data = sent.data if pair is None else pair.said(sent.data)
        yield (sent.order, 0), Said(Saying.SENT, number, data)
    for order, piece in zip(trace.heard, trace.received, strict=True):
        data = piece if pair is None else pair.answered(piece)
        yield (max(order, first), 1), Said(Saying.HEARD, number, data)
    if trace.left is not None:
        cut = trace.ending is Ending.DROPPED
        yield (trace.left, 0), Said(Saying.CUT if cut else Saying.ENDED, number)
    if trace.ending in (Ending.CLOSED, Ending.RESET):
        closed = trace.ending is Ending.CLOSED
        yield (last, 2), Said(Saying.LEFT if closed else Saying.THROWN_OUT, number)
