"""A ratio is the median of its rounds, and is told only if they differ by less than it claims."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.bench.ratios import LEAST_SECONDS, Goal, Ratio, Time, geometric_mean, slower
from fuzz.errors import HarnessFault

factors = st.floats(0.01, 100)
rounds = st.lists(factors, min_size=2, max_size=9).map(tuple)


def test_a_ratio_is_told_with_its_rounds() -> None:
    ratio = Ratio((1.9, 1.6, 1.7))
    assert (ratio.median, ratio.low, ratio.high) == (1.7, 1.6, 1.9)
    assert ratio.spread == pytest.approx(1.9 / 1.6)
    assert ratio.claim == 1.7
    assert ratio.refusal() == ""


def test_a_ratio_whose_rounds_differ_by_more_than_it_claims_is_refused() -> None:
    refusal = Ratio((0.9, 1.3, 1.2)).refusal()
    assert refusal == (
        "no ratio is told: 3 rounds gave 0.90 to 1.30, a spread of 1.44 times, and the claim "
        "would be 1.20 times"
    )


def test_a_ratio_below_one_claims_as_much_as_its_inverse() -> None:
    assert Ratio((0.5, 0.5)).claim == 2
    assert Ratio((0.4, 0.5, 0.6)).refusal() == ""
    assert Ratio((0.2, 0.5, 0.9)).refusal()


def test_what_is_to_be_flat_claims_what_would_be_too_much() -> None:
    level = (1.0, 1.04, 0.98)
    assert Ratio(level).refusal()
    assert Ratio(level, matters=1.1).refusal() == ""
    assert Ratio((1.0, 1.2), matters=1.1).refusal()


def test_one_round_has_no_spread() -> None:
    assert "takes two at least" in Ratio((9.0,)).refusal()


@pytest.mark.parametrize("bad", [(), (0.0,), (1.0, -1.0), (math.nan,), (math.inf,)])
def test_what_is_no_ratio_is_a_fault(bad: tuple[float, ...]) -> None:
    with pytest.raises(HarnessFault, match="above zero"):
        Ratio(bad)


@given(rounds)
def test_the_other_way_round_it_claims_the_same(seen: tuple[float, ...]) -> None:
    ratio, inverse = Ratio(seen), Ratio(tuple(1 / one for one in seen))
    assert inverse.spread == pytest.approx(ratio.spread)
    if len(seen) % 2:
        assert inverse.claim == pytest.approx(ratio.claim)


@given(rounds)
def test_what_is_told_never_has_rounds_on_both_sides_of_one_by_as_much_as_it_claims(
    seen: tuple[float, ...],
) -> None:
    ratio = Ratio(seen)
    if not ratio.refusal() and ratio.median >= 1:
        assert ratio.high / ratio.low <= ratio.median


@pytest.mark.parametrize(
    ("goal", "seen", "verdict"),
    [
        (Goal(1.5), (1.5, 1.9), "reached"),
        (Goal(1.5), (1.4, 1.9), "open"),
        (Goal(1.5), (1.2, 1.4), "missed"),
        (Goal(1.1, at_least=False), (1.0, 1.1), "reached"),
        (Goal(1.1, at_least=False), (1.0, 1.2), "open"),
        (Goal(1.1, at_least=False), (1.2, 1.3), "missed"),
    ],
)
def test_a_goal_is_open_where_the_rounds_disagree_on_it(
    goal: Goal, seen: tuple[float, ...], verdict: str
) -> None:
    assert goal.verdict(Ratio(seen)) == verdict


def test_the_mean_of_factors_knows_no_direction() -> None:
    assert geometric_mean([2, 0.5]) == pytest.approx(1)
    assert geometric_mean([4, 9]) == pytest.approx(6)


def found(seconds: float) -> Time:
    return Time(seconds, True)


NEVER = Time(30.0, False)


def test_what_was_not_found_in_time_makes_a_ratio_a_least() -> None:
    assert slower([found(1), found(2)], [found(4), found(2)]) == (pytest.approx(2), False)
    assert slower([found(3)], [NEVER]) == (pytest.approx(10), True)


def test_what_we_did_not_find_counts_against_us_and_ends_the_least() -> None:
    factor, least = slower([NEVER, found(1)], [found(3), NEVER]) or (0.0, True)
    assert (factor, least) == (pytest.approx(math.sqrt(3)), False)


def test_what_nobody_found_says_nothing() -> None:
    assert slower([NEVER], [NEVER]) is None
    assert slower([NEVER, found(1)], [NEVER, found(2)]) == (pytest.approx(2), False)


def test_times_that_are_chance_alone_are_alike() -> None:
    assert slower([found(0.001)], [found(LEAST_SECONDS / 2)]) == (pytest.approx(1), False)
