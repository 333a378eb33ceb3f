"""The chosen cases reach all that all cases do, none of them is needless, and small ones win."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from fuzz.distil.cover import Reach, needed, numbered, reach_of


def reach(size: int, surely: Sequence[int], by_chance: Sequence[int] = ()) -> Reach:
    return Reach(size, array("I", surely), array("I", by_chance))


_SETS = st.sets(st.integers(0, 12), max_size=8).map(sorted)
_REACHES = st.lists(
    st.tuples(st.integers(0, 500), _SETS, _SETS).map(
        lambda one: reach(one[0], one[1], [f for f in one[2] if f not in one[1]])
    ),
    max_size=12,
)


@given(_REACHES)
def test_all_is_reached_surely_where_it_can_be_and_nothing_is_needless(
    reaches: list[Reach],
) -> None:
    chosen = needed(reaches)
    sure = {f for one in reaches for f in one.surely}
    every = sure | {f for one in reaches for f in one.by_chance}

    def reached(positions: Sequence[int]) -> tuple[set[int], set[int]]:
        surely = {f for at in positions for f in reaches[at].surely}
        return surely, surely | {f for at in positions for f in reaches[at].by_chance}

    assert reached(chosen) == (sure, every)
    for at in chosen:
        assert reached([other for other in chosen if other != at]) != (sure, every)


@given(_REACHES)
def test_what_is_chosen_is_chosen_again(reaches: list[Reach]) -> None:
    chosen = needed(reaches)
    assert chosen == sorted(set(chosen))
    assert needed([reaches[at] for at in chosen]) == list(range(len(chosen)))


def test_a_small_case_is_taken_for_a_large_one_that_reaches_the_same() -> None:
    assert needed([reach(900, [1, 2]), reach(9, [1, 2])]) == [1]


def test_two_small_ones_are_taken_for_a_large_one() -> None:
    assert needed([reach(900, [1, 2, 3]), reach(9, [1, 2]), reach(9, [3])]) == [1, 2]


def test_what_was_taken_early_goes_if_later_ones_make_it_needless() -> None:
    # 0 is the best at first; 1 and 2 are needed for 3 and 4, and have all of it.
    assert needed([reach(10, [1, 2]), reach(30, [1, 3]), reach(30, [2, 4])]) == [1, 2]


def test_a_feature_by_chance_does_not_stand_for_one_that_is_sure() -> None:
    assert needed([reach(1, [], [7]), reach(100, [7])]) == [1]
    assert needed([reach(1, [], [7]), reach(100, [5])]) == [0, 1]


def test_counts_are_in_the_buckets_of_libfuzzer() -> None:
    assert numbered(((3, 4),)) == numbered(((3, 7),)) != numbered(((3, 8),))
    assert numbered(((3, 1),)) != numbered(((4, 1),))
    assert numbered(((3, 0),)) == frozenset()


def test_what_plays_have_in_common_is_sure() -> None:
    seen = reach_of(5, [frozenset({1, 2, 3}), frozenset({2, 3, 9})])
    assert (list(seen.surely), list(seen.by_chance)) == ([2, 3], [1, 9])
