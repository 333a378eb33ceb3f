"""Generalising what is about a case as a whole: logins, order, cuts, transports, steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import Case, Step, StepKind
from fuzz.generate.seeds import SEEDS
from fuzz.triage.generalise import generalise
from fuzz.triage.pattern_frames import frames_of
from grammar import (
    TypingStart,
    encode,
)
from tests.triage.judges import (
    PLENTY,
    A,
    B,
    FakeJudge,
    login,
    opened,
    pattern_of,
    pause,
    send,
    typing,
)


def test_a_number_of_logins_that_is_needed_is_told() -> None:
    def thrice(case: Case) -> bool:
        return any(frame.opcode == 0x05 and frame.logins == 3 for frame in frames_of(case))

    case = Case((login(), login(B), login(), send(b"\x05\0\0")))
    pattern = pattern_of(case, FakeJudge(thrice))
    assert ", after login, with 3 logins on one connection" in pattern.sentence()
    assert not pattern.matches(Case((login(), login(B), send(b"\x05\0\0"))))


def test_a_login_is_needed_or_forbidden_or_free() -> None:
    case = Case((login(), send(b"\x70\0\0")))
    needed = pattern_of(case, typing(lambda frame: frame.user is not None))
    assert ", after login" in needed.sentence()
    assert not needed.matches(Case((send(b"\x70\0\0"),)))
    refused = pattern_of(Case((send(b"\x70\0\0"),)), typing(lambda frame: frame.user is None))
    assert ", before login only" in refused.sentence()
    assert not refused.matches(case)


def test_two_frames_need_their_order_or_do_not() -> None:
    def order(case: Case) -> list[int]:
        return [frame.opcode for frame in frames_of(case)]

    case = Case((send(b"\x70\0\0\x71\0\0"),))
    fixed = pattern_of(case, FakeJudge(lambda case: order(case)[:2] == [0x70, 0x71]))
    assert fixed.sentence().startswith("any TYPING_START, then any TYPING_STOP")
    assert ", in this order" in fixed.sentence()
    assert not fixed.matches(Case((send(b"\x71\0\0\x70\0\0"),)))
    free = pattern_of(case, FakeJudge(lambda case: {0x70, 0x71} <= set(order(case))))
    assert ", in any order" in free.sentence()
    assert free.matches(Case((send(b"\x71\0\0\x70\0\0"),)))


def test_a_frame_that_must_come_many_times_is_counted() -> None:
    def many(case: Case) -> bool:
        return sum(frame.opcode == 0x70 for frame in frames_of(case)) >= 5

    pattern = pattern_of(Case((send(b"\x70\0\0" * 5),)), FakeJudge(many))
    assert pattern.sentence().startswith("5 or more of TYPING_START in a row")
    assert pattern.matches(Case((send(b"\x70\0\1a" * 6),)))
    assert not pattern.matches(Case((send(b"\x70\0\0" * 4),)))


def test_two_connections_are_needed_and_kept_apart() -> None:
    def apart(case: Case) -> bool:
        links = {frame.opcode: frame.connection for frame in frames_of(case)}
        return {0x70, 0x71} <= links.keys() and links[0x70] != links[0x71]

    pattern = pattern_of(Case((send(b"\x70\0\0"), send(b"\x71\0\0", 1))), FakeJudge(apart))
    assert ", on 2 connections" in pattern.sentence()
    assert pattern.matches(Case((send(b"\x70\0\0", 4), send(b"\x71\0\0", 2))))
    assert not pattern.matches(Case((send(b"\x70\0\0"), send(b"\x71\0\0"))))


@pytest.mark.parametrize(
    ("holds", "words"),
    [
        (lambda place, _: place == 2, "cut within the target length"),
        (lambda place, _: place == 5, "cut after byte 2 of the target"),
        (lambda place, size: 5 <= place < size - 1, "cut after bytes 2 to 4 of the target"),
        (lambda place, size: 4 <= place < size, "cut within the target"),
        (lambda place, _: place > 1, "cut after bytes 2 to 8 of the frame"),
        (lambda place, _: place > 0, "cut anywhere"),
    ],
)
def test_a_cut_that_is_needed_is_told_with_its_place(
    holds: Callable[[int, int], bool], words: str
) -> None:
    data = b"\x70\0\x06aaaaaa"
    judge = typing(
        lambda frame: len(frame.pieces) == 2 and holds(frame.pieces[0][2], len(frame.data))
    )
    place = next(at for at in (5, 2) if holds(at, len(data)))
    case = Case((send(data[:place]), send(data[place:])))
    parts = [part.text for part in pattern_of(case, judge).parts]
    assert words in parts
    assert not pattern_of(case, judge).matches(Case((send(data),)))


def test_what_fails_only_in_one_piece_is_told_so_and_tokens_are_not_cut() -> None:
    whole = typing(lambda frame: not frame.cut)
    assert "seen in one piece only" in pattern_of(Case((send(b"\x70\0\x01a"),)), whole).sentence()
    named = typing(lambda frame: b"<user:" in frame.data)
    case = Case((send(encode(TypingStart(A))),))
    assert "however TCP cuts it" in pattern_of(case, named).sentence()
    assert all(
        A in step.data or b"<" not in step.data
        for play in named.plays
        for step in play.steps
        if B not in step.data
    )


def test_a_transport_a_pause_and_a_reset_that_are_needed_are_told() -> None:
    def shows(case: Case) -> bool:
        kinds = {step.kind for step in case.steps}
        frames = frames_of(case)
        needed = {StepKind.PAUSE, StepKind.RESET} <= kinds
        return needed and any(frame.websocket and frame.opcode == 0x70 for frame in frames)

    reset = Step(StepKind.RESET)
    case = Case((opened(), send(b"\x70"), pause(40), reset))
    pattern = pattern_of(case, FakeJudge(shows))
    assert pattern.needs == (StepKind.RESET, StepKind.PAUSE)
    for words in ("over WebSocket", "with the connection cut", "with a pause"):
        assert words in pattern.sentence()
    assert not pattern.matches(Case((opened(), send(b"\x70"), pause(40))))
    assert not pattern.matches(Case((send(b"\x70"), pause(40), reset)))


def test_a_login_that_must_be_of_a_certain_form_is_told() -> None:
    def long_name(case: Case) -> bool:
        return any(s.kind is StepKind.LOGIN and len(s.data) >= 12 for s in case.steps)

    judge = FakeJudge(long_name)
    pattern = generalise(Case((login(b"a" * 12),)), judge, PLENTY, judge.clock)
    assert pattern.sentence() == 'any client that logs in, logged in as "aaaaaaaaaaaa"'
    assert not pattern.usable(SEEDS.values())
