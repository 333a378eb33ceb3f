"""What went on over the time of a campaign, as plots: the search, and the counts of each node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from fuzz.node import QuickVitals
from fuzz.report.html.model import Mark, Plot, Series
from fuzz.report.html.plots import thinned
from fuzz.report.html.words import counted, share, short_number
from fuzz.store.timeline import FindingRow, Sample, Timeline

#: Stretches of time over which a rate is told: shorter ones jump about.
_STRETCHES = 90
#: Nodes that are told apart by a colour of their own; a cluster of more is no common one.
MAX_NODES = 6
#: They go up and down with each case: more of them are a carpet and no line.
_VITAL_POINTS = 160
_MEBIBYTE = 1024 * 1024

#: What is told of a node: name, title, unit, and how it is read.
_VITALS: tuple[tuple[str, str, str, Callable[[QuickVitals], float]], ...] = (
    ("processes", "Processes", "processes", lambda vitals: vitals.processes),
    ("memory", "Memory", "MiB", lambda vitals: vitals.memory / _MEBIBYTE),
    ("atoms", "Atoms", "atoms", lambda vitals: vitals.atoms),
    ("ports", "Ports", "ports", lambda vitals: vitals.ports),
    ("tables", "ETS tables", "tables", lambda vitals: vitals.tables),
)


def search_plots(timeline: Timeline) -> tuple[Plot, ...]:
    """Return coverage, findings, rate and corpus over time; none without a sample."""
    last = timeline.last
    if last is None:
        return ()
    samples, marks = timeline.samples, tuple(_runs(timeline.samples))
    return (
        _coverage(samples, last, marks),
        _findings(timeline.findings, last, marks),
        _rate(samples, last, marks),
        Plot(
            "corpus",
            "Corpus",
            f"{last.corpus:,}",
            "cases",
            "Cases that reached something new and were kept, over time.",
            (Series("cases kept", tuple((s.seconds, float(s.corpus)) for s in samples)),),
            marks,
        ),
    )


def vital_plots(timeline: Timeline) -> tuple[Plot, ...]:
    """Return the counts of the nodes over time; none where no agent told any."""
    nodes = sorted({name for sample in timeline.samples for name in sample.vitals})
    if not nodes:
        return ()
    marks = tuple(_runs(timeline.samples))
    left = len(nodes) - MAX_NODES
    note = f"{counted(left, 'node')} more not drawn" if left > 0 else ""
    told = nodes[:MAX_NODES]
    counts = [
        _vital(name, title, unit, [(node, _counts(timeline.samples, node, read)) for node in told])
        for name, title, unit, read in _VITALS
    ]
    work = [(node, list(_work(timeline.samples, node))) for node in told]
    if any(y for _, points in work for _, y in points):
        counts.append(_vital("work", "Work", "million reductions per second", work, steps=True))
    return tuple(replace(plot, marks=marks, note=note) for plot in counts)


def _coverage(samples: Sequence[Sample], last: Sample, marks: tuple[Mark, ...]) -> Plot:
    what = "coverage points" if last.points_total else "shapes of dialogues"
    note = (
        f"{share(last.points_covered, last.points_total)} of {last.points_total:,} points"
        if last.points_total
        else "no agent: the search follows the shape of the replies"
    )
    line = Series(what, tuple((s.seconds, float(s.points_covered)) for s in samples))
    return Plot(
        "coverage",
        "Coverage",
        f"{last.points_covered:,}",
        what.partition(" ")[2] if last.points_total else "shapes",
        f"Distinct {what} reached, over time. The last value is {last.points_covered:,}, {note}.",
        (line,),
        marks,
        note,
    )


def _findings(rows: Sequence[FindingRow], last: Sample, marks: tuple[Mark, ...]) -> Plot:
    stairs = [(0.0, 0.0), *((row.seconds, float(n)) for n, row in enumerate(rows, 1))]
    # What was told behind the last sample is as late as it says itself.
    stairs.append((max(last.seconds, stairs[-1][0]), float(len(rows))))
    dots = (
        Mark(row.seconds, f"{row.severity.value}: {row.title[:120]}", float(n), row.severity.value)
        for n, row in enumerate(rows, 1)
    )
    return Plot(
        "findings",
        "Findings",
        f"{len(rows):,}",
        "defect" if len(rows) == 1 else "defects",
        f"Distinct defects found, over time: {len(rows):,} in all.",
        (Series("defects", tuple(stairs), steps=True),),
        (*marks, *tuple(dots)[:200]),
    )


def _rate(samples: Sequence[Sample], last: Sample, marks: tuple[Mark, ...]) -> Plot:
    points = tuple(_per_second([(s.seconds, float(s.cases)) for s in samples]))
    mean = last.cases / last.seconds if last.seconds else 0.0
    return Plot(
        "rate",
        "Rate",
        short_number(round(mean, 1)),
        "cases per second, on average",
        "Cases judged in each second, over time. Stretches without any are those in which a "
        "finding was looked at, or the target was brought back.",
        (Series("cases per second", points, steps=True),),
        marks,
    )


def _per_second(totals: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield how fast a total grew from each moment on; in the middle of nothing it is nothing."""
    end = totals[-1][0]
    apart = max(end / _STRETCHES, 1.0)
    kept = [(0.0, 0.0)]
    for at, total in totals:
        if at - kept[-1][0] >= apart or (at == end and at > kept[-1][0]):
            kept.append((at, total))
    rate = 0.0
    for (start, before), (at, after) in pairwise(kept):
        rate = max(after - before, 0.0) / (at - start)
        yield start, rate
    yield end, rate


def _vital(
    name: str,
    title: str,
    unit: str,
    lines: Sequence[tuple[str, list[tuple[float, float]]]],
    steps: bool = False,
) -> Plot:
    series = tuple(
        Series(node or "the node", tuple(thinned(points, _VITAL_POINTS)), steps)
        for node, points in lines
    )
    latest = [one.points[-1][1] for one in series if one.points]
    return Plot(
        name,
        title,
        " / ".join(short_number(round(value, 1)) for value in latest),
        unit,
        f"{title} of {counted(len(lines), 'node')}, over time; of each stretch the highest value.",
        series,
    )


def _counts(
    samples: Sequence[Sample], node: str, read: Callable[[QuickVitals], float]
) -> list[tuple[float, float]]:
    return [(s.seconds, float(read(s.vitals[node]))) for s in samples if node in s.vitals]


def _work(samples: Sequence[Sample], node: str) -> Iterator[tuple[float, float]]:
    """Yield how fast a node worked from each moment on; a new one begins with nothing done."""
    there = [(s.seconds, s.vitals[node].reductions) for s in samples if node in s.vitals]
    rate = 0.0
    for (start, before), (at, after) in pairwise(there):
        done = after - before if after >= before else after
        if at > start:
            rate = done / (at - start) / 1e6
            yield start, rate
    if there:
        yield there[-1][0], rate


def _runs(samples: Sequence[Sample]) -> Iterator[Mark]:
    """Yield a mark for each run but the first, where the one before it had ended."""
    for before, after in pairwise(samples):
        if after.run != before.run:
            yield Mark(before.seconds, f"run {after.run}")
