"""Coverage points on a live node: exact counts, same behaviour, modules left alone."""

from __future__ import annotations

from collections import Counter

import pytest

from fuzz.beam import AgentClient, Point
from fuzz.errors import AgentError
from tests.beam.nodes import AgentNode

INCLUDE = ("fixture*",)
EXCLUDE = ("fixture_ctl", "fixture_snapshot")
RUN_ALL = "fixture_clauses:run(fixture_clauses:all())"


def _counts(node: AgentNode, call: str, kind_prefix: str = "") -> dict[tuple[str, int], int]:
    """Return how often each (kind, line) was passed in ``fixture_clauses`` by a call."""
    points = node.agent.instrument(INCLUDE, EXCLUDE).points
    node.agent.read()
    node.eval(call)
    assert node.agent.quiet(5)
    hits = [(points[index], count) for index, count in node.agent.read().hits()]
    counts: Counter[tuple[str, int]] = Counter()
    for point, count in hits:
        assert point.module == "fixture_clauses"
        if point.kind.startswith(kind_prefix):
            counts[point.kind, _relative(points, point)] += count
    return dict(counts)


def test_the_hottest_point_is_told_beyond_what_a_count_can_hold(node: AgentNode) -> None:
    points = node.agent.instrument(INCLUDE, EXCLUDE).points
    node.agent.read()
    node.eval("fixture_clauses:list_of(lists:seq(1, 400)), fixture_clauses:loop(1000, 0)")
    assert node.agent.quiet(5)
    reading = node.agent.read()
    assert len([count for _, count in reading.hits() if count == 255]) > 1
    assert reading.hottest is not None
    assert points[reading.hottest].function == "loop"


def _relative(points: tuple[Point, ...], point: Point) -> int:
    """Return the line of a point, counted from the first clause of its function."""
    same = [p for p in points if (p.module, p.function) == (point.module, point.function)]
    return point.line - min(p.line for p in same)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("function(0)", {("function", 0): 1}),
        ("function(7)", {("function", 1): 1}),
        ("case_of(2)", {("function", 0): 1, ("case", 3): 1}),
        ("if_of(9)", {("function", 0): 1, ("if", 2): 1}),
        ("fun_of(3)", {("function", 0): 1, ("fun", 3): 1}),
        ("named_fun(3)", {("function", 0): 1, ("fun", 2): 1, ("fun", 3): 3}),
        ("receive_of(2)", {("function", 0): 1, ("receive", 4): 1}),
        ("after_of()", {("function", 0): 1, ("after", 1): 1}),
        ("logic(true, false)", {("function", 0): 1, ("andalso", 1): 2}),
        ("logic(false, true)", {("function", 0): 1, ("orelse", 1): 1, ("andalso", 1): 1}),
        ("list_of([1, 2, 3])", {("function", 0): 1, ("case", 1): 2, ("lc", 1): 3}),
        ("filtered([1, [], 3])", {("function", 0): 1, ("lc", 1): 2}),
        ("binary_of(<<1, 2, 3>>)", {("function", 0): 1, ("bc", 1): 2}),
        ("loop(1000, 0)", {("function", 0): 1, ("function", 1): 1000}),
    ],
)
def test_each_body_is_counted_exactly(
    node: AgentNode, call: str, expected: dict[tuple[str, int], int]
) -> None:
    clamped = {where: min(count, 255) for where, count in expected.items()}
    assert _counts(node, f"fixture_clauses:{call}") == clamped


def test_the_bodies_of_a_try_are_counted(node: AgentNode) -> None:
    assert _counts(node, "fixture_clauses:try_of(2)", "of") == {("of", 3): 1}
    assert _counts(node, "fixture_clauses:try_of(throw)", "catch") == {("catch", 5): 1}
    assert _counts(node, "fixture_clauses:try_of(error)", "catch") == {("catch", 6): 1}


def test_every_body_of_the_fixture_can_be_reached(node: AgentNode) -> None:
    points = node.agent.instrument(INCLUDE, EXCLUDE).points
    node.eval(RUN_ALL)
    reached = {index for index, _ in node.agent.settle().hits()}
    never = [
        point
        for index, point in enumerate(points)
        if point.module == "fixture_clauses" and index not in reached
    ]
    assert [(p.function, p.kind) for p in never] == [("after_of", "receive")]


def test_instrumented_code_behaves_as_before(own_node: AgentNode) -> None:
    before = own_node.eval(RUN_ALL)
    points = own_node.agent.instrument().points
    assert own_node.eval("proplists:get_value(source, fixture_clauses:module_info(compile))")
    assert own_node.eval(RUN_ALL) == before
    assert "deep" in before
    assert {p.module for p in points} >= {"fixture_clauses", "fixture_app", "fixture_plain"}
    assert len(own_node.agent.read().hits()) > 50


def test_the_numbering_is_that_of_any_other_node(node: AgentNode, own_node: AgentNode) -> None:
    own_node.eval(RUN_ALL)
    own = own_node.agent.instrument(INCLUDE, EXCLUDE)
    assert own == node.agent.instrument(INCLUDE, EXCLUDE)
    assert own.failures == ()


def test_another_client_gets_the_same_points(node: AgentNode) -> None:
    second = AgentClient.connect(node.where, node.files.token)
    try:
        assert second.instrument(INCLUDE, EXCLUDE) == node.agent.instrument(INCLUDE, EXCLUDE)
    finally:
        second.close()


def test_patterns_choose_modules_and_applications(own_node: AgentNode) -> None:
    found = own_node.agent.instrument(["fixture_?*n*", "kernel"], ["fixture_?lai?", "fixture_m*"])
    assert {point.module for point in found.points} == {"fixture_snapshot"}
    reasons = dict(found.failures)
    assert reasons["file"] == reasons["disk_log"] == "it is sticky, a part of OTP's core"
    assert not any(module.startswith("fixture") for module in reasons)


def test_a_dot_in_a_pattern_is_a_dot(own_node: AgentNode) -> None:
    found = own_node.agent.instrument(["fixture.plain"])
    assert (found.points, found.failures) == ((), ())


def test_modules_that_cannot_be_instrumented_are_named_and_the_rest_goes_on(
    own_node: AgentNode,
) -> None:
    own_node.eval(
        "{ok, M, B} = compile:forms([{attribute,1,module,fixture_bare},{attribute,1,export,[]}]), "
        'code:load_binary(M, "nowhere/fixture_bare.beam", B)'
    )
    own_node.eval(
        "P = spawn(fixture_crashes, loop, [x]), P ! {ping, self()}, "
        "receive {pong, P} -> code:load_file(fixture_crashes) end"
    )
    found = own_node.agent.instrument(["fixture*"])
    reasons = dict(found.failures)
    assert reasons["fixture_bare"] == "its file cannot be read"
    assert reasons["fixture_crashes"] == "processes still run an older version of it"
    assert reasons.keys() == {"fixture_bare", "fixture_crashes"}
    assert any(point.module == "fixture_clauses" for point in found.points)


def test_code_that_is_not_what_the_file_holds_is_left_alone(own_node: AgentNode) -> None:
    own_node.eval(
        "{ok, M, B} = compile:forms([{attribute,1,module,fixture_plain}]), "
        "code:load_binary(M, code:which(fixture_plain), B)"
    )
    reasons = dict(own_node.agent.instrument(["fixture_plain"]).failures)
    assert reasons == {"fixture_plain": "its file is not the code that is loaded"}


def test_processes_survive_being_instrumented(own_node: AgentNode) -> None:
    own_node.eval("register(stays, spawn(fixture_crashes, loop, [x]))")
    own_node.eval("register(follows, spawn(fixture_crashes, reload, [x]))")
    own_node.agent.instrument()
    for name in ("stays", "follows", "stays", "follows"):
        own_node.eval(f"{name} ! {{ping, self()}}, receive {{pong, _}} -> ok end")
    own_node.agent.quiet()
    points = own_node.agent.instrument().points
    hit = {points[index].function for index, _ in own_node.agent.read().hits()}
    assert "reload" in hit
    assert "loop" not in hit


def test_a_node_in_embedded_mode_is_instrumented_too(embedded_node: AgentNode) -> None:
    assert embedded_node.eval("code:get_mode()") == "embedded"
    assert embedded_node.agent.instrument(["fixture_plain"]).failures == ()
    embedded_node.eval("fixture_plain:hello()")
    assert embedded_node.agent.settle().hits() == ((0, 1),)


def test_a_closed_client_says_so(own_node: AgentNode) -> None:
    own_node.agent.close()
    with pytest.raises(AgentError, match="the connection to the agent is closed"):
        own_node.agent.read()
