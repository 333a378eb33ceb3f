"""The block of counters that libFuzzer reads, looked at through the addresses it is given."""

from __future__ import annotations

import ctypes

import pytest

from fuzz.engines import counters as module
from fuzz.engines.counters import Counters

Ranges = tuple[tuple[int, int], tuple[int, int]]


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[Ranges]:
    """Return the list of the address ranges that are registered while a test runs."""
    ranges: list[Ranges] = []
    monkeypatch.setattr(module, "_hand_over", lambda *both: ranges.append(both))
    return ranges


def block_of(counters: Counters, handed_over: list[Ranges]) -> bytes:
    """Return what libFuzzer would see of ``counters``."""
    if not handed_over:
        counters.register()
    (start, end), _ = handed_over[0]
    return ctypes.string_at(start, end - start)


def test_a_counter_is_written_behind_the_constant_one(handed_over: list[Ranges]) -> None:
    counters = Counters(10)
    counters.write([(0, 1), (9, 7)])
    block = block_of(counters, handed_over)
    assert block[:11] == bytes([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7])
    assert not any(block[11:])


def test_the_constant_counter_fires_in_a_case_without_any_feature(
    handed_over: list[Ranges],
) -> None:
    counters = Counters(10)
    counters.write([])
    assert block_of(counters, handed_over)[:11] == b"\x01" + bytes(10)


@pytest.mark.parametrize(("count", "seen"), [(254, 254), (255, 255), (256, 255), (70_000, 255)])
def test_counts_are_clamped_and_never_wrap_to_zero(
    count: int, seen: int, handed_over: list[Ranges]
) -> None:
    counters = Counters(3)
    counters.write([(1, count)])
    assert block_of(counters, handed_over)[2] == seen


def test_a_counter_beyond_the_block_is_left_out(handed_over: list[Ranges]) -> None:
    counters = Counters(3)
    counters.write([(3, 9), (1_000_000, 9), (2, 9)])
    assert block_of(counters, handed_over)[:5] == bytes([1, 0, 0, 9, 0])


@pytest.mark.parametrize("size", [0, 1, 62, 63, 64, 1000])
def test_the_block_has_room_for_all_and_is_a_multiple_of_a_word(
    size: int, handed_over: list[Ranges]
) -> None:
    block = block_of(Counters(size), handed_over)
    assert len(block) >= size + 1
    assert len(block) % 8 == 0


def test_each_counter_has_a_program_counter_of_its_own(handed_over: list[Ranges]) -> None:
    counters = Counters(100)
    size = len(block_of(counters, handed_over))
    _, (start, end) = handed_over[0]
    assert end - start == 16 * size
    entries = (ctypes.c_size_t * (2 * size)).from_address(start)
    program_counters = set(entries[::2])
    assert len(program_counters) == size
    assert 0 not in program_counters
    assert set(entries[1::2]) == {0}
