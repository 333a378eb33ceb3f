"""Two ways to hear a case: where they differ first, and what that is called."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fuzz.differing import Difference, differences, first_unexpected
from fuzz.errors import CaseFileError
from fuzz.replies import Expectation, Heard, Reply, expectation

OK = Reply("LOGIN_OK")
ONLINE = Reply("STATUS_RESPONSE", (("user", "<user:A>"), ("state", "1"), ("last_seen", "given")))
OFFLINE = Reply("STATUS_RESPONSE", (("user", "<user:A>"), ("state", "0"), ("last_seen", "given")))
ERROR = Reply("ERROR", (("reason", "no"),))
TYPING = Reply("TYPING_RELAY", (("sender", "<user:A>"), ("status", "1")))
PLAIN = Reply("RELIABLE_MSG", (("msg_id", "<msgid:1>"), ("message", "E2EE_DELIVERY")))
SEALED = Reply("RELIABLE_MSG", (*PLAIN.fields, ("message.sender", "<user:A>")))


ONE, TWO = (
    Reply("RELIABLE_MSG", (("msg_id", f"<msgid:{n}>"), ("message", f"{n}"))) for n in (1, 2)
)
ONLY_TWO = Reply("RELIABLE_MSG", (("msg_id", "<msgid:1>"), ("message", "2")))


def _first(left: Sequence[Heard], right: Sequence[Heard]) -> Difference | None:
    return next(differences(left, right), None)


@pytest.mark.parametrize(
    ("left", "right", "what", "place"),
    [
        ((OK, ONLINE), (OK, OFFLINE), "STATUS_RESPONSE.state", 1),
        ((OK, ONLINE), (OK,), "STATUS_RESPONSE is missing", 1),
        ((OK, ONLINE, ERROR), (OK, ERROR), "STATUS_RESPONSE is missing", 1),
        ((OK,), (OK, ERROR), "ERROR is added", 1),
        ((OK, ONLINE), (OK, ERROR, ONLINE), "ERROR is added", 1),
        ((OK, ONLINE), (OK, ERROR), "ERROR in place of STATUS_RESPONSE", 1),
        ((), (OK,), "LOGIN_OK is added", 0),
        ((PLAIN,), (SEALED,), "RELIABLE_MSG.message.sender", 0),
        ((SEALED,), (PLAIN,), "RELIABLE_MSG.message.sender", 0),
        ((OK, ONLINE), (OK, ERROR, ERROR, ONLINE), "ERROR is added", 1),
        ((OK, ERROR, ERROR, ONLINE), (OK, OFFLINE), "ERROR is missing", 1),
        ((ONE, TWO), (ONLY_TWO,), "RELIABLE_MSG is missing", 0),
    ],
)
def test_a_difference_is_named_by_what_differs(
    left: tuple[Reply, ...], right: tuple[Reply, ...], what: str, place: int
) -> None:
    found = _first([Heard(0, left)], [Heard(0, right)])

    assert found is not None
    assert (found.what, found.places[1], found.connection) == (what, place, 0)


def test_what_is_the_same_does_not_differ() -> None:
    heard = [Heard(0, (OK, ONLINE)), Heard(3, (SEALED,), "dropped")]

    assert _first(heard, heard) is None


def test_all_that_differs_is_told_in_order() -> None:
    left = [Heard(0, (OK, ONLINE, ONE)), Heard(1, (OK, TYPING))]
    right = [Heard(0, (OK, ERROR, OFFLINE, ONE)), Heard(1, (OK,))]

    found = list(differences(left, right))

    assert [(one.connection, one.places, one.what) for one in found] == [
        (0, (1, 1), "ERROR is added"),
        (0, (1, 2), "STATUS_RESPONSE.state"),
        (1, (1, 1), "TYPING_RELAY is missing"),
    ]


def test_numbers_are_not_compared_behind_a_difference() -> None:
    left = [Heard(0, (OK, ONE, TWO)), Heard(1, (TWO,))]
    right = [Heard(0, (OK, ONLY_TWO)), Heard(1, (ONLY_TWO,))]

    assert [one.what for one in differences(left, right)] == ["RELIABLE_MSG is missing"]


def test_a_number_that_differs_alone_is_a_difference() -> None:
    found = _first([Heard(0, (ONLY_TWO,))], [Heard(0, (TWO,))])

    assert found is not None
    assert found.what == "RELIABLE_MSG.msg_id"


def test_replies_are_shown_side_by_side() -> None:
    found = _first([Heard(0, (OK,))], [Heard(0, (ERROR,))])

    assert found is not None
    assert (found.left, found.right) == ("LOGIN_OK", "ERROR reason=no")


@pytest.mark.parametrize(
    ("right", "what"),
    [
        (Heard(0, (OK,), first=True), "ending: closed, by the server first in place of closed"),
        (Heard(0, (OK,), "deadline: x"), "ending: deadline: x in place of closed"),
    ],
)
def test_another_end_is_a_difference(right: Heard, what: str) -> None:
    found = _first([Heard(0, (OK,))], [right])

    assert found is not None
    assert found.what == what


def test_the_first_connection_that_differs_counts() -> None:
    left = [Heard(0, (OK,)), Heard(1, (OK, ONLINE)), Heard(2, (OK, ERROR))]
    right = [Heard(0, (OK,)), Heard(1, (OK, OFFLINE)), Heard(2, (OK,))]

    found = _first(left, right)

    assert found is not None
    assert (found.connection, found.what) == (1, "STATUS_RESPONSE.state")


def test_a_connection_that_one_side_alone_has_is_a_difference() -> None:
    found = _first([Heard(0, (OK,)), Heard(1)], [Heard(0, (OK,))])

    assert found is not None
    assert (found.connection, found.what) == (1, "ending: unused in place of closed")


def test_an_expectation_leaves_open_what_it_does_not_name() -> None:
    told = Reply("STATUS_RESPONSE", (("state", "1"),))

    assert first_unexpected([Heard(0, (OK, told))], [Heard(0, (OK, ONLINE)), Heard(1)]) is None
    found = first_unexpected([Heard(0, (OK, told))], [Heard(0, (OK, OFFLINE))])
    assert found is not None
    assert found.what == "STATUS_RESPONSE.state"


def test_what_is_best_effort_may_be_missing_but_not_wrong() -> None:
    expected = [Heard(0, (OK, TYPING, ONLINE))]
    stopped = Reply("TYPING_RELAY", (("sender", "<user:A>"), ("status", "0")))

    assert first_unexpected(expected, [Heard(0, (OK, ONLINE))]) is None
    assert first_unexpected([Heard(0, (OK, TYPING))], [Heard(0, (OK,))]) is None
    found = first_unexpected(expected, [Heard(0, (OK, stopped, ONLINE))])
    assert found is not None
    assert found.what == "TYPING_RELAY.status"


def test_a_connection_that_was_not_opened_is_not_as_expected() -> None:
    found = first_unexpected([Heard(4, (OK,))], [])

    assert found is not None
    assert (found.connection, found.what) == (4, "LOGIN_OK is missing")


def test_an_expectation_survives_its_json() -> None:
    made = Expectation("a dialogue", (Heard(0, (OK, ONLINE)), Heard(2, (), "dropped")))

    assert expectation(made.told()) == made


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"name": "x"},
        {"name": "x", "heard": []},
        {"heard": [{"connection": 0, "replies": [], "ending": "closed"}]},
        {"name": "x", "heard": [{"connection": "0", "replies": [], "ending": "closed"}]},
        {"name": "x", "heard": [{"connection": 0, "replies": [], "ending": None}]},
        {"name": "x", "heard": [{"connection": 0, "replies": [{}], "ending": "closed"}]},
        {
            "name": "x",
            "heard": [
                {"connection": 0, "replies": [{"frame": "ERROR", "reason": 7}], "ending": "closed"}
            ],
        },
        {"name": "x", "heard": ["LOGIN_OK"]},
    ],
)
def test_json_of_something_else_is_refused(told: object) -> None:
    with pytest.raises(CaseFileError):
        expectation(told)
