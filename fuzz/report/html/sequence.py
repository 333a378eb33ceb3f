"""The sequence diagram of a case: who sends what to whom, in which order, and what is owed.

A case holds what clients send. What a correct server answers is known from the protocol alone, so
an answer is drawn as one that is owed, and never as one that came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fuzz.case import Case, Step, StepKind
from fuzz.describe import describe_step, own_framing
from fuzz.report.html.model import Diagram, Lifeline, Stroke
from fuzz.triage.pattern_frames import Seen, frames_of
from grammar.dialogue import State, always_answered, expected_replies
from grammar.frames import ServerFrame
from grammar.layout import BARE_PLANS, PLANS, measure
from grammar.opcodes import ClientOpcode, Direction

#: Steps and clients that are drawn: more is a picture that nobody follows; the list has them all.
MAX_STROKES = 40
MAX_CLIENTS = 8
#: Answers that are drawn behind one segment, which may hold a thousand questions.
_MAX_OWED = 2

# In units of the picture, which are pixels at its own size.
_LEFT, _TOP, _ROW = 46, 44, 34
_CLIENT_GAP, _SERVER_GAP, _EDGE_GAP = 92, 440, 92
#: Width of a character of the labels, which are set in a font of one width.
_CHARACTER = 6.7

_REPLY_NAMES: Mapping[type[ServerFrame], str] = {
    plan.frame: plan.name
    for plan in (*PLANS[Direction.SERVER].values(), *BARE_PLANS.values())
    if issubclass(plan.frame, ServerFrame)
}
_OPCODES = {int(opcode): opcode for opcode in ClientOpcode}
_KINDS = {
    StepKind.OPEN: "open",
    StepKind.LOGIN: "login",
    StepKind.SEND: "send",
    StepKind.WAIT: "wait",
    StepKind.HALF_CLOSE: "half-close",
    StepKind.RESET: "reset",
    StepKind.PAUSE: "pause",
    StepKind.RESTART: "restart",
}
#: What goes from a client to the server; all others are marks on the line of the client.
_ARROWS = frozenset({"open", "login", "send", "half-close", "reset"})


def diagram_of(case: Case, outcome: str) -> Diagram:
    """Return the diagram of ``case``; ``outcome`` is what was wrong in the end."""
    clients = case.connections()[:MAX_CLIENTS]
    stage = _stage(case, clients)
    owed = _owed(case)
    strokes: list[Stroke] = []
    drawn = 0
    for number, step in enumerate(case.steps):
        if drawn >= MAX_STROKES:
            break
        if step.kind is not StepKind.RESTART and step.connection not in stage.clients:
            continue
        drawn += 1
        strokes.append(stage.stroke(len(strokes), number, step))
        strokes += (
            stage.answer(len(strokes) + more, number, step, text)
            for more, text in enumerate(owed.get(number, ())[:_MAX_OWED])
        )
    end = max(stage.servers)
    room = int((end - _LEFT) / _CHARACTER)
    strokes.append(
        Stroke(_y(len(strokes)), "outcome", _LEFT, end, _shortened(outcome, room), len(case.steps))
    )
    return Diagram(
        width=end + _LEFT,
        height=_y(len(strokes)) + 4,
        lifelines=stage.lifelines(),
        strokes=tuple(strokes),
        title=f"Sequence diagram: {outcome}",
        summary=f"{len(case.steps)} steps of {len(case.connections())} clients, one below the "
        "other; the list of steps tells the same in words.",
        cut=_cut(case, drawn, clients),
        owed=any(stroke.kind == "owed" for stroke in strokes),
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the parties stand: x of each client, and of each edge in their order."""

    clients: Mapping[int, int]
    servers: tuple[int, ...]
    edges: Mapping[int, int]

    def lifelines(self) -> tuple[Lifeline, ...]:
        clients = (Lifeline(x, f"client {number}") for number, x in self.clients.items())
        several = len(self.servers) > 1
        servers = (
            Lifeline(x, f"edge {number}" if several else "server")
            for number, x in enumerate(self.servers, 1)
        )
        return (*clients, *servers)

    def server_of(self, connection: int) -> int:
        return self.servers[self.edges.get(connection, 0)]

    def stroke(self, row: int, number: int, step: Step) -> Stroke:
        kind = _KINDS[step.kind]
        if step.kind is StepKind.RESTART:
            start = end = self.servers[0]
        else:
            start = self.clients[step.connection]
            end = self.server_of(step.connection) if kind in _ARROWS else start
        text = describe_step(step)
        if step.kind is StepKind.SEND:
            text = text.removeprefix("send ")
        room = int((max(self.server_of(step.connection), end) - start - 16) / _CHARACTER)
        return Stroke(_y(row), kind, start, end, _shortened(text, max(room, 12)), number + 1)

    def answer(self, row: int, number: int, step: Step, text: str) -> Stroke:
        start, end = self.server_of(step.connection), self.clients[step.connection]
        return Stroke(_y(row), "owed", start, end, text, number + 1)


def _stage(case: Case, clients: tuple[int, ...]) -> _Stage:
    places = {number: _LEFT + _CLIENT_GAP * nth for nth, number in enumerate(clients)}
    first = max(places.values(), default=_LEFT) + _SERVER_GAP
    servers = tuple(first + _EDGE_GAP * nth for nth in range(case.edges()))
    edges: dict[int, int] = {}
    for step in case.steps:
        if step.kind is StepKind.OPEN:
            edges.setdefault(step.connection, step.edge)
    return _Stage(places, servers, edges)


def _owed(case: Case) -> dict[int, list[str]]:
    """Return what is owed behind each step, by its number from 0."""
    framed = own_framing(case)
    owed: dict[int, list[str]] = {}
    logged_in: set[int] = set()
    for number, step in enumerate(case.steps):
        if step.kind is StepKind.LOGIN and step.connection not in logged_in:
            logged_in.add(step.connection)
            owed.setdefault(number, []).append(_answers(ClientOpcode.LOGIN, State.CONNECTED))
    for seen in frames_of(case):
        if seen.connection in framed or seen.unknown or not _is_whole(seen):
            continue
        state = State.CONNECTED if seen.user is None else State.LOGGED_IN
        opcode = _OPCODES[seen.opcode]
        if always_answered(opcode, state):
            owed.setdefault(seen.pieces[-1][0], []).append(_answers(opcode, state))
    return owed


def _is_whole(seen: Seen) -> bool:
    return measure(PLANS[Direction.CLIENT][seen.opcode], seen.data, 0)[1] is None


def _answers(opcode: ClientOpcode, state: State) -> str:
    success = expected_replies(opcode, state)[0]
    return f"{_REPLY_NAMES.get(success, success.__name__)} or a refusal"


def _cut(case: Case, drawn: int, clients: tuple[int, ...]) -> str:
    left = len(case.steps) - drawn
    if not left:
        return ""
    others = len(case.connections()) - len(clients)
    whose = f", those of {others} further clients among them," if others else ""
    return f"{left} of {len(case.steps)} steps{whose} are not drawn"


def _y(row: int) -> int:
    return _TOP + _ROW * (row + 1)


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 3, 1)] + "..."
