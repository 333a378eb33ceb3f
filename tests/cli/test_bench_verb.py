"""``iris-fuzz bench``: what was asked for is measured, and told also when it was cut short."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from fuzz.bench import FULL, PARTS, QUICK, Part, Plan
from fuzz.cli import bench as module
from tests.bench.stand_ins import StandInPart
from tests.cli.support import Run

#: So close together that they are told.
RATIOS = (2.0, 2.1, 2.2, 2.1, 2.0)


class Made:
    """The parts that were asked for, and what was done with them."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], Plan]] = []
        self.log: list[str] = []
        self.ratios: Sequence[float] = RATIOS
        self.fails_at: int | None = None

    def make(self, names: Sequence[str], plan: Plan, seeds: Path) -> tuple[Part, ...]:
        assert seeds.is_dir()
        self.asked.append((tuple(names), plan))
        return tuple(StandInPart(name, self.ratios, self.log, self.fails_at) for name in names)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    stand_in = Made()
    monkeypatch.setattr(module, "make_parts", stand_in.make)
    return stand_in


def test_all_parts_are_measured_in_all_rounds(run: Run, made: Made) -> None:
    ran = run("bench")
    assert ran.code == 0
    assert made.asked == [(PARTS, FULL)]
    assert made.log[: len(PARTS)] == [f"{name} 0" for name in PARTS]
    assert ran.out.count("2.10 times (2.00 to 2.20)") == len(PARTS)


def test_quick_is_another_plan_and_the_rounds_can_be_chosen(run: Run, made: Made) -> None:
    run("bench", "--quick", "--rounds", 2, "--age", 60, "--only", "storm", "--only", "scale")
    ((names, plan),) = made.asked
    assert names == ("storm", "scale")
    assert (plan.rounds, plan.age, plan.clock) == (2, 60.0, QUICK.clock)
    assert made.log[-4:] == ["storm 1", "scale 1", "storm closed", "scale closed"]


def test_a_spread_above_the_claim_is_told_in_place_of_the_ratio(run: Run, made: Made) -> None:
    made.ratios = (0.8, 1.1, 1.3)
    ran = run("bench", "--quick", "--only", "storm")
    assert ran.code == 0
    assert "no ratio is told: 3 rounds gave 0.80 to 1.30, a spread of 1.62 times" in ran.out
    assert "1.10 times (" not in ran.out


def test_json_is_all_that_is_on_standard_output(run: Run, made: Made) -> None:
    told = json.loads(run("bench", "--json", "--only", "storm").out)
    assert [part["part"] for part in told] == ["storm"]
    assert told[0]["ratios"][0]["ratio"] == 2.1


def test_an_error_ends_it_with_a_sentence_behind_what_was_measured(run: Run, made: Made) -> None:
    made.fails_at = 2
    ran = run("bench", "--only", "storm")
    assert ran.code == 2
    assert ran.sentence() == "iris-fuzz: waited in vain for a stand-in"
    assert "2.05 times (2.00 to 2.10)" in ran.out
    assert made.log[-1] == "storm closed"


def test_an_interrupt_tells_what_was_measured_by_then(
    run: Run, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = StandInPart.measure

    def interrupted(part: StandInPart, number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt
        measure(part, number)

    monkeypatch.setattr(StandInPart, "measure", interrupted)
    ran = run("bench", "--only", "storm")
    assert ran.code == 130
    assert "storm  3 rounds" in ran.out


@pytest.mark.parametrize("wrong", [("--rounds", 0), ("--age", 1), ("--age", "nan"), ("--age", "x")])
def test_what_is_no_number_of_rounds_or_seconds_is_refused(
    run: Run, made: Made, wrong: tuple[str, object]
) -> None:
    ran = run("bench", *wrong)
    assert ran.code == 2
    assert made.asked == []


def test_an_unknown_part_is_refused_in_one_sentence(run: Run) -> None:
    ran = run("bench", "--only", "speed")
    assert ran.code == 2
    assert "the benchmark has no part speed; choose of throughput, scale" in ran.sentence()
