"""The barrier: when the agent says quiet, what was sent before has been handled."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from fuzz.beam import AgentClient, client
from fuzz.beam.agent import QUIET_SECONDS, REPLY_SECONDS, RESTLESS_SECONDS
from fuzz.errors import AgentError
from fuzz.meanwhile import Meanwhile, nothing
from tests.beam.nodes import AgentNode

ROUNDS = 60


@pytest.fixture(params=["once", "true", "passive"])
def port(request: pytest.FixtureRequest, node: AgentNode) -> int:
    return int(node.eval(f"fixture_tcp:listen({request.param})"))


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def test_bytes_on_new_and_old_connections_have_gone_all_the_way(node: AgentNode, port: int) -> None:
    with _connect(port) as old:
        taken = []
        for _ in range(ROUNDS):
            with _connect(port) as new:
                new.sendall(b"x" * 10)
                old.sendall(b"yy")
                assert node.agent.quiet(5)
                taken.append(node.eval("fixture_tcp:taken()"))
    assert taken == ["12"] * ROUNDS


def test_the_crash_at_the_end_of_a_chain_is_in_the_next_reading(node: AgentNode) -> None:
    found = [len(node.events_of("fixture_crashes:chain(5, <<1>>)")) for _ in range(ROUNDS)]
    assert found == [1] * ROUNDS


def test_heap_kills_are_in_the_next_reading(node: AgentNode) -> None:
    found = [node.events_of("fixture_crashes:swollen()")[0].reason for _ in range(20)]
    assert found == ["max_heap_size"] * 20


def test_all_of_a_storm_is_in_the_next_reading(node: AgentNode) -> None:
    assert len(node.events_of("fixture_crashes:storm(150)")) == 150


def test_a_restless_node_is_waited_for_at_length_only_once(
    node: AgentNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, waits = AgentClient._exchange, []

    def note(
        client: AgentClient,
        packet: bytes,
        seconds: float,
        what: str,
        meanwhile: Meanwhile = nothing,
    ) -> bytes:
        waits.append(seconds - REPLY_SECONDS)
        return exchange(client, packet, seconds, what, meanwhile)

    monkeypatch.setattr(AgentClient, "_exchange", note)
    assert node.agent.quiet()
    node.eval("register(spinner, fixture_crashes:spinner())")
    try:
        assert not node.agent.quiet()
        assert not node.agent.settle().quiet
        assert not node.agent.quiet()
    finally:
        node.eval("exit(whereis(spinner), kill)")
    assert node.agent.quiet(5)
    assert node.agent.settle().quiet
    long, short = pytest.approx(QUIET_SECONDS), pytest.approx(RESTLESS_SECONDS)
    assert waits == [long, long, short, short, 5.0, long]


def test_a_busy_node_is_not_quiet_and_the_agent_says_so_in_time(node: AgentNode) -> None:
    node.eval("register(spinner, fixture_crashes:spinner())")
    try:
        assert not node.agent.quiet(0.05)
        assert not node.agent.settle(0.05).quiet
        (suspect,) = node.agent.suspects()
        assert suspect.process == "spinner"
        assert suspect.initial_call == "fixture_crashes:spin/0"
        assert suspect.status in ("running", "runnable")
        assert suspect.stack == ("fixture_crashes:spin/0",)
        # One that has done more since the node was started may be before it.
        assert "spinner" in {worker.process for worker in node.agent.vitals().busiest}
    finally:
        node.eval("exit(whereis(spinner), kill)")
    assert node.agent.quiet(5)


def test_a_process_that_waits_for_an_answer_is_a_suspect(node: AgentNode) -> None:
    node.eval("register(mute, spawn(fun() -> receive never -> ok end end))")
    node.eval("spawn(fun() -> gen_server:call(fixture_server, {ask, mute, hello}, infinity) end)")
    assert node.agent.quiet(5)
    try:
        names = {suspect.process for suspect in node.agent.suspects()}
        assert "fixture_server" in names
        assert all("gen:do_call/4" in s.stack[0] for s in node.agent.suspects())
    finally:
        node.eval("exit(whereis(mute), kill)")
    assert node.agent.quiet(5)


def test_a_hard_restart_does_not_wait_for_what_is_stuck(own_node: AgentNode) -> None:
    own_node.eval("register(mute, spawn(fun() -> receive never -> ok end end))")
    own_node.eval(
        "sys:replace_state(fixture_server, fun(S) -> process_flag(trap_exit, true), S end)"
    )
    own_node.eval(
        "spawn(fun() -> gen_server:call(fixture_server, {ask, mute, hello}, infinity) end)"
    )
    assert own_node.agent.quiet(5)
    # Its supervisor would wait for five seconds.
    own_node.agent.restart_app("fixture", 3, hard=True)
    assert own_node.eval("gen_server:call(fixture_server, count)") == "0"
    assert own_node.eval("is_pid(whereis(mute))") == "true"


def test_the_priority_of_the_session_is_put_back(node: AgentNode) -> None:
    assert node.agent.quiet()
    priority = node.eval(
        "[{_, S, _, _} | _] = supervisor:which_children(iris_fuzz_sessions), "
        "process_info(S, priority)"
    )
    assert priority == "{priority,normal}"


def test_the_longest_mailbox_and_the_tables_are_told(node: AgentNode) -> None:
    node.eval("register(deaf, spawn(fun() -> receive never -> ok end end))")
    node.eval("[deaf ! N || N <- lists:seq(1, 500)], ok")
    node.eval("fixture_rows = ets:new(fixture_rows, [named_table, public])")
    node.eval("ets:insert(fixture_rows, [{N, N} || N <- lists:seq(1, 40)])")
    vitals = node.agent.vitals()
    node.eval("ets:delete(fixture_rows), exit(whereis(deaf), kill)")
    assert vitals.longest_mailbox() == ("deaf", 500)
    (table,) = [table for table in vitals.tables if table.name == "fixture_rows"]
    assert (table.tables, table.rows) == (1, 40)
    assert table.size > 40 * 8
    assert not any(table.name.startswith("iris_fuzz") for table in vitals.tables)
    assert vitals.memory["total"] > vitals.memory["processes"] > 0
    assert vitals.uptime_ms > 0
    assert vitals.reductions > 0
    assert len(vitals.busiest) == len(vitals.fullest) == 5


def test_a_datagram_that_was_late_is_not_taken_for_the_next_one(node: AgentNode) -> None:
    # On a machine that stood still, one is given up and comes all the same.
    quiet = node.eval(
        "{ok, Echoes} = iris_fuzz_quiet:open(), "
        "Send = fun({_, Ear}) -> ok = socket:sendto(element(2, Echoes), <<0:32>>, Ear) end, "
        "[Send(element(N, Echoes)) || N <- [3, 3, 4]], "
        "Quiet = [iris_fuzz_quiet:wait(Echoes, 5000) || _ <- [1, 2]], "
        "ok = iris_fuzz_quiet:close(Echoes), Quiet"
    )
    assert quiet == "[true,true]"


def test_a_node_whose_sockets_are_processes_is_quiet_too(socket_node: AgentNode) -> None:
    assert socket_node.eval("is_port(element(2, gen_tcp:listen(0, [])))") == "false"
    assert socket_node.agent.quiet(5)
    assert len(socket_node.events_of("fixture_crashes:chain(5, <<1>>)")) == 1


def test_looking_whether_a_node_is_quiet_is_no_work_of_the_node(node: AgentNode) -> None:
    before = node.agent.settle().vitals.reductions
    for _ in range(200):
        assert node.agent.quiet()
    # The agent itself does some hundreds of reductions for each.
    assert node.agent.settle().vitals.reductions - before < 20_000


def test_something_else_is_done_until_the_node_answers(node: AgentNode) -> None:
    """It is busy until that was done."""
    done = 0

    def meanwhile() -> bool:
        nonlocal done
        done += 1
        if done == 3:
            node.eval("exit(whereis(spinner), kill)")
        return True

    node.eval("register(spinner, fixture_crashes:spinner())")
    assert node.agent.quiet(30, meanwhile)
    assert done >= 3


def test_the_answer_is_waited_for_when_nothing_else_is_left_to_do(node: AgentNode) -> None:
    left = iter((True, True))
    assert node.agent.quiet(5, lambda: next(left, False))
    assert node.eval("ok") == "ok"


@pytest.mark.parametrize("fault", [KeyError("ours"), OSError("a file of ours")])
def test_what_fails_meanwhile_is_not_told_as_the_agents(
    own_node: AgentNode, fault: Exception
) -> None:
    """And the answer that is still to come is not taken for that to the next question."""

    def meanwhile() -> bool:
        raise fault

    own_node.eval("register(spinner, fixture_crashes:spinner())")
    with pytest.raises(type(fault), match="ours"):
        own_node.agent.quiet(5, meanwhile)
    with pytest.raises(AgentError, match="closed"):
        own_node.agent.read()


def test_an_agent_that_is_silent_is_told_however_much_there_is_to_do_meanwhile(
    own_node: AgentNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REPLY_SECONDS", 0.05)
    node = own_node.agent.info.os_pid
    os.kill(node, signal.SIGSTOP)
    try:
        # Until then it may still answer.
        os.waitid(os.P_PID, node, os.WSTOPPED)
        with pytest.raises(AgentError, match=r"the agent was silent for 0\.1 s"):
            own_node.agent.quiet(0.05, lambda: True)
    finally:
        os.kill(node, signal.SIGCONT)
