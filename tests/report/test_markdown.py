"""The page of a run: what it says, and that no text of a target is markup on it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fuzz.report.markdown import as_markdown, plain
from fuzz.report.outcome import Outcome
from fuzz.triage.replay import Verdict
from tests.report.outcome_support import CRASH, HANG, HOSTILE, outcome_of, played

UNPLAYED = played("a", verdict=Verdict.ERROR, note="it is empty")


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        (outcome_of([played("a")]), "nothing new was found"),
        (outcome_of([], HANG), "1 new finding"),
        (outcome_of([], HANG, CRASH), "2 new findings"),
        (outcome_of([], HANG, excused=[HANG]), "nothing new was found"),
        (outcome_of([UNPLAYED]), "could not run to the end"),
    ],
)
def test_the_headline_says_how_it_ended(outcome: Outcome, headline: str) -> None:
    assert as_markdown(outcome).startswith(f"## iris-fuzz: {headline}\n")


def test_totals_findings_and_errors_are_on_the_page() -> None:
    page = as_markdown(outcome_of([played("x", HANG), UNPLAYED], excused=[HANG]))
    assert "2 regressions&#58; 1 FAILED, 1 ERROR" in page
    assert "1,000 cases in 4 s, 30 of 120 coverage points, 2 restarts" in page
    assert "| medium | hang | a reply did not come | in the baseline |" in page
    assert "- 1 finding fails nothing&#58; known, or in the baseline" in page
    assert "- a&#58; it is empty" in page


def test_a_new_finding_is_told_with_its_fingerprint_and_replay() -> None:
    page = as_markdown(outcome_of([], HANG))
    assert "| medium | hang | a reply did not come | **new** |" in page
    assert f"fingerprint: {HANG.fingerprint}\n" in page
    assert "replay: iris-fuzz replay c --plant hang" in page


def test_hostile_text_stays_in_its_cell_and_is_no_markup() -> None:
    page = as_markdown(outcome_of([], CRASH))
    assert not re.search(r"<(?!/?(?:details|summary|pre)>)", page)
    (row,) = [line for line in page.splitlines() if line.startswith("| medium")]
    assert row.count("|") == 5
    assert not any(line.startswith(("::", "- [")) for line in page.splitlines())
    assert plain(HOSTILE).isprintable()
    assert not set(plain(HOSTILE)) & set("`*_[]<>|~@:")


def test_a_page_has_an_end() -> None:
    many = [replace(HANG, cause=replace(HANG.cause, what="x" * n)) for n in range(60)]
    page = as_markdown(outcome_of([], *many))
    assert page.count("<details>") == 50
    assert "And 10 findings more." in page
    assert len(as_markdown(outcome_of([], replace(HANG, title="x" * 10**6)))) < 20_000
