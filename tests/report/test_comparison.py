"""What a comparison of two targets looks like."""

from __future__ import annotations

from fuzz.replies import Heard, Reply
from fuzz.report.comparison import comparison_json, comparison_lines
from fuzz.triage.differ import Compared, Shown, Verdict, weigh

OK = Reply("LOGIN_OK")
ERROR = Reply("ERROR", (("reason", "no"),))
MESSAGES = tuple(
    Reply("RELIABLE_MSG", (("msg_id", f"<msgid:{n}>"), ("message", "x" * 200))) for n in range(8)
)


def _shown(*replies: Reply) -> Shown:
    return Shown((Heard(3, replies),))


def _differing(name: str, *before: Reply) -> Compared:
    return weigh(name, len(name), [_shown(*before)], [_shown(*before, ERROR)])


COMPARED = [
    _differing("small", OK),
    _differing("larger", OK),
    Compared("same", 1, Verdict.SAME),
    weigh("chance", 1, [_shown(OK), _shown()], [_shown(), _shown()]),
    Compared("websocket", 1, Verdict.LEFT_OUT),
]


def test_groups_chance_and_what_is_left_out_are_told() -> None:
    assert [line.plain for line in comparison_lines("one", "two", COMPARED, 6)] == [
        "A is one, B is two",
        "",
        "1. ERROR is added (2 cases)",
        "    small, connection 3:",
        "      A  LOGIN_OK",
        "         (closed)",
        "      B  LOGIN_OK",
        "         ERROR reason=no",
        "         (closed)",
        "    also in larger",
        "",
        "by chance:",
        "    chance: LOGIN_OK is missing; A does not show the same in each play",
        "",
        "left out, for want of a known WebSocket port, or of the means to restart a server:",
        "    websocket",
        "",
        "4 of 6 cases compared; 2 differ, in 1 group; 1 by chance",
    ]


def test_long_replies_and_many_are_cut() -> None:
    lines = [text.plain for text in comparison_lines("a", "b", [_differing("case", *MESSAGES)], 1)]

    assert "      B  ... 6 replies before" in lines
    assert max(map(len, lines)) < 200
    assert lines[-1] == "1 of 1 case compared; 1 differs, in 1 group"


def test_many_cases_are_counted_and_all_named_in_json() -> None:
    compared = [_differing(f"case {n:02}", OK) for n in range(12)]

    lines = [text.plain for text in comparison_lines("a", "b", compared, 12)]
    groups = comparison_json("a", "b", compared, 12)["groups"]

    assert any(line.endswith("case 08, and 3 more") for line in lines)
    assert isinstance(groups, list)
    assert [group["cases"] for group in groups] == [[f"case {n:02}" for n in range(12)]]


def test_no_difference_is_said() -> None:
    same = [Compared("same", 1, Verdict.SAME)]

    assert comparison_lines("a", "b", same, 1)[-1].plain == "1 of 1 case compared; no difference"


def test_json_has_it_all() -> None:
    told = comparison_json("one", "two", COMPARED, 6)

    assert told["cases"] == {"given": 6, "compared": 4}
    assert told["left_out"] == ["websocket"]
    assert told["by_chance"] == [
        {
            "wavers": ["A"],
            "case": "chance",
            "what": "LOGIN_OK is missing",
            "connection": 3,
            "replies": [0, 0],
            "a": ["LOGIN_OK", "(closed)"],
            "b": ["(closed)"],
        }
    ]
