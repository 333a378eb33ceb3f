"""Findings that their first case did not bring back are looked for again, but not for ever."""

from __future__ import annotations

from fuzz.engines.worker import Elusive


def test_what_came_back_at_once_is_not_looked_for() -> None:
    elusive = Elusive()
    assert not elusive.note("one", came_back=True), "there is no worse case before it"
    assert not elusive.wanted("one")


def test_what_did_not_come_back_is_wanted_until_a_case_shows_it() -> None:
    elusive = Elusive()
    assert not elusive.note("one", came_back=False)
    assert elusive.wanted("one")
    assert not elusive.wanted("another")
    assert elusive.note("one", came_back=True), "it replaces the case that showed nothing"
    assert not elusive.wanted("one")


def test_the_search_is_given_up_after_some_tries() -> None:
    elusive = Elusive()
    tries = 0
    while not tries or elusive.wanted("one"):
        elusive.note("one", came_back=False)
        tries += 1
        assert tries < 100
    assert tries > 1
    assert elusive.note("one", came_back=True), "a late success still replaces it"
