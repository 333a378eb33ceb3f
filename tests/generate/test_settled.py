"""Which dialogues are settled, and what is known of one that is; and what is asked behind it."""

from __future__ import annotations

import pytest

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.generate.probes import PROBER, probes, reserved
from fuzz.generate.seeds import SEEDS
from fuzz.generate.settled import Settled, settled
from grammar import (
    Ack,
    BatchSend,
    Direction,
    FetchPrekeys,
    GetStatus,
    GroupCreate,
    GroupRoster,
    SenderKeyDist,
    SendMessage,
    TypingStart,
    decode,
    encode,
)
from tests.generate.support import login, send

A, B, C = USER_TOKENS[:3]
WAIT = Step(StepKind.WAIT)
TYPING = encode(TypingStart(B))
GROUP, ROSTER = encode(GroupCreate(b"g")), encode(GroupRoster(GROUP_TOKEN))


def end(connection: int = 0) -> Step:
    return Step(StepKind.HALF_CLOSE, connection)


def websocket(connection: int = 0, transport: Transport = Transport.WEBSOCKET) -> Step:
    return Step(StepKind.OPEN, connection, value=int(transport))


def known(*steps: Step) -> Settled:
    found = settled(Case(steps))
    assert found is not None
    return found


SETTLED = {
    "one who says something": (login(), send(TYPING)),
    "a frame that is cut": (login(), send(TYPING[:2]), send(TYPING[2:])),
    "a status before login": (send(encode(GetStatus(A))), login()),
    "one after the other": (login(), end(), login(A, 1)),
    "an id that was waited for": (login(), WAIT, send(encode(Ack(MSGID_TOKEN)))),
    "a group": (login(), send(GROUP), WAIT, send(ROSTER)),
    "a WebSocket": (websocket(), login(), send(TYPING)),
    "what is refused": (login(), send(encode(TypingStart(b"")))),
}  # fmt: skip

OPEN = {
    "a reset": (login(), Step(StepKind.RESET)),
    "a pause": (login(), Step(StepKind.PAUSE, value=1)),
    "nobody who logs in": (send(encode(GetStatus(A))),),
    "two logins on one connection": (login(), login(B)),
    "one user twice": (login(), login(A, 1)),
    "a login as a frame": (login(), send(b"\x01" + B, 1)),
    "a token": (login(A + b":<jwt:good:" + A + b">"),),
    "a user of nobody's": (login(b"<user:p>"),),
    "one of nobody's who is named": (login(), send(encode(TypingStart(PROBER)))),
    "an effect before login": (send(TYPING, 1), login()),
    "half a frame": (login(), send(TYPING[:-1])),
    "half a frame, and gone": (login(), send(TYPING[:-1]), end()),
    "a word behind the end": (login(), end(), send(TYPING)),
    "an unknown opcode": (login(), send(b"\x99")),
    "an opcode of the server's": (login(), send(b"\x75")),
    "bytes that are near the buffer": (login(), send(encode(SendMessage(B, bytes(40_000))))),
    "messages that are near the limit": (login(), send(encode(BatchSend(B, (b"",) * 101)))),
    "an id that was not waited for": (login(), send(encode(Ack(MSGID_TOKEN)))),
    "an id behind other bytes": (
        login(),
        WAIT,
        send(encode(SendMessage(B, b"\x03" + MSGID_TOKEN))),
    ),
    "an id among other bytes": (login(), WAIT, send(encode(SendMessage(B, b"in " + GROUP_TOKEN)))),
    "two messages in one of a WebSocket": (websocket(), login(), send(TYPING * 2)),
    "a framing of its own": (websocket(transport=Transport.WEBSOCKET_RAW), login()),
    "more steps than are worth it": (login(), *[WAIT] * 48),
    "more connections than are worth it": tuple(login(USER_TOKENS[n % 8], n) for n in range(9)),
}


@pytest.mark.parametrize("name", SETTLED)
def test_a_settled_dialogue_is_known(name: str) -> None:
    assert settled(Case(SETTLED[name])) is not None


@pytest.mark.parametrize("name", OPEN)
def test_what_is_up_to_the_server_or_to_timing_is_not_settled(name: str) -> None:
    assert settled(Case(OPEN[name])) is None


def test_most_of_the_correct_use_in_the_seeds_is_settled() -> None:
    known = {name for name, case in SEEDS.items() if settled(case) is not None}
    assert {name for name in SEEDS if name.startswith("op-")} - known == {"op-01-login"}
    assert known >= {"dialogue-group-chat", "dialogue-e2ee", "dialogue-websocket"}


def test_it_is_told_who_is_idle_when() -> None:
    found = known(login(), send(TYPING[:2]), login(B, 1), send(TYPING[2:]), end(1))
    idle = [set(places) for places in found.idle]
    assert idle == [set(), {0}, set(), {1}, {0, 1}, {0}]
    assert (found.users, found.lines, found.left) == ((A, B), ((0, A), (1, B)), {1})


def test_it_is_told_what_a_dialogue_speaks_of() -> None:
    plain = known(login(), send(TYPING))
    assert (plain.grouped, plain.bound) == (False, False)
    assert plain.closing == plain.messages == plain.left == set()
    grouped = known(login(), WAIT, send(encode(SenderKeyDist(GROUP_TOKEN, b"k"))))
    assert (grouped.grouped, grouped.bound) == (True, True)
    closed = known(websocket(1), login(), send(encode(Ack(b"id"))), login(B, 1))
    assert (closed.closing, closed.messages, closed.bound) == ({2}, {1}, False)


def test_the_probes_ask_for_all_that_is_left_behind() -> None:
    found = known(login(), login(B, 3), send(encode(SendMessage(C, b"later"))), end(3))
    asked = probes(found)
    assert (found.spare, reserved(found)) == (4, 8)
    said = [
        frame
        for step in asked
        if step.kind is StepKind.SEND
        for frame in decode(step.data, Direction.CLIENT)
    ]
    statuses, keys = list(map(GetStatus, (A, B, C))), list(map(FetchPrekeys, (A, B, C)))
    assert said == [*statuses, *keys, *statuses]
    logins = [(step.connection, step.data) for step in asked if step.kind is StepKind.LOGIN]
    assert logins == [(4, PROBER), (5, A), (6, B), (7, C)]
    ends = [step.connection for step in asked if step.kind is StepKind.HALF_CLOSE]
    assert ends == [0, 5, 6, 7, 4], "who is still there leaves before it comes again"


def test_each_user_asks_who_is_in_the_group() -> None:
    asked = probes(known(login(), send(GROUP)))
    assert [step.connection for step in asked if step.data == ROSTER] == [2]
