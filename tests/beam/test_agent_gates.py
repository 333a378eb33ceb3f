"""Gates: what the branches of instrumented code compare with, and what stands around them."""

from __future__ import annotations

from fuzz.node import Constant
from tests.beam.nodes import AgentNode

INCLUDE = ("fixture*",)
EXCLUDE = ("fixture_ctl", "fixture_snapshot")
_START = 8  # the line of the first clause in the source


def test_a_gate_is_told_with_its_constants_and_the_body_around_it(node: AgentNode) -> None:
    found = node.agent.instrument(INCLUDE, EXCLUDE)
    told: dict[tuple[int, str], tuple[Constant, ...]] = {}
    around: dict[tuple[int, str], tuple[int, str] | None] = {}
    for gate in found.gates:
        point = found.points[gate.point]
        if point.module != "fixture_gates":
            continue
        outer = None if gate.around is None else found.points[gate.around]
        where = point.line - _START, point.kind
        assert point.function in ("frame", "chosen", "keyed"), point
        told[where] = told.get(where, ()) + gate.constants
        around[where] = None if outer is None else (outer.line - _START, outer.kind)
    assert told == {
        # Bytes that follow one another are one constant; a field of four bits parts them.
        (0, "function"): (b"\x03GP",),
        (1, "function"): (b"a\x02\x01\x02\x00", b"end"),
        (2, "function"): (122, 200),
        # A comparison that a case looks at counts for each of its clauses.
        (7, "case"): (1, 604_800),
        (7, "andalso"): (b"week",),
        (8, "case"): (1, 604_800),
        (8, "if"): (9,),
        (11, "function"): (-5, b"ttl"),
        (12, "function"): (12,),
    }
    assert around == {
        **dict.fromkeys([(0, "function"), (1, "function"), (2, "function")]),
        **dict.fromkeys([(11, "function"), (12, "function")]),
        (7, "case"): (5, "function"),
        (8, "case"): (5, "function"),
        (7, "andalso"): (7, "case"),
        (8, "if"): (8, "case"),
    }


def test_gates_go_by_the_numbers_of_all_points(node: AgentNode) -> None:
    found = node.agent.instrument(INCLUDE, EXCLUDE)
    modules = {found.points[gate.point].module for gate in found.gates}
    assert modules > {"fixture_clauses", "fixture_gates"}
    frames = [gate for gate in found.gates if found.points[gate.point].function == "frame"]
    assert [found.points[gate.point].line - _START for gate in frames] == [0, 1, 2]
