"""Levels of cost: what is rewarded, what is played again, and what is believed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from fuzz.case import Case, Step, StepKind
from fuzz.engines.cost_levels import LEVELS, STEP_BYTES, CostLevels, Spent, spent_by, weight
from fuzz.engines.feedback import Features
from fuzz.observation import ConnectionTrace, Ending, Observation

BASE = 100
#: The counter of the lowest level of time stands behind those of work.
TIME = BASE + 64


def sends(size: int, *more: Step) -> Case:
    """Return a case of that weight that sends one segment; ``more`` come on top."""
    return Case((Step(StepKind.SEND, 0, bytes(size - STEP_BYTES)), *more))


def took(seconds: float, ending: Ending = Ending.CLOSED) -> Observation:
    return Observation((ConnectionTrace(0, ending),), seconds)


class Plays:
    """What each play of a case alone is to show, by the size of the case."""

    def __init__(self, **scripts: Sequence[Spent | None]) -> None:
        self.scripts = {int(size[1:]): list(spent) for size, spent in scripts.items()}
        self.played: list[int] = []

    def __call__(self, case: Case) -> Spent | None:
        size = weight(case)
        self.played.append(size)
        return self.scripts[size].pop(0)


def climb(
    costs: CostLevels, plays: Plays, reductions: int, *sizes: int, seconds: float = 0.01
) -> list[Features]:
    """Climb from a batch of cases of these sizes; return the counters that were reached."""
    cases = [sends(size) for size in sizes]
    seen = [took(seconds)] * len(cases)
    return [features for _, features in costs.climb(cases, seen, reductions, plays)]


@pytest.mark.parametrize(
    ("work", "level"), [(63.9, -1), (64, 0), (76, 0), (77, 1), (128, 4), (1024, 16), (1e12, 63)]
)
def test_levels_of_work_are_quarter_octaves_above_a_floor(work: float, level: int) -> None:
    assert Spent(work, 0).levels() == (level, -1)


@pytest.mark.parametrize(
    ("seconds", "level"), [(0.0009, -1), (0.001, 0), (0.0019, 0), (0.0021, 1), (1e6, 15)]
)
def test_levels_of_time_are_octaves_above_a_floor(seconds: float, level: int) -> None:
    assert Spent(0, seconds).levels() == (-1, level)


def test_what_any_play_costs_and_what_it_pauses_is_not_its_cost() -> None:
    pausing = sends(100, Step(StepKind.PAUSE, 0, value=500))
    assert weight(pausing) == 164
    assert spent_by(pausing, took(0.7), 169_000) == Spent(1000, pytest.approx(0.2 / 164))
    assert spent_by(pausing, took(0.4), 4_000) == Spent(0, 0)


def test_the_same_work_in_more_steps_is_no_discovery() -> None:
    step = Step(StepKind.SEND, 0, b"x")
    one, four = (spent_by(Case((step,) * n), took(0), 5_000 + 6_500 * n) for n in (1, 4))
    assert one == four == Spent(100, 0)


def test_a_new_highest_level_is_rewarded_once_and_a_lower_one_never() -> None:
    costs = CostLevels(BASE)
    high, low = Spent(1024, 0), Spent(512, 0)
    assert climb(costs, Plays(_100=[high, high]), 200_000, 100) == [((BASE + 16, 1),)]
    assert costs.costliest == sends(100)
    assert climb(costs, Plays(_90=[high]), 200_000, 90) == []
    assert climb(costs, Plays(_80=[low]), 200_000, 80) == []
    assert (costs.costliest, costs.most) == (sends(100), 1024)


def test_a_level_counts_as_the_lower_of_two_plays() -> None:
    costs = CostLevels(BASE)
    plays = Plays(_100=[Spent(4096, 0), Spent(1024, 0)])
    assert climb(costs, plays, 500_000, 100) == [((BASE + 16, 1),)]
    assert costs.most == 1024
    assert climb(costs, Plays(_90=[Spent(4096, 0), Spent(900, 0)]), 500_000, 90) == []


def test_a_case_that_breaks_the_target_is_no_ground_to_build_upon() -> None:
    costs = CostLevels(BASE)
    assert climb(costs, Plays(_100=[None]), 500_000, 100) == []
    assert climb(costs, Plays(_90=[Spent(1024, 0), None]), 500_000, 90) == []
    assert costs.costliest is None


def test_slow_answers_are_a_level_of_their_own() -> None:
    costs = CostLevels(BASE)
    slow = Spent(0, 0.004)
    plays = Plays(_100=[slow, slow])
    assert climb(costs, plays, 5_000, 100, seconds=0.5) == [((TIME + 2, 1),)]
    assert costs.costliest is None


def test_a_case_that_was_silent_is_left_to_the_oracles() -> None:
    costs, plays = CostLevels(BASE), Plays()
    silent = [took(2.0, Ending.DEADLINE)]
    assert list(costs.climb([sends(100)], silent, 10**7, plays)) == []
    assert plays.played == []


def test_a_batch_is_looked_into_only_as_far_as_its_sum_is_unexplained() -> None:
    costs = CostLevels(BASE)
    first = Plays(_100=[Spent(1024, 0)] * 2)
    climb(costs, first, 110_000, 100)
    # Sixteen connections, and 200,000 beyond: whoever sent 2,000 bytes cannot have done that.
    plays = Plays(_80=[Spent(2375, 0)] * 2, _90=[Spent(0, 0)])
    sizes = (2000,) * 13 + (90, 90, 80)
    assert climb(costs, plays, 242_500, *sizes) == [((BASE + 20, 1),)]
    # What is left over for the others makes no level any more.
    assert plays.played == [80, 80]


def test_an_ordinary_batch_is_not_played_again() -> None:
    costs, plays = CostLevels(BASE), Plays(_100=[Spent(1024, 0)] * 2)
    climb(costs, plays, 110_000, 100)
    plays = Plays()
    assert climb(costs, plays, 2_500 + 16 * 5_000, *[80] * 16) == []
    assert plays.played == []


def test_looking_closer_has_a_bound() -> None:
    costs, plays = CostLevels(BASE), Plays(_80=[Spent(0, 0)] * 40)
    for _ in range(4):
        climb(costs, plays, 10**7, *[80] * 16)
    assert len(plays.played) == 4 * 16 // 8


def test_the_costliest_case_of_each_function_is_a_hill_of_its_own() -> None:
    costs, chance = CostLevels(BASE), Random(0)
    assert costs.hill(chance) is None
    seen = took(0.01)
    flood, small, smaller = sends(9_000), sends(100), sends(70)
    costs.note(flood, seen, 2_000_000, "m:flood/1")
    costs.note(smaller, seen, 20_000, "m:loop/1")
    costs.note(small, seen, 50_000, "m:loop/1")
    costs.note(smaller, seen, 20_000, "m:loop/1")
    costs.note(sends(64), seen, 1_000, "m:idle/0")
    hills = [costs.hill(chance) for _ in range(400)]
    assert set(map(id, hills)) == {id(flood), id(small)}
    assert hills.count(small) > 10 * hills.count(flood)
    # In vain, again and again: then a lower one may take its place.
    costs.note(smaller, seen, 20_000, "m:loop/1")
    assert smaller in [costs.hill(chance) for _ in range(20)]


def test_the_levels_have_counters_enough() -> None:
    costs = CostLevels(BASE)
    most = Spent(1e12, 1e12)
    ((work, time),) = climb(costs, Plays(_80=[most, most]), 10**9, 80)
    assert BASE <= work[0] < time[0] == BASE + LEVELS - 1
