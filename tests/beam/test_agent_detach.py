"""A node before the agent came, and after it has left: the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuzz.beam import AgentClient, AgentFiles
from fuzz.errors import AgentError
from tests.beam.nodes import FixtureNode, soon

SNAPSHOT = "fixture_snapshot:take()"
#: What the tests themselves make the node load: taken twice, so that only the agent differs.
WARM_UP = "fixture_clauses:run(fixture_clauses:all()), fixture_snapshot:take(), ok"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[tuple[FixtureNode, AgentFiles]]:
    """Return a node without an agent, whose environment would let one start."""
    files = AgentFiles(tmp_path)
    environment = files.environment({})
    del environment["ERL_ZFLAGS"]
    node = FixtureNode(environment)
    with ExitStack() as stack:
        stack.callback(node.stop)
        yield node, files


def _inject(node: FixtureNode, files: AgentFiles) -> AgentClient:
    node.eval(f'code:add_path("{files.ebin}"), iris_fuzz_agent:start()')
    return AgentClient.connect(files.wait(soon("the agent")), files.token)


def test_no_trace_is_left(bare: tuple[FixtureNode, AgentFiles]) -> None:
    node, files = bare
    node.eval(WARM_UP)
    before = node.eval(SNAPSHOT)
    agent = _inject(node, files)
    agent.instrument(exclude=["fixture_ctl"])
    node.eval("fixture_clauses:run(fixture_clauses:all()), fixture_crashes:plain(1)")
    agent.settle()
    agent.vitals()
    agent.suspects()
    assert node.eval(SNAPSHOT) != before
    detached = agent.detach()
    assert "fixture_clauses" in detached.restored
    assert detached.kept == ()
    # What purges the last of its modules, which closes the connection, ends a little later.
    deadline = soon("the node to be as before")
    while (after := node.eval(SNAPSHOT)) != before and not deadline.expired():
        pass
    assert after == before
    assert files.announced() == ()


def test_the_agent_can_come_back(bare: tuple[FixtureNode, AgentFiles]) -> None:
    node, files = bare
    first = _inject(node, files)
    points = first.instrument(exclude=["fixture_ctl"]).points
    first.detach()
    second = _inject(node, files)
    assert second.instrument(exclude=["fixture_ctl"]).points == points
    node.eval("fixture_plain:hello()")
    assert [points[i].module for i, _ in second.settle().hits()] == ["fixture_plain"]
    assert second.detach().kept == ()


def test_code_in_use_is_kept_and_goes_on_running(bare: tuple[FixtureNode, AgentFiles]) -> None:
    node, files = bare
    agent = _inject(node, files)
    agent.instrument(["fixture_crashes"])
    node.eval("register(looping, spawn(fixture_crashes, loop, [x]))")
    agent.quiet()
    detached = agent.detach()
    assert detached.kept == (("fixture_crashes", "processes still run its instrumented version"),)
    assert node.eval("looping ! {ping, self()}, receive {pong, _} -> ok end") == "ok"
    assert (
        node.eval('[M || {M, _} <- code:all_loaded(), lists:prefix("iris_fuzz", atom_to_list(M))]')
        == "[]"
    )


def test_code_that_was_kept_outlives_another_agent(bare: tuple[FixtureNode, AgentFiles]) -> None:
    node, files = bare
    ping = "looping ! {ping, self()}, receive {pong, _} -> ok after 10000 -> lost end"
    first = _inject(node, files)
    first.instrument(["fixture_c*"], ["fixture_ctl"])
    node.eval("register(looping, spawn(fixture_crashes, loop, [x]))")
    first.quiet()
    assert [module for module, _ in first.detach().kept] == ["fixture_crashes"]
    second = _inject(node, files)
    assert second.instrument(["fixture_plain"]).failures == ()
    assert node.eval(ping) == "ok"
    assert second.detach().kept == ()
    assert node.eval(ping) == "ok"
    counters = "persistent_term:get(iris_fuzz_cover, none)"
    assert node.eval(f"{counters} =/= none") == "true"
    # Not even without them, should an older agent take them along.
    node.eval("persistent_term:erase(iris_fuzz_cover)")
    assert node.eval(ping) == "ok"


def test_what_a_fault_left_half_instrumented_is_put_back_first(
    bare: tuple[FixtureNode, AgentFiles],
) -> None:
    node, files = bare
    node.eval(WARM_UP)
    before = node.eval("fixture_clauses:module_info(md5)")
    agent = _inject(node, files)
    agent.instrument(["fixture_c*"], ["fixture_ctl"])
    # As if the fault had come before the last module was loaded.
    node.eval(
        "ets:delete(iris_fuzz_cover, instrumented), Old = whereis(iris_fuzz_cover), "
        "exit(Old, kill), (fun Wait() -> case whereis(iris_fuzz_cover) of "
        "New when is_pid(New), New =/= Old -> ok; _ -> Wait() end end)()"
    )
    points = agent.instrument(["fixture_plain"]).points
    assert node.eval("fixture_clauses:module_info(md5)") == before
    node.eval("fixture_clauses:run(fixture_clauses:all()), fixture_plain:hello()")
    assert {points[i].module for i, _ in agent.settle(5).hits()} == {"fixture_plain"}
    assert agent.detach().restored == ("fixture_plain",)


def test_what_a_fault_left_and_cannot_be_put_back_is_told(
    bare: tuple[FixtureNode, AgentFiles],
) -> None:
    node, files = bare
    agent = _inject(node, files)
    agent.instrument(["fixture_crashes"])
    node.eval("register(looping, spawn(fixture_crashes, loop, [x]))")
    node.eval("ets:delete(iris_fuzz_cover, instrumented)")
    why = "a fault of the agent has left fixture_crashes instrumented: processes still run its"
    with pytest.raises(AgentError, match=why):
        agent.instrument(["fixture_plain"])
    assert agent.detach().kept == (
        ("fixture_crashes", "processes still run its instrumented version"),
    )


def test_a_detached_client_is_closed(bare: tuple[FixtureNode, AgentFiles]) -> None:
    agent = _inject(*bare)
    agent.detach()
    with pytest.raises(AgentError, match="closed"):
        agent.read()
