"""Plots as numbers of a picture: where lines, ticks and marks are. A template draws them.

A library for plots would bring a hundred times what is here, and set colours that know of no dark
screen: what is drawn takes its colours from the style of the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fuzz.report.html.model import Plot, Series
from fuzz.report.html.words import duration, short_number

#: The size of a picture in its own units; it is as wide as its column on the screen.
WIDTH, HEIGHT = 480, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 12, 34
#: Points of a line: there are no more columns of pixels.
MAX_POINTS = 400
#: Rows of the table that tells the same: more is not listened to.
TABLE_ROWS = 20
_TICKS = 4
#: No count and no rate is smaller and above nothing.
_NOTHING = 1e-9
_TIME_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 432_000, 864_000, 1_728_000, 4_320_000, 8_640_000,
)  # fmt: skip
_TIME_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark: ``y`` is None for a line across the picture."""

    x: float
    y: float | None
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line of the picture: ``path`` is the d of an SVG path, ``area`` that of what is below."""

    name: str
    path: str
    area: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot, ready to be put into SVG, and its table."""

    plot: Plot
    strokes: tuple[Stroke, ...]
    dots: tuple[Dot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_unit: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def draw(plot: Plot) -> Drawn:
    """Return where everything of ``plot`` is. A plot without a point has no line."""
    points = [point for series in plot.series for point in series.points]
    end = max((x for x, _ in points), default=0.0)
    highest = max((y for _, y in points), default=0.0)
    step = nice_step(highest)
    if all(y == int(y) for _, y in points):
        step = max(step, 1.0)  # there is no half of a finding
    top = max(math.ceil(highest / step - 1e-9), 1) * step
    scale = _Scale(max(end, 1.0), top)
    x_ticks, unit = _time_ticks(max(end, 1.0), scale)
    return Drawn(
        plot,
        tuple(_stroke(series, scale) for series in plot.series if series.points),
        tuple(
            Dot(scale.x(mark.x), None if mark.y is None else scale.y(mark.y), mark.text, mark.kind)
            for mark in plot.marks
        ),
        x_ticks,
        tuple(Tick(scale.y(value), short_number(value, top)) for value in _multiples(step, top)),
        unit,
        ("Time", *(series.name for series in plot.series)),
        tuple(_rows(plot.series)),
    )


def _multiples(step: float, top: float) -> list[float]:
    return [n * step for n in range(round(top / step) + 1)]


def nice_step(highest: float, ticks: int = _TICKS) -> float:
    """Return the distance of ticks, 1, 2 or 5 times a power of ten, of at most so many."""
    if highest < _NOTHING:
        return 1.0
    rough = highest / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= rough * (1 - 1e-9))


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Return at most ``most`` points: of each stretch of time the highest, and the last of all."""
    if len(points) <= most:
        return list(points)
    start, end = points[0][0], points[-1][0]
    width = (end - start) / (most - 1) or 1.0
    best: dict[int, tuple[float, float]] = {}
    for x, y in points[:-1]:
        at = int((x - start) / width)
        if at not in best or y > best[at][1]:
            best[at] = (x, y)
    return [*best.values(), points[-1]][-most:]


@dataclass(frozen=True, slots=True)
class _Scale:
    end: float
    highest: float

    def x(self, seconds: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(seconds / self.end, 0), 1), 1)

    def y(self, value: float) -> float:
        room = HEIGHT - _TOP - _BOTTOM
        return round(HEIGHT - _BOTTOM - room * min(max(value / self.highest, 0), 1), 1)


def _stroke(series: Series, scale: _Scale) -> Stroke:
    places = [(scale.x(x), scale.y(y)) for x, y in thinned(series.points, MAX_POINTS)]
    (x0, y0), *rest = places
    words = [f"M{x0:g} {y0:g}"]
    words += (f"H{x:g}V{y:g}" if series.steps else f"L{x:g} {y:g}" for x, y in rest)
    path = "".join(words)
    floor = scale.y(0)
    return Stroke(series.name, path, f"{path}V{floor:g}H{x0:g}Z")


def _time_ticks(end: float, scale: _Scale) -> tuple[tuple[Tick, ...], str]:
    step = next((s for s in _TIME_STEPS if end / s <= _TICKS + 1), _TIME_STEPS[-1])
    step *= max(math.ceil(end / step / (_TICKS + 1)), 1)
    size, unit = next((size, unit) for size, unit in _TIME_UNITS if step >= size)
    ticks = (Tick(scale.x(n * step), f"{n * step / size:g}") for n in range(int(end / step) + 1))
    return tuple(ticks), unit


def _rows(series: Sequence[Series]) -> list[tuple[str, ...]]:
    """Return the values of all series at some moments: those of the first of them."""
    if not series or not series[0].points:
        return []
    moments = [x for x, _ in series[0].points]
    some = moments[:: -(-len(moments) // TABLE_ROWS)]
    if some[-1] != moments[-1]:
        some.append(moments[-1])
    return [(duration(x), *(_at(one, x) for one in series)) for x in some]


def _at(series: Series, x: float) -> str:
    before = [y for at, y in series.points if at <= x]
    return f"{before[-1]:,.4g}" if before and abs(before[-1]) < 1e4 else _plain(before)


def _plain(before: list[float]) -> str:
    return f"{before[-1]:,.0f}" if before else ""
