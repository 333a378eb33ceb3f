"""The console: a live status on a terminal, lines elsewhere, a summary at the end.

On a terminal the status stands below everything else and is painted anew four times a
second, by a thread of its own; what is to stay, a finding above all, is a line above it.
Elsewhere each thing is one plain line, so that a log can be searched.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fuzz.clock import Clock, SystemClock, span
from fuzz.events import Decoded, Dismissed, Event, Faulted, Found, Progress, Recovered, Started
from fuzz.finding import Kind, Severity
from fuzz.node import NAMELESS
from fuzz.report.html.folder import is_case
from fuzz.report.summary import Summary
from fuzz.report.text import STYLE, finding_lines, in_columns, row, say, width_of
from fuzz.store.timeline import Sample

#: Without a terminal, a line of progress every so many seconds keeps a log readable.
_LINE_SECONDS = 5.0
#: Progress comes a few times a second, unless one case after the other is played to find the
#: one that did it, or the target is brought back.
_SILENCE_SECONDS = 2.0
#: What it means when the target was brought back by each of the means there are.
_HOW = {
    "application": "the application was restarted",
    "node": "the node was restarted",
    "nodes": "all nodes were restarted",
    "one node": "one node was restarted",
    "itself": "the target came back by itself",
}
#: What was restarted, where it is told how often.
_WHAT = {
    "application": "of the application",
    "node": "of the node",
    "nodes": "of all nodes",
    "one node": "of one node",
}


class ConsoleReport:
    """Shows a run while it goes on; use it as a context around the events.

    ``live`` asks for the status; without it, and without a terminal, there are lines.
    """

    def __init__(
        self,
        summary: Summary,
        console: Console,
        clock: Clock | None = None,
        live: bool = True,
    ) -> None:
        self._summary = summary
        self._console = console
        self._clock = clock or SystemClock()
        self._said = float("-inf")
        self._ending = False
        self._wanted = live
        self._shown: dict[str, Kind] = {}
        self._heard = self._clock.now()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._wanted and self._console.is_terminal:
            self._live = Live(
                get_renderable=self._status,
                console=self._console,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def ending(self) -> None:
        """Let the status say from now on that the run was asked to end."""
        self._ending = True

    def take(self, event: Event) -> None:
        """Show one event, which the summary has taken in already."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Found):
            self._found(event)
        elif isinstance(event, Dismissed):
            said = f"not seen on a fresh node, and no finding: {event.finding.title}"
            say(self._console, [Text(said, style="dim")])
        elif isinstance(event, Recovered):
            if self._live is None:
                how = _of_several(self._summary, event.how)
                said = f"{_HOW.get(how, how)} in {event.seconds:.1f} s"
                say(self._console, [Text(", ".join(filter(None, (said, event.why))))])
        elif isinstance(event, Decoded):
            say(self._console, [Text(f"decoder: {_decoded(event)}")])
        elif isinstance(event, Faulted):
            say(self._console, [Text(f"fault: {event.sentence}", style="magenta")])
        elif isinstance(event, Progress):
            self._progress()

    def _start(self, event: Started) -> None:
        self._heard = self._said = self._clock.now()
        points = f"{event.points_total} coverage points, " if event.points_total else ""
        target = event.target
        if event.workers > 1:
            target += f", one for each of {event.workers} workers"
        line = f"target {target}: guided by {event.guided_by}, {points}{event.seeds} seeds"
        notes = (Text(f"note: {note}", style="dim") for note in event.notes)
        named = len(event.nodes) > 1 or any(node.name != NAMELESS for node in event.nodes)
        nodes = f"nodes {', '.join(node.told() for node in event.nodes)}"
        say(self._console, [Text(line), *([Text(nodes)] if named else []), *notes])

    def _found(self, event: Found) -> None:
        """Print a finding once, and again only if it is seen to do something worse."""
        finding, before = event.finding, self._shown.get(event.finding.fingerprint)
        if before is not None and before.rank <= finding.kind.rank:
            return
        self._shown[finding.fingerprint] = finding.kind
        prefix = "worse than before: " if before else "" if event.new else "known: "
        lines = finding_lines(
            finding.kind,
            finding.fingerprint,
            prefix + finding.title,
            event.path,
            width_of(self._console),
        )
        say(self._console, lines)

    def _progress(self) -> None:
        self._heard = now = self._clock.now()
        if self._live is None and now - self._said >= _LINE_SECONDS:
            self._said = now
            say(self._console, [Text(status_line(self._summary))])

    def _status(self) -> Text:
        """Return what stands at the bottom of a terminal at this moment."""
        if self._summary.started is None:
            return Text("ending" if self._ending else "waiting for the target", style="dim")
        silence = self._clock.now() - self._heard
        doing = "looking into an alarm" if silence > _SILENCE_SECONDS else ""
        if self._ending:
            doing = "ending when the cases in flight are judged"
        return status_block(self._summary, silence, doing)


def status_line(summary: Summary) -> str:
    """Return the state of the run as one line."""
    progress = summary.progress
    parts = (
        f"{progress.seconds:6.0f} s",
        f"{progress.cases} cases",
        _rates(summary),
        _points(progress),
        f"corpus {progress.corpus}",
        f"findings {_findings(summary).plain}",
        f"restarts {summary.restarts()[0]}",
        f"replays {progress.replays}",
    )
    more = () if summary.campaign is None else (f"campaign {_campaign(summary.campaign)}",)
    return "  ".join((*parts, *more))


def status_block(summary: Summary, since: float = 0.0, doing: str = "") -> Text:
    """Return the live status, below an empty line that sets it off.

    ``since`` are the seconds since the last progress, ``doing`` is what else there is to say.
    """
    progress = summary.progress
    running = f"{progress.seconds + since:.0f} s"
    rows = (
        row("running", f"{running}, {doing}" if doing else running),
        row("cases", f"{progress.cases}, {_rates(summary)}"),
        *_rows(summary),
    )
    return Text("\n").join([Text(), *rows])


def summary_lines(summary: Summary, width: int | None = None) -> list[Text]:
    """Return what is shown at the end of a run, for a terminal of ``width`` columns."""
    progress = summary.progress
    cases = f"{progress.cases} in {progress.seconds:.1f} s"
    return [
        *_modules(summary, width),
        Text("summary", style="bold"),
        row("ended by", summary.reason or "an error"),
        row("cases", f"{cases}, {summary.cases_per_second():.0f}/s"),
        *_rows(summary),
        *_limits(summary),
        *_list(summary, width),
    ]


def _limits(summary: Summary) -> list[Text]:
    """Return rows for what could not be seen, and for what could not be taken away again."""
    unseen = summary.started.unseen if summary.started else ()
    rows = [row("not seen", f"{', '.join(unseen)}: there was no agent")] if unseen else []
    return rows + [row("left", sentence) for sentence in summary.left]


def _rows(summary: Summary) -> list[Text]:
    """Return the rows that the status and the summary have in common."""
    progress = summary.progress
    costliest = progress.reductions_per_byte
    cost = () if costliest is None else (row("cost", _cost(costliest)),)
    decoder = () if summary.decoded is None else (row("decoder", _decoded(summary.decoded)),)
    campaign = () if summary.campaign is None else (row("campaign", _campaign(summary.campaign)),)
    return [
        *decoder,
        *campaign,
        row("coverage", _points(progress) + _of_applications(summary)),
        *cost,
        row("corpus", f"{progress.corpus} cases that reached something new"),
        row("replays", f"{progress.replays} cases played alone, to see what each one does"),
        row("restarts", _restarts(summary)),
        *_dismissed(summary),
        row("findings", _findings(summary)),
    ]


def _modules(summary: Summary, width: int | None) -> list[Text]:
    if not summary.modules:
        return []
    column = max(len("module"), *map(len, summary.modules))
    lines = [f"{'module':<{column}} {'hit':>5} {'of':>5} {'%':>4}"]
    for name, (covered, total) in summary.modules.items():
        share = 100 * covered / total
        lines.append(f"{name:<{column}} {covered:>5} {total:>5} {share:>4.0f}")
    heading, *rest = in_columns(lines, width)
    title = Text("coverage points of each module", style="bold")
    return [Text(), title, Text(heading, style="dim"), *map(Text, rest), Text()]


def _list(summary: Summary, width: int | None) -> list[Text]:
    lines: list[Text] = []
    for seen in sorted(summary.findings.values(), key=lambda seen: seen.finding.kind.rank):
        finding, times = seen.finding, "once" if seen.hits == 1 else f"{seen.hits} times"
        title = f"{finding.title} (seen {times})"
        note = summary.known.note(finding.fingerprint)
        lines += finding_lines(finding.kind, finding.fingerprint, title, seen.path, width, note)
    if not lines:
        return []
    if not any(is_case(Path(seen.path)) for seen in summary.findings.values()):
        return [Text(), *lines]
    hint = "`iris-fuzz show FILE` tells what a case does, and how to play it again"
    return [Text(), *lines, Text(), Text(hint, style="dim")]


def _rates(summary: Summary) -> str:
    return f"{summary.recent_rate():.0f}/s now, {summary.cases_per_second():.0f}/s on average"


def _points(progress: Progress) -> str:
    if not progress.points_total:
        return f"{progress.points_covered} dialogue shapes"
    share = 100 * progress.points_covered / progress.points_total
    return f"{progress.points_covered} of {progress.points_total} BEAM points ({share:.0f}%)"


def _decoded(done: Decoded) -> str:
    rate = done.inputs / done.seconds if done.seconds else 0.0
    return (
        f"{done.inputs:,} inputs in {done.seconds:.1f} s, {rate:.0f}/s; {done.seeds} of them "
        "reached something new, and are seeds"
    )


def _campaign(totals: Sample) -> str:
    """Return what a long campaign has come to, this run included."""
    findings = "1 finding" if totals.findings == 1 else f"{totals.findings} findings"
    points = f"{totals.points_covered} points"
    return f"run {totals.run}, {totals.cases} cases in {span(totals.seconds)}, {points}, {findings}"


def _of_applications(summary: Summary) -> str:
    covered = summary.started.covered if summary.started else ()
    return f" of {', '.join(covered)}" if covered else ""


def _cost(costliest: int) -> str:
    return f"{costliest:,} reductions a byte in the costliest case (a step counts as 64 bytes)"


def _restarts(summary: Summary) -> str:
    """Return how often the target was brought back, by what means, why, and the time it took."""
    restarts, lost_seconds = summary.restarts()
    if not restarts:
        return "none"
    # A copy: the status is painted by another thread than the one that adds to it.
    means = ", ".join(
        " ".join(filter(None, (str(times), _what(summary, how), why)))
        for (how, why), times in tuple(summary.reasons.items())
    )
    how = f" ({means})" if means else ""
    workers = 1 if summary.started is None else summary.started.workers
    whose = f" of {workers} workers' time" if workers > 1 else ""
    return f"{restarts}{how}, {lost_seconds:.1f} s{whose} lost"


def _what(summary: Summary, how: str) -> str:
    return _WHAT.get(_of_several(summary, how), f"by {how}")


def _of_several(summary: Summary, how: str) -> str:
    """Return how the target was brought back, that of a cluster being all its nodes."""
    several = summary.started is not None and len(summary.started.nodes) > 1
    return "nodes" if several and how == "node" else how


def _dismissed(summary: Summary) -> list[Text]:
    """Return a row for suspicions that came to nothing, if there were any."""
    times = summary.dismissed.total()
    if not times:
        return []
    what = "1 suspicion" if times == 1 else f"{times} suspicions"
    return [row("dismissed", f"{what} checked on a fresh node, which did not share it")]


def _findings(summary: Summary) -> Text:
    """Return how many findings there are of each severity, the worst first."""
    # A copy: the status is painted by another thread than the one that adds to it.
    seen = tuple(summary.findings.values())
    counts = Counter(one.finding.kind.severity for one in seen)
    parts = [Text(f"{counts[s]} {s.value}", STYLE[s]) for s in Severity if counts[s]]
    return Text(", ").join(parts) if parts else Text("none")
