"""Increases of counters and values of gauges, over restarts and whatever comes and goes."""

from __future__ import annotations

import math

from fuzz.assertions.expression import Selector
from fuzz.assertions.page import page_of
from fuzz.assertions.tally import Tally


def tally_of(*pages: str) -> Tally:
    tally = Tally()
    for page in pages:
        tally.take(page_of(page))
    return tally


def value(tally: Tally, name: str, **labels: str) -> float:
    return tally.value(Selector(name, tuple(sorted(labels.items()))))


def test_a_counter_is_what_it_has_grown_since_the_first_page() -> None:
    tally = tally_of("x_total 100\n", "x_total 103\n", "x_total 110\n")
    assert value(tally, "x_total") == 10


def test_a_counter_that_was_started_anew_goes_on() -> None:
    assert value(tally_of("x_total 100\n", "x_total 110\n", "x_total 4\n"), "x_total") == 14


def test_a_label_set_that_comes_later_began_at_nothing() -> None:
    tally = tally_of('x_total{a="1"} 5\n', 'x_total{a="1"} 6\nx_total{a="2"} 3\n')
    assert value(tally, "x_total") == 4
    assert value(tally, "x_total", a="2") == 3
    assert value(tally, "x_total", a="none") == 0


def test_a_page_without_a_counter_takes_nothing_from_it() -> None:
    tally = tally_of("x_total 1\n", "x_total 3\n", "y 1\n", "x_total 4\n")
    assert value(tally, "x_total") == 3


def test_a_gauge_is_what_it_is_now_and_no_number_when_it_is_gone() -> None:
    tally = tally_of('g{a="1"} 5\ng{a="2"} 1\n', 'g{a="1"} 2\n')
    assert value(tally, "g") == 2
    assert value(tally, "g", a="2") == 0
    tally.take(page_of("x 1\n"))
    assert math.isnan(value(tally, "g"))


def test_what_is_no_number_is_no_increase() -> None:
    assert value(tally_of("x_total 1\n", "x_total NaN\n", "x_total 3\n"), "x_total") == 2
    assert math.isnan(value(tally_of("g NaN\n"), "g"))


def test_a_name_is_known_with_and_without_samples() -> None:
    tally = tally_of("# TYPE x counter\ng 1\n")
    assert [tally.knows(Selector(name)) for name in ("x", "x_total", "g", "y")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert value(tally, "x_total") == 0
