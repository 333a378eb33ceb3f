"""Parts are measured in turn, round by round; what was measured is told also when cut short."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from fuzz.bench import FULL, PARTS, QUICK, Bench, make_parts
from fuzz.errors import SettingsError, TargetError
from fuzz.target.planted import planted_defects
from tests.bench.stand_ins import StandInPart


def test_the_parts_take_turns() -> None:
    log: list[str] = []
    told: list[str] = []
    parts = [StandInPart(name, (2.0, 2.1), log) for name in ("a", "b")]
    bench = Bench(parts, 2, told.append)
    bench.run()
    assert log == ["a 0", "b 0", "a 1", "b 1", "a closed", "b closed"]
    assert told == [f"round {n} of 2: {name}" for n in (1, 2) for name in ("a", "b")]
    assert [result.rounds for result in bench.results()] == [2, 2]


@pytest.mark.parametrize(("fails_at", "rounds"), [(0, [1]), (1, [2, 1])])
def test_what_was_measured_before_an_error_is_there(fails_at: int, rounds: list[int]) -> None:
    log: list[str] = []
    parts = [StandInPart("a", (2.0, 2.1), log), StandInPart("b", (2.0, 2.1), log, fails_at)]
    bench = Bench(parts, 2, lambda _: None)
    with pytest.raises(TargetError, match="a stand-in"):
        bench.run()
    assert log[-2:] == ["a closed", "b closed"]
    assert [result.rounds for result in bench.results()] == rounds


def test_nothing_that_was_measured_is_nothing_that_is_told() -> None:
    bench = Bench([StandInPart("a", (), [], fails_at=0)], 1, lambda _: None)
    with pytest.raises(TargetError):
        bench.run()
    assert bench.results() == []


def test_the_parts_come_in_their_order_and_an_unknown_one_is_refused() -> None:
    made = make_parts(("storm", "throughput"), QUICK, Path("seeds"))
    assert [part.name for part in made] == ["throughput", "storm"]
    with pytest.raises(SettingsError, match="no part speed; choose of throughput, scale"):
        make_parts(("speed",), QUICK, Path("seeds"))


def test_both_plans_name_what_there_is() -> None:
    kinds = {defect.name: defect.kind for defect in planted_defects()}
    for plan in (FULL, QUICK):
        assert {*plan.defects, *plan.deeper} <= set(kinds)
        deeper = [kinds[name] for name in plan.deeper]
        assert len(set(deeper)) == len(deeper), "in the storm they are told apart by their kinds"
        assert not {kinds["shallow"], "app_down"} & set(deeper)
        assert list(plan.sizes) == sorted(plan.sizes)
        assert list(plan.points) == sorted(plan.points)


def test_the_quick_plan_is_quicker_in_each_way() -> None:
    for field in fields(QUICK):
        quick, full = getattr(QUICK, field.name), getattr(FULL, field.name)
        assert (len(quick) < len(full)) if isinstance(quick, tuple) else (quick < full), field.name


def test_each_part_has_a_name_that_can_be_asked_for() -> None:
    assert tuple(part.name for part in make_parts(PARTS, QUICK, Path("seeds"))) == PARTS
