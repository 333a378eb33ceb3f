"""What a smoke run comes to: each defect once, and an exit code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.finding import Finding, Kind
from fuzz.report.outcome import Gathered, outcome_json, outcome_lines
from fuzz.report.source import Sources
from fuzz.store.crashes import Context, CrashStore
from fuzz.triage.known import KnownIssues
from fuzz.triage.replay import Verdict
from tests.report.outcome_support import CRASH, HANG, outcome_of, played, summary_of

ERROR = played("e", verdict=Verdict.ERROR, note="it cannot be played")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (outcome_of([played("a")]), 0),
        (outcome_of([played("a", HANG)]), 1),
        (outcome_of([], HANG), 1),
        (outcome_of([played("a", HANG)], CRASH, excused=[HANG, CRASH]), 0),
        (outcome_of([played("a", HANG)], CRASH, excused=[HANG]), 1),
        (outcome_of([ERROR]), 2),
        (outcome_of([], faults=["no target"]), 2),
        (outcome_of([ERROR], HANG), 1),
        (outcome_of([ERROR], HANG, excused=[HANG]), 2),
    ],
)
def test_the_exit_code_is_that_of_what_is_new(outcome: object, code: int) -> None:
    assert getattr(outcome, "code", None) == code


def test_a_defect_that_both_parts_find_is_one_and_the_worst_of_it_counts() -> None:
    worse = replace(HANG, kind=Kind.NODE_DOWN)
    outcome = outcome_of([played("a", HANG), played("b", HANG)], worse)
    assert [item.finding for item in outcome.ordered()] == [worse]
    outcome = outcome_of([played("a", worse), played("b", HANG)], HANG)
    assert [item.file for item in outcome.ordered()] == ["a"]


def test_what_fails_comes_first_and_the_worst_of_it() -> None:
    cut = Finding(Kind.NODE_DOWN, "the node ended", replace(HANG.cause, what="down"))
    outcome = outcome_of([], HANG, CRASH, cut, excused=[cut])
    assert [item.finding.kind for item in outcome.ordered()] == [
        Kind.PROCESS_CRASH, Kind.HANG, Kind.NODE_DOWN,
    ]  # fmt: skip
    assert [item.finding for item in outcome.new] == [CRASH, HANG]


def test_a_finding_is_told_with_its_case_and_how_to_see_it_again(tmp_path: Path) -> None:
    finding = replace(HANG, evidence={"pattern": "any byte"})
    context = Context("embedded", "25", (), ())
    path = CrashStore(tmp_path).save(b"\x34", finding, context).path
    gathered = Gathered(KnownIssues(), ("--plant", "hang"), Sources(tmp_path, tmp_path))
    gathered.summary = summary_of(HANG, path=str(path))
    (item,) = gathered.outcome().new
    assert item.replay == f"iris-fuzz replay {path.name} --plant hang"
    assert item.pattern == "any byte"
    assert any("send 1 byte" in step for step in item.steps)
    assert f"fingerprint: {HANG.fingerprint}" in item.told()


def test_a_case_that_is_gone_or_damaged_leaves_the_finding(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"x")
    (tmp_path / "c.json").write_text("{")
    (item,) = outcome_of([], HANG, base=tmp_path).new
    assert (item.pattern, len(item.steps)) == ("", 2)
    (item,) = outcome_of([played(str(tmp_path / "gone"), HANG)]).new
    assert item.steps == ()


def test_a_long_case_is_told_by_its_beginning(tmp_path: Path) -> None:
    steps = tuple(Step(StepKind.SEND, 0, b"\x34") for _ in range(30))
    (tmp_path / "c").write_bytes(encode_case(Case(steps)))
    (item,) = outcome_of([], HANG, base=tmp_path).new
    assert len(item.steps) == 21
    assert item.steps[-1] == "... and 10 more"


def test_lines_and_json_tell_the_same() -> None:
    outcome = outcome_of([played("a", HANG), ERROR], CRASH, excused=[HANG], faults=["no disk"])
    text = "\n".join(line.plain for line in outcome_lines(outcome))
    assert CRASH.fingerprint in text
    assert HANG.fingerprint not in text
    assert text.endswith("smoke: 1 new, 1 known or in the baseline, 2 not done")
    told = outcome_json(outcome)
    assert told["new"] == 1
    assert told["not_done"] == ["no disk", "e: it cannot be played"]
    assert [one["verdict"] for one in told["regressions"]] == ["FAILED", "ERROR"]  # type: ignore[attr-defined]
