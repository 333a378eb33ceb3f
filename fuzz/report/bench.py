"""What the benchmark came to, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from fuzz.bench import Grid, Ratio, Result, Row

_STYLES = {"reached": "green", "missed": "bold red", "open": "yellow"}
_INDENT = "  "


def lines_of(result: Result) -> list[Text]:
    """Return a part as lines: what is compared, each ratio or why there is none, and the rest."""
    rounds = "1 round" if result.rounds == 1 else f"{result.rounds} rounds"
    lines = [
        Text.assemble((result.part, "bold"), (f"  {rounds}", "dim")),
        Text(f"{_INDENT}{result.about}", style="dim"),
    ]
    for row in result.rows:
        lines += _row_lines(row)
    if result.grid is not None:
        lines += [Text(), *_grid_lines(result.grid)]
    lines += [Text(f"{_INDENT}{note}", style="dim") for note in result.notes]
    return [*lines, Text()]


def told(ratio: Ratio) -> str:
    """Return a ratio that may be told, with the rounds that it comes from."""
    least = "at least " if ratio.at_least else ""
    return f"{least}{ratio.median:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})"


def _row_lines(row: Row) -> list[Text]:
    refusal = row.ratio.refusal()
    compared = f"{_INDENT}{row.what}, against {row.against}: "
    if refusal:
        lines = [Text.assemble(compared, (refusal, "yellow"))]
    else:
        lines = [Text.assemble(compared, (told(row.ratio), "bold"), _goal(row))]
    return lines + ([Text(f"{_INDENT * 3}{row.note}", style="dim")] if row.note else [])


def _goal(row: Row) -> Text:
    if row.goal is None:
        return Text()
    verdict = row.goal.verdict(row.ratio)
    which = "at least" if row.goal.at_least else "at most"
    return Text.assemble(
        f"; the goal of {which} {row.goal.ratio:g} is ", (verdict, _STYLES[verdict])
    )


def _grid_lines(grid: Grid) -> list[Text]:
    rows = [grid.heading, *grid.lines]
    widths = [max(len(row[place]) for row in rows) for place in range(len(grid.heading))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    heading, *others = padded
    return [Text(_INDENT + heading, style="dim"), *(Text(_INDENT + line) for line in others)]


def as_json(results: Sequence[Result]) -> list[dict[str, object]]:
    """Return parts for a program; a ratio that may not be told is null, and says why."""
    return [
        {
            "part": result.part,
            "about": result.about,
            "rounds": result.rounds,
            "ratios": [_measured(row) for row in result.rows],
            "table": None
            if result.grid is None
            else [list(result.grid.heading), *map(list, result.grid.lines)],
            "notes": list(result.notes),
        }
        for result in results
    ]


def _measured(row: Row) -> dict[str, object]:
    ratio, refusal = row.ratio, row.ratio.refusal()
    measured: dict[str, object] = {
        "what": row.what,
        "against": row.against,
        "ratio": None if refusal else round(ratio.median, 4),
        "low": round(ratio.low, 4),
        "high": round(ratio.high, 4),
        "spread": round(ratio.spread, 4),
        "at_least": ratio.at_least,
        "refused": refusal,
        "note": row.note,
    }
    if row.goal is not None:
        verdict = None if refusal else row.goal.verdict(ratio)
        measured["goal"] = {
            "ratio": row.goal.ratio,
            "at_least": row.goal.at_least,
            "verdict": verdict,
        }
    return measured
