"""What a kept case loses: steps, and the ends of segments, within a number of plays."""

from __future__ import annotations

from fuzz.case import Case, Step, StepKind
from fuzz.engines.trim import MAX_PLAYS, cut_short, trim

LOGIN = Step(StepKind.LOGIN, 0, b"<user:A>")


def sends(*segments: bytes) -> Case:
    return Case((LOGIN, *(Step(StepKind.SEND, 0, data) for data in segments)))


class Earns:
    """Tells whether a case still sends some words, and counts the plays."""

    def __init__(self, *words: bytes) -> None:
        self._words = words
        self.plays = 0

    def __call__(self, case: Case) -> bool:
        self.plays += 1
        sent = b"|".join(step.data for step in case.steps)
        return all(word in sent for word in self._words)


def test_steps_that_earn_nothing_go() -> None:
    earns = Earns(b"word")
    assert trim(sends(*[b"idle"] * 6, b"word"), earns).steps[-1].data == b"word"
    assert len(trim(sends(*[b"idle"] * 6, b"word"), earns).steps) <= 3


def test_segments_end_where_nothing_is_missed() -> None:
    earns = Earns(b"\x40\x03", b"\x05")
    shorter = cut_short(sends(b"\x05", b"\x40\x03" + b"z" * 100), earns)
    assert shorter == sends(b"\x05", b"\x40\x03")
    assert earns.plays <= MAX_PLAYS


def test_what_is_needed_to_its_end_stays_and_no_segment_is_emptied() -> None:
    whole = sends(b"zzword", b"a")
    assert cut_short(whole, Earns(b"zzword", b"a")) == whole
    assert cut_short(sends(b"abc"), lambda case: True) == sends(b"a")


def test_plays_are_bounded() -> None:
    earns = Earns(b"none")
    many = sends(*[b"z" * 64] * 12)
    assert cut_short(many, earns, plays=7) == many
    assert earns.plays == 7
