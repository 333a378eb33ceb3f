"""Whether the edges of a cluster matter is tried, told, and asked for by the filter."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import Case, opening
from fuzz.triage.generalise import generalise
from fuzz.triage.pattern import Part, Pattern, Place
from fuzz.triage.pattern_frames import edges_of
from fuzz.triage.reduce import Budget
from tests.triage.judges import PLENTY, A, B, FakeJudge, login, opened, send

#: One client writes to another; on one edge, and with the other one on the second.
TOGETHER = Case((login(B, 1), login(A), send(b"\x70\0\1x")))
APART = Case((opening(1, edge=1), *TOGETHER.steps))


def told(
    case: Case, shows: Callable[[frozenset[int]], bool], known: int = 2, plays: int | None = None
) -> tuple[Pattern, Part | None]:
    """Return the pattern of a case that fails with clients on such edges, and its part on them."""
    judge = FakeJudge(lambda case: shows(edges_of(case)))
    budget = PLENTY if plays is None else Budget(plays=plays)
    pattern = generalise(case, judge, budget, judge.clock, known_edges=known)
    return pattern, next((part for part in pattern.parts if "edge" in part.text), None)


@pytest.mark.parametrize("case", [TOGETHER, APART])
def test_edges_that_make_no_difference_are_told_and_not_asked_for(case: Case) -> None:
    pattern, part = told(case, lambda _: True)
    assert part == Part("on one edge or on two alike", 1, 1)
    assert pattern.matches(TOGETHER)
    assert pattern.matches(APART)


@pytest.mark.parametrize("known", [2, 3])
def test_clients_that_must_be_on_different_edges_are_told_and_asked_for(known: int) -> None:
    pattern, part = told(APART, lambda edges: len(edges) > 1, known)
    assert part == Part("only when the clients are on different edges", 2, 1, Place.CONTEXT)
    assert ", only when the clients are on different edges" in pattern.sentence()
    assert pattern.matches(APART)
    assert not pattern.matches(TOGETHER)
    assert pattern.to_json()["edges"] == 2


def test_certain_edges_are_not_taken_for_any() -> None:
    only_these = opening(1, edge=1), opening(2, edge=2)
    case = Case((*only_these, login(B, 1), login(A, 2), send(b"\x70\0\1x", 2)))
    _, part = told(case, lambda edges: edges == {1, 2}, known=3)
    assert part == Part("seen with the clients on these edges only", 2, 0)


def test_what_shows_on_one_edge_only_is_told_and_asked_for() -> None:
    pattern, part = told(TOGETHER, lambda edges: len(edges) == 1)
    assert part == Part("seen on one edge only", 1, 0)
    assert pattern.matches(TOGETHER)
    assert not pattern.matches(APART)


def test_one_client_is_on_an_edge_that_matters_or_does_not() -> None:
    case = Case((opening(0, edge=1), login(A), send(b"\x70\0\1x")))
    assert told(case, lambda _: True)[1] == Part("on the first edge alike", 1, 1)
    assert told(case, lambda edges: edges == {1})[1] == Part("seen on one edge only", 1, 0)


def test_nothing_is_said_where_there_is_one_edge_or_one_client() -> None:
    assert told(APART, lambda _: True, known=1)[1] is None
    one = Case((opened(), login(A), send(b"\x70\0\1x")))
    assert told(one, lambda _: True)[1] is None


def test_what_could_not_be_tried_is_as_in_the_case() -> None:
    pattern, part = told(APART, lambda edges: len(edges) > 1, plays=1)
    assert not pattern.complete
    assert part == Part("edges", 2, 0, Place.SETTING)
    assert "edges" in pattern.sentence()
    assert not pattern.matches(TOGETHER)
