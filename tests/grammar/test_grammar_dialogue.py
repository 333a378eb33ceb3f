"""The dialogue table is complete, agrees with the opcodes, and moves as published."""

from __future__ import annotations

from itertools import product

import pytest

from grammar import frames as f
from grammar.dialogue import (
    RULES,
    TRANSITIONS,
    Audience,
    State,
    allowed,
    always_answered,
    expected_replies,
    next_state,
)
from grammar.opcodes import ClientOpcode, Direction

#: What each opcode brings its sender and others, copied from the protocol's tables: the reply,
#: what others receive, and what that carries inside.
PUBLISHED: dict[int, tuple[str, str, str]] = {
    0x01: ("LoginOk", "", ""),
    0x02: ("", "ReliableMsg", ""),
    0x03: ("", "", ""),
    0x04: ("", "ReliableMsg", ""),
    0x05: ("StatusResponse", "", ""),
    0x07: ("", "ReliableMsg", ""),
    0x10: ("", "ReliableMsg", ""),
    0x20: ("PrekeyResponse", "", ""),
    0x21: ("PrekeyResponse", "", ""),
    0x23: ("", "ReliableMsg", "E2eeDelivery"),
    0x30: ("GroupJoin", "", ""),
    0x32: ("GroupLeft", "", ""),
    0x33: ("", "ReliableMsg", "GroupDelivery"),
    0x35: ("GroupRosterReply", "", ""),
    0x36: ("", "ReliableMsg", "SenderKeyDelivery"),
    0x70: ("", "TypingRelay", ""),
    0x71: ("", "TypingRelay", ""),
    0x74: ("", "ReadReceiptRelay", ""),
}


def test_every_opcode_has_its_rule() -> None:
    assert set(RULES) == set(ClientOpcode)
    assert set(PUBLISHED) == set(ClientOpcode)


@pytest.mark.parametrize("opcode", ClientOpcode, ids=lambda opcode: opcode.name)
def test_replies_and_relays_are_as_published(opcode: ClientOpcode) -> None:
    rule = RULES[opcode]
    replies = " ".join(frame.__name__ for frame in rule.replies)
    relays = " ".join(relay.frame.__name__ for relay in rule.relays)
    inner = " ".join(relay.inner.__name__ for relay in rule.relays if relay.inner)
    assert (replies, relays, inner) == PUBLISHED[opcode]


@pytest.mark.parametrize(("opcode", "state"), list(product(ClientOpcode, State)))
def test_every_opcode_in_every_state(opcode: ClientOpcode, state: State) -> None:
    replies = expected_replies(opcode, state)
    free = opcode in (ClientOpcode.LOGIN, ClientOpcode.GET_STATUS)
    assert opcode.needs_login is not free
    if state is State.CLOSED:
        assert (allowed(opcode, state), replies, always_answered(opcode, state)) == (
            False,
            (),
            False,
        )
        return
    assert f.Error in replies
    assert allowed(opcode, state) is (free or state is State.LOGGED_IN)
    if not allowed(opcode, state):
        assert replies == (f.Error,)
        assert not always_answered(opcode, state)
        return
    assert replies[: len(RULES[opcode].replies)] == RULES[opcode].replies
    assert len(set(replies)) == len(replies)
    assert all(frame.direction is Direction.SERVER for frame in replies)
    login_again = (opcode, state) == (ClientOpcode.LOGIN, State.LOGGED_IN)
    assert always_answered(opcode, state) is (bool(PUBLISHED[opcode][0]) and not login_again)


def test_messages_spend_the_rate_limit_and_nothing_else_does() -> None:
    metered = {opcode for opcode, rule in RULES.items() if rule.metered}
    assert metered == {0x02, 0x04, 0x07, 0x10, 0x23, 0x33}


def test_groups_hear_of_what_names_a_group() -> None:
    for opcode, rule in RULES.items():
        for relay in rule.relays:
            expected = Audience.GROUP if opcode in (0x33, 0x36) else Audience.NAMED_USER
            assert relay.audience is expected


def test_only_replies_to_login_move_the_state() -> None:
    server_frames = [*f.SERVER_OPCODES.values(), *f.BARE_TEXTS.values()]
    moved = {
        (state.name, frame.__name__, next_state(state, frame).name)
        for state, frame in product(State, server_frames)
        if next_state(state, frame) is not state
    }
    assert moved == {
        ("CONNECTED", "LoginOk", "LOGGED_IN"),
        ("CONNECTED", "AuthFailed", "CLOSED"),
        ("CONNECTED", "LoginRateLimited", "CLOSED"),
        ("LOGGED_IN", "AuthFailed", "CLOSED"),
        ("LOGGED_IN", "LoginRateLimited", "CLOSED"),
    }
    assert len(TRANSITIONS) == len(moved)


def test_a_reply_that_moves_the_state_is_a_reply_to_login() -> None:
    assert {frame for _, frame in TRANSITIONS} <= set(
        expected_replies(ClientOpcode.LOGIN, State.CONNECTED)
    )


def test_offline_messages_follow_a_login_only() -> None:
    assert RULES[ClientOpcode.LOGIN].follows == (f.ReliableMsg,)
    assert not any(
        rule.follows for opcode, rule in RULES.items() if opcode is not ClientOpcode.LOGIN
    )
