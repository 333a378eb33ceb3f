"""The screen of the dashboard: where each panel is, and what the keys do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Sparkline, Static

from fuzz.case import read_case
from fuzz.clock import Clock, SystemClock
from fuzz.errors import IrisFuzzError
from fuzz.report.console import status_block
from fuzz.report.dashboard import panels
from fuzz.report.dashboard.board import Board
from fuzz.report.html.folder import is_case
from fuzz.report.show import render_case
from fuzz.store.sidecar import read_sidecar

#: How often the screen is painted, in seconds: progress comes as often.
_PAINT_SECONDS = 0.25
#: How often new cases of the corpus are read for the heat: it changes slowly.
_HEAT_SECONDS = 5.0
#: Progress comes a few times a second, unless an alarm is looked into.
_SILENCE_SECONDS = 2.0
#: From so many rows and columns on, a terminal has room for all; below, some panels are left out.
_ROWS = [(0, "-low"), (36, "-high")]
_COLUMNS_OF_A_TERMINAL = [(0, "-narrow"), (100, "-wide")]
_PANELS = ("head", "totals", "covered-line", "rate-line", "heat", "nodes")
_TRENDS = ("covered", "rate")
#: The finding comes last, since its title may be wider than the screen.
_COLUMNS = ("severity", "kind", "seen", "fingerprint", "finding")


@dataclass(frozen=True, slots=True)
class Controls:
    """What a key asks of the campaign: the end, or a pause (and to go on)."""

    stop: Callable[[], None]
    pause: Callable[[bool], None]


class FindingScreen(ModalScreen[None]):
    """A finding in full: what was seen, and its case frame by frame."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "back"),
    ]

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def compose(self) -> ComposeResult:
        """Make the panel, which scrolls."""
        with VerticalScroll(id="case"):
            yield Static(_told(Path(self._path)))
        yield Footer()


class Dashboard(App[None]):
    """Paints ``board``; keys go to ``controls``.

    ``take`` is called before each painting: it lets the board take in what has happened since, and
    tells whether there will be more. When there won't, the terminal is what it was before.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "iris-fuzz"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "stop", "stop"),
        Binding("ctrl+c,ctrl+q", "stop", "stop", show=False, priority=True),
        Binding("p", "pause", "pause / go on"),
        Binding("enter", "open", "open finding", priority=True),
    ]
    #: What a small terminal has no room for is left out: first the heat and the counts.
    VERTICAL_BREAKPOINTS = _ROWS
    HORIZONTAL_BREAKPOINTS = _COLUMNS_OF_A_TERMINAL
    CSS = """
    #head { height: 1; background: $panel; }
    #top { height: 10; }
    #totals { width: 3fr; padding: 0 1; }
    #trends { width: 2fr; padding: 0 1; }
    #trends Static { height: 1; margin-top: 1; }
    Sparkline { height: 3; }
    Sparkline > .sparkline--max-color { color: $success; }
    Sparkline > .sparkline--min-color { color: $success-darken-2; }
    #findings { height: 1fr; min-height: 4; border-top: solid $panel; }
    #bottom { height: 21; border-top: solid $panel; }
    #heat { width: 3fr; padding: 0 1; }
    #nodes { width: 2fr; padding: 0 1; }
    .-low #bottom { display: none; }
    .-narrow #trends { display: none; }
    .-narrow #nodes { display: none; }
    FindingScreen { align: center middle; }
    #case { width: 95%; height: 95%; border: round $primary; padding: 0 1; background: $surface; }
    """

    def __init__(
        self,
        board: Board,
        controls: Controls,
        take: Callable[[], bool],
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._take = take
        self._board = board
        self._controls = controls
        self._clock = clock or SystemClock()
        self._paused = self._ending = False
        self._told = -1.0
        # Kept, and not looked for: another screen may be above, and they go before the last event.
        self._panels = {name: Static(id=name) for name in _PANELS}
        self._lines = {name: Sparkline(id=name) for name in _TRENDS}
        self._table: DataTable[Text] = DataTable(
            id="findings", cursor_type="row", zebra_stripes=True
        )
        self._heard = self._clock.now()

    def compose(self) -> ComposeResult:
        """Make the panels."""
        shown, lines = self._panels, self._lines
        yield shown["head"]
        with Horizontal(id="top"):
            yield shown["totals"]
            with Vertical(id="trends"):
                yield shown["covered-line"]
                yield lines["covered"]
                yield shown["rate-line"]
                yield lines["rate"]
        yield self._table
        with Horizontal(id="bottom"):
            yield shown["heat"]
            yield shown["nodes"]
        yield Footer()

    def on_mount(self) -> None:
        """Begin to paint."""
        for name in _COLUMNS:
            self._table.add_column(name, key=name)
        self._table.focus()
        self.set_interval(_PAINT_SECONDS, self._go_on)
        self.set_interval(_HEAT_SECONDS, self.paint_heat)
        self.paint()
        self.paint_heat()

    def action_stop(self) -> None:
        """Ask the campaign for its end; the screen stays until it has come."""
        self._ending = True
        self._controls.stop()

    def action_pause(self) -> None:
        """Pause the campaign, or let it go on."""
        if not self._ending:
            self._paused = not self._paused
            self._controls.pause(self._paused)

    def action_open(self) -> None:
        """Show the finding under the cursor in full."""
        if isinstance(self.screen, FindingScreen):
            self.pop_screen()
            return
        table = self._table
        if table.row_count:
            key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
            self.push_screen(FindingScreen(self._board.summary.findings[str(key)].path))

    def _go_on(self) -> None:
        if self._take():
            self.paint()
        else:
            self.exit()

    def paint(self) -> None:
        """Paint all that changes from moment to moment."""
        board, summary = self._board, self._board.summary
        progress, now = summary.progress, self._clock.now()
        if progress.seconds != self._told:
            self._told, self._heard = progress.seconds, now
        silence = now - self._heard
        self._show("head", panels.headline(board, self._doing(silence)))
        running = 0.0 if self._paused or summary.started is None else silence
        self._show("totals", status_block(summary, running))
        covered, rate = f"{progress.points_covered:,}", f"{summary.recent_rate():,.0f}/s"
        self._trend("covered", "coverage", covered, board.covered.values)
        self._trend("rate", "cases", rate, board.rate.values)
        self._show("nodes", panels.vitals(board))
        self._list_findings()

    def paint_heat(self) -> None:
        """Paint what the corpus holds."""
        self._show("heat", panels.heat(self._board.heat()))

    def _doing(self, silence: float) -> str:
        if self._ending:
            return "ending when the cases in flight are judged"
        if self._paused:
            return "paused"
        looking = self._board.summary.started is not None and silence > _SILENCE_SECONDS
        return "looking into an alarm" if looking else ""

    def _show(self, name: str, what: RenderableType) -> None:
        self._panels[name].update(what)

    def _trend(self, name: str, title: str, now: str, values: Sequence[float]) -> None:
        self._show(f"{name}-line", panels.trend_line(title, now, values))
        self._lines[name].data = list(values)

    def _list_findings(self) -> None:
        table, summary = self._table, self._board.summary
        seen = panels.findings_worst_first(summary)
        shown = [str(key.value) for key in table.rows]
        if shown != [fingerprint for fingerprint, _ in seen]:
            at = table.cursor_row
            table.clear()
            for fingerprint, one in seen:
                cells = panels.finding_cells(one, summary.known.note(fingerprint))
                table.add_row(*cells, key=fingerprint)
            table.move_cursor(row=min(at, len(seen) - 1))
            return
        for fingerprint, one in seen:
            cells = panels.finding_cells(one, summary.known.note(fingerprint))
            for column, cell in zip(_COLUMNS, cells, strict=True):
                if table.get_cell(fingerprint, column) != cell:
                    table.update_cell(fingerprint, column, cell)


def _told(path: Path) -> RenderableType:
    """Return a saved finding in full, or why it cannot be read; without a case it is its JSON."""
    try:
        if not is_case(path):
            return Text(path.read_text("utf-8", "replace"))
        return render_case(read_case(path), read_sidecar(path))
    except IrisFuzzError as error:
        return Text(str(error))
    except OSError as error:
        return Text(f"{path} cannot be read: {error.strerror}")
