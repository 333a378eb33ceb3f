"""The benchmark of the harness itself: how fast, how flat, how strong, and how it takes a storm.

All sides of a part are measured side by side in one run, in several rounds, and only ratios are
told, with their spread; see :mod:`fuzz.bench.ratios`. A figure of one machine is nothing that
another could be held to: none is asserted anywhere. To add a part: write its module, as
:class:`fuzz.bench.parts.Part` asks, and name it in :mod:`fuzz.bench.run`.
"""

from fuzz.bench.parts import FULL, QUICK, Grid, Part, Plan, Result, Row
from fuzz.bench.ratios import Goal, Ratio
from fuzz.bench.run import PARTS, Bench, make_parts

__all__ = [
    "FULL",
    "PARTS",
    "QUICK",
    "Bench",
    "Goal",
    "Grid",
    "Part",
    "Plan",
    "Ratio",
    "Result",
    "Row",
    "make_parts",
]
