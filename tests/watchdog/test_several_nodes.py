"""What is seen of several nodes says which of them it is about, and is one defect on any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.beam import FakeAgent
from fuzz.beam.fleet import Fleet
from fuzz.beam.members import Member
from fuzz.errors import HarnessFault
from fuzz.evidence import Evidence, Growth, Pulse
from fuzz.finding import Finding
from fuzz.node import Event, Holding
from fuzz.observation import NodeExit
from fuzz.oracles import judge
from fuzz.watchdog.growth import counts, kind_of, thing_of
from fuzz.watchdog.watchdog import Watchdog
from tests.oracles.evidence_support import OTHER, SILENT, STATEM, STUCK, SUPERVISOR, observed
from tests.watchdog.fake_rig import APPLICATION, FakeRig


class ClusterRig(FakeRig):
    """A rig whose agent is a fleet: an edge and a core."""

    def __init__(self) -> None:
        super().__init__({})
        self.edge = FakeAgent(applications=[APPLICATION], name="edge1@here")
        self.core = FakeAgent(applications=[APPLICATION], name="core@here")
        self.fleet = Fleet([Member(self.edge), Member(self.core, edge=False)])
        self.fleet.instrument()
        self.agent = self.fleet  # type: ignore[assignment]
        self.node = self.fleet.info
        self.births = {"edge1": 1, "core": 2}
        #: What the nodes say of their births when they are asked again; None if one is silent.
        self.reborn: dict[str, int] | None = None

    def reconnect(self, seconds: float = 3.0) -> bool:
        if self.reborn is None:
            return False
        self.births = self.reborn
        if self.fleet.lost():
            self.fleet.take_back(FakeAgent(applications=[APPLICATION], name="core@here"))
        return not self.fleet.lost()


@pytest.fixture
def rig() -> ClusterRig:
    return ClusterRig()


@pytest.fixture
def watchdog(rig: ClusterRig) -> Watchdog:
    return Watchdog(rig.as_rig())


def only(evidence: Evidence) -> Finding:
    (finding,) = judge(evidence)
    return finding


def test_one_that_is_lost_alarms_and_the_others_are_heard(
    rig: ClusterRig, watchdog: Watchdog
) -> None:
    assert not watchdog.glance([observed()]).alarmed
    rig.core.silent = True
    rig.edge.report(STATEM)
    glance = watchdog.glance([observed()])
    assert glance.alarmed
    assert [event.node for event in glance.events] == ["edge1"]


def test_a_core_that_ends_is_named_by_the_target(rig: ClusterRig, watchdog: Watchdog) -> None:
    rig.core.silent = True
    rig.target.end = NodeExit(None, "SIGABRT", node="core")
    finding = only(watchdog.settle([observed()]))
    assert finding.title == "the node core ended by SIGABRT"
    assert finding.evidence["node"] == "core"
    alone = only(Evidence(node_exit=NodeExit(None, "SIGABRT")))
    assert alone.title == "the node ended by SIGABRT"
    assert "node" not in alone.evidence
    assert finding.fingerprint == alone.fingerprint


def test_a_node_that_somebody_else_has_started_is_known_to_be_gone(
    rig: ClusterRig, watchdog: Watchdog
) -> None:
    rig.core.silent = True
    rig.vanished_node = "core"
    finding = only(watchdog.settle([observed()]))
    assert finding.title == "the node core ended, and nobody saw how"


def test_a_silent_core_is_named_though_the_edges_serve(rig: ClusterRig, watchdog: Watchdog) -> None:
    rig.core.silent = True
    rig.silent_node = "core"
    rig.ailing = "edge1"
    evidence = watchdog.settle([observed()])
    assert (evidence.node_silent, evidence.node) == (True, "core")
    finding = only(evidence)
    assert finding.title == "the node core's process runs, but nothing in it answers"
    assert finding.fingerprint == only(Evidence(node_silent=True)).fingerprint


def test_an_edge_that_serves_is_not_silent_because_its_agent_is(
    rig: ClusterRig, watchdog: Watchdog
) -> None:
    rig.edge.silent = True
    rig.silent_node = rig.ailing = "edge1"
    with pytest.raises(HarnessFault, match="the agent does not answer"):
        watchdog.settle([observed()])


def test_a_node_that_was_started_anew_is_named(rig: ClusterRig, watchdog: Watchdog) -> None:
    rig.core.silent = True
    rig.reborn = {"edge1": 1, "core": 3}
    began = rig.clock.now()
    evidence = watchdog.settle([observed()])
    assert (evidence.node_restarted, evidence.node) == (True, "core")
    assert rig.clock.now() - began < 1, "its end is waited for no longer than until it is back"
    finding = only(evidence)
    assert finding.title == "the node core restarted by itself: everybody on it was cut off"
    assert finding.fingerprint == only(Evidence(node_restarted=True)).fingerprint


def test_who_was_only_out_of_reach_is_no_finding(rig: ClusterRig, watchdog: Watchdog) -> None:
    rig.core.silent = True
    rig.reborn = dict(rig.births)
    evidence = watchdog.settle([observed()])
    assert evidence.pulse is Pulse.WELL
    assert not evidence.node_restarted
    assert evidence.node_answers


def test_an_application_that_stopped_is_named_with_its_node(
    rig: ClusterRig, watchdog: Watchdog
) -> None:
    rig.fleet.stop_app("iris_ref on core", 1.0)
    evidence = watchdog.settle([observed()])
    assert evidence.applications_lost == ("iris_ref on core",)
    assert "(stopped: iris_ref on core)" in only(evidence).title


def test_stuck_processes_of_one_number_are_told_apart(rig: ClusterRig, watchdog: Watchdog) -> None:
    rig.edge.stuck = (STUCK,)
    rig.core.stuck = (replace(STUCK, name="clerk"),)
    suspects = watchdog.settle([SILENT]).suspects
    assert {(suspect.node, suspect.process) for suspect in suspects} == {
        ("edge1", STUCK.process),
        ("core", "clerk"),
    }
    finding = only(Evidence(pulse=Pulse.WELL, observations=(SILENT,), suspects=suspects[:1]))
    assert f" on {suspects[0].node} loops in " in finding.title
    alone = (replace(suspects[0], node=""),)
    same = only(Evidence(pulse=Pulse.WELL, observations=(SILENT,), suspects=alone))
    assert finding.fingerprint == same.fingerprint


def crash(event: Event, node: str) -> Finding:
    return only(Evidence(pulse=Pulse.WELL, events=(replace(event, node=node),)))


def test_a_crash_is_named_with_its_node_and_is_the_same_on_each() -> None:
    assert crash(STATEM, "core").title == f"{crash(STATEM, '').title} on core"
    assert crash(STATEM, "core").fingerprint == crash(STATEM, "").fingerprint
    assert crash(STATEM, "core").evidence["reports"] == [
        {**crash(STATEM, "").evidence["reports"][0], "node": "core"}  # type: ignore[index]
    ]


def test_processes_of_one_number_on_two_nodes_are_two() -> None:
    one, two = replace(STATEM, node="edge1"), replace(OTHER, node="core", pid=STATEM.pid)
    found = judge(Evidence(pulse=Pulse.WELL, events=(one, two)))
    assert {finding.cause.origin for finding in found} == {STATEM.process, OTHER.process}


def test_a_port_that_is_dead_is_named_by_its_edge() -> None:
    gave_up = replace(SUPERVISOR, reason="reached_max_restart_intensity", node="edge2")
    dead = Evidence(pulse=Pulse.REFUSED, edge="edge2", events=(STATEM, gave_up))
    finding = only(dead)
    assert "refuses connections on edge2" in finding.title
    assert "iris_ref_conn_sup on edge2 gave up" in finding.title
    assert finding.fingerprint == only(replace(dead, edge="")).fingerprint


def test_growth_is_told_by_node_and_is_one_leak(rig: ClusterRig, watchdog: Watchdog) -> None:
    watchdog.glance([observed()])
    rig.core.levels = replace(rig.core.levels, processes=rig.core.levels.processes + 1)
    assert watchdog.glance([observed()]).grown == ("processes on core",)
    levels = watchdog.levels()
    assert levels["atoms on edge1"] == rig.edge.levels.atoms
    rig.core.holdings = [Holding("ETS rows", "presence", 3)]
    assert watchdog.levels()["ETS rows of presence on core"] == 3
    named = Growth("ETS rows of presence on core", plays=10, grew=10, amount=10)
    finding = only(Evidence(pulse=Pulse.WELL, growth=(named,)))
    assert finding.title == "ETS rows of presence on core grow by 1.0 with each play"
    alone = replace(named, what="ETS rows of presence")
    assert finding.cause == only(Evidence(pulse=Pulse.WELL, growth=(alone,))).cause
    assert len(counts(rig.fleet.read())) == 6


@pytest.mark.parametrize(
    ("name", "thing", "kind"),
    [
        ("processes on iris_core", "processes", "processes"),
        ("ETS rows of t on iris_edge1@host", "ETS rows of t", "ETS rows"),
        ("bytes on the heap", "bytes on the heap", "bytes on the heap"),
        ("bytes on the heap of clerk", "bytes on the heap of clerk", "bytes on the heap"),
        ("bytes on the heap of clerk on core", "bytes on the heap of clerk", "bytes on the heap"),
    ],
)
def test_a_resource_is_told_from_its_node(name: str, thing: str, kind: str) -> None:
    assert (thing_of(name), kind_of(name)) == (thing, kind)
