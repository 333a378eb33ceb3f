"""Findings that come back only by chance are looked for again, but not for ever."""

from __future__ import annotations

from fuzz.engines.elusive import TRIES, Elusive
from fuzz.finding import Cause, Finding, Kind

ONE = Finding(Kind.PROCESS_CRASH, "a title", Cause("one"))
ANOTHER = Finding(Kind.PROCESS_CRASH, "a title", Cause("another"))
WORSE = Finding(Kind.APP_DOWN, "a title", Cause("one"))


def test_what_always_comes_back_is_not_looked_for() -> None:
    elusive = Elusive()
    assert not elusive.note(ONE, 1.0, confirms=False)
    assert elusive.wanted(ONE), "it was not confirmed yet"
    assert elusive.note(ONE, 1.0, confirms=True)
    assert not elusive.wanted(ONE)
    assert not elusive.wanted(ANOTHER)


def test_what_comes_back_by_chance_is_wanted_until_a_case_shows_it_surely() -> None:
    elusive = Elusive()
    elusive.note(ONE, 1.0, confirms=False)
    assert elusive.note(ONE, 1 / 3, confirms=True)
    assert elusive.wanted(ONE)
    assert not elusive.note(ONE, 0.0, confirms=True), "a worse case replaces nothing"
    assert elusive.note(ONE, 2 / 3, confirms=True)
    assert elusive.note(ONE, 1.0, confirms=True)
    assert not elusive.wanted(ONE)


def test_the_search_is_given_up_after_some_tries() -> None:
    elusive = Elusive()
    for _ in range(TRIES):
        elusive.note(ONE, 1.0, confirms=False)
        assert elusive.wanted(ONE)
        elusive.note(ONE, 0.0, confirms=True)
    assert not elusive.wanted(ONE)
    assert elusive.note(ONE, 1.0, confirms=True), "a late success still replaces it"


def test_what_no_case_shows_is_given_up_too() -> None:
    elusive = Elusive()
    for _ in range(TRIES):
        elusive.note(ONE, 0.0, confirms=False)
        elusive.note(ANOTHER, 1.0, confirms=False)
    assert not elusive.wanted(ONE)
    assert elusive.wanted(ANOTHER), "it is still to be confirmed"


def test_what_is_given_up_is_not_looked_for() -> None:
    elusive = Elusive()
    elusive.note(ONE, 0.5, confirms=True)
    elusive.give_up(ONE)
    assert not elusive.wanted(ONE)
    assert elusive.note(WORSE, 0.5, confirms=True)
    assert elusive.wanted(WORSE)


def test_a_worse_effect_of_the_same_defect_is_looked_for_on_its_own() -> None:
    elusive = Elusive()
    assert elusive.note(ONE, 1.0, confirms=True)
    assert not elusive.wanted(WORSE)
    assert elusive.note(WORSE, 0.5, confirms=True)
    assert elusive.wanted(WORSE)
    assert not elusive.wanted(ONE)
