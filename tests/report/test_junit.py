"""JUnit XML: what is a test, what failed, and that hostile text leaves it well-formed."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st

from fuzz.report.junit import as_junit, clean
from fuzz.triage.replay import Verdict
from tests.report.outcome_support import CRASH, HANG, outcome_of, played


def counts(element: Xml.Element) -> dict[str, str | None]:
    return {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}


def test_a_regression_is_a_test_and_so_is_each_finding() -> None:
    outcome = outcome_of([played("x/a"), played("x/b", HANG)], HANG, CRASH)
    root = Xml.fromstring(as_junit(outcome))
    names = {case.get("name"): [tag.tag for tag in case] for case in root.iter("testcase")}
    crash = next(name for name in names if name and CRASH.fingerprint in name)
    assert names == {"a": [], "b": ["failure"], "run": ["system-out"], crash: ["failure"]}
    assert counts(root) == {"tests": "4", "failures": "2", "errors": "0", "skipped": "0"}
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("type") == "hang"
    assert HANG.fingerprint in (failure.text or "")
    assert "FAILED in 2 of 2 plays" in (failure.text or "")


def test_what_is_excused_is_skipped_with_the_reason() -> None:
    outcome = outcome_of([played("b", HANG)], CRASH, excused=[HANG, CRASH])
    root = Xml.fromstring(as_junit(outcome))
    assert counts(root) == {"tests": "3", "failures": "0", "errors": "0", "skipped": "2"}
    assert all("in the baseline" in (tag.get("message") or "") for tag in root.iter("skipped"))


def test_one_new_finding_beside_a_known_one_fails_the_regression() -> None:
    root = Xml.fromstring(as_junit(outcome_of([played("b", HANG, CRASH)], excused=[HANG])))
    (failure,) = root.iter("failure")
    assert CRASH.fingerprint in (failure.text or "")
    assert HANG.fingerprint not in (failure.text or "")


def test_what_could_not_be_done_is_an_error() -> None:
    unplayed = played("a", verdict=Verdict.ERROR, note="it is empty")
    root = Xml.fromstring(as_junit(outcome_of([unplayed], faults=["no target"])))
    assert [tag.get("message") for tag in root.iter("error")] == ["it is empty", "no target"]
    assert counts(root) == {"tests": "2", "failures": "0", "errors": "2", "skipped": "0"}


def test_the_times_of_a_suite_add_up() -> None:
    root = Xml.fromstring(as_junit(outcome_of([played("a"), played("b")])))
    assert [suite.get("time") for suite in root.iter("testsuite")] == ["0.500", "4.000"]


@given(st.text())
def test_any_text_is_xml_when_it_is_clean(text: str) -> None:
    element = Xml.Element("x", message=clean(text))
    element.text = clean(text)
    parsed = Xml.fromstring(Xml.tostring(element, encoding="utf-8"))
    # What is the end of a line to XML is one line feed.
    assert (parsed.text or "") == clean(text).replace("\r\n", "\n").replace("\r", "\n")


def test_hostile_text_is_kept_and_harmless() -> None:
    root = Xml.fromstring(as_junit(outcome_of([played("x\x1b\udcff", CRASH)], CRASH)))
    (failure,) = root.iter("failure")
    assert "<img src=x>" in (failure.text or "")
    assert [case.get("name") for case in root.iter("testcase")] == ["x\\x1b\\xdcff", "run"]
    assert clean("\x00\x1b\ud800\ufffe a\tb\nc\U0001f600") == (
        "\\x00\\x1b\\xd800\\xfffe a\tb\nc\U0001f600"
    )
