"""The fields of a frame, and the rule that a true length stays true and a lie a lie."""

from __future__ import annotations

from random import Random

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.generate.anatomy import (
    SEGMENT_WINDOW,
    WINDOW,
    Anatomy,
    Part,
    anatomy_of,
    bounds_of,
    cbor_head,
)
from fuzz.generate.values import fresh_frame
from grammar import BatchSend, CborMsg, Direction, E2eeMsg, Role, SendMessage, decode, encode
from tests.generate.support import HEADER, draft_of


def part_at(anatomy: Anatomy, path: str) -> Part:
    return next(part for part in anatomy.parts if part.path == path)


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.binary(max_size=400))
def test_replacing_a_field_keeps_every_length_true(seed: int, new: bytes) -> None:
    frame = fresh_frame(draft_of(seed=seed))
    anatomy = anatomy_of(frame)
    assert all(anatomy.is_true(counter) for counter in anatomy.counters)
    plain = [p for p in anatomy.parts if not p.holds_cbor and p.path != "BATCH_SEND.messages"]
    if not plain:
        return
    part = Random(seed).choice(plain)
    after = anatomy_of(anatomy.replace(part, new))
    assert all(after.is_true(counter) for counter in after.counters)
    assert any(after.content(found) == new for found in after.parts) or part.counter is None


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300), st.binary(max_size=20))
@settings(max_examples=300)
def test_splice_is_total_and_puts_the_bytes_there(
    data: bytes, offset: int, length: int, new: bytes
) -> None:
    anatomy = anatomy_of(data)
    offset = min(offset, len(data))
    length = min(length, len(data) - offset)
    out = anatomy.splice(offset, length, new)
    assert out.endswith(new + data[offset + length :])
    assert anatomy.overwrite(offset, length, new) == data[:offset] + new + data[offset + length :]


def test_a_lie_stays_a_lie() -> None:
    anatomy = anatomy_of(b"\x02\x00\x63target\x00\x02hi")
    assert not anatomy.is_true(anatomy.lengths[0])
    assert anatomy.replace(anatomy.parts[0], b"x") == b"\x02\x00\x63x"


def test_a_lie_inside_does_not_hinder_the_truth_around_it() -> None:
    blob = b"\x00\x03one" + b"\x00\x09two"
    frame = b"\x04\x00\x03bob" + len(blob).to_bytes(4, "big") + blob
    anatomy = anatomy_of(frame)
    out = anatomy.replace(part_at(anatomy, "BATCH_SEND.messages[1]"), b"t")
    assert out == b"\x04\x00\x03bob\x00\x00\x00\x08" + b"\x00\x03one" + b"\x00\x09t"


def test_only_the_lengths_around_a_field_are_adjusted() -> None:
    frame = encode(BatchSend(b"bob", (b"one", b"two", b"three")))
    anatomy = anatomy_of(frame)
    out = anatomy.replace(part_at(anatomy, "BATCH_SEND.messages[1]"), b"longer")
    assert decode(out, Direction.CLIENT) == (BatchSend(b"bob", (b"one", b"longer", b"three")),)


def test_a_cbor_string_takes_its_head_and_its_field_along() -> None:
    frame = encode(E2eeMsg(b"bob", cbor2.dumps({"ik": b"k" * 23}), b"c"))
    anatomy = anatomy_of(frame)
    text = next(part for part in anatomy.parts if anatomy.content(part) == b"k" * 23)
    (out,) = decode(anatomy.replace(text, b"K" * 300), Direction.CLIENT)
    assert isinstance(out, E2eeMsg)
    assert cbor2.loads(out.header) == {"ik": b"K" * 300}
    assert out.ciphertext == b"c"


def test_a_head_that_is_wider_than_needed_stays_so() -> None:
    anatomy = anatomy_of(encode(CborMsg(b"bob", b"\x5a\0\0\0\x02ab")))
    out = anatomy.replace(part_at(anatomy, "CBOR_MSG.payload[0]"), b"c")
    assert out.endswith(b"\x5a\0\0\0\x01c")


def test_a_length_that_cannot_say_it_says_the_most() -> None:
    anatomy = anatomy_of(encode(SendMessage(b"bob", b"hi")))
    out = anatomy.replace(part_at(anatomy, "SEND_MESSAGE.message"), b"x" * 70_000)
    assert out[6:8] == b"\xff\xff"
    assert len(out) == 70_008


def test_a_frame_longer_than_the_window_has_true_lengths() -> None:
    big = b"m" * (3 * WINDOW)
    anatomy = anatomy_of(encode(E2eeMsg(b"bob", HEADER, big)))
    part = part_at(anatomy, "E2EE_MSG.ciphertext")
    assert anatomy.content(part) == big
    (out,) = decode(anatomy.replace(part, b"small"), Direction.CLIENT)
    assert out == E2eeMsg(b"bob", HEADER, b"small")
    (out,) = decode(anatomy.replace(anatomy.parts[0], b"alice"), Direction.CLIENT)
    assert out == E2eeMsg(b"alice", HEADER, big)


def test_nested_lengths_over_the_window_stay_true() -> None:
    frame = BatchSend(b"bob", (b"one", b"b" * 2 * WINDOW, b"last"))
    anatomy = anatomy_of(encode(frame))
    part = part_at(anatomy, "BATCH_SEND.messages[1]")
    (out,) = decode(anatomy.replace(part, b"two"), Direction.CLIENT)
    assert out == BatchSend(b"bob", (b"one", b"two", b"last"))


def test_a_cbor_string_over_the_window_keeps_its_head_true() -> None:
    payload = cbor2.dumps({"body": b"b" * 2 * WINDOW})
    anatomy = anatomy_of(encode(CborMsg(b"bob", payload)))
    part = next(p for p in anatomy.parts if not p.holds_cbor and p.length > WINDOW)
    (out,) = decode(anatomy.replace(part, b"two"), Direction.CLIENT)
    assert out == CborMsg(b"bob", cbor2.dumps({"body": b"two"}).replace(b"Ctwo", b"\x59\0\x03two"))


def test_an_empty_field_is_a_part() -> None:
    anatomy = anatomy_of(encode(SendMessage(b"", b"")))
    assert [part.role for part in anatomy.parts] == [Role.NAME, Role.TEXT]
    assert anatomy.replace(anatomy.parts[0], b"bob") == encode(SendMessage(b"bob", b""))
    assert anatomy.replace(anatomy.parts[1], b"hi") == encode(SendMessage(b"", b"hi"))


def test_bounds_of_a_very_long_segment_reach_its_end() -> None:
    frame = encode(SendMessage(b"bob", b"x" * 100))
    data = frame * 400
    bounds = bounds_of(data)
    assert sum(length for _, length, _ in bounds) == len(data) > SEGMENT_WINDOW
    assert [data[offset : offset + length] for offset, length, _ in bounds[:3]] == [frame] * 3


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("argument", [0, 23, 24, 255, 256, 65_535, 65_536, 2**32, 2**64 - 1])
def test_cbor_heads_say_their_argument(argument: int, width: int) -> None:
    head = cbor_head(0, argument, width)
    assert cbor2.loads(head) == argument
    assert len(head) >= width
    assert len(head) == max(width, len(cbor2.dumps(argument)))


def test_cbor_heads_stop_at_64_bits() -> None:
    assert cbor2.loads(cbor_head(0, 2**70)) == 2**64 - 1
