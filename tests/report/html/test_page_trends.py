"""Plots of the search and of the nodes, from a time line."""

from __future__ import annotations

from pathlib import Path

from fuzz.finding import Kind
from fuzz.node import QuickVitals
from fuzz.report.html.history import history_of
from fuzz.report.html.model import Plot
from fuzz.report.html.trends import search_plots, vital_plots
from fuzz.store.timeline import (
    FaultRow,
    FindingRow,
    RecoveryTotal,
    Run,
    Sample,
    Timeline,
    read_timeline,
)
from tests.report.html.stand_ins import timeline

EMPTY = Timeline({}, (), (), (), (), (), (), ())


def of(*samples: Sample, findings: tuple[FindingRow, ...] = ()) -> Timeline:
    return Timeline({}, (), samples, findings, (), (), (), ())


def sample(seconds: float, cases: int, run: int = 1, **vitals: QuickVitals) -> Sample:
    return Sample(run, 0, seconds, cases, 5, 9, 1, 0, 0, 0, 0, vitals)


def named(plots: tuple[Plot, ...], name: str) -> Plot:
    return next(plot for plot in plots if plot.name == name)


def test_a_campaign_that_has_measured_nothing_has_no_plot() -> None:
    assert (search_plots(EMPTY), vital_plots(EMPTY)) == ((), ())


def test_the_search_is_told_in_four_plots(tmp_path: Path) -> None:
    timeline(tmp_path, 90)
    plots = search_plots(read_timeline(tmp_path))
    assert [plot.name for plot in plots] == ["coverage", "findings", "rate", "corpus"]
    coverage = named(plots, "coverage")
    assert (coverage.now, coverage.note) == ("4", "67% of 6 points")
    assert [mark.text for mark in coverage.marks] == ["run 2"]
    rate = named(plots, "rate").series[0].points
    assert {round(y, 6) for _, y in rate} == {30.0}


def test_a_stretch_without_a_case_has_the_rate_nothing() -> None:
    totals = (sample(1, 10), sample(2, 20), sample(12, 20), sample(13, 30))
    rate = named(search_plots(of(*totals)), "rate").series[0].points
    assert rate == ((0, 10.0), (1, 10.0), (2, 0.0), (12, 10.0), (13, 10.0))


def test_findings_are_stairs_with_a_dot_for_each() -> None:
    rows = (
        FindingRow("a", Kind.LEAK, "atoms", Path("x"), 0, 0, 1, 3.0),
        FindingRow("b", Kind.NODE_DOWN, "gone", Path("y"), 0, 0, 1, 8.0),
    )
    plot = named(search_plots(of(sample(1, 1), sample(10, 9), findings=rows)), "findings")
    assert plot.series[0].points == ((0, 0), (3, 1), (8, 2), (10, 2))
    assert [(mark.x, mark.y, mark.kind) for mark in plot.marks] == [
        (3.0, 1.0, "medium"),
        (8.0, 2.0, "critical"),
    ]


def test_without_an_agent_shapes_are_counted() -> None:
    bare = Sample(1, 0, 5.0, 9, 4, 0, 1, 0, 0, 0, 0)
    plots = search_plots(of(bare))
    assert named(plots, "coverage").unit == "shapes"
    assert vital_plots(of(bare)) == ()


def test_each_node_has_a_line_and_its_work_begins_anew_with_it() -> None:
    def vitals(processes: int, reductions: int) -> QuickVitals:
        return QuickVitals(processes, 1, 2, 3, 1024 * 1024, reductions)

    plots = vital_plots(
        of(
            sample(1, 1, core=vitals(50, 0), edge=vitals(60, 5_000_000)),
            sample(2, 2, core=vitals(51, 1_000_000), edge=vitals(61, 2_000_000)),
            sample(3, 3, core=vitals(52, 3_000_000)),
        )
    )
    processes = named(plots, "processes")
    assert [series.name for series in processes.series] == ["core", "edge"]
    assert processes.now == "52 / 61"
    assert [series.points for series in named(plots, "work").series] == [
        ((1, 1.0), (2, 2.0), (3, 2.0)),
        ((1, 2.0), (2, 2.0)),
    ]
    assert named(plots, "memory").now == "1 / 1"


def test_a_cluster_of_many_nodes_is_cut_and_says_so() -> None:
    many = {f"n{number}": QuickVitals(1, 1, 1, 1, 1) for number in range(9)}
    plot = vital_plots(of(sample(1, 1, **many)))[0]
    assert (len(plot.series), plot.note) == (6, "3 nodes more not drawn")
    assert [one.name for one in vital_plots(of(sample(1, 1, **many)))][-1] == "tables", "no work"


def test_the_latest_runs_and_the_most_frequent_reasons_are_told() -> None:
    runs = tuple(Run(n, n * 1e3, f"fuzz {n}", "embedded", seconds=5.0) for n in range(1, 61))
    totals = (RecoveryTotal("node", "rare", 1, 0.5), RecoveryTotal("node", "often", 9, 4.5))
    faults = tuple(FaultRow(1, n, n, f"fault {n}") for n in range(60))
    history = history_of(Timeline({}, runs, (), (), (), totals, (), faults))
    assert [run.number for run in history.runs][:2] == [60, 59]
    assert history.runs[0].reason == "it goes on, or was killed"
    assert [why for _, why, _, _ in history.recoveries] == ["often", "rare"]
    assert history.faults[0].value == "fault 59"
    assert history.cut == ("10 runs more not listed", "10 faults more not listed")
