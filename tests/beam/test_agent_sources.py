"""Coverage of modules without debug_info, and whose modules are covered at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.beam.covered import coverage_notes, covered_applications, without_points
from fuzz.erlang import otp_release
from fuzz.errors import SettingsError
from fuzz.node import Application, Instrumentation, NodeInfo, Point
from fuzz.settings import CoverageSettings
from tests.beam.native import HAS_NATIVE
from tests.beam.nodes import AgentNode
from tests.beam.ways import start_ways


def test_source_beside_a_module_serves_if_it_is_what_runs(
    own_node: AgentNode, tmp_path: Path
) -> None:
    start_ways(own_node, tmp_path)
    chosen = own_node.eval("[M || {M, _} <- element(1, iris_fuzz_select:modules([], []))]")
    assert "fixture_app" in chosen
    assert "ways" not in chosen
    found = own_node.agent.instrument(["ways"])
    without = "it was compiled without debug_info, and "
    reasons = {
        "ways_bare": f"{without}no source is beside it",
        "ways_broken": f"{without}the source beside it does not compile: syntax error before: '->'",
        "ways_changed": f"{without}the source beside it is not what runs",
    }
    if HAS_NATIVE:
        assert (found.failures, dict(found.native)) == ((), reasons)
    else:
        no = f"; OTP {otp_release()} has no native coverage"
        assert dict(found.failures) == {module: why + no for module, why in reasons.items()}
    instrumented = {point.module for point in found.points if not point.native}
    assert instrumented == {"ways_debug", "ways_nested", "ways_source"}
    own_node.eval("[M:run(N) || M <- [ways_debug, ways_nested, ways_source], N <- [0, 7, 7]], ok")
    hits = {
        (point.module, point.line): count
        for index, count in own_node.agent.settle(5).hits()
        if (point := found.points[index]).function == "run"
    }
    one = {6: 1, 7: 2}
    assert hits == {
        (module, line): count
        for module in ("ways_debug", "ways_nested", "ways_source")
        for line, count in one.items()
    }
    assert own_node.eval("[M:run(0) || M <- [ways_source, ways_bare, ways_changed]]") == (
        "[nothing,nothing,nothing]"
    )
    assert own_node.agent.detach().kept == ()
    # What was put back is the file, and not what the source gave.
    assert (
        own_node.eval(
            "ways_source:module_info(md5) =:= "
            "element(2, element(2, beam_lib:md5(code:which(ways_source))))"
        )
        == "true"
    )


#: Makes 8 of each 7, as the one that a build names on its command line.
_CHANGER = """-module(changer).
-export([core_transform/2]).
core_transform(Core, _) ->
    cerl_trees:map(fun(Tree) -> changed(cerl:is_c_int(Tree) andalso cerl:int_val(Tree), Tree) end,
        Core).
changed(7, _) -> cerl:c_int(8);
changed(_, Tree) -> Tree.
"""


@pytest.mark.parametrize(
    ("attribute", "options", "calls", "value"),
    [
        ("-export([f/1]).", "{core_transform, changer}", "optioned:f(x)", "8"),
        ("-import(lists, [max/1]).", "export_all, nowarn_export_all", "optioned:f(x)", "7"),
        ("-export([f/1]).", "no_line_info", "catch optioned:f(y)", "{'EXIT',{y,[{optioned,f,1,[]}"),
        (
            "-export([f/1]).\n-compile(warnings_as_errors).",
            "nowarn_unused_vars",
            "optioned:f(x)",
            "7",
        ),
        (
            "-export([f/1]).\n-compile([warnings_as_errors, inline]).",
            "nowarn_unused_vars",
            "optioned:f(x)",
            "7",
        ),
    ],
)
def test_what_the_code_means_by_the_options_of_its_build_it_means_instrumented(
    own_node: AgentNode, tmp_path: Path, attribute: str, options: str, calls: str, value: str
) -> None:
    source = tmp_path / "optioned.erl"
    source.write_text(
        f"-module(optioned).\n{attribute}\nf(x) -> Unused = x, 7;\nf(Why) -> error(Why).\n"
    )
    (tmp_path / "changer.erl").write_text(_CHANGER)
    own_node.eval(f'code:add_patha("{tmp_path}"), file:set_cwd("{tmp_path}")')
    assert own_node.eval("compile:file(changer)") == "{ok,changer}"
    assert own_node.eval(f"compile:file(optioned, [debug_info, {options}])") == "{ok,optioned}"
    before = own_node.eval(calls)
    assert before.startswith(value)
    found = own_node.agent.instrument(["optioned"])
    assert (found.failures, found.native, len(found.points)) == ((), (), 2)
    assert own_node.eval(calls) == before


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/iris/_build/default/lib/ranch/src/ranch.erl", "true"),
        ("/iris/_build/prod/lib/jsx/src/jsx.erl", "true"),
        ("/iris/deps/cowboy/src/cowboy.erl", "true"),
        ("/iris/apps/iris_edge/src/iris_edge.erl", "false"),
        ("/src/deps.erl", "false"),
        ("", "false"),
    ],
)
def test_a_dependency_is_told_by_where_its_source_was(
    node: AgentNode, source: str, expected: str
) -> None:
    assert node.eval(f'iris_fuzz_select:is_dependency("{source}")') == expected


def _info(*applications: tuple[str, bool, tuple[str, ...]]) -> NodeInfo:
    known = tuple(Application(name, "1", otp, modules) for name, otp, modules in applications)
    return NodeInfo("n@h", "25", "13", 1, 1, "notice", known)


def _points(*modules: str) -> tuple[Point, ...]:
    return tuple(Point(module, "f", 0, 1, "function") for module in modules)


INFO = _info(
    ("kernel", True, ("file",)),
    ("ranch", False, ("ranch", "ranch_sup")),
    ("iris_edge", False, ("edge_a", "edge_b", "edge_c", "edge_d")),
)


def test_what_is_covered_is_told_by_application() -> None:
    found = Instrumentation(_points("edge_a", "edge_a", "edge_b"), ())
    assert covered_applications(INFO, found) == ("iris_edge",)
    assert coverage_notes(INFO, found) == [
        "not chosen for coverage: ranch; --include NAME chooses one"
    ]


def test_what_runs_on_cores_only_is_told_with_the_option_that_covers_it() -> None:
    found = Instrumentation(_points("edge_a"), ())
    assert coverage_notes(INFO, found, {"ranch"}) == [
        "not covered, on cores only: ranch; --cover-core covers it"
    ]
    both = Instrumentation(_points("edge_a", "ranch"), ())
    assert coverage_notes(INFO, both, {"ranch"}) == []


def test_modules_without_coverage_are_summed_up_by_application_and_reason() -> None:
    failures = (("edge_b", "why"), ("edge_c", "why"), ("edge_d", "else"), ("ranch", "why"))
    found = Instrumentation(_points("edge_a"), failures)
    assert coverage_notes(INFO, found) == [
        "no coverage of 2 modules of iris_edge (edge_b, edge_c), each for one reason: why",
        "no coverage of edge_d in iris_edge: else",
        "no coverage of ranch in ranch: why",
    ]


def test_many_modules_are_not_all_named() -> None:
    found = Instrumentation((), tuple((f"m{number}", "why") for number in range(9)))
    (note,) = coverage_notes(_info(), found)
    assert note == "no coverage of 9 modules (m0, m1, m2, m3, m4, ...), each for one reason: why"


def test_where_there_are_no_points_the_patterns_are_refused_and_their_absence_is_told() -> None:
    assert "guided by the shape of the replies alone" in without_points(CoverageSettings(), ())
    chosen = CoverageSettings(include=("nosuch",), exclude=("*",))
    with pytest.raises(SettingsError) as raised:
        without_points(chosen, ("no coverage of ranch: why",))
    assert str(raised.value) == (
        "no module with coverage is left by --include 'nosuch' --exclude '*'; "
        "no coverage of ranch: why"
    )
