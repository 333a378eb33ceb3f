"""What one side sent is put together whatever the network has made of it."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fuzz.formats.tcp import Direction

_STARTS = st.sampled_from([0, 1, 2**31 - 3, 2**31, 2**32 - 5, 2**32 - 1])


def _taken(direction: Direction, *segments: tuple[int, bytes]) -> bytes:
    return b"".join(
        chunk.data
        for number, data in segments
        for chunk in direction.take(number, data, True, False)
    )


def _begun(start: int = 0) -> Direction:
    direction = Direction()
    direction.begin(start - 1)
    return direction


@given(st.binary(max_size=200), _STARTS, st.integers(0, 2**32))
def test_a_stream_survives_cuts_order_and_repetition(data: bytes, start: int, seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(8))})
    parts = [(a, data[a:b]) for a, b in pairwise(cuts)]
    again = [(a, data[a : a + chance.randrange(1, 40)]) for a, _ in parts]
    packets = parts + again
    chance.shuffle(packets)

    direction = _begun(start)
    out = _taken(direction, *(((start + at) % 2**32, part) for at, part in packets))

    assert out == data
    assert not direction.missing


def test_what_overlaps_counts_once() -> None:
    assert _taken(_begun(), (0, b"abcd"), (2, b"XXef")) == b"abcdef"


def test_a_gap_holds_back_what_is_behind_it() -> None:
    direction = _begun()
    assert _taken(direction, (0, b"ab"), (4, b"ef")) == b"ab"
    assert direction.missing
    assert _taken(direction, (2, b"cd")) == b"cdef"
    assert not direction.missing


def test_a_probe_to_keep_a_connection_alive_is_no_data() -> None:
    assert _taken(_begun(), (0, b"ab"), (1, b"b"), (1, b"\x00"), (2, b"c")) == b"abc"


def test_the_end_counts_when_all_before_it_has_come() -> None:
    direction = _begun()
    direction.take(2, b"cd", True, True)
    assert not direction.ended
    direction.take(0, b"ab", True, False)
    assert direction.ended


def test_what_is_held_is_bounded() -> None:
    direction = _begun()
    for number in range(5_000):
        direction.take(10 + 2 * number, b"x", True, False)
    held = direction._held  # what a capture of half a connection may cost
    assert len(held) <= 4_096
    assert _taken(direction, (0, b"0123456789")) == b"0123456789x"
