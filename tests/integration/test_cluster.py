"""A core and two edges under one watchdog: what is innocent, what is to blame, and who."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.agents import listening_ports
from fuzz.beam.fleet import Fleet
from fuzz.bystanders import canary
from fuzz.case import USER_TOKENS, Case, Step, StepKind, encode_case, opening
from fuzz.checks.rate import questions_of_edges
from fuzz.clock import Deadline, SystemClock
from fuzz.engines.libfuzzer import MAX_BYTES
from fuzz.evidence import Pulse
from fuzz.executor.endpoint import CONFIRMING
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.edges import spread
from fuzz.generate.mutate import Mutator
from fuzz.generate.seeds import SEEDS
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.oracles.laws import judge_laws
from fuzz.rig import Recovery, Rig
from fuzz.settings import CoverageSettings, TargetSettings
from fuzz.store.crashes import CrashStore
from fuzz.target.cluster import ClusterTarget
from fuzz.triage.replay import Replayer, Verdict
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog
from grammar import SendMessage, encode
from tests.planted.support import Bench, bench
from tests.planted.triggers import CASES

A, B = USER_TOKENS[:2]
NODES = {"iris_edge1", "iris_edge2", "iris_core"}
#: Messages from one edge to the other, each of which must have come when the barrier is through.
ROUNDS = 100
#: Batches of cases that are bent: with the seeds, some hundred cases over two edges.
BATCHES = 16


class Watched:
    """A cluster of two edges, and what is said of it."""

    def __init__(self) -> None:
        covered = CoverageSettings(core=True)
        self.rig = Rig(ClusterTarget(2, 0), SystemClock(), coverage=covered)
        self.recoveries: list[Recovery] = []
        watchdog = Watchdog(self.rig)
        self.judge = Investigator(self.rig, watchdog, recovered=self.recoveries.append)

    def findings(self) -> tuple[Finding, ...]:
        """Return what has gone wrong since it was asked last."""
        return self.judge.judge_seen()

    def pid_of(self, node: str) -> int:
        """Return the number of a node's process."""
        assert isinstance(self.rig.agent, Fleet)
        (member,) = [one for one in self.rig.agent.members if one.label == node]
        return member.agent.info.os_pid


@pytest.fixture(scope="module")
def cluster() -> Iterator[Watched]:
    watched = Watched()
    watched.rig.start()
    yield watched
    watched.rig.stop()


def test_all_nodes_are_known_and_the_first_edge_comes_first(cluster: Watched) -> None:
    rig = cluster.rig
    assert set(rig.births) == NODES
    assert isinstance(rig.agent, Fleet)
    assert [(m.label, m.edge) for m in rig.agent.members] == [
        ("iris_edge1", True),
        ("iris_edge2", True),
        ("iris_core", False),
    ]
    assert rig.nodes[-1].told() == "iris_core@localhost (core)"
    edges = rig.endpoint.edges()
    assert [edge.name for edge in edges] == ["iris_edge1", "iris_edge2"]
    for edge in edges:
        ports = listening_ports(cluster.pid_of(edge.name))
        assert {edge.port, edge.websocket_port} <= ports
    assert rig.node is not None
    assert rig.node.target_applications() == (
        "iris_ref on iris_core", "iris_ref on iris_edge1", "iris_ref on iris_edge2",
    )  # fmt: skip
    # What they share is counted once.
    assert {"iris_ref_offline", "iris_ref_conn"} <= {point.module for point in rig.points}
    assert len(set(rig.points)) == len(rig.points)
    assert cluster.findings() == ()


def test_code_that_only_the_core_runs_is_covered_where_that_is_asked_for(cluster: Watched) -> None:
    assert cluster.rig.agent is not None
    cluster.rig.agent.settle()
    case = Case((Step(StepKind.LOGIN, 0, A), Step(StepKind.SEND, 0, encode(SendMessage(B, b"x")))))
    cluster.rig.play([case])
    hits = cluster.rig.agent.settle().hits()
    assert "iris_ref_offline" in {cluster.rig.points[number].module for number, _ in hits}
    assert cluster.findings() == ()


def _logged_in(port: int, user: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 10.0)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(b"\x01" + user)
    assert client.recv(64).startswith(b"\x03LOGIN_OK")
    return client


def test_what_was_sent_has_gone_to_the_other_edge_when_the_barrier_is_through(
    cluster: Watched,
) -> None:
    one, two = cluster.rig.endpoint.edges()
    with _logged_in(one.port, b"barrier1") as sender, _logged_in(two.port, b"barrier2") as receiver:
        receiver.setblocking(False)
        for number in range(ROUNDS):
            text = b"%03d" % number
            sender.sendall(encode(SendMessage(b"barrier2", text)))
            assert cluster.rig.barrier(seconds=10.0)
            assert receiver.recv(4096).endswith(text)  # raises if nothing is there


def test_who_does_nothing_wrong_is_no_finding_on_any_edge(cluster: Watched) -> None:
    chance = random.Random(7)
    mutator = Mutator(chance, lambda data, _: data[::-1], edges=2)
    cases = [spread(case, 2) for case in SEEDS.values()]
    # A flood takes as long as twenty others, and is asked for elsewhere.
    pool = [case for case in cases if case.sent_bytes() < 4_096]
    cases += [mutator.mutate(chance.choice(pool), MAX_BYTES) for _ in range(8 * BATCHES)]
    cases += [mutator.dialogue(2_048) for _ in range(8 * BATCHES)]
    assert sum(case.edges() > 1 for case in cases) > 200
    for start in range(0, len(cases), 16):
        batch = cases[start : start + 16]
        observations = cluster.rig.play(batch, CONFIRMING)
        told = [f"{f.kind}: {f.title}" for f in cluster.judge.judge_seen(observations)]
        assert told == [], batch


def test_a_killed_core_is_named_though_the_edges_live(cluster: Watched) -> None:
    os.kill(cluster.pid_of("iris_core"), signal.SIGKILL)
    (finding,) = cluster.findings()
    assert finding.kind is Kind.NODE_DOWN
    assert finding.title == "the node iris_core ended by SIGKILL"
    assert finding.evidence["node"] == "iris_core"
    assert set(cluster.rig.births) == NODES
    assert cluster.findings() == ()


def test_a_killed_edge_is_named_though_the_core_lives(cluster: Watched) -> None:
    os.kill(cluster.pid_of("iris_edge2"), signal.SIGKILL)
    (finding,) = cluster.findings()
    assert finding.title == "the node iris_edge2 ended by SIGKILL"
    # Which node it is that ends is no other defect.
    assert finding.fingerprint == Cause("node ended", "SIGKILL").fingerprint()
    assert cluster.findings() == ()


def test_an_application_that_is_gone_is_named_by_its_node(cluster: Watched) -> None:
    assert cluster.rig.agent is not None
    cluster.rig.agent.stop_app("iris_ref on iris_edge2", 10.0)
    deadline = Deadline.after(cluster.rig.clock, 10.0, "the second edge to refuse")
    edge = cluster.rig.endpoint.edge(1)
    assert canary(edge, cluster.rig.names, deadline) is Pulse.REFUSED
    (finding,) = cluster.findings()
    assert finding.kind is Kind.APP_DOWN
    assert "refuses connections on iris_edge2" in finding.title
    assert finding.evidence["applications_lost"] == ["iris_ref on iris_edge2"]
    # It is enough to start the application again.
    assert [recovery.how for recovery in cluster.recoveries[-1:]] == ["application"]
    assert cluster.findings() == ()


@pytest.fixture(scope="module")
def planted() -> Iterator[Bench]:
    with bench("edge_drops_empty", "node_restart", edges=2) as made:
        yield made


def test_an_edge_that_starts_itself_anew_is_named(planted: Bench) -> None:
    on_the_second = opening(0, edge=1)
    (finding,) = planted.judge(Case((on_the_second, *CASES["node_restart"][1].steps)))
    assert finding.kind is Kind.NODE_DOWN
    assert finding.title == "the node iris_edge2 restarted by itself: everybody on it was cut off"


def test_a_case_over_two_edges_is_replayed(
    cluster: Watched, planted: Bench, tmp_path: Path
) -> None:
    case = CASES["edge_drops_empty"][1]
    (finding,) = planted.judge(case)
    assert finding.kind is Kind.SEMANTIC, finding.title
    context = planted.rig.context(TargetSettings(edges=2, plants=("edge_drops_empty",)))
    saved = CrashStore(tmp_path).save(encode_case(case), finding, context)
    assert Replayer(planted.rig).replay(saved.path, plays=2).verdict is Verdict.FAILED
    # On one edge the same frames show nothing.
    together = Case(tuple(step for step in case.steps if step.kind is not StepKind.OPEN))
    (observation,) = planted.rig.play([together], CONFIRMING)
    assert judge_laws(observation) == ()
    assert context.switches == ("--plant", "edge_drops_empty", "--edges", "2")
    assert Replayer(cluster.rig).replay(saved.path, plays=2).verdict is Verdict.FIXED


def test_something_else_is_done_while_the_nodes_are_waited_for(
    cluster: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, handed = Fleet.quiet, []

    def note(fleet: Fleet, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> bool:
        handed.append(meanwhile)
        return quiet(fleet, seconds, meanwhile)

    def meanwhile() -> bool:
        return False

    monkeypatch.setattr(Fleet, "quiet", note)
    steps = Step(StepKind.LOGIN, 0, A), Step(StepKind.WAIT, 0)
    cluster.rig.play([Case(steps)], meanwhile=meanwhile)
    assert set(handed) == {meanwhile}


def test_the_rate_limit_is_in_order_over_two_edges(cluster: Watched) -> None:
    for _, steps in questions_of_edges():
        (observation,) = cluster.rig.play([Case(steps)], CONFIRMING)
        assert judge_laws(observation) == ()
        # The law has something to go by: what was beyond the bucket was refused.
        assert any(b"\xff" in trace.replies() for trace in observation.traces)


def test_users_of_one_name_share_a_bucket_over_two_edges(cluster: Watched) -> None:
    burst = encode(SendMessage(B, b"")) * 450  # 400 would have to come in, at 100 a second
    steps = (
        Step(StepKind.LOGIN, 0, A), opening(1, edge=1), Step(StepKind.LOGIN, 1, A),
        Step(StepKind.SEND, 0, burst), Step(StepKind.SEND, 1, burst),
    )  # fmt: skip
    (observation,) = cluster.rig.play([Case(steps)], CONFIRMING)
    first, second = (trace.replies() for trace in observation.traces)
    assert (b"\xff" in first, b"\xff" in second) == (False, True)
