"""What Prometheus is told, and that the dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fuzz.errors import SettingsError
from fuzz.events import Dismissed, Found, Gauged, Recovered
from fuzz.node import QuickVitals
from fuzz.report.metrics import EXPORTED, CampaignMetrics, dashboard, served
from fuzz.report.summary import Summary
from tests.report.outcome_support import CRASH, ENDED, HANG, summary_of


def scraped(url: str) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_state_of_a_run_is_told_as_it_goes_on() -> None:
    summary = summary_of(HANG, CRASH)
    summary.take(Found(HANG, "c", new=False, hits=4))
    summary.take(Recovered("node", 0.5))
    summary.take(Dismissed(HANG))
    metrics = CampaignMetrics(summary)
    with served(metrics, 0) as url:
        told = scraped(url)
        assert told[("iris_fuzz_cases_total", ())] == 1000
        assert told[("iris_fuzz_coverage_points_covered", ())] == 30
        assert told[("iris_fuzz_coverage_points_known", ())] == 120
        assert told[("iris_fuzz_corpus_cases", ())] == 7
        assert told[("iris_fuzz_findings", ("hang", "medium"))] == 1
        assert told[("iris_fuzz_finding_hits_total", ("hang",))] == 4
        assert told[("iris_fuzz_dismissed_total", ())] == 1
        assert told[("iris_fuzz_recoveries_total", ("node",))] == 1
        assert told[("iris_fuzz_restarts_total", ())] == 2
        assert told[("iris_fuzz_recovering_seconds_total", ())] == 0.75
        assert told[("iris_fuzz_target_info", ("BEAM coverage", "embedded"))] == 1
        recovered = Recovered("node", 9.0)
        summary.take(recovered)
        assert scraped(url) == told, "nothing is read while the run changes it"
        metrics.take(recovered)
        assert scraped(url)[("iris_fuzz_recovering_seconds_total", ())] == 9.5


def test_before_the_start_and_at_the_end_there_is_something_to_tell() -> None:
    summary = Summary()
    with served(CampaignMetrics(summary), 0) as url:
        assert scraped(url)[("iris_fuzz_cases_total", ())] == 0
    summary.take(ENDED)
    summary.modules = {"iris_conn": (3, 9)}
    with served(CampaignMetrics(summary), 0) as url:
        assert scraped(url)[("iris_fuzz_module_points_covered", ("iris_conn",))] == 3


def test_what_the_agents_tell_is_told_on_by_node() -> None:
    metrics = CampaignMetrics(Summary())
    metrics.take(
        Gauged({"edge": QuickVitals(5, 4, 3, 2, 1, 9), "core": QuickVitals(6, 4, 3, 2, 1)})
    )
    metrics.take(ENDED)
    with served(metrics, 0) as url:
        told = scraped(url)
    assert [told[("iris_fuzz_node_processes", (node,))] for node in ("edge", "core")] == [5, 6]
    names = ("ports", "atoms", "tables", "memory_bytes", "reductions_total")
    edge = [told[(f"iris_fuzz_node_{name}", ("edge",))] for name in names]
    assert edge == [4, 3, 2, 1, 9]


def test_a_port_that_is_taken_is_one_sentence() -> None:
    metrics = CampaignMetrics(Summary())
    with (
        served(metrics, 0) as url,
        pytest.raises(SettingsError, match="Address already in use; name another port"),
        served(metrics, int(url.split(":")[2].split("/")[0])),
    ):
        pass


def test_the_port_is_free_again_behind_the_run() -> None:
    metrics = CampaignMetrics(Summary())
    with served(metrics, 0) as url:
        port = int(url.split(":")[2].split("/")[0])
    with served(metrics, port) as again:
        assert again == url


def test_each_expression_of_the_dashboard_names_an_exported_metric() -> None:
    board = json.loads(dashboard())
    names = {one.name for one in EXPORTED}
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    found = [re.findall(r"\biris_\w+", expression) for expression in asked]
    assert all(found), "each asks for something"
    assert {name for some in found for name in some} <= names
    assert len(names - {name for some in found for name in some}) == 0, "and all are shown"


def test_the_panels_of_the_dashboard_have_places_of_their_own() -> None:
    panels = json.loads(dashboard())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
