"""Sequence diagrams: who sends what, and what is owed."""

from __future__ import annotations

from hypothesis import given, settings

from fuzz.case import Case, Step, StepKind, Transport, opening
from fuzz.generate.strategies import dialogues
from fuzz.report.html.sequence import MAX_CLIENTS, MAX_STROKES, diagram_of
from grammar import GetStatus, SendMessage, encode

STATUS = encode(GetStatus(b"<user:A>"))


def told(case: Case) -> list[tuple[str, str]]:
    return [(stroke.kind, stroke.text) for stroke in diagram_of(case, "it broke").strokes]


def test_a_dialogue_is_drawn_step_by_step_with_what_is_owed() -> None:
    case = Case(
        (
            Step(StepKind.SEND, 0, STATUS),
            Step(StepKind.LOGIN, 0, b"<user:A>"),
            Step(StepKind.WAIT, 0),
            Step(StepKind.SEND, 0, encode(SendMessage(b"<user:A>", b"hi"))),
            Step(StepKind.RESET, 0),
        )
    )
    assert told(case) == [
        ("send", '11 bytes: GET_STATUS(user="<user:A>")'),
        ("owed", "STATUS_RESPONSE or a refusal"),
        ("login", 'log in as "<user:A>"'),
        ("owed", "LOGIN_OK or a refusal"),
        ("wait", "wait for a reply"),
        ("send", '15 bytes: SEND_MESSAGE(target="<user:A>", message="hi")'),
        ("reset", "reset: cut the connection at once"),
        ("outcome", "it broke"),
    ]


def test_nothing_is_owed_to_half_a_frame() -> None:
    assert "owed" not in dict(told(Case((Step(StepKind.SEND, 0, STATUS[:-1]),))))


def test_the_answer_comes_behind_the_last_piece_of_a_frame() -> None:
    halves = (Step(StepKind.SEND, 0, STATUS[:4]), Step(StepKind.SEND, 0, STATUS[4:]))
    assert [kind for kind, _ in told(Case(halves))] == ["send", "send", "owed", "outcome"]


def test_each_edge_is_a_party() -> None:
    case = Case((opening(0), opening(1, Transport.TCP, 1), Step(StepKind.SEND, 1, STATUS)))
    diagram = diagram_of(case, "x")
    assert [life.name for life in diagram.lifelines] == ["client 0", "client 1", "edge 1", "edge 2"]
    places = {life.name: life.x for life in diagram.lifelines}
    assert [stroke.x2 for stroke in diagram.strokes[:3]] == [
        places["edge 1"], places["edge 2"], places["edge 2"],
    ]  # fmt: skip


def test_a_long_case_is_cut_and_says_so() -> None:
    steps = tuple(Step(StepKind.SEND, n % 20, b"\xee") for n in range(200))
    diagram = diagram_of(Case(steps), "x" * 500)
    assert len(diagram.lifelines) == MAX_CLIENTS + 1
    assert len(diagram.strokes) == MAX_STROKES + 1
    assert diagram.cut == (
        "160 of 200 steps, those of 12 further clients among them, are not drawn"
    )
    assert diagram.strokes[-1].text.endswith("...")


@settings(max_examples=50)
@given(case=dialogues())
def test_everything_is_inside_the_picture(case: Case) -> None:
    diagram = diagram_of(case, "x")
    assert all(
        0 < stroke.x1 < diagram.width and 0 < stroke.x2 < diagram.width
        and 0 < stroke.y < diagram.height
        for stroke in diagram.strokes
    )  # fmt: skip
    assert [stroke.y for stroke in diagram.strokes] == sorted(s.y for s in diagram.strokes)
