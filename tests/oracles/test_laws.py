"""Each law speaks of what no correct server does, and is silent where that is open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Kind
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.oracles import judge
from fuzz.oracles.laws import BY_ORDER, judge_laws
from grammar import (
    Ack,
    BatchSend,
    Error,
    FetchPrekeys,
    GetStatus,
    GroupCreate,
    GroupDelivery,
    GroupJoin,
    GroupLeave,
    GroupLeft,
    GroupMsg,
    Login,
    PrekeyResponse,
    RateLimited,
    SendMessage,
    SendSeq,
    StatusResponse,
    TypingRelay,
    TypingStart,
    UploadPrekeys,
    cbor,
    encode,
)
from tests.oracles.evidence_support import STATEM
from tests.oracles.law_support import (
    OK,
    A,
    B,
    C,
    Sends,
    link,
    message,
    play,
    reasons,
    receiver,
    sender,
)
from tests.planted.law_expectations import LAW_EXPECTED

BUNDLE = cbor.dumps({"one_time_prekeys": [b"k" * 32]})
BARE = cbor.dumps({"one_time_prekeys": []})

HELLO = SendMessage(B, b"hello")


def test_a_message_that_arrives_is_as_it_should_be() -> None:
    assert reasons(sender(HELLO), receiver(message(b"hello"))) == []


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        ((sender(HELLO), receiver()), "to a user who is online: SEND_MESSAGE"),
        ((sender(HELLO), receiver(since=5)), "to a user who is offline"),
        (
            (
                sender(BatchSend(B, (b"one", b"two"))),
                receiver(message(b"one")),
            ),
            "to a user who is online: BATCH_SEND",
        ),
        (
            (
                link(0, {1: [Login(A)], 3: encode(HELLO)[:5], 4: encode(HELLO)[5:]}, [OK]),
                receiver(),
            ),
            "to a user who is online: a frame that was cut by TCP",
        ),
        (
            (
                sender(HELLO),
                receiver(message(b"hello"), left=5),
                link(2, {6: [Login(B)]}, [OK]),
            ),
            "that was not acknowledged",
        ),
    ],
)
def test_a_lost_message_is_told_with_how_it_was_lost(
    links: tuple[ConnectionTrace, ...], reason: str
) -> None:
    assert reasons(*links) == [("lost", reason)]


def test_what_may_have_been_read_as_the_rest_of_something_else_is_owed_no_answer() -> None:
    asks = link(0, {1: [Login(A)], 2: [Ack(b"id")], 3: [GetStatus(A)]}, [OK])
    first = link(0, {1: [Login(A)], 2: [GetStatus(A)], 3: [Ack(b"id")]}, [OK])
    for trace, expected in ((asks, []), (first, ["unanswered"])):
        seen = Observation((trace,), 0.001, users=frozenset({A}))
        assert [finding.cause.what for finding in judge_laws(seen)] == ["unanswered"]
        unknown = judge_laws(replace(seen, exact=False))
        assert [finding.cause.what for finding in unknown] == expected


@pytest.mark.parametrize(
    ("links", "cause"),
    [
        ((sender(HELLO), receiver()), "lost"),
        ((sender(SendMessage(C, b"hello")), receiver(message(b"hello"))), "invented"),
        ((sender(HELLO), receiver(message(b"hello"), message(b"hello"))), "duplicated"),
    ],
)
def test_where_nobody_knows_what_was_handled_first_only_some_laws_speak(
    links: tuple[ConnectionTrace, ...], cause: str
) -> None:
    """To read a message is not to hand it on: it may come when its receiver has left."""
    seen = Observation(links, 0.001, users=frozenset({A, B, C}))
    assert [finding.cause.what for finding in judge_laws(seen)] == [cause]
    unknown = [finding.cause.what for finding in judge_laws(replace(seen, exact=False))]
    assert unknown == ([] if cause == "lost" else [cause])


def test_it_is_known_of_each_cause_whether_it_is_judged_in_any_order() -> None:
    in_any_order = {
        "auth", "conformance", "duplicated", "golden", "invented", "relay", "unanswered",
        "websocket",
    }  # fmt: skip
    causes = {cause for cause, *_ in LAW_EXPECTED.values()}
    assert causes <= BY_ORDER | in_any_order
    assert not in_any_order & BY_ORDER


def test_what_can_be_looked_for_again_does_not_depend_on_the_names_of_a_play() -> None:
    def looked_for(user: bytes, text: bytes) -> object:
        told = link(1, {2: [Login(user)]}, [OK, message(text)])
        (finding,) = judge_laws(Observation((sender(), told), 0.001, users=frozenset({A, user})))
        return finding.evidence["wire"]

    assert looked_for(B, b"to " + B) == looked_for(b"b0000002", b"to b0000002")
    assert looked_for(B, b"to " + B) != looked_for(B, b"to another")


def test_a_message_with_an_id_that_the_server_made_is_another_in_each_play() -> None:
    text = b"see id-of-the-group"
    heard = [GroupJoin(b"id-of-the-group", A)]
    links = (sender(SendMessage(B, text), heard=heard), receiver())
    (finding,) = judge_laws(play(*links))
    assert finding.cause.what == "lost"
    assert "wire" not in finding.evidence


@pytest.mark.parametrize(
    "links",
    [
        # Refused, or perhaps.
        (sender(HELLO, heard=[Error(b"no")]), receiver()),
        (sender(*[HELLO] * 501, heard=[RateLimited(10)]), receiver()),
        (link(0, {3: [HELLO]}, []), receiver()),
        # Not read to its end, or ended by the server.
        (sender(HELLO), link(1, {2: [Login(B)]}, [OK], 91, Ending.DROPPED)),
        (sender(HELLO), receiver(left=None)),
        (sender(HELLO), receiver(Error(b"no"))),
        (sender(HELLO), link(1, {2: [Login(B)], 4: b"\x05\x00"}, [OK])),
        # Gone before it was sent; there twice; not acknowledged for sure.
        (sender(HELLO), receiver(left=2)),
        (sender(HELLO), receiver(), link(2, {2: [Login(B)]}, [OK, message(b"hello")])),
        (
            sender(HELLO),
            link(1, {2: [Login(B)], 4: [Ack(b"id1")]}, [OK, message(b"hello")], 5),
            link(2, {6: [Login(B)]}, [OK]),
        ),
        # Something was said that is no frame: who knows what it did?
        (sender(HELLO), receiver(), link(2, {4: b"\x99"}, [])),
    ],
)
def test_a_message_that_may_rightly_be_missing_is_not_lost(
    links: tuple[ConnectionTrace, ...],
) -> None:
    assert reasons(*links) == []


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        ((sender(SendMessage(C, b"hello")), receiver(message(b"hello"))), "another user"),
        ((sender(SendMessage(B, b"hello")), receiver(message(b"hel"))), "altered"),
        ((sender(SendMessage(B, b"hello")), receiver(message(b"other text"))), "unknown"),
        ((link(0, {3: [HELLO]}, []), receiver(message(b"hello"))), "before login"),
    ],
)
def test_a_message_that_nobody_sent_so_is_told(
    links: tuple[ConnectionTrace, ...], reason: str
) -> None:
    assert reasons(*links) == [("invented", reason)]


def test_users_that_others_may_write_to_are_not_judged() -> None:
    stranger = link(1, {2: [Login(b"bob")]}, [OK, message(b"from somebody else")])
    assert reasons(sender(GetStatus(b"bob"), heard=[StatusResponse(b"bob", 0, 0)]), stranger) == []


def test_a_message_after_the_next_login_of_its_connection_is_misrouted() -> None:
    first = link(0, {1: [Login(A)], 3: [Login(B)]}, [OK, OK, message(b"late")])
    writer = link(1, {2: [Login(C)], 4: [SendMessage(A, b"late")]}, [OK])
    assert reasons(first, writer) == [("misrouted", "")]
    writer = link(
        1, {2: [Login(C), SendMessage(A, b"late")][:1], 3: [SendMessage(A, b"late")]}, [OK]
    )
    early = link(0, {1: [Login(A)], 4: [Login(B)]}, [OK, message(b"late"), OK])
    assert reasons(early, writer) == []


def test_a_second_copy_is_told_and_two_equal_messages_are_not() -> None:
    twice = receiver(message(b"hello", 1), message(b"hello", 2))
    assert reasons(sender(HELLO), twice) == [("duplicated", "")]
    assert reasons(sender(HELLO, HELLO), twice) == []
    same_id = receiver(message(b"hello", 1), message(b"hello", 1))
    assert reasons(sender(HELLO, HELLO), same_id) == [("duplicated", "")]


def test_another_order_is_told() -> None:
    writer = sender(SendSeq(B, 1, b"one"), SendSeq(B, 2, b"two"))
    assert reasons(writer, receiver(message(b"two", 1), message(b"one", 2))) == [("reordered", "")]
    assert reasons(writer, receiver(message(b"one", 1), message(b"two", 2))) == []


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (StatusResponse(B, 1, 0), []),
        (StatusResponse(B, 0, 0), [("status", "offline")]),
        (StatusResponse(C, 0, 0), [("status", "another name")]),
    ],
)
def test_the_status_of_a_user_who_is_online(
    reply: StatusResponse, expected: list[tuple[str, str]]
) -> None:
    assert reasons(sender(GetStatus(B), heard=[reply]), receiver()) == expected


def test_the_status_of_a_user_who_has_left_or_may_have() -> None:
    asks = sender(GetStatus(B), heard=[StatusResponse(B, 1, 0)])
    assert reasons(asks, receiver(left=2)) == [("status", "online")]
    says_offline = sender(GetStatus(B), heard=[StatusResponse(B, 0, 0)])
    assert reasons(says_offline, receiver(Error(b"and closed"))) == []


def test_a_request_without_an_answer_is_told() -> None:
    assert reasons(sender(GetStatus(B))) == [("unanswered", "GET_STATUS")]
    assert judge_laws(play(sender(FetchPrekeys(B))))[0].kind is Kind.HANG
    assert reasons(sender(GetStatus(B), heard=[Error(b"no")])) == []
    assert reasons(sender(HELLO)) == []


def test_a_websocket_session_is_judged_where_each_message_is_a_frame() -> None:
    def over(*segments: bytes, messages: bool = True) -> list[tuple[str, str]]:
        sends: Sends = {1: [Login(A)], **dict(enumerate(segments, 3))}
        trace = link(0, sends, [OK])
        return reasons(replace(trace, plain=False, messages=messages))

    status = encode(GetStatus(B))
    assert over(status) == [("unanswered", "GET_STATUS")]
    # What is no frame of its own may be refused, or read in part.
    assert over(status + status) == []
    assert over(status[:2], status[2:]) == []
    assert over(status, status[:-1]) == []
    # What went out after the end of a session, or before one, is nothing that can be told.
    assert over(status, messages=False) == []
    nonsense = link(0, {1: [Login(A)]}, b"HTTP/1.1 404 Not Found")
    assert reasons(nonsense) != []
    assert reasons(replace(nonsense, plain=False)) == []


def test_a_one_time_key_is_used_once() -> None:
    def fetched(*bundles: bytes, first_of: bytes = A) -> list[tuple[str, str]]:
        heard = [PrekeyResponse(b""), *map(PrekeyResponse, bundles)]
        asked = [FetchPrekeys(first_of), *[FetchPrekeys(A)] * (len(bundles) - 1)]
        return reasons(sender(UploadPrekeys(BUNDLE), *asked, heard=heard))

    assert fetched(BUNDLE, BARE) == []
    assert fetched(BUNDLE, BARE, BUNDLE) == [("one-time key", "")]
    # Somebody of that name may have published the same keys in a play before this one.
    assert fetched(BUNDLE, BUNDLE) == [("one-time key", "")]
    assert fetched(BUNDLE, BUNDLE, first_of=b"nobody") == []


def test_a_notice_names_who_sent_it() -> None:
    assert reasons(sender(TypingStart(B)), receiver(TypingRelay(A, 1))) == []
    assert reasons(sender(TypingStart(B)), receiver(TypingRelay(B, 1))) == [
        ("relay", "TYPING_RELAY")
    ]


def test_what_a_crowd_sends_to_one_user_need_not_be_held() -> None:
    crowd = link(2, {2: [Login(C)], 4: [BatchSend(B, (b"x",) * 500)]}, [OK])
    assert reasons(sender(HELLO), receiver(*[message(b"x", n) for n in range(500)]), crowd) == []
    some = link(2, {2: [Login(C)], 4: [BatchSend(B, (b"x",) * 400)]}, [OK])
    assert reasons(sender(HELLO), receiver(*[message(b"x", n) for n in range(400)]), some) == [
        ("lost", "to a user who is online: SEND_MESSAGE")
    ]


def test_who_has_left_a_group_writes_to_it_no_more() -> None:
    header, group = cbor.dumps({}), b"g" * 16
    written = GroupMsg(group, header, b"sealed")
    delivery = message(encode(GroupDelivery(group, header, b"sealed")))
    leaves = sender(GroupLeave(group), written, heard=[GroupLeft()])
    assert reasons(leaves, receiver(GroupJoin(group, B), delivery)) == [
        ("group", "written by one who has left")
    ]
    # Another connection of the same user may have brought it back in.
    other = link(2, {2: [Login(A)], 4: [GroupCreate(group)]}, [OK, GroupJoin(group, A)])
    late = link(0, {1: [Login(A)], 3: [GroupLeave(group)], 5: [written]}, [OK, GroupLeft()])
    assert reasons(late, receiver(GroupJoin(group, B), delivery), other) == []
    assert reasons(late, receiver(GroupJoin(group, B), delivery)) != []
    stays = sender(written, GroupLeave(group), heard=[GroupLeft()])
    assert reasons(stays, receiver(GroupJoin(group, B), delivery)) == []


def test_the_bucket_holds_five_hundred() -> None:
    full = BatchSend(b"nobody", (b"",) * 500)
    assert reasons(sender(full, heard=[RateLimited(10)])) == [("rate", "too early")]
    assert reasons(sender(full, SendMessage(B, b"x"), heard=[RateLimited(10)])) == []


def test_a_burst_that_is_let_through_is_told() -> None:
    bodies = [b"%d" % number for number in range(503)]
    came = [message(body, number) for number, body in enumerate(bodies)]
    batches = (BatchSend(B, tuple(bodies[:250])), BatchSend(B, tuple(bodies[250:])))
    assert reasons(sender(*batches), receiver(*came)) == [("rate", "not limited")]
    assert reasons(sender(*batches), receiver(*came[:501])) == []


def test_what_waited_for_a_user_of_other_plays_is_no_burst_of_this_one() -> None:
    batch = BatchSend(B, (b"same",) * 500)
    waited = [message(b"same", number) for number in range(600)]
    stranger = link(1, {2: [Login(b"anybody")]}, [OK, *waited])
    assert reasons(sender(batch), stranger) == []
    assert reasons(sender(batch), receiver(*waited)) != []


@pytest.mark.parametrize(
    ("heard", "behind"),
    [
        (encode(OK) + b"\x34", "LoginOk"),
        (encode(OK) + encode(StatusResponse(B, 0, 0)) + b"\x06\x00\x09", "StatusResponse"),
        (b"\x06\xff", "nothing"),
    ],
)
def test_what_is_no_frame_of_a_server_is_told(heard: bytes, behind: str) -> None:
    found = judge_laws(play(link(0, {1: [Login(A)]}, heard)))
    assert [(f.kind, f.cause.reason) for f in found] == [(Kind.CONFORMANCE, behind)]


def test_half_a_frame_on_a_connection_that_was_cut_is_no_fault() -> None:
    assert reasons(link(0, {1: [Login(A)]}, b"\x03LOGI", 5, Ending.DROPPED)) == []
    assert reasons(link(0, {1: [Login(A)]}, b"AUTH_FAILED", None)) == []


def test_laws_are_for_a_server_that_is_well() -> None:
    broken = play(sender(HELLO), receiver())
    assert [f.cause.what for f in judge(Evidence((broken,), pulse=Pulse.WELL))] == ["lost"]
    assert [f.kind for f in judge(Evidence((broken,), events=(STATEM,)))] == [Kind.PROCESS_CRASH]
    assert judge_laws(replace(broken, cut_short=True)) == ()
    silent = play(sender(HELLO), receiver(), link(2, {}, b"", None, Ending.DEADLINE))
    assert judge_laws(silent) == ()


def test_what_was_acknowledged_does_not_come_again() -> None:
    took = link(1, {2: [Login(B)], 5: [Ack(b"id1")]}, [OK, message(b"hello")], 6)
    back = link(2, {8: [Login(B)]}, [OK, message(b"hello")], 92)
    assert reasons(sender(HELLO), took, back) == [("returned", "")]
    other = link(1, {2: [Login(B)], 5: [Ack(b"id2")]}, [OK, message(b"hello")], 6)
    assert reasons(sender(HELLO), other, back) == []
    assert reasons(sender(HELLO), took, link(2, {8: [Login(B)]}, [OK], 92)) == []
