"""Lengths that lie, sizes and numbers at their limits: each operation does what it says."""

from __future__ import annotations

import pytest

from fuzz.generate import fields
from fuzz.generate.anatomy import anatomy_of
from fuzz.generate.draft import Draft
from grammar import (
    BatchSend,
    Direction,
    E2eeMsg,
    GetStatus,
    GroupRoster,
    SendMessage,
    SendSeq,
    decode,
    encode,
)
from grammar.limits import boundaries
from tests.generate.support import HEADER, B, Truthful, drafts, send

FRAME = encode(BatchSend(b"target", (b"one", b"three")))
LIES = [
    fields.nudge_length,
    fields.boundary_length,
    fields.swap_length,
    fields.borrow_length,
]


def changed(operation: object, frame: bytes, kind: type[Draft] = Draft) -> list[bytes]:
    """Return the frames that ``operation`` makes of ``frame`` where it changes it."""
    assert callable(operation)
    done = [draft for draft in drafts(send(frame), kind=kind) if operation(draft)]
    return [draft.steps[0].data for draft in done]


@pytest.mark.parametrize("operation", LIES)
def test_a_lie_is_in_one_length_and_nothing_else(operation: object) -> None:
    lengths = anatomy_of(FRAME).lengths
    outs = changed(operation, FRAME)
    touched = set()
    for out in outs:
        assert len(out) == len(FRAME)
        differ = {
            span.path
            for span in lengths
            for at in range(span.offset, span.offset + span.length)
            if out[at] != FRAME[at]
        }
        assert len(differ) == 1
        touched |= differ
        rest = [
            at
            for at in range(len(FRAME))
            if not any(span.offset <= at < span.offset + span.length for span in lengths)
        ]
        assert all(out[at] == FRAME[at] for at in rest)
    assert touched == {span.path for span in lengths}


def test_nudging_goes_up_and_down_by_one_and_a_little_more() -> None:
    frame = encode(GetStatus(b"somebody"))
    values = {out[2] for out in changed(fields.nudge_length, frame)}
    assert {7, 9} < values <= set(range(0, 17)) - {8}


def test_boundary_lengths_are_those_of_the_field() -> None:
    frame = encode(GetStatus(b"somebody"))
    values = {int.from_bytes(out[1:3], "big") for out in changed(fields.boundary_length, frame)}
    assert {0, 65_535, 255, 257} <= values <= set(boundaries(256, 2))


def test_a_swapped_length_reads_the_other_way_round() -> None:
    frame = encode(GetStatus(b"somebody"))
    assert set(changed(fields.swap_length, frame)) == {b"\x05\x08\x00somebody"}


def test_a_borrowed_length_is_one_of_another_field_or_the_rest() -> None:
    frame = encode(SendMessage(b"bob", b"hello"))
    values = {(out[2], out[7]) for out in changed(fields.borrow_length, frame)}
    # Of the message, the rest is what it has already.
    assert values == {(5, 5), (10, 5), (3, 3)}


def test_resizing_meets_the_limit_with_true_lengths() -> None:
    outs = changed(fields.resize, encode(GetStatus(b"bob")))
    sizes = set()
    for out in outs:
        (frame,) = decode(out, Direction.CLIENT)
        assert isinstance(frame, GetStatus)
        assert frame.user == (b"bob" * 40_000)[: len(frame.user)]
        sizes.add(len(frame.user))
    assert {255, 256, 257} <= sizes <= set(boundaries(256, 4))


def test_a_cbor_string_is_resized_so_that_its_field_meets_the_limit() -> None:
    outs = changed(fields.resize, encode(E2eeMsg(b"bob", HEADER, b"")))
    sizes = set()
    for out in outs:
        anatomy = anatomy_of(out)
        assert all(anatomy.is_true(span) for span in anatomy.lengths)
        sizes |= {span.counts[1] for span in anatomy.lengths if span.counts}
    assert any(abs(size - 1_024) <= 3 for size in sizes)


def test_bytes_of_a_field_are_repeated_where_they_stand_with_true_lengths() -> None:
    outs = changed(fields.repeat_within, encode(GetStatus(b"bob")))
    users = set()
    for out in outs:
        if len(out) > 65_538:  # no two-byte length says that
            continue
        (frame,) = decode(out, Direction.CLIENT)
        assert isinstance(frame, GetStatus)
        users.add(frame.user)
    assert b"bobbob" in users
    assert all(len(user) > 3 and user[:1] + user[-1:] == b"bb" for user in users)
    assert max(map(len, users)) > 1_000


def test_resizing_untold_leaves_the_lengths() -> None:
    frame = encode(SendMessage(b"bob", b"hello"))
    outs = changed(fields.resize_untold, frame)
    assert outs
    for out in outs:
        assert len(out) != len(frame)
        assert out.startswith(b"\x02\x00\x03") or out[1:3] == b"\x00\x03"
        assert b"\x00\x05" in out


def test_integers_turn_over() -> None:
    outs = changed(fields.boundary_integer, encode(SendSeq(b"bob", 7, b"")))
    values = {int.from_bytes(out[6:14], "big") for out in outs}
    assert {6, 8, 0, 2**64 - 1, 2**63} <= values
    assert all(out[:6] + out[14:] == outs[0][:6] + outs[0][14:] for out in outs)


def test_names_become_other_names_in_true_frames() -> None:
    outs = changed(fields.other_name, encode(SendMessage(B, b"hello")), Truthful)
    names = set()
    for out in outs:
        (frame,) = decode(out, Direction.CLIENT)
        assert isinstance(frame, SendMessage)
        assert frame.message == b"hello"
        names.add(frame.target)
    assert {b"<user:A>", b"<user:C>"} & names


def test_names_can_be_empty_too_long_and_odd() -> None:
    names = set()
    for out in changed(fields.other_name, encode(GetStatus(B))):
        if anatomy_of(out).is_true(anatomy_of(out).lengths[0]):
            names.add(out[3:])
    assert {b"", b"u" * 257, b"<user:A>"} <= names


def test_a_group_becomes_the_group_of_the_case() -> None:
    assert b"\x35\x00\x09<group:1>" in changed(fields.other_name, encode(GroupRoster(b"nowhere")))


@pytest.mark.parametrize("operation", [fields.word_for_field, fields.insert_word])
def test_words_go_in_with_true_lengths(operation: object) -> None:
    outs = changed(operation, encode(SendMessage(b"bob", b"hello")), Truthful)
    assert len(set(outs)) > 20
    for out in outs:
        assert isinstance(decode(out, Direction.CLIENT)[0], SendMessage)


def test_an_overwriting_word_keeps_the_size() -> None:
    outs = changed(fields.overwrite_word, FRAME)
    assert {len(out) for out in outs} == {len(FRAME)}
    assert len(set(outs)) > 50


def test_damage_is_small() -> None:
    outs = changed(fields.damage_text, encode(SendMessage(b"targeted", b"hello")))
    assert {len(out) for out in outs} == {17, 18, 19}
    assert encode(SendMessage(b"TARGETED", b"hello")) in outs
    for out in outs:
        (frame,) = decode(out, Direction.CLIENT)
        assert isinstance(frame, SendMessage)
        assert frame.message == b"hello"
