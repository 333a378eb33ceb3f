"""What a client was told is done outlasts a restart; what is in memory by design does not."""

from __future__ import annotations

from dataclasses import replace

from fuzz.observation import ConnectionTrace
from fuzz.oracles.laws import judge_laws
from grammar import (
    Ack,
    BatchSend,
    GetStatus,
    GroupCreate,
    GroupJoin,
    GroupRoster,
    GroupRosterReply,
    Login,
    SendMessage,
    StatusResponse,
    cbor,
)
from grammar.limits import RATE_BURST
from tests.oracles.law_support import OK, A, B, Sends, link, message, play

#: When the server is restarted.
RESTART = 50
HELLO = SendMessage(B, b"hello")
WRITTEN: Sends = {1: [Login(A)], 3: [HELLO]}


def reasons(*links: ConnectionTrace) -> list[tuple[str, str]]:
    observation = replace(play(*links), restarts=(RESTART,))
    return [(f.cause.what, f.cause.reason) for f in judge_laws(observation)]


def test_what_is_stored_comes_after_a_restart() -> None:
    sender = link(0, WRITTEN, [OK], left=RESTART)
    late: Sends = {60: [Login(B)]}
    assert reasons(sender, link(1, late, [OK, message(b"hello")])) == []
    assert reasons(sender, link(1, late, [OK])) == [
        ("lost", "to a user who is offline: over a restart")
    ]


def test_what_was_not_acknowledged_comes_again_after_a_restart() -> None:
    sender = link(0, WRITTEN, [OK], left=RESTART)
    before = link(1, {2: [Login(B)]}, [OK, message(b"hello")], left=RESTART)
    assert reasons(sender, before, link(2, {60: [Login(B)]}, [OK, message(b"hello")])) == []
    assert reasons(sender, before, link(2, {60: [Login(B)]}, [OK])) == [
        ("lost", "that was not acknowledged: over a restart")
    ]


def test_what_was_acknowledged_does_not() -> None:
    sender = link(0, WRITTEN, [OK], left=RESTART)
    before = link(1, {2: [Login(B)], 4: [Ack(b"id1")]}, [OK, message(b"hello")], left=RESTART)
    again = link(2, {60: [Login(B)]}, [OK, message(b"hello")])
    assert reasons(sender, before, link(2, {60: [Login(B)]}, [OK])) == []
    assert reasons(sender, before, again) == [("returned", "over a restart")]


def test_a_loss_before_the_restart_is_the_same_as_without_one() -> None:
    sender = link(0, WRITTEN, [OK], left=RESTART)
    there = link(1, {2: [Login(B)]}, [OK], left=RESTART)
    assert reasons(sender, there) == [("lost", "to a user who is online: SEND_MESSAGE")]


def test_a_group_keeps_its_members() -> None:
    founder = link(0, {1: [Login(A)], 3: [GroupCreate(b"g")]}, [OK, GroupJoin(b"1", A)], RESTART)
    asks: Sends = {60: [Login(A)], 61: [GroupRoster(b"1")]}

    def roster(*members: bytes) -> list[tuple[str, str]]:
        names = cbor.dumps([name.decode() for name in members])
        return reasons(founder, link(1, asks, [OK, GroupRosterReply(b"1", names)]))

    assert roster(A) == []
    assert roster() == [("roster", "leaves out a member of the group")]


def test_nobody_is_online_after_it() -> None:
    gone = link(0, {1: [Login(A)]}, [OK], left=RESTART)
    asks: Sends = {60: [GetStatus(A)]}
    assert reasons(gone, link(1, asks, [StatusResponse(A, 0, 9)])) == []
    assert reasons(gone, link(1, asks, [StatusResponse(A, 1, 9)])) == [("status", "online")]


def test_buckets_are_full_again() -> None:
    burst = BatchSend(b"somebody", (b"",) * RATE_BURST)
    before = link(0, {1: [Login(A)], 3: [burst]}, [OK], left=RESTART)
    assert reasons(before, link(1, {60: [Login(A)], 61: [burst]}, [OK])) == []
