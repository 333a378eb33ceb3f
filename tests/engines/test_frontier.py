"""The frontier: which branches are in view, and who is sent to open them."""

from __future__ import annotations

from collections import Counter
from random import Random

from fuzz.engines.frontier import CALM, FRESH, LATER_SHARE, SHARE, Errand, Frontier
from fuzz.generate.constants import Saying
from fuzz.node import Constant, Gate, Point

#: A function of three clauses, and one whose only clause looks at something to choose of two.
POINTS = (
    Point("conn", "frame", 1, 10, "function"),
    Point("conn", "frame", 1, 11, "function"),
    Point("conn", "frame", 1, 12, "function"),
    Point("conn", "size", 1, 20, "function"),
    Point("conn", "size", 1, 21, "case"),
    Point("conn", "size", 1, 22, "case"),
)
WORD, OTHER = Gate(0, None, (b"GP", 3)), Gate(1, None, (b"OLD",))
LARGE, SMALL = Gate(4, 3, (604_800,)), Gate(5, 3, (b"none",))
CALLS = 2_000


def frontier(*gates: Gate, points: tuple[Point, ...] = POINTS) -> Frontier:
    return Frontier(points, gates, Random(1))


def errands(of: Frontier, calls: int = CALLS) -> Counter[Errand]:
    """Return the errands that come of so many mutations."""
    told = (of.errand() for _ in range(calls))
    return Counter(errand for errand in told if errand is not None)


def sent(of: Frontier, calls: int = CALLS) -> Counter[tuple[bytes, tuple[Constant, ...]]]:
    """Return the cases that are sent, each with the constants to be said in it."""
    return Counter((e.case, e.saying.constants) for e in errands(of, calls).elements())


def test_nobody_is_sent_to_what_no_case_came_close_to() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((1_000, 1),))
    assert errands(one) == Counter()


def test_a_clause_is_in_view_when_another_of_its_function_was_run() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((2, 1),))
    assert set(sent(one)) == {(b"case", WORD.constants)}


def test_a_branch_is_in_view_when_the_body_around_it_was_run() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((3, 1), (5, 1)))
    assert set(sent(one)) == {(b"case", LARGE.constants)}


def test_a_share_of_the_mutations_are_errands_and_a_smaller_one_later() -> None:
    one = frontier(LARGE)
    one.learn(b"case", ((3, 1),))
    fresh = 3 * FRESH  # mutations: it is fresh for four times as many
    assert 0.7 * SHARE < errands(one, fresh).total() / fresh < 1.3 * SHARE
    errands(one, 10 * FRESH)
    assert 0.5 * LATER_SHARE < errands(one).total() / CALLS < 1.5 * LATER_SHARE


def test_while_batches_have_news_nobody_is_sent() -> None:
    one = frontier(LARGE)
    one.learn(b"case", ((3, 1),))
    one.note(news=True)
    for _ in range(CALM - 1):
        one.note(news=False)
        assert errands(one) == Counter()
    one.note(news=False)
    assert errands(one) != Counter()


def test_a_gate_that_was_passed_is_done_with() -> None:
    one = frontier(WORD, OTHER)
    one.learn(b"case", ((2, 1),))
    one.learn(b"passes", ((0, 1),))
    assert set(sent(one)) == {(b"case", OTHER.constants), (b"passes", OTHER.constants)}


def test_a_case_that_passes_a_gate_brings_others_into_view_at_once() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((2, 1),))
    one.learn(b"deeper", ((0, 1), (3, 1)))
    assert set(sent(one)) == {(b"deeper", LARGE.constants)}


def test_gates_have_as_many_errands_as_one_another() -> None:
    one = frontier(WORD, OTHER)
    one.learn(b"case", ((2, 1),))
    counted = sent(one)
    assert abs(counted[b"case", WORD.constants] - counted[b"case", OTHER.constants]) <= 1


def test_what_the_search_discovers_comes_before_what_the_seeds_came_close_to() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"seed", ((2, 1),), seed=True)
    one.learn(b"late", ((3, 1),))
    assert set(sent(one, 40)) == {(b"late", LARGE.constants)}
    later = sent(one, 20_000)
    assert later[b"seed", WORD.constants] > later.total() / 3


def test_a_new_gate_comes_first_for_a_while_and_not_for_ever() -> None:
    one = frontier(WORD, LARGE)
    one.learn(b"case", ((2, 1),))
    errands(one, 20_000)
    one.learn(b"late", ((3, 1),))
    assert set(sent(one, 3 * FRESH)) == {(b"late", LARGE.constants)}
    later = sent(one, 10_000)
    assert later[b"case", WORD.constants] > later.total() / 3


def test_a_table_of_words_that_are_found_one_by_one_does_not_starve_the_rest() -> None:
    rows = 200
    points = (
        *(Point("table", "row", 1, 10 + n, "function") for n in range(rows)),
        *(Point("other", "f", 1, n, "function") for n in range(2)),
    )
    table = [Gate(n, None, (b"row%d" % n,)) for n in range(rows - 1)]
    one = frontier(*table, Gate(rows, None, (b"GP",)), points=points)
    one.learn(b"case", ((rows - 1, 1), (rows + 1, 1)))
    errands(one, 80_000)
    told = Counter[tuple[Constant, ...]]()
    for row in range(5):
        one.learn(b"found%d" % row, ((row, 1),))
        for (_, constants), times in sent(one, 40_000).items():
            told[constants] += times
    assert told[(b"GP",)] > told.total() / rows / 2


def test_words_of_the_branches_beside_and_those_that_were_said_are_told_with_an_errand() -> None:
    one = frontier(WORD, OTHER, LARGE)
    one.learn(b"case", ((2, 1),))
    assert {e.saying for e in errands(one)} == {
        Saying(WORD.constants, (b"GP", b"OLD")),
        Saying(OTHER.constants, (b"GP", b"OLD")),
    }
    one.learn(b"says GP", ((0, 1), (3, 1)))
    assert {e.saying for e in errands(one, 20_000)} == {
        Saying(OTHER.constants, (b"GP", b"OLD"), (b"GP",)),
        Saying(LARGE.constants, (), (b"GP",)),
    }


def test_a_word_that_was_not_said_where_its_branch_was_taken_is_none_that_was_passed() -> None:
    one = frontier(SMALL, LARGE)
    one.learn(b"case", ((3, 1), (5, 1)))
    assert {e.saying.passed for e in errands(one)} == {()}


def test_without_constants_of_its_own_a_gate_has_those_of_its_context_and_fewer_errands() -> None:
    bare = Gate(5, 3, (), (b"en", b"de"))
    one = frontier(Gate(4, 3, (b"=",), (b"en", b"de")), bare)
    one.learn(b"case", ((3, 1),))
    told = sent(one, 20_000)
    own, context = told[b"case", (b"=",)], told[b"case", (b"en", b"de")]
    # Four of five go to the first, and of these three in four with its own.
    assert 1.2 < own / context < 1.8


def test_of_the_cases_that_came_close_the_first_the_short_and_the_latest_are_sent() -> None:
    one = frontier(LARGE)
    for size in (25, 1, 2, *range(24, 9, -1)):
        one.learn(b"c" * size, ((3, 1),))
    counted = Counter(len(case) for case, _ in sent(one, 20_000).elements())
    assert set(counted) == {25, 1, 2, 10, 11, 12, 13}
    assert 0.4 < counted[25] / counted.total() < 0.6


def test_what_passes_a_gate_leads_on_to_those_beside_it() -> None:
    for gates, first, further in (
        ((WORD, OTHER), ((2, 1),), ((0, 1),)),
        ((LARGE, SMALL), ((3, 1),), ((3, 1), (4, 1))),
    ):
        one = frontier(*gates)
        assert one.learn(b"case", first)
        assert not one.learn(b"the same", first)
        errands(one, 20_000)
        assert one.learn(b"further", further)
        led = sent(one, 3 * FRESH)
        assert led[b"further", gates[1].constants] > led.total() / 3
        assert led.total() > 0.7 * SHARE * 3 * FRESH, "it is as if it were new"


def test_a_seed_leads_nowhere() -> None:
    assert not frontier(WORD).learn(b"seed", ((2, 1),), seed=True)


def test_branches_that_share_a_point_share_their_constants() -> None:
    one = frontier(LARGE, Gate(4, 3, (7, 604_800), (b"en",)))
    one.learn(b"case", ((3, 1),))
    assert set(sent(one)) == {(b"case", (604_800, 7)), (b"case", (b"en",))}
