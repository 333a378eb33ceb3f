"""An application whose modules were compiled in every way that matters to coverage."""

from __future__ import annotations

from pathlib import Path

from tests.beam.nodes import AgentNode

#: Each has an include file, an option that changes the code, and two clauses.
_SOURCE = """-module({name}).
-compile(inline).
-behaviour(gen_server).
-include("ways.hrl").
-export([run/1, init/1, handle_call/3, handle_cast/2]).
run(0) -> ?NOTHING;
run(N) -> same(N).
same(N) -> N.
init(N) -> {{ok, N}}.
handle_call(_, _, N) -> {{reply, N, N}}.
handle_cast(_, N) -> {{noreply, N}}.
"""

MODULES = ("ways_bare", "ways_broken", "ways_changed", "ways_debug", "ways_nested", "ways_source")


def start_ways(node: AgentNode, folder: Path) -> None:
    """Compile the application below ``folder`` as a dependency has it, and start it.

    ``ways_debug`` has debug_info. Of the others, which have none, ``ways_source`` and
    ``ways_nested`` have their source beside them, ``ways_changed`` has another one,
    ``ways_broken`` one that does not compile, and ``ways_bare`` none at all.
    """
    home = folder / "_build" / "default" / "lib" / "ways"
    for name in ("ebin", "include", "src/below"):
        (home / name).mkdir(parents=True)
    (home / "include" / "ways.hrl").write_text("-define(NOTHING, nothing).\n")
    for module in MODULES:
        below = "below" if module == "ways_nested" else ""
        source = home / "src" / below / f"{module}.erl"
        source.write_text(_SOURCE.format(name=module))
        debug = "debug_info, " if module == "ways_debug" else ""
        options = f'[{debug}inline_list_funcs, {{i, "{home}/include"}}, {{outdir, "{home}/ebin"}}]'
        assert node.eval(f'compile:file("{source}", {options})') == f"{{ok,{module}}}"
    source = home / "src" / "ways_bare.erl"
    source.unlink()
    changed = home / "src" / "ways_changed.erl"
    changed.write_text(changed.read_text().replace("run(0)", "run(1)"))
    (home / "src" / "ways_broken.erl").write_text("-module(ways_broken).\nrun( ->\n")
    names = ", ".join(MODULES)
    (home / "ebin" / "ways.app").write_text(
        f'{{application, ways, [{{vsn, "1"}}, {{modules, [{names}]}}, {{applications, []}}]}}.\n'
    )
    node.eval(f'code:add_patha("{home}/ebin")')
    assert node.eval("application:start(ways)") == "ok"
    node.eval(f"[M:module_info() || M <- [{names}]], ok")
