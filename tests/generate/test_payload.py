"""Bytes for a decoder: changed, crossed, and their relatives."""

from __future__ import annotations

import random

from fuzz.generate.constants import Saying
from fuzz.generate.payload import CUTS, SHORT, PayloadMutator
from grammar import Direction, GetStatus, SendMessage, TypingStart, encode, frame_bounds
from tests.generate.support import byte_mutator

STATUS, SENT, TYPING = (
    encode(frame) for frame in (GetStatus(b"bob"), SendMessage(b"bob", b"hi"), TypingStart(b"bob"))
)


def mutator(seed: int = 0) -> PayloadMutator:
    return PayloadMutator(random.Random(seed), byte_mutator(seed))


def test_a_mutation_is_never_empty_nor_too_long() -> None:
    made = mutator()
    for data in (b"", b"\x05", STATUS, STATUS + SENT, bytes(5_000)):
        for most in (0, 1, 7, 100_000):
            for _ in range(50):
                assert 1 <= len(made.mutate(data, most)) <= max(1, most)


def test_mutations_are_other_bytes_and_mostly_look_like_frames() -> None:
    made = mutator()
    found = [made.mutate(STATUS + SENT, 100_000) for _ in range(300)]
    assert len(set(found)) > 200
    assert sum(data[:1] in (b"\x05", b"\x02") for data in found) > 100
    assert len({bounds[0] for data in found for bounds in frame_bounds(data, Direction.CLIENT)}) > 5


def test_a_cross_is_made_of_frames_of_both() -> None:
    made = mutator()
    crossed = {made.cross(STATUS + SENT, TYPING + TYPING, 100_000) for _ in range(100)}
    assert STATUS + TYPING in crossed
    assert all(data for data in crossed)
    assert made.cross(b"", STATUS, 100_000)
    assert len(made.cross(STATUS, SENT, 3)) <= 3


def test_relatives_are_cut_short_and_have_more_behind() -> None:
    relatives = mutator().relatives(STATUS, SENT)
    assert relatives[0] == STATUS
    assert {STATUS[:-1], STATUS + SENT, STATUS + STATUS[:1]} <= set(relatives)
    assert len(relatives) == 4 + CUTS
    assert all(len(data) > 0 for data in relatives)
    assert all(STATUS.startswith(data) or data.startswith(STATUS) for data in relatives)
    assert mutator().relatives(b"\x05", b"") == [b"\x05", b"\x05\x05", b"\x05"]
    long = bytes(SHORT + 1)
    assert mutator().relatives(long, STATUS) == [long, long[:-1]]


def test_a_constant_of_the_node_is_said_in_what_is_there() -> None:
    made = mutator()
    said = [made.say(SENT, Saying((b"magic",)), 100_000) for _ in range(200)]
    assert sum(b"magic" in data for data in said) > 60
    assert sum(len(frame_bounds(data, Direction.CLIENT)) == 2 for data in said) > 10


def test_where_there_is_nothing_to_say_it_in_a_mutation_is_made() -> None:
    made = mutator()
    for most in (0, 1, 100_000):
        assert 1 <= len(made.say(b"", Saying((7,)), most)) <= max(1, most)
