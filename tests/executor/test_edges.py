"""A case says to which edge each connection goes."""

from __future__ import annotations

from dataclasses import replace

from fuzz.case import Case, Step, StepKind, opening
from fuzz.clock import SystemClock
from fuzz.executor import Endpoint, Executor, Names
from tests.executor.fake_server import ScriptedServer, polite
from tests.executor.support import AMPLE

#: What the first client of each edge says in a case of three.
STEPS = (
    Step(StepKind.SEND, 0, b"\x05zero"),
    opening(1, edge=1),
    Step(StepKind.SEND, 1, b"\x05one"),
    opening(2, edge=2),
    Step(StepKind.SEND, 2, b"\x05two"),
)


def _heard(servers: list[ScriptedServer]) -> list[list[bytes]]:
    first, *others = (server.endpoint for server in servers)
    endpoint = replace(first, further=tuple(others))
    barrier = servers[0].quiet
    Executor(endpoint, barrier, Names(0), SystemClock()).play([Case(STEPS)], AMPLE)
    return [
        [b"".join(server.ended(n).segments) for n in range(len(server.peers))] for server in servers
    ]


def test_each_connection_goes_to_its_edge() -> None:
    with ScriptedServer(polite) as a, ScriptedServer(polite) as b, ScriptedServer(polite) as c:
        assert _heard([a, b, c]) == [[b"\x05zero"], [b"\x05one"], [b"\x05two"]]


def test_where_there_are_fewer_edges_it_is_counted_on_from_the_first() -> None:
    with ScriptedServer(polite) as a, ScriptedServer(polite) as b:
        assert _heard([a, b]) == [[b"\x05zero", b"\x05two"], [b"\x05one"]]
    with ScriptedServer(polite) as alone:
        assert _heard([alone]) == [[b"\x05zero", b"\x05one", b"\x05two"]]


def test_an_endpoint_knows_its_edges() -> None:
    one, two = Endpoint("h", 1), Endpoint("h", 2)
    cluster = replace(one, further=(two,))
    assert [cluster.edge(n) for n in range(4)] == [cluster, two, cluster, two]
    assert one.edge(7) is one
