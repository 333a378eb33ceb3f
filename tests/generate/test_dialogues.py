"""Dialogues that are made up: valid, short, and about one thing."""

from __future__ import annotations

import pytest

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, Step, StepKind
from fuzz.generate.dialogues import THEMES, make_up
from fuzz.generate.draft import MAX_CONNECTIONS, MAX_STEPS
from grammar import (
    BatchSend,
    Direction,
    Frame,
    GroupCreate,
    GroupLeave,
    GroupMsg,
    Login,
    Stream,
    UnknownFrame,
)
from grammar.frames import CLIENT_OPCODES
from grammar.limits import RATE_BURST
from tests.generate.support import drafts, login


@pytest.fixture(scope="module")
def dialogues() -> list[list[Step]]:
    made = drafts(login(b"<user:D>"), count=600)
    assert all(make_up(draft) for draft in made)
    return [draft.steps for draft in made]


def frames_of(steps: list[Step]) -> list[tuple[int, Frame]]:
    """Return what is said on which connection, whatever TCP has cut; nothing is left over."""
    streams: dict[int, Stream] = {}
    said: list[tuple[int, Frame]] = []
    for step in steps:
        if step.kind is StepKind.SEND:
            stream = streams.setdefault(step.connection, Stream(Direction.CLIENT))
            said += ((step.connection, frame) for frame in stream.feed(step.data))
    assert all(stream.pending == 0 for stream in streams.values())
    return said


def test_each_frame_belongs_to_a_theme() -> None:
    assert {frame for theme in THEMES for frame in theme} == {*CLIENT_OPCODES.values()} - {Login}


def test_all_that_is_said_is_valid_and_of_one_theme(dialogues: list[list[Step]]) -> None:
    for steps in dialogues:
        said = {type(frame) for _, frame in frames_of(steps)}
        assert UnknownFrame not in said
        assert any(said <= {*theme, GroupCreate} for theme in THEMES)


def test_nobody_speaks_who_is_not_there(dialogues: list[list[Step]]) -> None:
    for steps in dialogues:
        there: dict[int, bytes] = {}
        for step in steps:
            if step.kind is StepKind.LOGIN:
                assert step.connection not in there
                assert step.data not in there.values()
                there[step.connection] = step.data
            elif step.kind in (StepKind.HALF_CLOSE, StepKind.RESET):
                del there[step.connection]
            elif step.kind is StepKind.SEND:
                assert step.connection in there
        assert len({step.connection for step in steps}) <= MAX_CONNECTIONS
        assert 1 <= len(steps) <= MAX_STEPS


@pytest.mark.parametrize("token", [GROUP_TOKEN, MSGID_TOKEN])
def test_what_a_reply_tells_is_awaited(dialogues: list[list[Step]], token: bytes) -> None:
    for steps in dialogues:
        first = next((n for n, step in enumerate(steps) if token in step.data), None)
        assert first is None or Step(StepKind.WAIT) in steps[:first]


def test_now_and_then_a_batch_is_as_large_as_a_bucket(dialogues: list[list[Step]]) -> None:
    sizes = {
        len(frame.messages)
        for steps in dialogues
        for _, frame in frames_of(steps)
        if isinstance(frame, BatchSend)
    }
    assert {RATE_BURST, RATE_BURST + 1} < sizes
    assert min(sizes) < 5


def test_users_come_back_and_a_group_is_left_and_written_to(dialogues: list[list[Step]]) -> None:
    """The orders of events that the operations on single frames all but never make."""
    back = left = 0
    for steps in dialogues:
        logins = [step.data for step in steps if step.kind is StepKind.LOGIN]
        back += len(logins) > len(set(logins))
        said = [(connection, type(frame)) for connection, frame in frames_of(steps)]
        left += any(
            frame is GroupLeave and (connection, GroupMsg) in said[place:]
            for place, (connection, frame) in enumerate(said)
        )
    assert back > 100
    assert left > 20


def test_a_length_is_cut_in_some_of_them(dialogues: list[list[Step]]) -> None:
    """The first half of a number ends a segment, the second half begins the next one."""
    cut = 0
    for steps in dialogues:
        stream = Stream(Direction.CLIENT)
        for step in steps:
            if step.kind is StepKind.SEND and step.connection == 0:
                stream.feed(step.data)
                cut += stream.pending > 0
    assert cut > 20
