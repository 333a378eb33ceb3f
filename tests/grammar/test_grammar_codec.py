"""Frames survive a round trip, and what cannot be said or read is one typed error."""

from __future__ import annotations

import pytest
from construct import ConstructError
from hypothesis import given
from hypothesis import strategies as st

from fuzz.generate.strategies import directions
from grammar import (
    NEED_DATA,
    BatchSend,
    CborMsg,
    ClientFrame,
    DecodeError,
    Direction,
    E2eeDelivery,
    EncodeError,
    Frame,
    GetStatus,
    GroupDelivery,
    IncompleteError,
    Login,
    LoginOk,
    RateLimited,
    ReliableMsg,
    SenderKeyDelivery,
    SendMessage,
    SendSeq,
    ServerFrame,
    StatusResponse,
    UnknownFrame,
    decode,
    decode_one,
    delivery,
    encode,
)
from grammar.layout import BARE_PLANS, PLANS, Field, Role, measure, values
from tests.grammar.strategies import FRAMES, any_bytes, frames, frames_of, quick

C, S = Direction.CLIENT, Direction.SERVER


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.__name__)
def test_each_frame_survives_a_round_trip(kind: type[ClientFrame] | type[ServerFrame]) -> None:
    @quick
    @given(frames_of(kind))
    def check(frame: Frame) -> None:
        data = encode(frame)
        assert decode(data, kind.direction) == (frame,)
        assert decode_one(b"\xaa" + data, kind.direction, 1) == (frame, len(data) + 1)

    check()


@quick
@given(st.data())
def test_frames_with_a_length_may_follow_one_another(data: st.DataObject) -> None:
    direction = data.draw(directions)
    several = data.draw(st.lists(frames(direction, delimited=True), max_size=6))
    assert decode(b"".join(map(encode, several)), direction) == tuple(several)


@quick
@given(st.data())
def test_every_cut_of_a_frame_needs_data_and_is_incomplete(data: st.DataObject) -> None:
    direction = data.draw(directions)
    whole = encode(data.draw(frames(direction, delimited=True)))
    part = whole[: data.draw(st.integers(1, len(whole)), label="cut")]
    if part != whole:
        assert decode_one(part, direction) is NEED_DATA
        with pytest.raises(IncompleteError):
            decode(part, direction)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            SendMessage(b"a" * 65536, b""),
            "SEND_MESSAGE.target: 65536 bytes are more than",
        ),
        (
            SendMessage(b"", b"a" * 65536),
            "SEND_MESSAGE.message: 65536 bytes are more than",
        ),
        (SendSeq(b"", 2**64, b""), "SEND_SEQ.seq: its value does not fit a field of 8 bytes"),
        (SendSeq(b"", -1, b""), "SEND_SEQ.seq: its value does not fit"),
        (BatchSend(b"", (b"a" * 65536,)), "BATCH_SEND.messages: its value does not fit"),
        (RateLimited(2**32), "RATE_LIMITED.retry_after: its value does not fit a field of 4"),
        (StatusResponse(b"", 256, 0), "STATUS_RESPONSE.state: its value does not fit"),
        (Login(b"a:b"), "LOGIN.user: a colon ends the name"),
        (SendMessage(b"", None), "SEND_MESSAGE: a field has the wrong type"),  # type: ignore[arg-type]
    ],
)
def test_what_the_wire_cannot_say_is_refused(frame: Frame, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(frame)
    assert str(caught.value).startswith(message)


@quick
@given(directions, any_bytes)
def test_any_bytes_decode_to_what_encodes_to_them_or_one_typed_error(
    direction: Direction, data: bytes
) -> None:
    fault: DecodeError | None = None
    decoded: tuple[Frame, ...] = ()
    try:
        decoded = decode(data, direction)
    except DecodeError as error:
        fault = error
    if fault is None:
        assert b"".join(map(encode, decoded)) == data
    else:
        assert 0 <= fault.offset < len(data)
        assert fault.path.partition(".")[2]


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.__name__)
def test_of_bytes_that_are_whole_the_plan_says_what_the_declaration_says(
    kind: type[ClientFrame] | type[ServerFrame],
) -> None:
    plans = (*PLANS[kind.direction].values(), *BARE_PLANS.values())
    (plan,) = (plan for plan in plans if plan.frame is kind)

    def declared(data: bytes) -> list[object] | str:
        try:
            parsed = plan.struct.parse(data)
        except ConstructError as error:
            return str(error.path).split(" -> ")[1]  # the field that is wrong
        told = [f.name for f in plan.fields if f.role not in (Role.OPCODE, Role.LITERAL)]
        return [tuple(v) if isinstance(v := parsed[name], list) else v for name in told]

    @quick
    @given(frames_of(kind), st.binary(max_size=4), st.integers(0, 40))
    def check(frame: Frame, other: bytes, place: int) -> None:
        whole = encode(frame)
        changed = whole[:1] + whole[1 : place + 1] + other + whole[place + 1 + len(other) :]
        for data in (whole, changed):
            end, missing = measure(plan, data, 0)
            if missing is None:
                read = values(plan, b"\xaa" + data, 1, 1 + end)
                assert (read.name if isinstance(read, Field) else read) == declared(data[:end])

    check()


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.__name__)
def test_a_frame_is_written_along_its_plan_as_its_declaration_builds_it(
    kind: type[ClientFrame] | type[ServerFrame],
) -> None:
    plans = (*PLANS[kind.direction].values(), *BARE_PLANS.values())
    (plan,) = (plan for plan in plans if plan.frame is kind)

    @quick
    @given(frames_of(kind))
    def check(frame: Frame) -> None:
        whole = encode(frame)
        assert plan.struct.build(plan.struct.parse(whole)) == whole

    check()


def test_what_is_only_over_a_limit_is_encoded() -> None:
    frame = GetStatus(b"u" * 65535)
    assert decode(encode(frame), C) == (frame,)
    batch = BatchSend(b"", (b"",) * 1001)
    assert decode(encode(batch), C) == (batch,)


@pytest.mark.parametrize(
    ("direction", "text", "offset", "path"),
    [
        # LOGIN_OK with another text of the same length, behind a whole RATE_LIMITED
        (S, "ff 00000001 03 4c4f47494e5f4b4f", 6, "LOGIN_OK.text"),
        # GROUP_LEFT with "NO"
        (S, "32 4e4f", 1, "GROUP_LEFT.text"),
        # a batch whose message says 5 bytes where 1 is left
        (C, "04 0001 62 00000003 0005 61", 4, "BATCH_SEND.messages"),
        # a batch that ends inside a message's length
        (C, "04 0001 62 00000001 00", 4, "BATCH_SEND.messages"),
    ],
)
def test_what_is_whole_and_wrong_is_a_decode_error(
    direction: Direction, text: str, offset: int, path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(bytes.fromhex(text), direction)
    assert not isinstance(caught.value, IncompleteError)
    assert (caught.value.offset, caught.value.path) == (offset, path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("02", "SEND_MESSAGE.target"),
        ("02 00", "SEND_MESSAGE.target"),
        ("02 0003 6262", "SEND_MESSAGE.target"),
        ("02 0000", "SEND_MESSAGE.message"),
        ("07 0000 00000000000000", "SEND_SEQ.seq"),
        ("23 0000 0000 ffffffff 00", "E2EE_MSG.ciphertext"),
    ],
)
def test_an_incomplete_frame_names_the_field_that_is_cut(text: str, path: str) -> None:
    with pytest.raises(IncompleteError) as caught:
        decode(bytes.fromhex(text), C)
    assert (caught.value.offset, caught.value.path) == (0, path)


def test_there_is_nothing_at_the_end() -> None:
    assert decode(b"", C) == ()
    assert decode_one(b"", C) is NEED_DATA
    assert decode_one(b"\x05\x00\x00", C, 3) is NEED_DATA


def test_an_unknown_opcode_takes_the_rest_of_the_segment() -> None:
    data = bytes.fromhex("05 0000 34 05 0000")
    assert decode(data, C) == (GetStatus(b""), UnknownFrame(C, data[3:]))
    assert encode(UnknownFrame(C, data[3:])) == data[3:]


def test_bytes_that_begin_like_a_bare_text_and_are_not_one_are_unknown() -> None:
    assert decode(b"AUTH_FAULT", S) == (UnknownFrame(S, b"AUTH_FAULT"),)
    assert decode_one(b"AUTH_FA", S) is NEED_DATA
    assert decode(b"AUTH_FAILED", C) == (UnknownFrame(C, b"AUTH_FAILED"),)


def test_broken_cbor_is_kept_as_it_is() -> None:
    frame = CborMsg(b"b", b"\xff\x1c\xa1")
    assert decode(encode(frame), C) == (frame,)


@pytest.mark.parametrize(
    "inner",
    [E2eeDelivery(b"a", b"\xa0", b"x"), GroupDelivery(b"g", b"\xa0", b"x"),
     SenderKeyDelivery(b"g", b"k")],
)  # fmt: skip
def test_a_delivery_is_found_inside_a_reliable_message(inner: ServerFrame) -> None:
    assert delivery(ReliableMsg(b"m", encode(inner))) == inner


@pytest.mark.parametrize(
    "message", [b"", b"hello", b"\x24\x00", encode(LoginOk()), b"\x32NO", b"$" + b"\0" * 8 + b"?"]
)
def test_a_plain_message_is_no_delivery(message: bytes) -> None:
    assert delivery(ReliableMsg(b"m", message)) is None
