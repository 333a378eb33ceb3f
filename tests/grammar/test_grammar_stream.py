"""A stream means the same however it is cut, save where a cut is meaning."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz.generate.strategies import directions
from grammar import (
    Ack,
    AuthFailed,
    CeilingError,
    DecodeError,
    Direction,
    Error,
    Frame,
    GetStatus,
    GrammarError,
    Login,
    LoginOk,
    ReliableMsg,
    Stream,
    StreamError,
    UnknownFrame,
    encode,
    limits,
)
from tests.grammar.strategies import any_bytes, frames, quick

C, S = Direction.CLIENT, Direction.SERVER

#: Ends that can follow whole frames: nothing, a part of one, and what can never be one.
ENDS = {
    C: [b"", b"\x02\x00\x01", bytes.fromhex("04 0001 62 00000003 0005 61")],
    S: [b"", b"\x10\x00\x02m", b"\x03LOGIN_KO", b"\x32NO", b"AUTH_FA"],
}


def played(stream: Stream, segments: list[bytes]) -> tuple[list[Frame], str, int]:
    """Return the frames, the fault as text, and the bytes that are left."""
    out: list[Frame] = []
    try:
        for segment in segments:
            out += stream.feed(segment)
        pending = stream.pending
        assert len(stream.close()) == pending
    except GrammarError as fault:
        return out, str(fault), 0
    return out, "", pending


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return ``data`` as segments that end at ``cuts``."""
    ends = [*sorted(min(at, len(data)) for at in cuts), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@quick
@given(st.data())
def test_any_cut_gives_the_same_as_none(data: st.DataObject) -> None:
    direction = data.draw(directions)
    several = data.draw(st.lists(frames(direction, delimited=True), max_size=4))
    whole = b"".join(map(encode, several)) + data.draw(st.sampled_from(ENDS[direction]))
    ceiling = data.draw(st.sampled_from([None, 10, 40, 300]))
    expected = played(Stream(direction, ceiling), [whole])
    cuts = data.draw(st.lists(st.integers(0, 400), max_size=8))
    assert played(Stream(direction, ceiling), cut(whole, cuts)) == expected
    single = [whole[i : i + 1] for i in range(len(whole))]
    assert played(Stream(direction, ceiling), single) == expected
    if ceiling is None:
        assert expected[0] == several


@quick
@given(directions, st.lists(any_bytes, max_size=4))
@example(C, [b"\x02", b"\x01"])
def test_any_bytes_give_frames_or_one_typed_error(
    direction: Direction, segments: list[bytes]
) -> None:
    stream = Stream(direction)
    decoded, fault, pending = played(stream, segments)
    taken = b"".join(map(encode, decoded))
    given_bytes = b"".join(segments)
    assert given_bytes.startswith(taken)
    assert fault or len(given_bytes) == len(taken) + pending


def test_login_ends_with_its_segment() -> None:
    stream = Stream(C)
    status = encode(GetStatus(b"u"))
    assert stream.feed(b"\x01al") == [Login(b"al")]
    assert stream.feed(b"\x01al" + status) == [Login(b"al" + status)]
    assert stream.feed(status[:2]) == []
    assert stream.feed(status[2:] + b"\x03m1") == [GetStatus(b"u"), Ack(b"m1")]


def test_an_unknown_frame_ends_with_its_segment() -> None:
    stream = Stream(C)
    assert stream.feed(b"\x99\x05\x00\x00") == [UnknownFrame(C, b"\x99\x05\x00\x00")]
    assert stream.feed(b"\x05\x00\x00") == [GetStatus(b"")]


def test_replies_to_login_are_found_with_what_follows() -> None:
    message = ReliableMsg(b"m", b"hi")
    assert Stream(S).feed(encode(LoginOk()) + encode(message)) == [LoginOk(), message]
    stream = Stream(S)
    assert stream.feed(b"AUTH_") == []
    assert stream.feed(b"FAILED") == [AuthFailed()]


def test_frames_before_a_fault_are_returned_and_the_fault_is_raised_next() -> None:
    good, bad = encode(Error(b"no")), b"\x32NO"
    stream = Stream(S)
    assert stream.feed(good + bad) == [Error(b"no")]
    assert isinstance(stream.fault, DecodeError)
    with pytest.raises(DecodeError, match=r"GROUP_LEFT.text at byte 6"):
        stream.feed(good)
    assert stream.close() == bad


def test_a_fault_that_nobody_has_seen_is_raised_by_close() -> None:
    stream = Stream(S)
    stream.feed(encode(Error(b"no")) + b"\x32NO")
    with pytest.raises(DecodeError):
        stream.close()


def test_the_offset_of_a_fault_counts_from_the_start_of_the_stream() -> None:
    stream = Stream(S)
    stream.feed(encode(Error(b"no")))
    stream.feed(encode(Error(b"no")) + b"\x32")
    with pytest.raises(DecodeError) as caught:
        stream.feed(b"NO")
    assert caught.value.offset == 11


def test_a_closed_stream_takes_nothing() -> None:
    stream = Stream(C)
    stream.feed(b"\x02\x00")
    assert (stream.pending, stream.close(), stream.pending) == (2, b"\x02\x00", 0)
    assert stream.close() == b""
    with pytest.raises(StreamError, match="closed"):
        stream.feed(b"\x05")


@pytest.mark.parametrize("cuts", [[], [5], list(range(1, 66_000, 5_000))])
def test_the_default_ceiling_is_the_published_buffer(cuts: list[int]) -> None:
    fits = encode(GetStatus(b"u" * (limits.BUFFER - 3)))
    assert len(fits) == limits.BUFFER
    assert len(played(Stream(C), cut(fits, cuts))[0]) == 1
    # A frame one byte longer, and a part of a frame one byte longer than may be kept.
    longer = bytes.fromhex("10 0000 0000fffa") + bytes(0xFFFA)
    for data in (longer, longer[:3] + b"\xff" * 4 + longer[7:]):
        assert len(data) == limits.BUFFER + 1
        stream = Stream(C)
        assert played(stream, cut(data, cuts))[0] == []
        assert isinstance(stream.fault, CeilingError)
        assert (stream.fault.offset, stream.fault.ceiling) == (0, limits.BUFFER)


def test_a_server_may_send_more_than_a_client() -> None:
    message = ReliableMsg(b"m", b"x" * limits.CBOR_PAYLOAD)
    assert Stream(S).feed(encode(message)) == [message]
