"""The frontier: which branches are in view, and who is sent to open them."""

from __future__ import annotations

from collections import Counter
from random import Random

from fuzz.engines.frontier import FRESH, LATER_SHARE, SHARE, Errand, Frontier
from fuzz.node import Gate, Point

#: A function of three clauses, and one with a case of two in its only clause.
POINTS = (
    Point("conn", "frame", 1, 10, "function"),
    Point("conn", "frame", 1, 11, "function"),
    Point("conn", "frame", 1, 12, "function"),
    Point("conn", "size", 1, 20, "function"),
    Point("conn", "size", 1, 21, "case"),
    Point("conn", "size", 1, 22, "case"),
)
WORD, OTHER = Gate(0, None, (b"GP", 3)), Gate(1, None, (b"OLD",))
LARGE = Gate(4, 3, (604_800,))
CALLS = 2_000


def frontier(*gates: Gate) -> Frontier:
    return Frontier(POINTS, gates, Random(1))


def errands(of: Frontier, calls: int = CALLS) -> Counter[Errand]:
    """Return the errands that come of so many mutations."""
    told = (of.errand() for _ in range(calls))
    return Counter(errand for errand in told if errand is not None)


def test_nobody_is_sent_to_what_no_case_came_close_to() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((1_000, 1),))
    assert (len(one), errands(one)) == (0, Counter())


def test_a_clause_is_in_view_when_another_of_its_function_was_run() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((2, 1),))
    assert set(errands(one)) == {Errand(b"case", WORD.constants)}


def test_a_branch_is_in_view_when_the_body_around_it_was_run() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((3, 1), (5, 1)))
    assert set(errands(one)) == {Errand(b"case", LARGE.constants)}


def test_a_share_of_the_mutations_are_errands() -> None:
    one = frontier(LARGE)
    one.learn(b"case", ((3, 1),))
    assert 0.8 * SHARE < errands(one, FRESH).total() / FRESH < 1.2 * SHARE
    errands(one, 10 * FRESH)
    assert 0.5 * LATER_SHARE < errands(one).total() / CALLS < 1.5 * LATER_SHARE


def test_a_gate_that_was_passed_is_done_with() -> None:
    one = frontier(WORD, OTHER)
    one.learn(b"case", ((2, 1),))
    one.learn(b"passes", ((0, 1),))
    assert {(errand.case, errand.constants) for errand in errands(one)} == {
        (b"case", OTHER.constants),
        (b"passes", OTHER.constants),
    }


def test_a_case_that_passes_a_gate_brings_others_into_view_at_once() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((2, 1),))
    one.learn(b"deeper", ((0, 1), (3, 1)))
    assert {(errand.case, errand.constants) for errand in errands(one)} == {
        (b"deeper", LARGE.constants)
    }


def test_gates_have_as_many_errands_as_one_another() -> None:
    one = frontier(WORD, OTHER)
    one.learn(b"case", ((2, 1),))
    counted = Counter[tuple[int | bytes, ...]]()
    for errand, times in errands(one).items():
        counted[errand.constants] += times
    assert abs(counted[WORD.constants] - counted[OTHER.constants]) <= 1


def test_a_new_gate_comes_first_for_a_while_and_not_for_ever() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((2, 1),))
    errands(one, 20_000)
    one.learn(b"late", ((3, 1),))
    at_first = errands(one, 1_000)
    assert set(at_first) == {Errand(b"late", LARGE.constants)}
    later = errands(one, 10_000)
    assert later[Errand(b"case", WORD.constants)] > later.total() / 3


def test_words_of_the_branches_beside_are_told_with_an_errand() -> None:
    one = frontier(WORD, OTHER)
    one.learn(b"case", ((2, 1),))
    assert set(errands(one)) == {
        Errand(b"case", WORD.constants, (b"OLD",)),
        Errand(b"case", OTHER.constants, (b"GP",)),
    }


def test_of_the_cases_that_came_close_the_first_the_short_and_the_latest_are_sent() -> None:
    one = frontier(LARGE)
    for size in (25, 1, 2, *range(24, 9, -1)):
        one.learn(b"c" * size, ((3, 1),))
    counted = Counter(len(errand.case) for errand in errands(one, 20_000).elements())
    assert set(counted) == {25, 1, 2, 10, 11, 12, 13}
    assert 0.4 < counted[25] / counted.total() < 0.6


def test_words_that_were_passed_in_the_module_are_told_with_an_errand() -> None:
    one = frontier(WORD, OTHER, LARGE)
    one.learn(b"case", ((0, 1), (3, 1)))
    assert {errand.passed for errand in errands(one)} == {(b"GP",)}


def test_what_passes_a_gate_leads_on_to_those_beside_it() -> None:
    one = frontier(WORD, OTHER)
    assert one.learn(b"case", ((2, 1),))
    assert not one.learn(b"the same", ((2, 1),))
    errands(one, 20_000)
    assert one.learn(b"further", ((0, 1),))
    led = errands(one, 1_000)
    assert led[Errand(b"further", OTHER.constants, (b"GP",), (b"GP",))] > led.total() / 3
    assert led.total() > 0.8 * SHARE * 1_000, "it is as if it were new"
