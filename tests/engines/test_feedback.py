"""What counts as new, for a case alone and for a batch."""

from __future__ import annotations

import pytest

from fuzz.engines.feedback import SHAPES, BatchMemory, Memory, features_of, loud, shape_of
from fuzz.node import QuickVitals, Reading
from fuzz.observation import ConnectionTrace, Ending, Observation

#: The first and the last count of each of libFuzzer's buckets.
BUCKETS = [(1, 1), (2, 2), (3, 3), (4, 7), (8, 15), (16, 31), (32, 127), (128, 255)]


@pytest.mark.parametrize(("first", "last"), BUCKETS)
def test_counts_of_one_bucket_are_the_same_and_the_next_is_new(first: int, last: int) -> None:
    memory = Memory(1)
    assert memory.learn([(0, first)]) == {0}
    assert memory.learn([(0, last)]) == set()
    assert last == 255 or memory.learn([(0, last + 1)]) == {0}


def test_a_lower_bucket_than_before_is_new_for_a_case_alone() -> None:
    memory = Memory(1)
    memory.learn([(0, 200)])
    assert memory.learn([(0, 1)]) == {0}


def test_a_count_of_zero_is_no_news() -> None:
    assert Memory(2).learn([(0, 0), (1, 0)]) == set()


def test_only_the_counters_that_are_new_are_told() -> None:
    memory = Memory(5)
    memory.learn([(1, 1), (2, 1)])
    assert memory.learn([(1, 1), (2, 5), (4, 1)]) == {2, 4}


def test_a_batch_is_news_when_a_counter_is_hit_for_the_first_time() -> None:
    memory = BatchMemory(4)
    first = memory.learn([(0, 16), (3, 1)], 16)
    assert (first.hit, bool(first)) == (frozenset({0, 3}), True)
    assert not memory.learn([(0, 200), (3, 1)], 16)
    assert memory.covered() == [0, 3]
    assert memory.count() == 2


@pytest.mark.parametrize(("count", "louder"), [(32, False), (33, True)])
def test_a_batch_is_news_when_its_cases_cannot_all_be_as_quiet_as_those_before(
    count: int, louder: bool
) -> None:
    memory = BatchMemory(1)
    memory.learn([(0, 1)], 1)
    memory.account([(0, 2)])
    memory.account([(0, 1)])
    news = memory.learn([(0, count)], 16)
    assert (news.hit, news.louder, bool(news)) == (frozenset(), louder, louder)


def test_features_are_what_a_reading_calls_hits() -> None:
    coverage = bytes.fromhex("00000001 000102ff")
    reading = Reading(coverage, (), QuickVitals(0, 0, 0, 0, 0))
    assert features_of(coverage) == ((0, 1), (258, 255)) == reading.hits()
    assert features_of(b"") == ()


def test_loud_gives_the_buckets_of_the_counters_asked_for() -> None:
    assert loud(((0, 1), (1, 5), (2, 9)), {1, 2, 7}) == {1: 8, 2: 16}


def seen(*pieces: bytes, ending: Ending = Ending.CLOSED, seconds: float = 0.1) -> Observation:
    return Observation((ConnectionTrace(0, ending, pieces),), seconds)


def shape(observation: Observation) -> tuple[int, int]:
    (feature,) = shape_of([observation])
    return feature


STATUS_A = bytes.fromhex("06 0001 61 01 0000000000000000")
STATUS_B = bytes.fromhex("06 0002 6262 00 0000000000000009")
ERROR = bytes.fromhex("fe 0002 6e6f")


def test_the_shape_of_a_dialogue_knows_opcodes_and_not_contents_or_time() -> None:
    assert shape(seen(STATUS_A)) == shape(seen(STATUS_B, seconds=9.0))


@pytest.mark.parametrize(
    "other",
    [
        seen(),
        seen(ERROR),
        seen(STATUS_A + ERROR),
        seen(ERROR + STATUS_A),
        seen(STATUS_A, ending=Ending.RESET),
        Observation((ConnectionTrace(0, Ending.CLOSED, (STATUS_A,)),) * 2, 0.1),
    ],
)
def test_another_dialogue_has_another_shape(other: Observation) -> None:
    assert shape(other) != shape(seen(STATUS_A))


def test_each_observation_has_a_shape_and_any_bytes_have_one() -> None:
    features = shape_of([seen(b"\xff\xff\xff"), seen(bytes(range(256))), seen()])
    assert len(features) == 3
    assert all(0 <= index < SHAPES and count == 1 for index, count in features)
