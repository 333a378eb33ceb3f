"""An agent that is brought into a node which runs, and taken out again: nothing stays."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.beam import AgentClient
from fuzz.beam.attach import Attachment
from fuzz.clock import Deadline
from fuzz.errors import AgentError
from fuzz.settings import AttachSettings
from tests.beam.named import NamedNode, named_node, port_mapper
from tests.beam.nodes import soon

SNAPSHOT = "fixture_snapshot:take()"
#: What the tests make the node load, and what the first connection of any node makes it load.
WARM_UP = (
    "fixture_clauses:run(fixture_clauses:all()), fixture_snapshot:take(), "
    "[code:ensure_loaded(M) || M <- [dist_util, string, unicode_util]], ok"
)
#: What purges the last of its modules, which ends what had waited for that, ends a little later.
NO_AGENT = (
    "not erlang:module_loaded(iris_fuzz_agent) andalso nodes(hidden) =:= [] andalso "
    "not lists:member({initial_call, {lists, foreach, 2}}, "
    "[process_info(P, initial_call) || P <- processes()])"
)
#: A harness that is killed: it brings an agent in, says so, and waits for its end.
HARNESS = """
import sys, threading
from pathlib import Path
from fuzz.beam import AgentClient
from fuzz.beam.attach import Attachment
from fuzz.clock import Deadline, SystemClock
from fuzz.settings import AttachSettings
attachment = Attachment(AttachSettings((sys.argv[1],), Path(sys.argv[2])), linger=2.0)
(node,) = attachment.nodes(())
agent = attachment.connect(node, Deadline.after(SystemClock(), 30, "the agent"))
agent.instrument(exclude=["fixture_ctl"])
print("in", flush=True)
threading.Event().wait()
"""
#: More faults than the supervisor puts up with.
_FAULTS = (
    "(fun End() -> case whereis(iris_fuzz_agent) of undefined -> ok; "
    "_ -> catch exit(whereis(iris_fuzz_listener), kill), End() end end)()"
)


def agent_of(attachment: Attachment, deadline: Deadline) -> AgentClient:
    """Return the agent in the one node of an attachment."""
    (node,) = attachment.nodes(())
    return attachment.connect(node, deadline)


@pytest.fixture(scope="module", autouse=True)
def epmd() -> Iterator[None]:
    with port_mapper() as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERL_EPMD_PORT", str(port))
        yield


@pytest.fixture(scope="module")
def shared(epmd: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedNode]:
    with named_node(tmp_path_factory.mktemp("named")) as node:
        node.eval(WARM_UP)
        yield node


@pytest.fixture
def node(shared: NamedNode) -> Iterator[NamedNode]:
    """Return the shared node, without any agent in it."""
    shared.until(NO_AGENT, "the agent of the test before to be gone")
    yield shared
    shared.detach()


def _differences(before: str, after: str) -> list[str]:
    """Return the innermost terms that only the first (-) or the second (+) snapshot has."""
    old, new = (set(re.findall(r"\{[^{}]*\}|<[\d.]+>|[\w.]+", text)) for text in (before, after))
    return sorted([*(f"- {term}" for term in old - new), *(f"+ {term}" for term in new - old)])


def _is_as_before(node: NamedNode, before: str) -> None:
    """Wait for the last process of the agent to end, and compare.

    Only when the modules are gone: to ask one for its checksum would load it again.
    """
    node.until(NO_AGENT, "the agent's modules to be gone")
    deadline = soon("the node to be as before", 5)
    while (after := node.eval(SNAPSHOT)) != before and not deadline.expired():
        pass
    assert _differences(before, after) == []
    assert after == before


def test_no_trace_is_left(node: NamedNode) -> None:
    before = node.eval(SNAPSHOT)
    attachment = node.attachment()
    agent = agent_of(attachment, soon("the agent"))
    points = agent.instrument(exclude=["fixture_ctl"]).points
    node.eval("fixture_clauses:run(fixture_clauses:all()), fixture_crashes:plain(1)")
    reading = agent.settle(5)
    assert {points[index].module for index, _ in reading.hits()} >= {"fixture_clauses"}
    assert [event for event in reading.events if event.class_name == "error"]
    agent.vitals()
    agent.suspects()
    agent.resources()
    assert node.eval("nodes(hidden)") == "[]"
    assert _differences(before, node.eval(SNAPSHOT)) != []
    assert attachment.leave() == ()
    _is_as_before(node, before)


def test_an_agent_whose_harness_was_killed_leaves_by_itself(node: NamedNode) -> None:
    before = node.eval(SNAPSHOT)
    words = [sys.executable, "-c", HARNESS, node.name, str(node.cookie_file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"in\n"
        assert node.eval("erlang:module_loaded(iris_fuzz_agent)") == "true"
        harness.send_signal(signal.SIGKILL)
    assert harness.returncode == -signal.SIGKILL
    _is_as_before(node, before)


def test_an_agent_stays_while_its_harness_is_connected(node: NamedNode) -> None:
    attachment = node.attachment(linger=2.0)
    agent = agent_of(attachment, soon("the agent"))
    # Longer than it stays alone, by as long as it takes to make several looks.
    node.eval("receive never -> ok after 4500 -> ok end")
    assert agent.quiet(5)
    attachment.leave()


def test_a_lost_connection_is_made_again_to_the_same_agent(node: NamedNode) -> None:
    attachment = node.attachment()
    first = agent_of(attachment, soon("the agent"))
    points = first.instrument(["fixture_plain"]).points
    second = agent_of(attachment, soon("the agent"))
    assert second.info.born == first.info.born
    assert second.instrument(["fixture_plain"]).points == points
    with pytest.raises(AgentError, match="closed"):
        first.read()
    assert attachment.leave() == ()


def test_an_agent_whose_connection_was_lost_is_taken_out_all_the_same(node: NamedNode) -> None:
    before = node.eval(SNAPSHOT)
    attachment = node.attachment()
    agent = agent_of(attachment, soon("the agent"))
    agent.close()
    assert attachment.leave() == ()
    _is_as_before(node, before)


def test_a_node_that_was_started_anew_gets_an_agent_again(tmp_path: Path) -> None:
    with named_node(tmp_path) as first:
        attachment = first.attachment()
        agent_of(attachment, soon("the agent"))
    with named_node(tmp_path, name=first.name) as second:
        agent = agent_of(attachment, soon("the agent"))
        assert agent.info.os_pid == second.fixture.process.pid
        assert attachment.leave() == ()


def test_a_module_that_could_not_be_put_back_is_not_instrumented(node: NamedNode) -> None:
    node.eval("register(inside, spawn(fixture_crashes, loop, [x]))")
    node.eval("register(below, spawn(fixture_plain, below, []))")
    attachment = node.attachment()
    agent = agent_of(attachment, soon("the agent"))
    found = agent.instrument(["fixture_c*", "fixture_p*"], ["fixture_ctl"])
    why = "processes run inside it, so that it could not be put back"
    assert dict(found.failures) == {"fixture_crashes": why, "fixture_plain": why}
    assert {point.module for point in found.points} == {"fixture_clauses"}
    assert attachment.leave() == ()
    assert node.eval("inside ! {ping, self()}, receive {pong, _} -> ok end") == "ok"
    for name in ("inside", "below"):
        node.eval(f"{name} ! stop, ok")
    node.until("code:soft_purge(fixture_plain)", "the same code, loaded once more, to be alone")


def test_a_fun_that_was_made_before_can_be_called_at_any_time(node: NamedNode) -> None:
    node.eval("register(holds, spawn(fixture_ctl, hold, [fixture_plain:greeter()]))")
    call = "holds ! {call, self()}, receive {called, Value} -> Value end"
    attachment = node.attachment()
    agent = agent_of(attachment, soon("the agent"))
    assert agent.instrument(["fixture_plain"]).failures == ()
    assert node.eval(call) == node.eval("fixture_plain:hello()") == "world"
    assert agent.settle(5).hits() == ((0, 1),)
    assert attachment.leave() == ()
    assert node.eval(call) == "world"
    node.eval("exit(whereis(holds), kill)")


def test_a_node_with_a_long_name_and_without_its_host(tmp_path: Path) -> None:
    with named_node(tmp_path, "127.0.0.1") as node:
        attachment = node.attachment(name=node.name.partition("@")[0])
        agent = agent_of(attachment, soon("the agent"))
        assert agent.info.name == node.name
        assert attachment.leave() == ()


def test_another_harness_is_not_disturbed(node: NamedNode) -> None:
    first = node.attachment()
    agent = agent_of(first, soon("the agent"))
    with pytest.raises(AgentError, match="the agent of another harness is in it"):
        agent_of(node.attachment(), soon("the agent"))
    assert agent.quiet(5)
    assert first.leave() == ()


def test_an_agent_that_is_about_to_leave_is_waited_for(node: NamedNode) -> None:
    first = node.attachment(linger=2.0)
    agent = agent_of(first, soon("the agent"))
    agent.close()
    second = node.attachment()
    other = agent_of(second, soon("the agent"))
    assert other.info.born != agent.info.born
    assert second.leave() == ()


def test_an_agent_that_could_not_leave_tries_again(node: NamedNode) -> None:
    before = node.eval(SNAPSHOT)
    agent = agent_of(node.attachment(linger=2.0), soon("the agent"))
    node.eval("register(iris_fuzz_leaver, spawn(fixture_ctl, hold, [x]))")
    agent.close()
    # Longer than two looks are apart; whoever leaves meanwhile finds the name taken.
    node.eval("receive never -> ok after 6500 -> ok end")
    node.eval("exit(whereis(iris_fuzz_leaver), kill)")
    _is_as_before(node, before)


@pytest.mark.parametrize("end", ["exit(whereis(iris_fuzz_agent), kill)", _FAULTS])
def test_an_agent_without_its_supervisor_leaves_and_another_may_come(
    node: NamedNode, end: str
) -> None:
    # The logger leaves a term for each module that has an error to tell of.
    node.eval("[logger:allow(error, M) || M <- [gen_server, proc_lib, supervisor]]")
    before = node.eval(SNAPSHOT)
    attachment = node.attachment(linger=2.0)
    agent = agent_of(attachment, soon("the agent"))
    agent.instrument(exclude=["fixture_ctl"])
    node.eval(end)
    second = node.attachment()
    other = agent_of(second, soon("another agent"))
    assert other.info.born != agent.info.born
    assert second.leave() == ()
    _is_as_before(node, before)


def test_an_agent_whose_supervisor_was_stopped_leaves(node: NamedNode) -> None:
    before = node.eval(SNAPSHOT)
    agent = agent_of(node.attachment(linger=2.0), soon("the agent"))
    agent.instrument(exclude=["fixture_ctl"])
    # As who takes it out has done that is killed then.
    node.eval("gen_server:stop(iris_fuzz_agent, shutdown, infinity)")
    _is_as_before(node, before)


def test_a_wrong_cookie_is_told(node: NamedNode, tmp_path: Path) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_text("wrong")
    with pytest.raises(AgentError, match=f"{node.name} takes no agent: it does not accept the co"):
        agent_of(Attachment(AttachSettings((node.name,), cookie)), soon("the agent"))


def test_an_agent_that_does_not_start_is_told_and_taken_out(node: NamedNode) -> None:
    node.eval("register(iris_fuzz_cover, spawn(fixture_ctl, hold, [x]))")
    before = node.eval(SNAPSHOT)
    with pytest.raises(AgentError, match=r"takes no agent: .*already_started"):
        agent_of(node.attachment(), soon("the agent"))
    _is_as_before(node, before)
    node.eval("exit(whereis(iris_fuzz_cover), kill)")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"a\nb", b"x" * 256])
def test_a_file_without_a_cookie_is_told(tmp_path: Path, content: bytes | None) -> None:
    cookie = tmp_path / "cookie"
    if content is not None:
        cookie.write_bytes(content)
    with pytest.raises(AgentError, match=r"cannot be read from .*--cookie-file|holds no cookie"):
        agent_of(Attachment(AttachSettings(("iris",), cookie)), soon("the agent"))


def test_a_node_that_refuses_is_told(tmp_path: Path) -> None:
    allow = ("-eval", "net_kernel:allow(['nobody@nowhere'])")
    with (
        named_node(tmp_path, "localhost", *allow) as node,
        pytest.raises(AgentError, match=r"refuses nodes that it was not told of"),
    ):
        agent_of(node.attachment(), soon("the agent"))


def test_a_node_by_another_name_is_told(node: NamedNode) -> None:
    alive = node.name.partition("@")[0]
    attachment = node.attachment(name=f"{alive}@127.0.0.1")
    with pytest.raises(AgentError, match=f"calls itself {node.name}; say --node {node.name}"):
        agent_of(attachment, soon("the agent"))


def test_a_node_that_epmd_does_not_know_is_told(node: NamedNode) -> None:
    with pytest.raises(AgentError, match="epmd knows no node nobody on this machine"):
        agent_of(node.attachment(name="nobody"), soon("the agent"))


def test_a_node_elsewhere_is_refused(node: NamedNode) -> None:
    # An address of the block that is reserved for documentation (RFC 5737): it is nobody's.
    with pytest.raises(AgentError, match=r"iris@192\.0\.2\.1 is not on this machine"):
        agent_of(node.attachment(name="iris@192.0.2.1"), soon("the agent"))


def test_a_machine_without_epmd_is_told(
    node: NamedNode, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", str(unused_port))
    with pytest.raises(AgentError, match=f"no epmd answers on 127.0.0.1:{unused_port}"):
        agent_of(node.attachment(), soon("the agent"))
