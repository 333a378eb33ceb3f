"""What logs in becomes a token wherever it is a name, with its lengths; nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from fuzz.case import (
    GROUP_TOKEN,
    MSGID_TOKEN,
    USER_TOKENS,
    Case,
    Step,
    StepKind,
    Transport,
    bind,
    opening,
    raw_case,
)
from fuzz.formats.logins import sent_by, with_login_steps
from fuzz.formats.names import Taught, tokenised
from grammar import (
    Ack,
    GetStatus,
    GroupMsg,
    Login,
    SendMessage,
    SendSeq,
    encode,
)

A, B, C = USER_TOKENS[:3]


def login(user: bytes, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def send(*segments: bytes, connection: int = 0) -> tuple[Step, ...]:
    return tuple(Step(StepKind.SEND, connection, segment) for segment in segments)


def steps_of(steps: Sequence[Step], *taught: Taught) -> list[tuple[str, bytes]]:
    made = tokenised(Case(tuple(steps)), taught)
    return [(step.kind.name, step.data) for step in made.steps]


def test_who_logs_in_is_a_token_in_all_fields_for_names() -> None:
    text = b"dear bob, yours alice"
    made = steps_of([login(b"alice"), login(b"bob", 1), *send(encode(SendMessage(b"bob", text)))])
    assert made == [
        ("LOGIN", A),
        ("LOGIN", B),
        ("SEND", encode(SendMessage(B, text))),
    ]


def test_who_never_logs_in_keeps_the_name() -> None:
    made = steps_of([login(b"alice"), *send(encode(GetStatus(b"carol")))])
    assert made[1] == ("SEND", encode(GetStatus(b"carol")))


def test_who_logs_in_later_is_a_token_before_it_too() -> None:
    made = steps_of([login(b"alice"), *send(encode(GetStatus(b"bob"))), login(b"bob", 1)])
    assert made[1] == ("SEND", encode(GetStatus(B)))


def test_a_length_that_is_a_lie_stays_one_and_its_name_too() -> None:
    lie = b"\x05\x00\x09alice"
    assert steps_of([login(b"alice"), *send(lie)])[1] == ("SEND", lie)


def test_segments_stay_cut_where_they_were() -> None:
    frame = encode(GetStatus(b"alice"))
    made = steps_of([login(b"alice"), *send(frame[:2], frame[2:5], frame[5:])])
    wanted = encode(GetStatus(A))
    assert [data for _, data in made[1:]] == [wanted[:2], wanted[2:5], wanted[5:]]


def test_a_token_of_a_login_is_left_to_the_play() -> None:
    both = encode(GetStatus(b"x")) + encode(Login(b"alice", b"e.y.J"))
    made = steps_of([login(b"alice:e.y.J"), *send(both)])
    assert made == [
        ("LOGIN", A),
        ("SEND", encode(GetStatus(b"x")) + b"\x01" + A + b":<jwt:goodolder:" + A + b">"),
    ]


def test_a_user_of_a_raw_payload_is_not_the_one_that_sends_it() -> None:
    made = tokenised(raw_case(encode(GetStatus(b"bob")) + encode(Login(b"bob"))))
    assert [step.data for step in made.steps] == [A, encode(GetStatus(B)) + b"\x01" + B]


def test_ids_are_tokens_once_the_server_has_told_them() -> None:
    ack = encode(Ack(b"id-1"))
    group = encode(GroupMsg(b"g-77", b"header", b"text"))
    steps = [login(b"alice"), *send(ack), *send(ack), *send(group)]
    taught = (Taught(2, 0, MSGID_TOKEN, b"id-1"), Taught(2, 0, GROUP_TOKEN, b"g-77"))
    assert steps_of(steps, *taught) == [
        ("LOGIN", A),
        ("SEND", ack),
        ("WAIT", b""),
        ("SEND", encode(Ack(MSGID_TOKEN))),
        ("WAIT", b""),
        ("SEND", encode(GroupMsg(GROUP_TOKEN, b"header", b"text"))),
    ]


def test_an_id_that_is_not_the_last_stays() -> None:
    ack = encode(Ack(b"id-1"))
    taught = (Taught(0, 0, MSGID_TOKEN, b"id-1"), Taught(1, 0, MSGID_TOKEN, b"id-2"))
    assert steps_of([login(b"alice"), *send(ack)], *taught)[1] == ("SEND", ack)


def test_what_is_no_frame_is_left_alone_from_there_on() -> None:
    steps = [login(b"alice"), *send(b"\xff\xff", encode(GetStatus(b"alice")))]
    made = steps_of(steps)
    assert made[1] == ("SEND", b"\xff\xff")


def test_own_framing_of_websocket_is_left_alone() -> None:
    steps = (opening(0, Transport.WEBSOCKET_RAW), *send(b"\x01alice"))
    assert tokenised(Case(steps)).steps == steps
    assert with_login_steps(steps) == steps


def test_more_users_than_a_case_can_name_keep_their_names() -> None:
    names = [b"user-%02d" % number for number in range(60)]
    made = tokenised(Case(tuple(login(name, at) for at, name in enumerate(names))))
    data = [step.data for step in made.steps]
    assert len(set(data)) == 60
    assert data[:2] == [A, B]
    assert data[52:] == names[52:]


def test_a_login_is_a_step_only_where_a_frame_begins() -> None:
    cut = encode(SendSeq(b"bob", 7, b"\x01hello"))
    steps = with_login_steps(send(b"\x01alice", cut[:-6], cut[-6:], b"\x01bob"))
    assert [step.kind.name for step in steps] == ["LOGIN", "SEND", "SEND", "LOGIN"]
    assert [sent_by(step) for step in steps] == [b"\x01alice", cut[:-6], cut[-6:], b"\x01bob"]


_NAMES = (b"al", b"alice", b"a-very-long-name", b"bob")
_FRAMES = st.sampled_from(_NAMES).flatmap(
    lambda name: st.sampled_from([encode(GetStatus(name)), encode(SendMessage(name, b"text"))])
)


@given(st.lists(_FRAMES, max_size=6), st.lists(st.integers(1, 9), max_size=20))
def test_bound_to_the_old_names_again_it_says_what_it_said(
    frames: list[bytes], cuts: list[int]
) -> None:
    data, segments = b"".join(frames), []
    for cut in cuts:
        segments.append(data[:cut])
        data = data[cut:]
    logins = [login(name, 1 + number) for number, name in enumerate(_NAMES)]
    steps = (*logins, *send(*filter(None, [*segments, data])))

    made = tokenised(Case(steps)).steps

    old, new = (
        b"".join(step.data for step in all_ if not step.connection) for all_ in (steps, made)
    )
    assert bind(new, dict(zip(USER_TOKENS, _NAMES, strict=False))) == old
    assert not any(name in new for name in _NAMES)
