"""A costly case is mutated as seldom as its cost asks for."""

from __future__ import annotations

import random

from fuzz.case import Case, Step, StepKind
from fuzz.engines.turns import Turns
from tests.watchdog.fake_rig import case

DEAR = Case(tuple(Step(StepKind.SEND, number % 4, b"x") for number in range(37)))


def test_a_costly_case_has_its_turn_where_there_is_no_cheap_one() -> None:
    turns = Turns(random.Random(0))
    assert turns.grant(DEAR, 0) is DEAR


def test_the_last_cheap_case_has_most_turns_of_a_costly_one() -> None:
    turns, cheap = Turns(random.Random(0)), case("cheap")
    assert turns.grant(cheap, 20) is cheap
    granted = [turns.grant(DEAR, 0) for _ in range(900)]
    assert set(map(id, granted)) == {id(DEAR), id(cheap)}
    assert 60 < sum(one is DEAR for one in granted) < 150  # its cost is nine cheap ones'


def test_many_bytes_cost_as_steps_do() -> None:
    turns, cheap = Turns(random.Random(0)), case("cheap")
    turns.grant(cheap, 20)
    assert sum(turns.grant(cheap, 100_000) is cheap for _ in range(50)) == 50
    other = case("long")
    assert sum(turns.grant(other, 100_000) is other for _ in range(50)) < 5
