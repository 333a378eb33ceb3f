"""What a client heard is told in the same words in each play."""

from __future__ import annotations

from fuzz.heard import GIVEN, REST, normalised
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.replies import Reply
from grammar import (
    AuthFailed,
    Direction,
    E2eeDelivery,
    Envelope,
    GroupDelivery,
    GroupJoin,
    LoginOk,
    MessageKind,
    PrekeyResponse,
    RateLimited,
    ReadReceiptRelay,
    ReliableMsg,
    StatusResponse,
    cbor,
    encode,
    encode_envelope,
    wrap,
)
from grammar.frames import ServerFrame


def test_names_ids_and_times_are_those_of_every_play() -> None:
    first = _play(b"a000001", b"id-of-the-first", b"groups/7", 1_700_000_000)
    second = _play(b"a000002", b"id-of-another-one", b"groups/12345", 1_800_000_000)

    assert normalised(first) == normalised(second)
    assert [str(reply) for reply in normalised(first)[0].replies] == [
        "LOGIN_OK",
        f"STATUS_RESPONSE user=<user:A> state=1 last_seen={GIVEN}",
        'RELIABLE_MSG msg_id=<msgid:1> message="hello <user:A>"',
        "GROUP_JOIN group_id=<group:1> user=<user:A>",
        "RELIABLE_MSG msg_id=<msgid:2> message=GROUP_DELIVERY message.group_id=<group:1>"
        " message.header=\"{'n': 1, 'sender': '<user:A>'}\" message.ciphertext=\"in <group:1>\"",
        "READ_RECEIPT_RELAY msg_id=<msgid:1> reader=<user:A> timestamp=given",
    ]


def _play(tail: bytes, msg_id: bytes, group: bytes, now: int) -> Observation:
    user = b"a" + tail
    header = cbor.dumps({"sender": user.decode(), "n": 1})
    delivery = GroupDelivery(group, header, b"in " + group)
    return _observed(
        [
            LoginOk(),
            StatusResponse(user, 1, now),
            ReliableMsg(msg_id, b"hello " + user),
            GroupJoin(group, user),
            ReliableMsg(msg_id + b"+", encode(delivery)),
            ReadReceiptRelay(msg_id, user, now),
        ],
        user,
    )


def test_another_value_is_told() -> None:
    online, offline = (_observed([StatusResponse(b"x", state, 0)]) for state in (1, 0))

    assert normalised(online) != normalised(offline)


def test_a_time_of_zero_is_told_from_one_that_is_given() -> None:
    assert _words([StatusResponse(b"x", 0, 0)]) == ["STATUS_RESPONSE user=x state=0 last_seen=0"]
    assert _words([RateLimited(250)]) == ["RATE_LIMITED retry_after=given"]


def test_the_order_of_a_map_says_nothing() -> None:
    one, two = (PrekeyResponse(cbor.dumps(m)) for m in ({"a": b"\1", "b": 2}, {"b": 2, "a": b"\1"}))

    assert one != two
    assert _words([one]) == _words([two]) == ["PREKEY_RESPONSE bundle=\"{'a': b'\\x01', 'b': 2}\""]


def test_cbor_that_cannot_be_written_out_is_told_byte_for_byte() -> None:
    number = b"\xc2\x59\x08\x00" + b"\x01" * 2048  # more digits than Python prints
    within_itself = b"\xd8\x1c\x81\xd8\x1d\x00"
    doubled = b"".join(b"\xd8\x1c\x82" for _ in range(100))
    doubled += b"\x00" + b"".join(b"\xd8\x1d\x18" + bytes([n]) for n in range(99, -1, -1))
    repeated = b"\xd9\x01\x00\x82\x43abc\xd8\x19\x00"
    for data in (number, within_itself, doubled, repeated):
        cbor.loads(data)
        told = _words([PrekeyResponse(data)])
        assert told == [str(Reply("PREKEY_RESPONSE", (("bundle", _escaped(data)),)))]


def _escaped(data: bytes) -> str:
    (reply,) = normalised(_observed([], rest=data))[0].replies
    return reply.fields[0][1]


def test_the_header_of_an_e2ee_message_is_told_byte_for_byte() -> None:
    one, two = (
        ReliableMsg(b"1", encode(E2eeDelivery(b"x", cbor.dumps(header), b"secret")))
        for header in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )

    assert _words([one]) != _words([two])


def test_a_short_id_is_known_only_in_its_own_field() -> None:
    assert _words([ReliableMsg(b"1", b"1 of 1")]) == [
        'RELIABLE_MSG msg_id=<msgid:1> message="1 of 1"'
    ]


def test_a_message_that_comes_back_keeps_its_number() -> None:
    message = encode(ReliableMsg(b"number one", b"hello"))
    other = encode(ReliableMsg(b"number two", b"hello"))
    traces = tuple(
        ConnectionTrace(number, Ending.CLOSED, (data,))
        for number, data in enumerate((message, other + message))
    )

    first, second = normalised(Observation(traces, 0.0))

    assert [dict(reply.fields)["msg_id"] for reply in (*first.replies, *second.replies)] == [
        "<msgid:1>",
        "<msgid:2>",
        "<msgid:1>",
    ]


def test_bare_texts_and_bytes_that_are_no_frame_are_told() -> None:
    assert _words([AuthFailed()]) == ["AUTH_FAILED"]
    assert _words([LoginOk()], rest=b"\x10\x00") == ["LOGIN_OK", f'{REST} bytes="\\x10\\x00"']
    assert _words([LoginOk()], rest=b"\x99zz") == ["LOGIN_OK", f'{REST} bytes="\\x99zz"']
    assert _words([], rest=b"HTTP/1.1 400") == [f'{REST} bytes="HTTP/1.1 400"']


def test_a_session_with_its_own_framing_is_unwrapped() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    pong = encode_envelope(Envelope(b"", MessageKind.PONG))
    told = [wrap(encode(StatusResponse(b"x", 1, now)), Direction.SERVER) for now in (7, 8)]
    plays = [upgrade + pong + wrap(encode(LoginOk()), Direction.SERVER) + one for one in told]

    first, second = (
        normalised(Observation((ConnectionTrace(0, Ending.CLOSED, (data,), plain=False),), 0.0))
        for data in plays
    )

    assert first == second
    assert [str(reply) for reply in first[0].replies] == [
        "LOGIN_OK",
        "STATUS_RESPONSE user=x state=1 last_seen=given",
        'REST bytes="HTTP/1.1 101 Switching Protocols\\x0d\\x0a\\x0d\\x0a\\x8a\\x00"',
    ]


def test_an_end_tells_who_was_first_and_not_how_the_system_told_it() -> None:
    closed, reset = (
        normalised(Observation((ConnectionTrace(0, ending, left=None),), 0.0))[0]
        for ending in (Ending.CLOSED, Ending.RESET)
    )
    after_us = normalised(Observation((ConnectionTrace(0, Ending.CLOSED, left=3),), 0.0))[0]

    assert closed == reset
    assert (closed.first, after_us.first) == (True, False)


def test_a_silence_names_what_was_waited_for() -> None:
    trace = ConnectionTrace(0, Ending.DEADLINE, waited_for="the reply to LOGIN")

    assert normalised(Observation((trace,), 0.0))[0].ending == "deadline: the reply to LOGIN"


def _observed(frames: list[ServerFrame], *users: bytes, rest: bytes = b"") -> Observation:
    data = b"".join(map(encode, frames)) + rest
    trace = ConnectionTrace(0, Ending.CLOSED, (data,), left=1)
    return Observation((trace,), 0.0, users=frozenset(users))


def _words(frames: list[ServerFrame], rest: bytes = b"") -> list[str]:
    (heard,) = normalised(_observed(frames, rest=rest))
    assert all(isinstance(reply, Reply) for reply in heard.replies)
    return [str(reply) for reply in heard.replies]
