"""Spans tile their segment, count the truth, and say what each byte is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.generate.strategies import directions
from grammar import (
    NEED_DATA,
    BatchSend,
    CborMsg,
    ClientOpcode,
    DecodeError,
    Direction,
    Login,
    Role,
    Span,
    decode_one,
    encode,
    frame_bounds,
    outline,
    spans,
)
from grammar.spans import MAX_SPANS
from tests.grammar.strategies import any_bytes, frames, quick
from tests.grammar.vectors import VECTORS, Vector

C, S = Direction.CLIENT, Direction.SERVER


def table(text: str, direction: Direction = C) -> list[tuple[str, int, int, str]]:
    """Return the spans of hexadecimal ``text`` as plain tuples."""
    found = spans(bytes.fromhex(text), direction)
    return [(span.path, span.offset, span.length, str(span.role)) for span in found]


def counts(text: str, path: str, direction: Direction = C) -> tuple[int, int] | None:
    """Return what the span called ``path`` counts."""
    return next(s.counts for s in spans(bytes.fromhex(text), direction) if s.path == path)


@quick
@given(directions, any_bytes)
def test_spans_tile_any_bytes(direction: Direction, data: bytes) -> None:
    at = 0
    for span in spans(data, direction):
        assert span.offset == at
        assert span.length >= 1
        at += span.length
        if span.counts is not None:
            start, length = span.counts
            assert span.role in (Role.LENGTH, Role.CBOR_HEAD)
            assert start == at
            assert 0 <= length <= len(data) - start
    assert at == len(data)


@quick
@given(directions, any_bytes)
def test_an_outline_is_the_spans_with_each_field_of_cbor_as_one(
    direction: Direction, data: bytes
) -> None:
    cut, at = spans(data, direction), 0
    for span in outline(data, direction):
        assert span.offset == at
        at += span.length
        inside = [one for one in cut if span.offset <= one.offset < at]
        if span.role is Role.CBOR_VALUE:
            assert all(one.path.startswith(span.path) for one in inside)
            assert sum(one.length for one in inside) == span.length
        else:
            assert inside == [span]
    assert at == len(data)


def test_an_outline_leaves_a_map_whole() -> None:
    frame = encode(CborMsg(b"bob", b"\xa1\x61n\x01"))
    assert [span.length for span in outline(frame, C)] == [1, 2, 3, 4, 4]


@quick
@given(directions, any_bytes)
def test_frame_bounds_tile_any_bytes_and_agree_with_the_codec(
    direction: Direction, data: bytes
) -> None:
    at = 0
    for offset, length, opcode in frame_bounds(data, direction):
        assert offset == at
        assert length >= 1
        assert opcode in (data[offset], None)
        at += length
        try:
            decoded = decode_one(data, direction, offset)
        except DecodeError:
            continue
        assert at == len(data) if decoded is NEED_DATA else at == decoded[1]
    assert at == len(data)


@quick
@given(st.data())
def test_lengths_of_encoded_frames_count_the_truth(data: st.DataObject) -> None:
    direction = data.draw(directions)
    encoded = encode(data.draw(frames(direction)))
    for span in spans(encoded, direction):
        if span.role is Role.LENGTH and span.counts is not None:
            value = int.from_bytes(encoded[span.offset : span.offset + span.length], "big")
            assert value == span.counts[1]
        assert (span.counts is not None) >= (span.role is Role.LENGTH)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: repr(v.frame)[:50])
def test_a_whole_frame_leaves_no_tail(vector: Vector) -> None:
    found = spans(vector.data, vector.frame.direction)
    assert Role.TAIL not in {span.role for span in found}
    opcode = vector.frame.opcode
    name = found[0].path.partition(".")[0]
    assert name == (opcode.name if opcode is not None else name)
    bounds = frame_bounds(vector.data, vector.frame.direction)
    assert bounds == ((0, len(vector.data), opcode),)


def test_a_message_is_opcode_lengths_and_contents() -> None:
    assert table("02 0003 626f62 0002 6869") == [
        ("SEND_MESSAGE.opcode", 0, 1, "opcode"),
        ("SEND_MESSAGE.target.length", 1, 2, "length"),
        ("SEND_MESSAGE.target", 3, 3, "name"),
        ("SEND_MESSAGE.message.length", 6, 2, "length"),
        ("SEND_MESSAGE.message", 8, 2, "text"),
    ]
    assert counts("02 0003 626f62 0002 6869", "SEND_MESSAGE.target.length") == (3, 3)


def test_each_role_has_its_place() -> None:
    assert table("07 0001 62 0000000000000001 0000")[3] == ("SEND_SEQ.seq", 4, 8, "integer")
    assert table("36 0001 67 00000001 6b")[4] == ("SENDER_KEY_DIST.key_data", 8, 1, "key")
    assert table("03 4c4f47494e5f4f4b", S)[1] == ("LOGIN_OK.text", 1, 8, "literal")
    assert table("03 6d31")[1] == ("ACK.msg_id", 1, 2, "name")
    assert table("fe 0002 6e6f", S)[2] == ("ERROR.reason", 3, 2, "text")


def test_a_login_divides_at_its_first_colon() -> None:
    assert table("01 6162 3a 633a")[1:] == [
        ("LOGIN.user", 1, 2, "name"),
        ("LOGIN.separator", 3, 1, "literal"),
        ("LOGIN.token", 4, 2, "key"),
    ]
    assert [path for path, *_ in table(encode(Login(b"ab")).hex())] == [
        "LOGIN.opcode",
        "LOGIN.user",
    ]


def test_an_empty_field_shows_in_its_length_alone() -> None:
    assert [path for path, *_ in table("70 0000")] == [
        "TYPING_START.opcode",
        "TYPING_START.target.length",
    ]
    assert counts("70 0000", "TYPING_START.target.length") == (3, 0)


def test_a_batch_divides_into_its_messages() -> None:
    text = "04 0001 62 00000007 0001 61 0002 6263"
    assert table(text)[3:] == [
        ("BATCH_SEND.messages.length", 4, 4, "length"),
        ("BATCH_SEND.messages[0].length", 8, 2, "length"),
        ("BATCH_SEND.messages[0]", 10, 1, "text"),
        ("BATCH_SEND.messages[1].length", 11, 2, "length"),
        ("BATCH_SEND.messages[1]", 13, 2, "text"),
    ]
    assert counts(text, "BATCH_SEND.messages.length") == (8, 7)
    assert counts(text, "BATCH_SEND.messages[1].length") == (13, 2)


def test_a_message_that_runs_past_its_batch_is_clipped_to_it() -> None:
    # The batch is 3 bytes; its message says 9 and has 1. A GET_STATUS follows.
    text = "04 0001 62 00000003 0009 61 05 0000"
    assert table(text)[4:] == [
        ("BATCH_SEND.messages[0].length", 8, 2, "length"),
        ("BATCH_SEND.messages[0]", 10, 1, "text"),
        ("GET_STATUS.opcode", 11, 1, "opcode"),
        ("GET_STATUS.user.length", 12, 2, "length"),
    ]
    assert counts(text, "BATCH_SEND.messages[0].length") == (10, 1)


def test_a_batch_far_above_the_limit_has_a_tail() -> None:
    found = spans(encode(BatchSend(b"", (b"",) * 1100)), C)
    assert found[-1].path == "BATCH_SEND.messages.tail"
    assert found[-2].path == "BATCH_SEND.messages[1023].length"
    assert (found[-1].role, found[-1].length) == (Role.TAIL, 2 * (1100 - 1024))


def test_cbor_divides_into_heads_and_contents() -> None:
    # {"n": 500, "k": h'0102'}
    text = "10 0000 0000000b a2 61 6e 19 01f4 61 6b 42 0102"
    assert table(text)[3:] == [
        ("CBOR_MSG.payload[0].head", 7, 1, "cbor_head"),
        ("CBOR_MSG.payload[1].head", 8, 1, "cbor_head"),
        ("CBOR_MSG.payload[1]", 9, 1, "cbor_value"),
        ("CBOR_MSG.payload[2].head", 10, 3, "cbor_head"),
        ("CBOR_MSG.payload[3].head", 13, 1, "cbor_head"),
        ("CBOR_MSG.payload[3]", 14, 1, "cbor_value"),
        ("CBOR_MSG.payload[4].head", 15, 1, "cbor_head"),
        ("CBOR_MSG.payload[4]", 16, 2, "cbor_value"),
    ]
    assert counts(text, "CBOR_MSG.payload[0].head") is None
    assert counts(text, "CBOR_MSG.payload[4].head") == (16, 2)


@pytest.mark.parametrize(
    ("payload", "last"),
    [
        # a second item behind the first
        ("00 01", ("CBOR_MSG.payload.tail", 8, 1, "tail")),
        # reserved additional information inside an array
        ("82 1c 00", ("CBOR_MSG.payload.tail", 8, 2, "tail")),
        # a head that ends inside its argument
        ("82 01 19 ff", ("CBOR_MSG.payload.head", 9, 2, "cbor_head")),
        # a string that says 5 and has 2
        ("65 6162", ("CBOR_MSG.payload[0]", 8, 2, "cbor_value")),
    ],
)
def test_cbor_that_is_broken_ends_in_what_is_left(
    payload: str, last: tuple[str, int, int, str]
) -> None:
    data = encode(CborMsg(b"", bytes.fromhex(payload)))
    assert table(data.hex())[-1] == last


def test_cbor_does_not_reach_behind_its_field() -> None:
    # The header is one byte and begins a string of 5; what follows is the ciphertext.
    text = "23 0000 0001 65 00000001 ff"
    assert counts(text, "E2EE_MSG.header[0].head") == (6, 0)
    assert table(text)[-1] == ("E2EE_MSG.ciphertext", 10, 1, "key")


def test_a_field_that_is_cut_short_shows_what_is_there() -> None:
    assert table("02 0009 6162")[1:] == [
        ("SEND_MESSAGE.target.length", 1, 2, "length"),
        ("SEND_MESSAGE.target", 3, 2, "name"),
    ]
    assert counts("02 0009 6162", "SEND_MESSAGE.target.length") == (3, 2)
    assert table("02 00")[1:] == [("SEND_MESSAGE.target.length", 1, 1, "length")]
    assert counts("02 00", "SEND_MESSAGE.target.length") == (2, 0)
    assert table("07 0000 0102")[-1] == ("SEND_SEQ.seq", 3, 2, "integer")
    assert table("03 4c4f", S)[-1] == ("LOGIN_OK.text", 1, 2, "literal")


def test_what_no_layout_explains_is_a_tail() -> None:
    assert table("34 0102") == [("UNKNOWN.opcode", 0, 1, "opcode"), ("UNKNOWN.tail", 1, 2, "tail")]
    assert table("32 4e4f", S)[-1] == ("GROUP_LEFT.text", 1, 2, "tail")
    assert frame_bounds(bytes.fromhex("05 0000 34 0102"), C) == ((0, 3, 0x05), (3, 3, 0x34))


def test_bare_texts_have_no_opcode() -> None:
    assert table(b"AUTH_FAI".hex(), S) == [("AUTH_FAILED.text", 0, 8, "literal")]
    assert frame_bounds(b"RATE_LIMITED", S) == ((0, 12, None),)
    assert frame_bounds(b"RATE_LIMITEE", S) == ((0, 12, ord("R")),)


def test_very_many_frames_end_in_a_tail() -> None:
    data = bytes.fromhex("05 0000") * MAX_SPANS
    found = spans(data, C)
    assert len(found) == MAX_SPANS + 1
    assert found[-1].role is Role.TAIL
    assert len(frame_bounds(data, C)) == MAX_SPANS


def test_spans_are_frozen_and_slotted() -> None:
    span = spans(b"\x05", C)[0]
    assert span == Span("GET_STATUS.opcode", 0, 1, Role.OPCODE, None)
    with pytest.raises(AttributeError):
        span.offset = 1  # type: ignore[misc]
    assert not hasattr(span, "__dict__")


@pytest.mark.parametrize("opcode", ClientOpcode)
def test_every_truncation_of_every_client_frame_is_tiled(opcode: ClientOpcode) -> None:
    whole = next(v.data for v in VECTORS if v.frame.opcode is opcode)
    for end in range(len(whole)):
        assert sum(span.length for span in spans(whole[:end], C)) == end
