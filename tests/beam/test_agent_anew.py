"""Code that the target itself loads while the agent is in it: that is what runs, then and later."""

from __future__ import annotations

from pathlib import Path

from tests.beam.nodes import AgentNode

#: Of a module that says its version.
_SOURCE = """-module(anew).
-export([version/0, wait/0]).
{attribute}
version() -> {version}.
wait() -> receive stop -> ok; _ -> wait() end.
"""

#: Whatever is compiled with it: in the moment, somebody loads a newer version.
_CHANGER = """-module(changer).
-export([core_transform/2]).
core_transform(Core, _) ->
    Newer = application:get_env(kernel, anew),
    _ = [code:load_binary(anew, File, Code) || {ok, {File, Code}} <- [Newer]],
    Core.
"""


def _load_first(node: AgentNode, folder: Path, attribute: str = "") -> None:
    path = folder / "anew.erl"
    path.write_text(_SOURCE.format(version=1, attribute=attribute))
    options = f'[debug_info, {{outdir, "{folder}"}}]'
    node.eval(f'code:add_patha("{folder}")')
    assert node.eval(f'compile:file("{path}", {options})') == "{ok,anew}"
    assert node.eval("anew:version()") == "1"


def _make_second(node: AgentNode, folder: Path) -> str:
    """Return an expression for the code of the second version, which is in no file."""
    path = folder / "second" / "anew.erl"
    path.parent.mkdir()
    path.write_text(_SOURCE.format(version=2, attribute=""))
    node.eval(f'persistent_term:put(second, compile:file("{path}", [binary]))')
    return "element(3, persistent_term:get(second))"


def _load_second(node: AgentNode, folder: Path) -> None:
    code = _make_second(node, folder)
    node.eval(f'code:purge(anew), code:load_binary(anew, "{folder}/anew.beam", {code})')
    assert node.eval("anew:version()") == "2"


def test_what_was_loaded_anew_is_not_put_back(own_node: AgentNode, tmp_path: Path) -> None:
    _load_first(own_node, tmp_path)
    assert own_node.agent.instrument(["anew", "fixture_plain"]).failures == ()
    _load_second(own_node, tmp_path)
    detached = own_node.agent.detach()
    assert (detached.restored, detached.kept) == (("fixture_plain",), ())
    assert own_node.eval("anew:version()") == "2"
    assert own_node.eval("erlang:check_old_code(anew)") == "false"


def test_what_still_runs_below_what_was_loaded_anew_is_kept(
    own_node: AgentNode, tmp_path: Path
) -> None:
    _load_first(own_node, tmp_path)
    own_node.agent.instrument(["anew"])
    own_node.eval("register(waits, spawn(anew, wait, []))")
    _load_second(own_node, tmp_path)
    detached = own_node.agent.detach()
    assert detached.restored == ()
    assert detached.kept == (("anew", "processes still run its instrumented version"),)
    assert own_node.eval("anew:version()") == "2"
    # It counts with each message, and lives.
    own_node.eval("waits ! more")
    assert (
        own_node.eval(
            "R = monitor(process, waits), waits ! stop, receive {'DOWN', R, _, _, Why} -> Why end"
        )
        == "normal"
    )


def test_what_was_deleted_meanwhile_stays_away(own_node: AgentNode, tmp_path: Path) -> None:
    _load_first(own_node, tmp_path)
    own_node.agent.instrument(["anew"])
    own_node.eval("code:purge(anew), code:delete(anew)")
    detached = own_node.agent.detach()
    assert (detached.restored, detached.kept) == ((), ())
    assert own_node.eval("erlang:module_loaded(anew)") == "false"


def test_what_is_loaded_anew_while_it_is_compiled_is_not_replaced(
    own_node: AgentNode, tmp_path: Path
) -> None:
    changer = tmp_path / "changer.erl"
    changer.write_text(_CHANGER)
    own_node.eval(f'code:add_patha("{tmp_path}")')
    own_node.eval(f'compile:file("{changer}", [{{outdir, "{tmp_path}"}}])')
    _load_first(own_node, tmp_path, "-compile({core_transform, changer}).")
    code = _make_second(own_node, tmp_path)
    own_node.eval(f'application:set_env(kernel, anew, {{"{tmp_path}/anew.beam", {code}}})')
    found = own_node.agent.instrument(["anew", "fixture_plain"])
    assert found.failures == (("anew", "somebody has loaded it anew meanwhile"),)
    assert own_node.eval("anew:version()") == "2"
    own_node.eval("anew:version(), fixture_plain:hello()")
    assert {found.points[i].module for i, _ in own_node.agent.settle(5).hits()} == {"fixture_plain"}
    assert own_node.agent.detach().restored == ("fixture_plain",)
    assert own_node.eval("anew:version()") == "2"


def test_what_may_load_native_functions_is_left_alone(own_node: AgentNode, tmp_path: Path) -> None:
    attribute = '-export([load/0]).\nload() -> erlang:load_nif("nowhere", 0).'
    _load_first(own_node, tmp_path, attribute)
    found = own_node.agent.instrument(["anew", "fixture_plain"])
    assert found.failures == (("anew", "it has native functions"),)
    assert {point.module for point in found.points} == {"fixture_plain"}


def test_what_has_loaded_native_functions_all_the_same_is_kept(own_node: AgentNode) -> None:
    put = (
        "#{module => zlib, file => code:which(zlib), sum => zlib:module_info(md5), "
        "original => element(2, code:get_object_code(zlib)), was_loaded => true}"
    )
    assert own_node.eval("zlib:module_info(nifs) =/= []") == "true"
    told = own_node.eval(f"iris_fuzz_swap:out({put}, 0)")
    assert told == '{error,<<"it has native functions by now, which would be lost">>}'
