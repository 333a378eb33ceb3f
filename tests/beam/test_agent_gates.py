"""Gates: what the branches of instrumented code compare with, and what stands around them."""

from __future__ import annotations

from fuzz.node import Constant
from tests.beam.nodes import AgentNode

INCLUDE = ("fixture*",)
EXCLUDE = ("fixture_ctl", "fixture_snapshot")
_START = 11  # the line of the first clause in the source


def _gates(node: AgentNode, *functions: str) -> dict[str, tuple[set[Constant], set[Constant]]]:
    """Return the own constants of the gates in some functions, and those of their context."""
    found = node.agent.instrument(INCLUDE, EXCLUDE)
    told: dict[str, tuple[set[Constant], set[Constant]]] = {}
    for gate in found.gates:
        point = found.points[gate.point]
        if point.module == "fixture_gates" and point.function in functions:
            where = f"{point.function} {point.kind} {point.line - _START}"
            own, context = told.setdefault(where, (set(), set()))
            own |= set(gate.constants)
            context |= set(gate.context)
    return told


def test_a_gate_is_told_with_its_constants(node: AgentNode) -> None:
    told = _gates(node, "frame", "chosen", "keyed", "named")
    assert {where: own for where, (own, _) in told.items()} == {
        # Bytes that follow one another are one constant, with a length of zero behind them too; a
        # field of four bits parts them.
        "frame function 0": {b"\x03GP", b"\x03GP\x00\x00"},
        "frame function 1": {b"a\x02\x01\x02\x00", b"end"},
        "frame function 2": {122, 200},
        # A comparison that a case looks at counts for each of its clauses.
        "chosen case 7": {1, 604_800},
        "chosen andalso 7": {b"week"},
        "chosen case 8": {1, 604_800},
        "chosen if 8": {9},
        "keyed function 11": {-5, b"ttl"},
        "keyed function 12": {12},
    }
    assert all(context == set() for _, context in told.values())


def test_a_gate_is_told_with_the_body_around_it(node: AgentNode) -> None:
    found = node.agent.instrument(INCLUDE, EXCLUDE)
    around = {}
    for gate in found.gates:
        point = found.points[gate.point]
        if point.module == "fixture_gates" and point.function in ("frame", "chosen"):
            outer = None if gate.around is None else found.points[gate.around]
            where = f"{point.kind} {point.line - _START}"
            around[where] = outer and f"{outer.kind} {outer.line - _START}"
    assert around == {
        "function 0": None,
        "function 1": None,
        "function 2": None,
        "case 7": "function 5",
        "case 8": "function 5",
        "andalso 7": "case 7",
        "if 8": "case 8",
    }


def test_the_context_of_a_gate_is_what_is_looked_up_and_not_what_is_answered(
    node: AgentNode,
) -> None:
    words = {b"de", b"fr"}
    told = _gates(node, "found", "split", "parted")
    assert list(told.values()) == [
        (set(), words),
        ({b"AT"}, words),
        ({b"="}, set()),
        ({b"="}, set()),
        # What a function is called with is the context of its clauses.
        (set(), {b"="}),
        ({16}, {b"="}),
    ]


def test_atoms_are_words_where_they_are_whole_patterns_and_made_of_text(node: AgentNode) -> None:
    assert [own for own, _ in _gates(node, "setting").values()] == [{b"locale"}]


def test_what_has_a_fixed_size_beside_a_constant_is_filled_in(node: AgentNode) -> None:
    assert [own for own, _ in _gates(node, "locale").values()] == [{b"-", b"aa-aa"}]


def test_gates_go_by_the_numbers_of_all_points(node: AgentNode) -> None:
    found = node.agent.instrument(INCLUDE, EXCLUDE)
    modules = {found.points[gate.point].module for gate in found.gates}
    assert modules > {"fixture_clauses", "fixture_gates"}
    frames = [gate for gate in found.gates if found.points[gate.point].function == "frame"]
    assert [found.points[gate.point].line - _START for gate in frames] == [0, 1, 2]
