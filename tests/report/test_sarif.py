"""SARIF 2.1.0: what the standard and GitHub ask for, checked by hand."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from fuzz.finding import Kind
from fuzz.report.outcome import Outcome
from fuzz.report.sarif import as_sarif
from tests.report.outcome_support import CRASH, HANG, outcome_of, played


def run_of(outcome: Outcome) -> Any:
    log = json.loads(as_sarif(outcome))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return run


def check(run: Any) -> None:
    """Assert what the standard requires of the properties that are used."""
    driver = run["tool"]["driver"]
    rules = [rule["id"] for rule in driver["rules"]]
    assert driver["name"] == "iris-fuzz"
    assert len(set(rules)) == len(rules)
    levels = {"none", "note", "warning", "error"}
    assert all(rule["defaultConfiguration"]["level"] in levels for rule in driver["rules"])
    assert isinstance(run["invocations"][0]["executionSuccessful"], bool)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in levels
        assert result["message"]["text"]
        assert result["baselineState"] in {"new", "unchanged", "updated", "absent"}
        assert all(isinstance(v, str) for v in result["partialFingerprints"].values())
        for location in (*result["locations"], *result["relatedLocations"]):
            place = location["physicalLocation"]
            assert place["artifactLocation"]["uri"]
            assert place["region"]["startLine"] >= 1


def test_each_kind_is_a_rule_and_each_fingerprint_a_result() -> None:
    run = run_of(outcome_of([played("a", HANG)], HANG, CRASH))
    check(run)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [kind.value for kind in Kind]
    assert [one["partialFingerprints"]["irisFuzz/v1"] for one in run["results"]] == [
        CRASH.fingerprint, HANG.fingerprint,
    ]  # fmt: skip
    assert run["invocations"][0]["executionSuccessful"] is True


def test_severities_become_levels() -> None:
    rules = run_of(outcome_of())["tool"]["driver"]["rules"]
    levels = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in rules}
    assert (levels["node_down"], levels["semantic"], levels["hang"]) == (
        "error", "error", "warning",
    )  # fmt: skip


def test_a_finding_lies_in_the_source_that_its_reports_name(tmp_path: Path) -> None:
    (tmp_path / "src dir").mkdir()
    (tmp_path / "src dir" / "iris_conn.erl").touch()
    run = run_of(outcome_of([], CRASH, HANG, base=tmp_path))
    check(run)
    crash, hang = run["results"]
    place = crash["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {
        "uri": "src%20dir/iris_conn.erl", "uriBaseId": "%SRCROOT%",
    }  # fmt: skip
    assert place["region"] == {"startLine": 7}
    related = crash["relatedLocations"][0]["physicalLocation"]["artifactLocation"]
    assert related["uri"] == "c"
    assert hang["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "c"


def test_a_case_elsewhere_is_named_by_a_whole_uri(tmp_path: Path) -> None:
    run = run_of(outcome_of([played(str(tmp_path / "a b\udcff"), HANG)]))
    check(run)
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": f"file://{tmp_path.resolve()}/a%20b%FF"}


def test_what_is_excused_is_suppressed_and_old() -> None:
    run = run_of(outcome_of([], HANG, CRASH, excused=[HANG]))
    check(run)
    states = {one["ruleId"]: one["baselineState"] for one in run["results"]}
    assert states == {"hang": "unchanged", "process_crash": "new"}
    suppressed = [one["ruleId"] for one in run["results"] if "suppressions" in one]
    assert suppressed == ["hang"]


def test_what_could_not_be_done_is_told() -> None:
    invocation = run_of(outcome_of([], faults=["no target"]))["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "no target"


def test_from_bare_sources_the_version_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert run_of(outcome_of())["tool"]["driver"]["version"] == "unknown"
