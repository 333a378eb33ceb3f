"""Findings that come back only by chance are looked for again, but not for ever."""

from __future__ import annotations

from fuzz.engines.elusive import TRIES, Elusive


def test_what_always_comes_back_is_not_looked_for() -> None:
    elusive = Elusive()
    assert not elusive.note("one", 1.0, confirms=False)
    assert elusive.wanted("one"), "it was not confirmed yet"
    assert elusive.note("one", 1.0, confirms=True)
    assert not elusive.wanted("one")
    assert not elusive.wanted("another")


def test_what_comes_back_by_chance_is_wanted_until_a_case_shows_it_surely() -> None:
    elusive = Elusive()
    elusive.note("one", 1.0, confirms=False)
    assert elusive.note("one", 1 / 3, confirms=True)
    assert elusive.wanted("one")
    assert not elusive.note("one", 0.0, confirms=True), "a worse case replaces nothing"
    assert elusive.note("one", 2 / 3, confirms=True)
    assert elusive.note("one", 1.0, confirms=True)
    assert not elusive.wanted("one")


def test_the_search_is_given_up_after_some_tries() -> None:
    elusive = Elusive()
    for _ in range(TRIES):
        elusive.note("one", 1.0, confirms=False)
        assert elusive.wanted("one")
        elusive.note("one", 0.0, confirms=True)
    assert not elusive.wanted("one")
    assert elusive.note("one", 1.0, confirms=True), "a late success still replaces it"
