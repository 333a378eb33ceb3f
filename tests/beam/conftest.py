"""Nodes with agents in them. Those that a test changes for good are its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuzz.beam import AgentClient, AgentFiles
from tests.beam.nodes import AgentNode, FixtureNode, soon


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentNode]:
    """Return an instrumented node that all tests of a session share."""
    with ExitStack() as stack:
        node = _start(tmp_path_factory.mktemp("agent"), stack)
        node.agent.instrument(include=["fixture*"], exclude=["fixture_ctl", "fixture_snapshot"])
        yield node


@pytest.fixture
def node(shared: AgentNode) -> AgentNode:
    """Return the shared node with its application running and nothing left to read."""
    if "fixture" not in shared.agent.applications():
        shared.agent.start_app("fixture", 5)
    assert shared.agent.quiet(5)
    shared.agent.read()
    return shared


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[AgentNode]:
    """Return a node of the test's own, with an agent that has not done anything yet."""
    with ExitStack() as stack:
        yield _start(tmp_path, stack)


@pytest.fixture
def embedded_node(tmp_path: Path) -> Iterator[AgentNode]:
    """Return a node that loads no module by itself, as a release does."""
    load = "[code:load_file(M) || M <- [fixture_ctl, fixture_plain]]"
    with ExitStack() as stack:
        yield _start(tmp_path, stack, ("-mode", "embedded", "-eval", load), start=False)


@pytest.fixture
def socket_node(tmp_path: Path) -> Iterator[AgentNode]:
    """Return a node in which the sockets of gen_tcp and gen_udp are processes."""
    with ExitStack() as stack:
        yield _start(tmp_path, stack, ("-kernel", "inet_backend", "socket"))


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _start(
    directory: Path, stack: ExitStack, arguments: tuple[str, ...] = (), start: bool = True
) -> AgentNode:
    files = AgentFiles(directory)
    fixture = FixtureNode(files.environment({}), arguments, start)
    stack.callback(fixture.stop)
    where = files.wait(soon("the agent"))
    agent = AgentClient.connect(where, files.token)
    stack.callback(agent.close)
    return AgentNode(fixture, agent, files, where)
