"""The grammar and a decoder disagree where the protocol leaves no freedom, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.decoding import Disagreement, Said, Saying, disagreement
from grammar import (
    NEED_DATA,
    Ack,
    BatchSend,
    CborMsg,
    Direction,
    Frame,
    GetStatus,
    GroupLeave,
    Login,
    ReadReceipt,
    SendMessage,
    TypingStart,
    cbor,
    decode_one,
    encode,
)
from grammar.errors import DecodeError
from grammar.limits import BUFFER, NAME

FRAME, MORE, ERROR = Said.FRAME, Said.MORE, Said.ERROR
STATUS = encode(GetStatus(b"bob"))
SENT = encode(SendMessage(b"bob", b"hi"))
LONG = b"n" * (NAME + 1)


def asked(data: bytes, said: Said, consumed: int | None = None) -> Disagreement | None:
    return disagreement(data, Saying(said), consumed)


@pytest.mark.parametrize(
    ("data", "said", "consumed"),
    [
        (STATUS, FRAME, 6),
        (STATUS, FRAME, None),
        (STATUS + b"\x00", FRAME, 6),
        (STATUS[:-1], MORE, None),
        (b"\x05", MORE, None),
        # An opcode that no client may send: refused, or left to somebody else.
        (b"\x34", ERROR, None),
        (b"\x75abc", FRAME, 1),
        # Over a limit, whole or not.
        (encode(GetStatus(LONG)), ERROR, None),
        (encode(GetStatus(LONG))[:3], ERROR, None),
        (encode(GetStatus(LONG)), FRAME, 3 + len(LONG)),
        (encode(SendMessage(LONG, b""))[:3], ERROR, None),
        (b"\x04\x00\x00" + (BUFFER + 1).to_bytes(4, "big"), ERROR, None),
        (encode(Login(LONG)), ERROR, None),
        (encode(Ack(b"m" * 65)), ERROR, None),
        # What is inside may be looked at by the decoder, or by who comes next.
        (encode(BatchSend(b"bob", ())), ERROR, None),
        (encode(BatchSend(b"bob", (b"hi",)))[:-1] + b"x", FRAME, 14),
        (b"\x04\x00\x00\x00\x00\x00\x02\x00\x09", ERROR, None),
        (b"\x04\x00\x00\x00\x00\x00\x02\x00\x09", FRAME, 9),
        (encode(CborMsg(b"bob", b"\xff")), ERROR, None),
        (encode(CborMsg(b"bob", cbor.dumps([1]))), ERROR, None),
        # Open-ended frames.
        (b"\x01", MORE, None),
        (b"\x01", ERROR, None),
        (b"\x03", FRAME, 1),
        (encode(Login(b"bob", b"token")), FRAME, 10),
    ],
)
def test_a_decoder_may_say_so(data: bytes, said: Said, consumed: int | None) -> None:
    assert asked(data, said, consumed) is None


@pytest.mark.parametrize(
    ("data", "said", "consumed", "expected", "words", "where"),
    [
        (STATUS[:-1], FRAME, 5, "more is needed", "a frame", "GET_STATUS"),
        (STATUS[:-1], ERROR, None, "more is needed", "an error", "GET_STATUS"),
        (b"\x05", ERROR, None, "more is needed", "an error", "GET_STATUS"),
        (STATUS, MORE, None, "a frame", "more is needed", "GET_STATUS"),
        (STATUS, ERROR, None, "a frame", "an error", "GET_STATUS"),
        (STATUS + SENT, FRAME, 7, "a frame", "a frame of more bytes", "GET_STATUS"),
        (STATUS + SENT, FRAME, 5, "a frame", "a frame of fewer bytes", "GET_STATUS"),
        (STATUS, FRAME, -3, "a frame", "a frame of fewer bytes", "GET_STATUS"),
        (b"\x08", MORE, None, "an error", "more is needed", "an unknown opcode"),
        (b"\x34", Said.RAISED, None, "an error", "raised", "an unknown opcode"),
        (STATUS[:2], Said.LOOPED, None, "more is needed", "looped", "GET_STATUS"),
        (STATUS, Said.KILLED, None, "a frame", "killed", "GET_STATUS"),
        (encode(GetStatus(LONG)), MORE, None, "a frame", "more is needed", "GET_STATUS"),
        (encode(GetStatus(LONG)), Said.RAISED, None, "a frame", "raised", "GET_STATUS"),
        (encode(GetStatus(b"")), ERROR, None, "a frame", "an error", "GET_STATUS"),
        (encode(CborMsg(b"b", cbor.dumps({}))), ERROR, None, "a frame", "an error", "CBOR_MSG"),
        (b"\x01bob", FRAME, 1, "a frame", "a frame of fewer bytes", "LOGIN"),
        (b"\x01bob", MORE, None, "a frame", "more is needed", "LOGIN"),
        (b"\x03m", ERROR, None, "a frame", "an error", "ACK"),
    ],
)
def test_a_decoder_may_not_say_so(
    data: bytes, said: Said, consumed: int | None, expected: str, words: str, where: str
) -> None:
    found = asked(data, said, consumed)
    assert found is not None
    assert (found.expected, found.said, found.where) == (expected, words, where)


def test_a_frame_that_is_called_by_another_name() -> None:
    found = disagreement(STATUS, Saying(FRAME, opcode=0x21), 6)
    assert found is not None
    assert (found.said, found.where) == ("a frame FETCH_PREKEYS", "GET_STATUS")
    assert disagreement(STATUS, Saying(FRAME, opcode=0x05), 6) is None


_FRAMES = st.sampled_from(
    [GetStatus(b"bob"), SendMessage(b"a", b"b"), GroupLeave(b""), ReadReceipt(b"m", b"s"),
     TypingStart(b"t"), BatchSend(b"a", (b"b",)), Login(b"ann"), Ack(b"m")]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(_FRAMES, min_size=1, max_size=3), st.integers(0, 40), st.binary(max_size=4))
def test_whoever_says_what_the_grammar_says_is_right(
    frames: list[Frame], cut: int, more: bytes
) -> None:
    data = b"".join(map(encode, frames))
    data = data[: 1 + cut % len(data)] + more
    try:
        decoded = decode_one(data, Direction.CLIENT)
    except DecodeError:
        assert asked(data, ERROR) is None
        return
    if decoded is NEED_DATA:
        assert asked(data, MORE) is None
    else:
        assert asked(data, FRAME, decoded[1]) is None
