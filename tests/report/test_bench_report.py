"""The benchmark is told as ratios with their rounds, or as a sentence that says why not."""

from __future__ import annotations

from fuzz.bench import Goal, Grid, Ratio, Result, Row
from fuzz.report.bench import as_json, lines_of

TOLD = Row("judged cases", "the bare loop", Ratio((1.7, 1.6, 1.8)), Goal(1.5), "2,000/s")
REFUSED = Row("an old one", "a young one", Ratio((0.9, 1.3)), Goal(1.1, at_least=False))
LEAST = Row("a rival", "ours", Ratio((20.0, 30.0), at_least=True))
GRID = Grid(("", "found"), (("ours", "2 of 2"), ("theirs, which is longer", "0 of 2")))
RESULT = Result("a part", "what it is", 3, (TOLD, REFUSED, LEAST), GRID, ("a note",))


def test_a_ratio_has_its_rounds_and_the_goal_its_verdict() -> None:
    text = [line.plain for line in lines_of(RESULT)]
    assert text == [
        "a part  3 rounds",
        "  what it is",
        "  judged cases, against the bare loop: 1.70 times (1.60 to 1.80); the goal of at least "
        "1.5 is reached",
        "      2,000/s",
        "  an old one, against a young one: no ratio is told: 2 rounds gave 0.90 to 1.30, a "
        "spread of 1.44 times, and the claim would be 1.10 times",
        "  a rival, against ours: at least 25.00 times (20.00 to 30.00)",
        "",
        "                           found",
        "  ours                     2 of 2",
        "  theirs, which is longer  0 of 2",
        "  a note",
        "",
    ]


def test_for_a_program_a_ratio_that_is_refused_is_null() -> None:
    (part,) = as_json([RESULT])
    assert (part["part"], part["rounds"], part["notes"]) == ("a part", 3, ["a note"])
    assert part["table"] == [["", "found"], *map(list, GRID.lines)]
    ratios = part["ratios"]
    assert isinstance(ratios, list)
    told, refused, least = ratios
    assert (told["ratio"], told["low"], told["high"], told["refused"]) == (1.7, 1.6, 1.8, "")
    assert told["goal"] == {"ratio": 1.5, "at_least": True, "verdict": "reached"}
    assert refused["ratio"] is None
    assert "no ratio is told" in refused["refused"]
    assert refused["goal"]["verdict"] is None
    assert least["at_least"]
    assert "goal" not in least
