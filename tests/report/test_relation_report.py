"""The report of a broken relation shows both of its sides."""

from __future__ import annotations

from fuzz.case import Case, Step, StepKind
from fuzz.finding import Cause, Finding, Kind
from fuzz.report.finding import as_markdown
from fuzz.triage.dossier import seen_once

CASE = Case((Step(StepKind.LOGIN, 0, b"<user:A>"),))


def report(evidence: dict[str, object]) -> str:
    finding = Finding(Kind.SEMANTIC, "a title", Cause("relation", "recut: whatever"), evidence)
    return as_markdown(seen_once(CASE, finding), "iris-fuzz replay case")


def test_what_was_heard_is_told_of_the_case_and_of_its_variant() -> None:
    told = report(
        {
            "connection": 1,
            "variant": "cut byte by byte",
            "heard": ["TYPING_RELAY sender=x"],
            "heard_in_the_variant": [],
            "varied": ["connection 0: send 1 byte"],
        }
    )
    said = told.partition("## What was heard")[2].partition("##")[0].split("```")[1].splitlines()
    assert said == [
        "",
        "the case, on connection 1, from the first difference on:",
        "TYPING_RELAY sender=x",
        "",
        "the variant (cut byte by byte):",
        "nothing",
        "",
        "the variant in full, with the questions behind it:",
        "connection 0: send 1 byte",
    ]


def test_any_other_finding_has_no_such_sides() -> None:
    assert "What was heard" not in report({"heard": "no list"})
