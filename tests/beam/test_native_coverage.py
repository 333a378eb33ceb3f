"""Coverage that the emulator counts by itself, of modules that cannot be instrumented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.beam import AgentClient, Point
from fuzz.beam.covered import coverage_notes
from fuzz.erlang import otp_release
from fuzz.node import (
    NATIVE_FUNCTION,
    NATIVE_LINE,
    Application,
    Instrumentation,
    NodeInfo,
    Reading,
)
from tests.beam.named import NamedNode, named_node, port_mapper
from tests.beam.native import HAS_NATIVE, needs_native
from tests.beam.nodes import AgentNode, soon

_SOURCE = """-module({name}).
-export([run/1, loop/0]).
run(0) -> nothing;
run(N) when N > 100 ->
    large(N);
run(N) ->
    lists:map(fun(X) -> X + 1 end, [N]).
large(N) -> N.
loop() -> receive stop -> ok; _ -> loop() end.
"""
WITHOUT = "it was compiled without debug_info, and no source is beside it"
SNAPSHOT = "fixture_snapshot:take()"
#: What the first connection of any node makes it load, and the tests.
WARM_UP = f"[code:ensure_loaded(M) || M <- [dist_util, string, unicode_util]], {SNAPSHOT}, ok"
#: The coverage mode of the node, and those of the modules.
MODES = "{code:get_coverage_mode(), [code:get_coverage_mode(M) || M <- [bare_plain, bare_lines]]}"
#: Loads a module once more, whoever runs it.
AGAIN = "code:load_abs(filename:rootname(code:which(bare_plain)))"


def _make(node: AgentNode | NamedNode, folder: Path) -> None:
    """Load ``bare_plain``, stripped as a release is, and ``bare_lines``, which counts lines.

    ``bare_debug`` is there to be instrumented.
    """
    for name, options in (
        ("bare_plain", "[]"),
        ("bare_lines", "[line_coverage]"),
        ("bare_debug", "[debug_info]"),
    ):
        source = folder / "src" / f"{name}.erl"
        source.parent.mkdir(exist_ok=True)
        source.write_text(_SOURCE.format(name=name))
        out = f'[{{outdir, "{folder}"}} | {options}]'
        assert node.eval(f'compile:file("{source}", {out})') == f"{{ok,{name}}}"
        if name != "bare_debug":
            assert node.eval(f'element(1, beam_lib:strip("{folder}/{name}.beam"))') == "ok"
        source.unlink()
        assert node.eval(f'code:load_abs("{folder}/{name}")') == f"{{module,{name}}}"


@pytest.fixture
def named(tmp_path: Path) -> Iterator[NamedNode]:
    """Return a node to attach to."""
    with port_mapper() as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERL_EPMD_PORT", str(port))
        with named_node(tmp_path) as node:
            yield node


@pytest.fixture
def bare_node(own_node: AgentNode, tmp_path: Path) -> AgentNode:
    _make(own_node, tmp_path)
    return own_node


def _hits(found: Instrumentation, reading: Reading) -> dict[tuple[str, str | int], int]:
    """Return how often each function, or line, of a module was counted."""
    told: dict[tuple[str, str | int], int] = {}
    for index, count in reading.hits():
        point: Point = found.points[index]
        told[point.module, point.function or point.line] = count
    return told


@pytest.mark.skipif(HAS_NATIVE, reason=f"OTP {otp_release()} has native coverage")
def test_a_release_without_native_coverage_is_named(bare_node: AgentNode) -> None:
    found = bare_node.agent.instrument(["bare_*"])
    why = f"{WITHOUT}; OTP {otp_release()} has no native coverage"
    assert dict(found.failures) == {"bare_lines": why, "bare_plain": why}
    assert found.native == ()
    assert {point.module for point in found.points} == {"bare_debug"}


@needs_native
def test_what_cannot_be_instrumented_is_counted_by_the_emulator(bare_node: AgentNode) -> None:
    found = bare_node.agent.instrument(["bare_*"])
    assert found.failures == ()
    assert found.native == (("bare_lines", WITHOUT), ("bare_plain", WITHOUT))
    kinds = {(point.module, point.kind) for point in found.points if point.native}
    assert kinds == {("bare_lines", NATIVE_LINE), ("bare_plain", NATIVE_FUNCTION)}
    assert bare_node.agent.settle(5).hits() == ()
    bare_node.eval("[M:run(0) || M <- [bare_debug, bare_lines, bare_plain]]")
    hits = _hits(found, bare_node.agent.settle(5))
    assert hits == {("bare_debug", "run"): 1, ("bare_lines", 3): 1, ("bare_plain", "run"): 1}


@needs_native
def test_coverage_grows_with_what_is_new_and_is_the_same_for_the_same(
    bare_node: AgentNode,
) -> None:
    found = bare_node.agent.instrument(["bare_plain", "bare_lines"])
    seen = []
    for call in ("run(0)", "run(7)", "run(700)", "run(7)"):
        bare_node.eval(f"[bare_plain:{call}, bare_lines:{call}]")
        seen.append(_hits(found, bare_node.agent.settle(5)))
    first, second, third, again = seen
    assert second.keys() - first.keys() >= {("bare_plain", "-run/1-fun-0-"), ("bare_lines", 7)}
    assert third.keys() - first.keys() - second.keys() == {
        ("bare_plain", "large"),
        ("bare_lines", 5),
        ("bare_lines", 8),
    }
    assert again == second
    assert bare_node.agent.settle(5).hits() == ()


@needs_native
def test_counts_are_clamped_and_the_hottest_is_told(bare_node: AgentNode) -> None:
    found = bare_node.agent.instrument(["bare_plain"])
    bare_node.eval("[bare_plain:run(N) || N <- lists:seq(101, 1100)], ok")
    bare_node.eval("[bare_plain:run(0) || _ <- lists:seq(1, 10)], ok")
    reading = bare_node.agent.settle(5)
    assert _hits(found, reading) == {("bare_plain", "run"): 255, ("bare_plain", "large"): 255}
    assert reading.hottest is not None
    assert found.points[reading.hottest].place == "bare_plain:run/1"


@needs_native
def test_the_points_are_those_of_any_other_client(bare_node: AgentNode) -> None:
    found = bare_node.agent.instrument(["bare_*"])
    second = AgentClient.connect(bare_node.where, bare_node.files.token)
    try:
        assert second.instrument(["bare_*"]) == found
    finally:
        second.close()


@needs_native
def test_a_module_that_is_in_use_does_not_keep_the_others_from_it(bare_node: AgentNode) -> None:
    bare_node.eval("register(old, spawn(bare_plain, loop, []))")
    bare_node.eval(AGAIN)
    found = bare_node.agent.instrument(["bare_*"])
    older = "processes still run an older version of it"
    assert found.failures == (("bare_plain", f"{WITHOUT}; counted natively: {older}"),)
    assert found.native == (("bare_lines", WITHOUT),)
    assert bare_node.eval("is_process_alive(whereis(old))") == "true"


@needs_native
def test_a_module_that_others_load_again_is_counted_no_more(bare_node: AgentNode) -> None:
    bare_node.agent.instrument(["bare_plain", "bare_lines"])
    bare_node.eval(f"code:purge(bare_plain), {AGAIN}")
    bare_node.eval("[bare_plain:run(0), bare_lines:run(0)]")
    assert len(bare_node.agent.settle(5).hits()) == 1


@needs_native
def test_no_trace_of_it_is_left_in_a_node_that_goes_on(named: NamedNode, tmp_path: Path) -> None:
    _make(named, tmp_path)
    named.eval(WARM_UP)
    before = named.eval(SNAPSHOT)
    assert named.eval(MODES) == "{none,[none,none]}"
    attachment = named.attachment()
    (key,) = attachment.nodes(())
    agent = attachment.connect(key, soon("the agent"))
    found = agent.instrument(["bare_*"])
    assert [module for module, _ in found.native] == ["bare_lines", "bare_plain"]
    assert named.eval(MODES) == "{none,[function_counters,line_counters]}"
    named.eval("bare_plain:run(0)")
    assert _hits(found, agent.settle(5)) == {("bare_plain", "run"): 1}
    assert attachment.leave() == ()
    deadline = soon("the node to be as before", 5)
    while (after := named.eval(SNAPSHOT)) != before and not deadline.expired():
        pass
    assert after == before
    assert named.eval(MODES) == "{none,[none,none]}"


def test_what_is_counted_natively_is_told_by_application_and_reason() -> None:
    application = Application("app", "1", False, ("a", "b", "c"))
    node = NodeInfo("n@h", "27", "15", 1, 1, "notice", (application,))
    points = (
        Point("a", "f", 0, 0, NATIVE_FUNCTION),
        Point("b", "f", 0, 0, NATIVE_FUNCTION),
        Point("c", "", 0, 7, NATIVE_LINE),
    )
    found = Instrumentation(points, (), (("a", "why"), ("b", "why"), ("c", "why")))
    assert coverage_notes(node, found) == [
        "native coverage by line of c in app: why",
        "native coverage by function of 2 modules of app (a, b), each for one reason: why",
    ]
