"""The public strategies: read off the grammar, valid where they say so, shrinking to little."""

from __future__ import annotations

from dataclasses import fields
from random import Random

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from fuzz.case import Case, StepKind, decode_case, encode_case
from fuzz.generate import strategies
from grammar import (
    BARE_TEXTS,
    CLIENT_OPCODES,
    SERVER_OPCODES,
    BatchSend,
    ClientFrame,
    Direction,
    Frame,
    SendMessage,
    ServerFrame,
    cbor,
    decode,
    encode,
)
from grammar.errors import GrammarError
from grammar.layout import PLANS, Inside
from tests.grammar.strategies import quick

_ALL = (*CLIENT_OPCODES.values(), *SERVER_OPCODES.values(), *BARE_TEXTS.values())
#: Finding is asked for the smallest example.
_SMALLEST = settings(max_examples=500, phases=[Phase.generate, Phase.shrink])


@pytest.mark.parametrize("kind", _ALL, ids=lambda kind: kind.__name__)
def test_each_frame_of_the_grammar_has_a_strategy(kind: type[ClientFrame | ServerFrame]) -> None:
    @quick
    @given(strategies.frames_of(kind))
    def holds(frame: Frame) -> None:
        assert isinstance(frame, kind)
        assert decode(encode(frame), kind.direction) == (frame,)

    holds()


@pytest.mark.parametrize("kind", _ALL, ids=lambda kind: kind.__name__)
def test_frames_of_a_direction_are_of_each_class(kind: type[ClientFrame | ServerFrame]) -> None:
    found = find(
        strategies.frames(kind.direction), lambda f: isinstance(f, kind), settings=_SMALLEST
    )
    assert isinstance(found, kind)


@quick
@given(strategies.frames(Direction.CLIENT))
def test_plain_frames_hold_cbor_where_the_protocol_has_it(frame: Frame) -> None:
    assert isinstance(frame, ClientFrame)
    plan = PLANS[Direction.CLIENT][int(frame.opcode)]
    for field in plan.fields:
        if field.inside is Inside.CBOR:
            assert isinstance(cbor.loads(getattr(frame, field.name)), dict)


def test_given_values_take_the_place_of_fields_of_that_name() -> None:
    @quick
    @given(strategies.frames(given={"target": st.just(b"bob"), "no such field": st.nothing()}))
    def holds(frame: Frame) -> None:
        if "target" in {field.name for field in fields(frame)}:  # type: ignore[arg-type]
            assert frame.target == b"bob"  # type: ignore[union-attr]

    holds()


def test_frames_shrink_to_empty_fields() -> None:
    small = find(strategies.frames_of(BatchSend), lambda frame: True, settings=_SMALLEST)
    assert small == BatchSend(b"", ())
    long = find(strategies.frames_of(SendMessage), lambda f: len(f.message) > 2, settings=_SMALLEST)  # type: ignore[union-attr]
    assert long == SendMessage(b"", b"\x00\x00\x00")


def _refused(data: bytes) -> bool:
    try:
        decode(data, Direction.CLIENT)
    except GrammarError:
        return True
    return False


def test_near_frames_are_sometimes_frames_and_sometimes_not() -> None:
    near = strategies.near_frames(Direction.CLIENT)
    whole = find(near, lambda data: len(data) > 8 and not _refused(data), settings=_SMALLEST)
    assert decode(whole, Direction.CLIENT)
    assert _refused(find(near, _refused, settings=_SMALLEST))


def test_delimited_frames_can_follow_one_another() -> None:
    @quick
    @given(st.lists(strategies.frames(delimited=True), max_size=4))
    def holds(drawn: list[Frame]) -> None:
        assert decode(b"".join(map(encode, drawn)), Direction.CLIENT) == tuple(drawn)

    holds()


@quick
@given(strategies.dialogues() | strategies.schedules())
def test_cases_can_be_kept(case: Case) -> None:
    assert decode_case(encode_case(case)) == case


def test_dialogues_have_several_clients_who_talk_and_shrink_to_few_steps() -> None:
    def talks(case: Case) -> bool:
        senders = {s.connection for s in case.steps if s.kind is StepKind.SEND}
        return len(senders) >= 2

    seeded = settings(_SMALLEST, derandomize=False)
    found = [
        find(strategies.dialogues(), talks, settings=seeded, random=Random(seed))
        for seed in range(3)
    ]
    # Two logins and what two say; from some beginnings a little more is left.
    assert min(len(case.steps) for case in found) <= 6
    assert all(map(talks, found))
