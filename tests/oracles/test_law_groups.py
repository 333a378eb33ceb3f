"""Groups: who reads, who writes, who is in them; and in doubt silence."""

from __future__ import annotations

import pytest

from fuzz.observation import ConnectionTrace
from grammar import (
    Ack,
    ClientFrame,
    Error,
    GroupCreate,
    GroupDelivery,
    GroupJoin,
    GroupLeave,
    GroupLeft,
    GroupMsg,
    GroupRoster,
    GroupRosterReply,
    Login,
    ReliableMsg,
    SenderKeyDelivery,
    SenderKeyDist,
    ServerFrame,
    cbor,
    encode,
)
from tests.oracles.law_support import OK, A, B, C, link, message, reasons

G = b"g" * 16
HEADER = cbor.dumps({})
CREATE, JOIN = GroupCreate(b"friends"), GroupCreate(G)


def write(text: bytes) -> GroupMsg:
    return GroupMsg(G, HEADER, text)


def come(text: bytes, number: int = 1) -> ReliableMsg:
    return message(encode(GroupDelivery(G, HEADER, text)), number)


def founder(*then: ClientFrame, heard: tuple[ServerFrame, ...] = ()) -> ConnectionTrace:
    """Return user A, who makes the group at 2 and does something at 7."""
    return link(0, {1: [Login(A)], 2: [CREATE], 7: then}, [OK, GroupJoin(G, A), *heard])


def member(
    *heard: ServerFrame, leaves_at: int | None = None, left: int = 91, user: bytes = B
) -> ConnectionTrace:
    """Return user B, who joins at 4."""
    sends: dict[int, list[ClientFrame]] = {3: [Login(user)], 4: [JOIN]}
    if leaves_at is not None:
        sends[leaves_at] = [GroupLeave(G)]
        heard = (*heard, GroupLeft())
    return link(1, sends, [OK, GroupJoin(G, user), *heard], left)  # type: ignore[arg-type]


def test_what_is_written_to_a_group_comes_to_its_members() -> None:
    assert reasons(founder(write(b"1")), member(come(b"1"))) == []
    assert reasons(founder(write(b"1")), member()) == [
        ("group", "lost to a member who is online: GROUP_MSG")
    ]
    key = message(encode(SenderKeyDelivery(G, b"k")))
    assert reasons(founder(SenderKeyDist(G, b"k")), member(key)) == []
    assert reasons(founder(SenderKeyDist(G, b"k")), member()) == [
        ("group", "lost to a member who is online: SENDER_KEY_DIST")
    ]


def test_a_member_who_was_away_gets_it_at_the_next_login() -> None:
    gone = member(left=6)
    back = link(2, {9: [Login(B)]}, [OK, come(b"1")], 92)
    assert reasons(founder(write(b"1")), gone, back) == []
    assert reasons(founder(write(b"1")), gone, link(2, {9: [Login(B)]}, [OK], 92)) == [
        ("group", "lost to a member who is offline")
    ]


def test_a_member_who_did_not_acknowledge_gets_it_again() -> None:
    came = link(1, {3: [Login(B)], 4: [JOIN]}, [OK, GroupJoin(G, B), come(b"1")], 8)
    empty = link(2, {9: [Login(B)]}, [OK], 92)
    assert reasons(founder(write(b"1")), came, empty) == [
        ("group", "lost to a member who did not acknowledge it")
    ]
    acked = link(
        1, {3: [Login(B)], 4: [JOIN], 8: [Ack(b"id1")]}, [OK, GroupJoin(G, B), come(b"1")], 9
    )
    empty = link(2, {10: [Login(B)]}, [OK], 92)
    assert reasons(founder(write(b"1")), acked, empty) == []


@pytest.mark.parametrize(
    ("leaves_at", "said"),
    [(8, []), (6, [("group", "read by one who has left")])],
)
def test_who_has_left_reads_no_more(leaves_at: int, said: list[tuple[str, str]]) -> None:
    assert reasons(founder(write(b"1")), member(come(b"1"), leaves_at=leaves_at)) == said


def test_who_was_never_let_in_reads_nothing() -> None:
    stranger = link(1, {3: [Login(B)]}, [OK, come(b"1")])
    assert reasons(founder(write(b"1")), stranger) == [("group", "read by a stranger")]
    # A server that says so has let it in, by a way that we know nothing of.
    invited = link(1, {3: [Login(B)]}, [OK, GroupJoin(G, B), come(b"1")])
    assert reasons(founder(write(b"1")), invited) == []


def test_who_joins_later_may_be_shown_what_was_said_before() -> None:
    late = link(1, {3: [Login(B)], 9: [JOIN]}, [OK, GroupJoin(G, B), come(b"1")])
    assert reasons(founder(write(b"1")), late) == []


def test_where_a_request_was_refused_nobody_knows_who_is_in() -> None:
    unclear = link(1, {3: [Login(B)], 4: [JOIN]}, [OK, Error(b"full")])
    assert reasons(founder(write(b"1")), unclear) == []
    two = link(2, {3: [Login(B)]}, [OK])
    assert reasons(founder(write(b"1")), member(), two) == []


def roster(*names: bytes | str) -> GroupRosterReply:
    return GroupRosterReply(G, cbor.dumps(list(names)))


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ((A, B), ""),
        ((B.decode(), A.decode()), ""),
        ((A,), "leaves out a member of the group"),
        ((A, B, C), "names a user who is not in the group"),
        ((A, B, B), "names a member twice"),
    ],
)
def test_a_roster_names_the_members(names: tuple[bytes | str, ...], wrong: str) -> None:
    asked = founder(GroupRoster(G), heard=(roster(*names),))
    assert reasons(asked, member()) == ([("roster", wrong)] if wrong else [])


def test_a_roster_of_what_is_no_list_or_of_a_group_from_before_is_not_judged() -> None:
    odd = founder(GroupRoster(G), heard=(GroupRosterReply(G, cbor.dumps({"a": 1})),))
    assert reasons(odd, member()) == []
    left = link(2, {5: [Login(C)], 6: [GroupLeave(G)]}, [OK, GroupLeft()])
    assert reasons(founder(GroupRoster(G), heard=(roster(A),)), member(), left) == []
