"""Plots: where lines and ticks are, that they stay inside, and the table that tells the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.report.html.model import Mark, Plot, Series
from fuzz.report.html.plots import HEIGHT, MAX_POINTS, TABLE_ROWS, WIDTH, draw, nice_step, thinned

#: Values of totals and rates, far beyond what a campaign reaches.
VALUES = st.floats(0, 1e12)

quick = settings(max_examples=200)


def plot(*series: Series, marks: tuple[Mark, ...] = ()) -> Plot:
    return Plot("p", "P", "1", "things", "what it is", series, marks)


def test_a_line_goes_from_corner_to_corner() -> None:
    drawn = draw(plot(Series("a", ((0, 0), (100, 40)))))
    assert drawn.strokes[0].path == f"M{drawn.left} {drawn.bottom}L{drawn.right} {drawn.top}"
    assert [tick.text for tick in drawn.y_ticks] == ["0", "10", "20", "30", "40"]
    assert [tick.text for tick in drawn.x_ticks] == ["0", "30", "60", "90"]
    assert drawn.x_unit == "s"


def test_stairs_are_level_until_they_rise() -> None:
    drawn = draw(plot(Series("a", ((0, 0), (50, 1), (100, 1)), steps=True)))
    assert re.fullmatch(r"M60 176H263V12H466V12", drawn.strokes[0].path)
    assert [tick.text for tick in drawn.y_ticks] == ["0", "1"], "there is no half of a finding"


@pytest.mark.parametrize(
    ("seconds", "unit", "ticks"),
    [
        (0, "s", ["0", "1"]),
        (600, "min", ["0", "2", "4", "6", "8", "10"]),
        (86_400, "h", ["0", "6", "12", "18", "24"]),
        (40 * 86_400, "d", ["0", "10", "20", "30", "40"]),
    ],
)
def test_time_has_the_unit_that_fits(seconds: float, unit: str, ticks: list[str]) -> None:
    drawn = draw(plot(Series("a", ((0, 1), (seconds, 1)))))
    assert (drawn.x_unit, [tick.text for tick in drawn.x_ticks]) == (unit, ticks)


def test_an_empty_plot_has_axes_and_no_line() -> None:
    drawn = draw(plot(Series("a", ())))
    assert (drawn.strokes, drawn.rows) == ((), ())
    assert len(drawn.y_ticks) == 2


@quick
@given(st.lists(st.tuples(VALUES, VALUES), max_size=50), VALUES)
def test_nothing_is_drawn_outside(points: list[tuple[float, float]], at: float) -> None:
    drawn = draw(plot(Series("a", tuple(sorted(points))), marks=(Mark(at, "m", at),)))
    numbers = [
        tuple(map(float, pair))
        for stroke in drawn.strokes
        for pair in re.findall(r"[ML]([\d.e+]+) ([\d.e+]+)", stroke.path)
    ]
    places = [*numbers, *((dot.x, dot.y or 0.0) for dot in drawn.dots)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert len(drawn.y_ticks) <= 7
    assert len(drawn.x_ticks) <= 7


@quick
@given(st.floats(1e-6, 1e12))
def test_ticks_are_round_and_few(highest: float) -> None:
    step = nice_step(highest)
    assert highest / step <= 4.0001
    assert f"{step:e}"[0] in "125"


def test_many_points_are_thinned_and_their_peaks_stay() -> None:
    points = [(float(n), 1000.0 if n == 5_003 else 1.0) for n in range(20_000)]
    few = thinned(points, MAX_POINTS)
    assert len(few) <= MAX_POINTS
    assert (5_003.0, 1000.0) in few
    assert few[-1] == points[-1]
    assert few == sorted(few)


def test_the_table_tells_all_series_at_some_moments() -> None:
    points = tuple((float(n), n * 1_000.0) for n in range(100))
    drawn = draw(plot(Series("a", points), Series("late", ((50.0, 7.0),))))
    assert drawn.heads == ("Time", "a", "late")
    assert drawn.rows[0] == ("0 s", "0", "")
    assert drawn.rows[-1] == ("1 min 39 s", "99,000", "7")
    assert len(drawn.rows) <= TABLE_ROWS + 1
