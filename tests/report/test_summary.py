"""The summary gathers a run from its events."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.errors import StoreError
from fuzz.events import Dismissed, Ended, Faulted, Found, Progress, Recovered, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import NodeSeen
from fuzz.report.summary import Summary

CAUSE = Cause("crash", "error:badarg", "iris_ref_conn:init/1", ("a:b/1",))
CRASH = Finding(Kind.PROCESS_CRASH, "a process crashed", CAUSE)
CUT = Finding(Kind.LISTENER_RESTART, "clients were cut off", CAUSE)
PROGRESS = Progress(1000, 4.0, 30, 120, 7, 2, 5, 0.75)


def test_an_empty_run_divides_nothing_by_zero() -> None:
    summary = Summary()
    assert summary.cases_per_second() == 0.0
    assert summary.as_json()["findings"] == []


def test_the_totals_are_those_of_the_last_event_that_had_any() -> None:
    summary = Summary()
    summary.take(Started("embedded", "BEAM coverage", 120, 9))
    summary.take(PROGRESS)
    summary.take(Faulted("the worker died"))
    assert (summary.progress, summary.reason) == (PROGRESS, "")
    last = Progress(2000, 8.0, 31, 120, 8, 2, 5, 0.75)
    summary.take(Ended(last, "time is up", {"iris_ref_conn": (30, 40)}))
    assert (summary.progress, summary.reason) == (last, "time is up")
    assert summary.cases_per_second() == 250.0
    assert summary.modules == {"iris_ref_conn": (30, 40)}


def test_recoveries_are_counted_by_how_they_were_done() -> None:
    summary = Summary()
    for how in ("node", "application", "application"):
        summary.take(Recovered(how, 0.1))
    assert summary.as_json()["recoveries"] == {"node": 1, "application": 2}


def test_why_the_target_was_brought_back_is_counted() -> None:
    summary = Summary()
    for why in ("to check a suspicion", "for it had ended", "to check a suspicion"):
        summary.take(Recovered("node", 0.1, why))
    assert summary.as_json()["recovered_why"] == [
        {"how": "node", "why": "to check a suspicion", "times": 2},
        {"how": "node", "why": "for it had ended", "times": 1},
    ]


def test_suspicions_that_were_dismissed_are_counted_by_title_and_are_no_findings() -> None:
    summary = Summary()
    for _ in range(2):
        summary.take(Dismissed(CRASH))
    assert summary.as_json()["dismissed"] == {CRASH.title: 2}
    assert not summary.findings


def test_a_finding_that_comes_again_is_one_finding_with_the_latest_count() -> None:
    summary = Summary()
    summary.take(Found(CRASH, "crash-1", new=True, hits=1))
    summary.take(Found(CRASH, "crash-1", new=False, hits=9))
    (seen,) = summary.findings.values()
    assert (seen.hits, seen.new) == (9, True)


def test_the_worst_that_was_seen_of_a_finding_stays() -> None:
    summary = Summary()
    for finding in (CRASH, CUT, CRASH):
        summary.take(Found(finding, "crash-1", new=False))
    (seen,) = summary.findings.values()
    assert seen.finding == CUT


def test_the_json_names_everything_a_script_needs(tmp_path: Path) -> None:
    summary = Summary()
    node = NodeSeen("iris_edge1@h", "25", 9, ("iris",), 8085)
    summary.take(Started("embedded", "BEAM coverage", 120, 9, nodes=(node,)))
    summary.take(Found(CRASH, "crash-1", new=True, hits=3))
    summary.take(Ended(PROGRESS, "a finding", {"iris_ref_conn": (30, 40)}))
    path = tmp_path / "summary.json"
    summary.write(path)
    text = path.read_text()
    assert text.endswith("}\n")
    value = json.loads(text)
    assert value == summary.as_json()
    assert (value["cases"], value["cases_per_second"], value["ended_by"]) == (
        1000,
        250.0,
        "a finding",
    )
    assert value["nodes"] == [
        {
            "name": "iris_edge1@h",
            "otp": "25",
            "os_pid": 9,
            "applications": ["iris"],
            "port": 8085,
            "others": [],
        }
    ]
    assert value["modules"] == {"iris_ref_conn": {"covered": 30, "total": 40}}
    assert value["findings"] == [
        {
            "kind": "process_crash",
            "severity": "medium",
            "fingerprint": CRASH.fingerprint,
            "title": "a process crashed",
            "path": "crash-1",
            "new": True,
            "hits": 3,
            "known": "",
        }
    ]


def test_a_summary_that_cannot_be_written_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        Summary().write(tmp_path / "file" / "summary.json")


def test_the_costliest_case_is_told_only_where_cost_was_sought() -> None:
    summary = Summary()
    summary.take(PROGRESS)
    assert "reductions_per_byte" not in summary.as_json()
    summary.take(replace(PROGRESS, reductions_per_byte=901))
    assert summary.as_json()["reductions_per_byte"] == 901


def test_what_could_not_be_seen_and_what_stays_behind_is_in_the_summary() -> None:
    summary = Summary()
    assert summary.as_json()["not_seen"] == summary.as_json()["left_behind"] == []
    summary.take(Started("h:1", "replies", 0, 9, ("a note",), ("coverage", "leaks"), ("iris",)))
    summary.take(Ended(PROGRESS, "time is up", left=("a module stays",)))
    said = summary.as_json()
    assert (said["not_seen"], said["covered"]) == (["coverage", "leaks"], ["iris"])
    assert (said["notes"], said["left_behind"]) == (["a note"], ["a module stays"])
