"""What each panel of the dashboard shows, as text; nothing here knows of a screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from fuzz.node import QuickVitals
from fuzz.report.dashboard.board import Board
from fuzz.report.html.model import Cell, Matrix, MatrixRow
from fuzz.report.summary import SeenFinding, Summary
from fuzz.report.text import STYLE, row

#: From never to most often: as shades, and as colours that each scheme of a terminal has.
_HEAT = ("·", "░", "▒", "▓", "█", "█")
_HEAT_STYLE = ("dim", "blue", "cyan", "green", "yellow", "red")
#: A frame that has an effect in a state, and was never sent in it.
_GAP = ("○", "magenta")
_NAME_COLUMNS = 17
_MEBIBYTE = 1024 * 1024


def headline(board: Board, doing: str) -> Text:
    """Return the target, and what is being done."""
    started = board.summary.started
    if started is None:
        return Text.assemble(
            (" iris-fuzz ", "reverse bold"), f"  {doing or 'waiting for the target'}"
        )
    workers = "" if started.workers == 1 else f", one for each of {started.workers} workers"
    return Text.assemble(
        (" iris-fuzz ", "reverse bold"),
        f"  {started.target}{workers}, guided by {started.guided_by}",
        (f"   {doing}" if doing else "", "bold yellow"),
    )


def finding_cells(seen: SeenFinding, note: str) -> tuple[Text, ...]:
    """Return a finding as the cells of a table: how bad, of which kind, how often, which."""
    finding, style = seen.finding, STYLE[seen.finding.kind.severity]
    title = finding.title + (f"  ({note})" if note else "" if seen.new else "  (known)")
    return (
        Text(finding.kind.severity.value, style=style),
        Text(finding.kind.value),
        Text(f"{seen.hits:,}", justify="right"),
        Text(finding.fingerprint, style="dim"),
        Text(title),
    )


def findings_worst_first(summary: Summary) -> list[tuple[str, SeenFinding]]:
    """Return the findings, each with its fingerprint."""
    return sorted(summary.findings.items(), key=lambda item: item[1].finding.kind.rank)


def trend_line(name: str, now: str, values: Sequence[float]) -> Text:
    """Return what stands above a sparkline: its name, the value now, and its bounds."""
    bounds = f"   {min(values):,.0f} to {max(values):,.0f}" if values else ""
    return Text.assemble((name, "dim"), f" {now}", (bounds, "dim"))


def vitals(board: Board) -> Text:
    """Return the counts of each node, what they have gained since the start, and the recoveries."""
    lines = [line for name in sorted(board.levels) for line in _node(board, name)]
    if not lines:
        lines = [Text("no agent tells of the node's counts", style="dim")]
    lines += list(_recovery(board))
    return Text("\n").join(lines)


def heat(matrix: Matrix) -> Text:
    """Return how often the cases of the corpus send each opcode in each state, in two columns."""
    if not matrix.cases:
        return Text("no case was kept yet", style="dim")
    rows = [_heat_row(one) for one in matrix.rows]
    half = (len(rows) + 1) // 2
    lines = []
    for at in range(half):
        right = rows[half + at] if half + at < len(rows) else Text()
        lines.append(Text.assemble(rows[at], "   ", right))
    states = " ".join(matrix.states)
    head = Text(f"by state ({states}); {_GAP[0]} never, though it has an effect", style="dim")
    return Text("\n").join([head, *lines])


def _heat_row(one: MatrixRow) -> Text:
    name = one.name[:_NAME_COLUMNS]
    return Text.assemble(
        (f"{one.opcode or '  '} ", "dim"), f"{name:<{_NAME_COLUMNS}} ", *map(_heat_cell, one.cells)
    )


def _heat_cell(cell: Cell) -> tuple[str, str]:
    if not cell.cases and cell.effective:
        return _GAP
    return _HEAT[cell.heat], _HEAT_STYLE[cell.heat]


def _node(board: Board, name: str) -> Iterator[Text]:
    now, first = board.levels[name], board.first_levels.get(name)
    if name:
        yield Text(name, style="bold")
    for label, value in _counts(now).items():
        gained = value - _counts(first)[label] if first else 0
        shown = f"{value:,}" if label != "memory" else f"{value / _MEBIBYTE:,.0f} MiB"
        more = f"{gained:+,}" if label != "memory" else f"{gained / _MEBIBYTE:+,.0f} MiB"
        yield row(label, Text.assemble(f"{shown:>12}", (f"  {more}" if gained else "", "dim")))


def _counts(levels: QuickVitals) -> Mapping[str, int]:
    return {
        "processes": levels.processes,
        "ports": levels.ports,
        "atoms": levels.atoms,
        "tables": levels.tables,
        "memory": levels.memory,
    }


def _recovery(board: Board) -> Iterator[Text]:
    restarts, lost = board.summary.restarts()
    spent = board.summary.progress.seconds
    share = f", {100 * lost / spent:.0f}% of the time" if spent and lost else ""
    yield row("recovery", f"{restarts} restarts, {lost:.1f} s lost{share}")
    if board.recovered is not None:
        last = board.recovered
        why = f", {last.why}" if last.why else ""
        yield row("last", f"{last.how} in {last.seconds:.1f} s{why}")
    if board.fault:
        yield row("fault", Text(board.fault, style="magenta"))
