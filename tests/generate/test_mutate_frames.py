"""Whole frames, and the cuts between segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from fuzz.case import StepKind
from fuzz.generate import frames, segments
from fuzz.generate.anatomy import anatomy_of, bounds_of
from fuzz.generate.draft import Draft, Operation
from fuzz.generate.values import server_frame
from grammar import (
    MALFORMED_FROM_CLIENT,
    Ack,
    ClientOpcode,
    Direction,
    GetStatus,
    SendMessage,
    TypingStart,
    UnknownFrame,
    decode,
    encode,
)
from tests.generate.support import RICH, B, draft_of, drafts, login, on, send, sent

ONE = encode(GetStatus(b"one"))
TWO = encode(SendMessage(b"two", b"hi"))
THREE = encode(TypingStart(b"three"))
STEPS = (login(), send(ONE + TWO), send(THREE))


def done(operation: Callable[[Draft], bool], count: int = 200) -> list[Draft]:
    outs = [draft for draft in drafts(*STEPS, count=count) if operation(draft)]
    assert outs
    return outs


def frames_in(draft: Draft) -> list[bytes]:
    return [
        step.data[offset : offset + length]
        for step in draft.steps
        if step.kind is StepKind.SEND and step.data
        for offset, length, _ in bounds_of(step.data)
    ]


@pytest.mark.parametrize(
    "operation", [frames.swap_frames, frames.shuffle_frames, frames.move_frame]
)
def test_other_order_same_frames(operation: Callable[[Draft], bool]) -> None:
    outs = done(operation)
    assert all(sorted(frames_in(out)) == sorted([ONE, TWO, THREE]) for out in outs)
    assert len({tuple(out.steps) for out in outs}) >= (
        1 if operation is frames.shuffle_frames else 3
    )


def test_a_frame_is_dropped() -> None:
    assert {tuple(frames_in(out)) for out in done(frames.drop_frame)} == {
        (ONE, TWO), (ONE, THREE), (TWO, THREE),
    }  # fmt: skip


def test_a_frame_is_doubled() -> None:
    for out in done(frames.duplicate_frame):
        assert sorted(Counter(frames_in(out)).values()) == [1, 1, 2]


def test_a_frame_is_repeated_now_and_then_past_the_rate_limit() -> None:
    most = [max(Counter(frames_in(out)).values()) for out in done(frames.repeat_frame)]
    assert min(most) >= 2
    assert max(most) == frames.MANY_REPEATS + 1
    assert sum(count > 100 for count in most) < 40


def test_a_repetition_stays_within_the_room() -> None:
    for seed in range(100):
        draft = draft_of(send(TWO), seed=seed, max_bytes=100)
        frames.repeat_frame(draft)
        assert len(draft.steps[0].data) <= 80


def test_an_inserted_frame_is_whole_and_hides_none() -> None:
    seen = set()
    for out in done(frames.insert_frame, 600):
        found = Counter(frames_in(out))
        assert {ONE, TWO, THREE} <= set(found)
        (new,) = (found - Counter([ONE, TWO, THREE])).elements()
        (frame,) = decode(new, Direction.CLIENT)
        assert not isinstance(frame, UnknownFrame)
        seen.add(new[0])
    assert seen == set(ClientOpcode)


def test_nothing_goes_behind_a_frame_without_length() -> None:
    ack = encode(Ack(b"id"))
    for draft in drafts(send(ack), count=300):
        frames.put_frame(draft, ONE)
        assert any(step.data.endswith(ack) for step in draft.steps)


def test_a_server_frame_is_one() -> None:
    opcodes = set()
    for draft in drafts(count=400):
        data = server_frame(draft)
        assert decode(data, Direction.SERVER)
        opcodes.add(data[0])
    assert {0x03, 0x06, 0x22, 0xFE, 0xFF} <= opcodes
    before = len(ONE + TWO + THREE)
    assert all(len(sent(out.steps)[0]) > before for out in done(frames.insert_server_frame))


def test_an_opcode_changes_alone() -> None:
    opcodes = set()
    for draft in drafts(send(ONE), count=1_500):
        if frames.change_opcode(draft):
            assert draft.steps[0].data[1:] == ONE[1:]
            opcodes.add(draft.steps[0].data[0])
    assert opcodes >= set(ClientOpcode) - {0x05} | MALFORMED_FROM_CLIENT
    assert len(opcodes - set(ClientOpcode) - MALFORMED_FROM_CLIENT) > 20


def test_a_truncated_frame_loses_its_end() -> None:
    followed = set()
    for draft in drafts(send(TWO + ONE)):
        assert frames.truncate_frame(draft)
        data = draft.steps[0].data
        assert len(data) < len(TWO + ONE)
        followed.add(data.endswith(ONE))
    assert followed == {True, False}


@pytest.mark.parametrize("operation", segments.OPERATIONS, ids=lambda operation: operation.name)
def test_cuts_change_no_byte(operation: Operation) -> None:
    cut = 0
    for seed in range(100):
        draft = on(RICH, seed)
        cut += operation.apply(draft)
        assert sent(draft.steps) == sent(RICH.steps)
        assert all(step.data for step in draft.steps if step.kind is StepKind.SEND)
    assert cut > 10  # one of its six segments holds several frames


def test_a_cut_goes_through_a_length() -> None:
    spans = anatomy_of(TWO).lengths
    inside = {at for span in spans for at in range(span.offset + 1, span.offset + span.length)}
    cuts = set()
    for draft in drafts(send(TWO)):
        assert segments.split_in_length(draft)
        cuts.add(len(draft.steps[0].data))
    assert cuts == inside


def test_a_cut_goes_between_fields() -> None:
    borders = {span.offset for span in anatomy_of(TWO).spans} - {0}
    cuts = {len(d.steps[0].data) for d in drafts(send(TWO)) if segments.split_at_field(d)}
    assert cuts == borders


def test_a_token_is_never_cut() -> None:
    frame = encode(SendMessage(B, b"to <group:1> and <user"))
    pieces = set()
    for operation in segments.OPERATIONS:
        for draft in drafts(send(frame), count=60):
            operation.apply(draft)
            pieces |= {step.data for step in draft.steps}
            data = [step.data for step in draft.steps]
            assert any(B in piece for piece in data)
            assert any(b"<group:1>" in piece for piece in data)
    assert {B, b"<group:1>", b"<"} <= pieces


def test_bytes_go_one_by_one() -> None:
    draft = draft_of(send(TWO))
    assert segments.split_bytewise(draft)
    assert [step.data for step in draft.steps] == [bytes([byte]) for byte in TWO]


def test_frames_go_one_by_one_and_together_again() -> None:
    base = (send(ONE + TWO + THREE), send(ONE, 1))
    draft = next(draft for draft in drafts(*base) if segments.split_frames(draft))
    assert [step.data for step in draft.steps] == [ONE, TWO, THREE, ONE]
    assert segments.merge_all(draft)
    assert draft.steps == [send(ONE + TWO + THREE), send(ONE, 1)]
    assert not segments.merge_two(draft)


def test_names_of_the_case_are_addressed() -> None:
    named = sum(B in step.data for out in done(frames.insert_frame) for step in out.steps)
    assert named > 5
