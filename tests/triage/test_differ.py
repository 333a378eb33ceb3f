"""What becomes of a comparison, from the plays of a case on both sides."""

from __future__ import annotations

from fuzz.replies import Heard, Reply
from fuzz.triage.differ import Compared, Shown, Verdict, differ, grouped, weigh

OK = Reply("LOGIN_OK")
ERROR = Reply("ERROR", (("reason", "no"),))
LIMITED = Reply("RATE_LIMITED", (("retry_after", "given"),))
CRASH = ("f" * 16, "process_crash: crashed with error:badarg")


def _shown(*replies: Reply, findings: tuple[tuple[str, str], ...] = ()) -> Shown:
    return Shown((Heard(0, replies),), findings)


def _two(first: tuple[Reply, ...], second: tuple[Reply, ...]) -> Shown:
    return Shown((Heard(0, first), Heard(1, second)))


def test_equal_plays_are_the_same() -> None:
    compared = weigh("case", 9, [_shown(OK)], [_shown(OK)])

    assert compared == Compared("case", 9, Verdict.SAME)


def test_what_each_play_of_both_sides_shows_is_a_difference() -> None:
    compared = weigh("case", 9, [_shown(OK)] * 3, [_shown(OK, ERROR)] * 3)

    assert compared.verdict is Verdict.DIFFERENT
    assert compared.differences[0].what == "ERROR is added"
    assert compared.wavers == ()
    assert compared.left == (Heard(0, (OK,)),)
    assert compared.right == (Heard(0, (OK, ERROR)),)


def test_what_a_side_shows_in_some_plays_only_is_chance() -> None:
    compared = weigh(
        "case", 9, [_shown(OK, LIMITED), _shown(OK)], [_shown(OK), _shown(OK, LIMITED)]
    )  # fmt: skip

    assert compared.verdict is Verdict.BY_CHANCE
    assert compared.wavers == ("A", "B")
    assert compared.differences[0].what == "RATE_LIMITED is missing"


def test_one_side_that_wavers_makes_it_chance() -> None:
    compared = weigh("case", 9, [_shown(OK), _shown(OK)], [_shown(OK, LIMITED), _shown(OK)])

    assert (compared.verdict, compared.wavers) == (Verdict.BY_CHANCE, ("B",))


def test_a_difference_is_seen_beside_a_connection_that_wavers() -> None:
    left = [_two((OK, LIMITED), (OK,)), _two((OK,), (OK,))]
    right = [_two((OK,), (OK, ERROR)), _two((OK,), (OK, ERROR))]

    compared = weigh("case", 9, left, right)

    assert compared.verdict is Verdict.DIFFERENT
    assert (compared.differences[0].connection, compared.differences[0].what) == (
        1,
        "ERROR is added",
    )
    assert compared.wavers == ("A",)


def test_a_finding_of_one_side_comes_before_what_was_heard() -> None:
    crashed = _shown(OK, findings=(CRASH,))
    compared = weigh("case", 9, [_shown(OK, ERROR)] * 2, [crashed] * 2)

    assert compared.verdict is Verdict.DIFFERENT
    assert compared.differences[0].what == f"a finding on B only: {CRASH[1]}"
    assert (compared.differences[0].left, compared.differences[0].right) == ("-", CRASH[1])


def test_a_finding_that_the_other_side_showed_once_is_no_difference() -> None:
    crashed = _shown(OK, findings=(CRASH,))
    compared = weigh("case", 9, [_shown(OK), crashed], [crashed, crashed])

    assert (compared.verdict, compared.wavers) == (Verdict.BY_CHANCE, ("A",))


def test_the_wording_of_a_finding_is_no_difference() -> None:
    one, other = (_shown(OK, findings=(("f" * 16, words),)) for words in ("once", "twice"))

    assert not differ(one, other)


def test_cases_are_grouped_by_what_differs_the_smallest_first() -> None:
    error = [_shown(OK, ERROR)] * 2
    compared = [
        weigh("large", 50, [_shown(OK)] * 2, error),
        weigh("other", 1, [_shown(OK)] * 2, [_shown()] * 2),
        weigh("small", 5, [_shown(OK)] * 2, error),
        weigh("same", 1, [_shown(OK)], [_shown(OK)]),
        weigh("chance", 1, [_shown(OK), _shown()], [_shown(), _shown(OK)]),
    ]

    groups = grouped(compared)

    assert [(group.what, [one.name for one, _ in group.cases]) for group in groups] == [
        ("ERROR is added", ["small", "large"]),
        ("LOGIN_OK is missing", ["other"]),
    ]
    assert not any(group.behind for group in groups)


def test_one_finding_is_one_group_whatever_its_title_says() -> None:
    compared = [
        weigh(name, 9, [_shown(OK)], [_shown(OK, findings=(("f" * 16, f"{name} were too many"),))])
        for name in ("499", "500")
    ]

    assert [len(group.cases) for group in grouped(compared)] == [2]


def test_what_is_never_the_first_to_differ_is_a_group_behind_the_others() -> None:
    status = [Reply("STATUS_RESPONSE", (("state", state),)) for state in "01"]
    compared = [
        weigh("both", 9, [_shown(OK, status[0])], [_shown(OK, ERROR, status[1])]),
        weigh("twice", 9, [_shown(OK)], [_shown(OK, ERROR, ERROR)]),
    ]

    groups = grouped(compared)

    assert [(group.what, group.behind, len(group.cases)) for group in groups] == [
        ("ERROR is added", False, 2),
        ("STATUS_RESPONSE.state", True, 1),
    ]
    ((_, found),) = groups[1].cases
    assert found.places == (1, 2)
