"""The WebSocket envelope, against vectors of RFC 6455 and wsproto as an independent judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameDecoder

from grammar import NEED_DATA, DecodeError, Direction, EncodeError
from grammar.envelope import (
    _HEADER,
    MASKING_KEY,
    Envelope,
    MessageKind,
    decode_envelope,
    encode_envelope,
    wrap,
)
from tests.grammar.strategies import quick

#: RFC 6455, section 5.7, and the two longer forms with the shortest payload that needs them.
VECTORS = [
    ("81 05 48656c6c6f", Envelope(b"Hello", MessageKind.TEXT)),
    (
        "81 85 37fa213d 7f9f4d5158",
        Envelope(b"Hello", MessageKind.TEXT, key=bytes.fromhex("37fa213d")),
    ),
    ("01 03 48656c", Envelope(b"Hel", MessageKind.TEXT, fin=False)),
    ("80 02 6c6f", Envelope(b"lo", MessageKind.CONTINUATION)),
    ("89 05 48656c6c6f", Envelope(b"Hello", MessageKind.PING)),
    (
        "8a 85 37fa213d 7f9f4d5158",
        Envelope(b"Hello", MessageKind.PONG, key=bytes.fromhex("37fa213d")),
    ),
    ("82 7e 0100" + "00" * 256, Envelope(bytes(256))),
    ("82 7f 0000000000010000" + "00" * 65536, Envelope(bytes(65536))),
    # Forms that the RFC forbids: a longer length than needed, reserved bits and kinds.
    ("82 7e 0001 78", Envelope(b"x", width=16)),
    ("82 7f 0000000000000000", Envelope(b"", width=64)),
    ("f3 00", Envelope(b"", kind=3, reserved=7)),
]

any_envelope = st.builds(
    Envelope,
    payload=st.binary(max_size=300),
    kind=st.integers(0, 15),
    fin=st.booleans(),
    reserved=st.integers(0, 7),
    key=st.none() | st.binary(min_size=4, max_size=4),
    width=st.sampled_from([None, 64]),
)


@pytest.mark.parametrize(("text", "envelope"), VECTORS, ids=lambda value: str(value)[:24])
def test_published_bytes_and_envelopes_agree(text: str, envelope: Envelope) -> None:
    data = bytes.fromhex(text)
    assert encode_envelope(envelope) == data
    assert decode_envelope(data) == (envelope, len(data))


@quick
@given(any_envelope)
def test_each_envelope_survives_a_round_trip(envelope: Envelope) -> None:
    data = encode_envelope(envelope)
    assert decode_envelope(b"\xaa" + data + b"\xbb", 1) == (envelope, len(data) + 1)
    for end in (0, 1, 2, 5, len(data) - 1):
        assert decode_envelope(data[: min(end, len(data) - 1)]) is NEED_DATA


@quick
@given(st.binary(max_size=40), st.integers(0, 3))
def test_any_bytes_give_an_envelope_need_data_or_one_typed_error(data: bytes, offset: int) -> None:
    try:
        decoded = decode_envelope(data, offset)
    except DecodeError:
        # The one refusal: 64 bits of length whose highest is set.
        assert data[offset + 1] & 0x7F == 127
        assert data[offset + 2] >= 0x80
        return
    if decoded is not NEED_DATA:
        envelope, end = decoded
        assert encode_envelope(envelope) == data[offset:end]


def test_a_length_with_its_highest_bit_set_means_nothing() -> None:
    with pytest.raises(DecodeError, match="a length of 9223372036854775808 bytes"):
        decode_envelope(bytes.fromhex("82 7f 8000000000000000"))
    assert decode_envelope(bytes.fromhex("82 7f 7fffffffffffffff")) is NEED_DATA


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_another_implementation_reads_what_is_wrapped(direction: Direction, size: int) -> None:
    frame = bytes(range(256)) * (size // 256) + bytes(size % 256)
    wrapped = wrap(frame, direction)
    judge = FrameDecoder(client=direction is Direction.SERVER)
    judge.receive_bytes(wrapped)
    read = judge.process_buffer()
    assert read is not None
    assert (read.opcode, read.payload, read.message_finished) == (2, frame, True)
    assert (MASKING_KEY in wrapped[:14]) is (direction is Direction.CLIENT)


@pytest.mark.parametrize(
    ("envelope", "path"),
    [
        (Envelope(bytes(126), width=7), "envelope.size"),
        (Envelope(bytes(65536), width=16), "envelope.size"),
        (Envelope(b"", width=8), "envelope.size"),
        (Envelope(b"", kind=16), "envelope"),
        (Envelope(b"", reserved=8), "envelope"),
        (Envelope(b"", key=b"abc"), "envelope"),
    ],
)
def test_what_an_envelope_cannot_say_is_refused(envelope: Envelope, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_envelope(envelope)
    assert caught.value.path == path


@quick
@given(st.binary(max_size=24))
def test_headers_are_read_and_written_as_they_are_declared(data: bytes) -> None:
    data += bytes(300)
    try:
        decoded = decode_envelope(data)
    except DecodeError:
        assert _HEADER.parse(data).size >= 1 << 63
        return
    declared = _HEADER.parse(data)
    if decoded is NEED_DATA:
        assert declared.size > 200
        return
    envelope, end = decoded
    bits = declared.bits
    assert (envelope.fin, envelope.reserved, envelope.kind) == (
        bits.fin,
        bits.reserved,
        bits.opcode,
    )
    assert (envelope.key, len(envelope.payload)) == (declared.key, declared.size)
    assert encode_envelope(envelope) == data[:end]
    assert data.startswith(_HEADER.build(declared))


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(b"", kind=16), Envelope(b"", kind=-1), Envelope(b"", reserved=8),
        Envelope(b"", key=b"abc"), Envelope(b"", key=b""), Envelope(b"", width=64, told=1 << 64),
        Envelope(b"", told=-1),
    ],
)  # fmt: skip
def test_what_a_header_cannot_say_is_refused(envelope: Envelope) -> None:
    with pytest.raises(EncodeError, match=r"^envelope: "):
        encode_envelope(envelope)
