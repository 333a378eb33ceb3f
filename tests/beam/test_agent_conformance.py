"""What every agent promises, run on the fake, on a real one, and on a fleet of one or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fuzz.beam import Agent, Application, Event, EventKind, FakeAgent, Point
from fuzz.beam.fleet import Fleet
from fuzz.beam.members import Member
from fuzz.errors import AgentError
from fuzz.node import Gate, on_node
from tests.beam.nodes import AgentNode

INCLUDE = ("fixture*",)
EXCLUDE = ("fixture_ctl", "fixture_snapshot")


@dataclass(frozen=True, slots=True)
class Stage:
    """An agent, and how to make its node do something; ``nodes`` has the names of several."""

    agent: Agent
    pass_a_point: Callable[[int], object]
    crash: Callable[[], object]
    nodes: tuple[str, ...] = ("",)

    def named(self, application: str) -> tuple[str, ...]:
        """Return what an application is called on each node."""
        return tuple(on_node(application, node) for node in self.nodes)


def _fake_agent(name: str = "fake@here") -> FakeAgent:
    points = [
        Point("fixture_plain", "hello", 0, 6, "function"),
        Point("fixture_clauses", "all", 0, 17, "function"),
        Point("fixture_ctl", "start", 0, 7, "function"),
    ]
    applications = [
        Application("kernel", "8", True, ()),
        Application("fixture", "1.2.3", False, ()),
    ]
    gates = [Gate(0, None, (b"all",)), Gate(1, None, (3,)), Gate(2, None, (b"hello",))]
    return FakeAgent(points, applications, name=name, gates=gates)


def _fakes(*agents: FakeAgent, fleet: bool = True) -> Stage:
    first = agents[0]
    agent: Agent = Fleet([Member(one) for one in agents]) if fleet else first
    agent.instrument(INCLUDE, EXCLUDE)
    reason = "{bad_thing,<binary>,#{key},[<binary>|...],<pid>}"
    crash = Event(EventKind.CRASH, "error", reason, (), "", "plain", "", "", "", "<0.1.0>", 0)
    nodes = tuple(one.info.name.partition("@")[0] for one in agents)
    return Stage(
        agent,
        lambda times: first.hit(1, times),
        lambda: first.report(crash),
        nodes if len(nodes) > 1 else ("",),
    )


def _real(node: AgentNode, agent: Agent | None = None, nodes: tuple[str, ...] = ("",)) -> Stage:
    return Stage(
        agent or node.agent,
        lambda times: node.eval(f"[fixture_plain:hello() || _ <- lists:seq(1, {times})], ok"),
        lambda: node.eval("fixture_crashes:plain(<<1>>)"),
        nodes,
    )


def _real_fleet_of_one(node: AgentNode) -> Stage:
    agent = Fleet([Member(node.agent)])
    agent.instrument(INCLUDE, EXCLUDE)
    return _real(node, agent)


def _real_fleet(node: AgentNode) -> Stage:
    """Return a real agent in a fleet with a fake one: the second node does nothing."""
    agent = Fleet([Member(node.agent), Member(_fake_agent("other@here"))])
    agent.instrument(INCLUDE, EXCLUDE)
    return _real(node, agent, (node.agent.info.name.partition("@")[0], "other"))


STAGES: dict[str, Callable[[], Stage]] = {
    "fake": lambda: _fakes(_fake_agent(), fleet=False),
    "fleet of one fake": lambda: _fakes(_fake_agent()),
    "fleet of two fakes": lambda: _fakes(_fake_agent("one@here"), _fake_agent("two@here")),
}
REAL_STAGES: dict[str, Callable[[AgentNode], Stage]] = {
    "real": _real,
    "fleet of one": _real_fleet_of_one,
    "fleet of two": _real_fleet,
}


@pytest.fixture(params=[*STAGES, *REAL_STAGES])
def stage(request: pytest.FixtureRequest) -> Stage:
    if request.param in STAGES:
        return STAGES[request.param]()
    return REAL_STAGES[request.param](request.getfixturevalue("node"))


def test_the_same_selection_gives_the_same_points(stage: Stage) -> None:
    first = stage.agent.instrument(INCLUDE, EXCLUDE)
    assert first == stage.agent.instrument(INCLUDE, EXCLUDE)
    modules = [point.module for point in first.points]
    assert modules == sorted(modules)
    assert "fixture_plain" in modules
    assert "fixture_ctl" not in modules


def test_gates_go_by_the_numbers_of_the_points_that_were_selected(stage: Stage) -> None:
    found = stage.agent.instrument(INCLUDE, EXCLUDE)
    assert found.gates
    for gate in found.gates:
        point = found.points[gate.point]
        assert gate.constants or gate.context
        if gate.around is not None:
            around = found.points[gate.around]
            assert (around.module, around.function) == (point.module, point.function)


def test_another_selection_is_refused(stage: Stage) -> None:
    with pytest.raises(AgentError, match="another selection"):
        stage.agent.instrument(["something*"])


@pytest.mark.parametrize(("times", "count"), [(1, 1), (3, 3), (255, 255), (256, 255), (9000, 255)])
def test_a_reading_counts_exactly_up_to_255_and_starts_anew(
    stage: Stage, times: int, count: int
) -> None:
    points = stage.agent.instrument(INCLUDE, EXCLUDE).points
    stage.pass_a_point(times)
    assert stage.agent.quiet()
    reading = stage.agent.read()
    hits = reading.hits()
    assert [(points[index].module, n) for index, n in hits] == [("fixture_plain", count)]
    assert reading.hottest == hits[0][0]
    again = stage.agent.read()
    assert (again.hits(), again.hottest) == ((), None)


def test_an_event_is_told_once(stage: Stage) -> None:
    stage.crash()
    reading = stage.agent.settle()
    assert reading.quiet
    assert reading.dropped == 0
    assert [(e.kind, e.class_name, e.reason) for e in reading.events] == [
        (EventKind.CRASH, "error", "{bad_thing,<binary>,#{key},[<binary>|...],<pid>}")
    ]
    assert stage.agent.read().events == ()


def test_events_beyond_256_are_counted_and_the_first_are_kept(stage: Stage) -> None:
    for _ in range(300):
        stage.crash()
    reading = stage.agent.settle()
    assert reading.quiet
    assert (len(reading.events), reading.dropped) == (256, 44)
    assert (stage.agent.read().events, stage.agent.read().dropped) == ((), 0)


def test_quick_vitals_are_positive(stage: Stage) -> None:
    vitals = stage.agent.read().vitals
    assert min(vitals.processes, vitals.ports, vitals.atoms, vitals.tables) > 0
    assert vitals.memory > 1_000_000
    assert stage.agent.vitals().processes > 0


def test_an_application_is_stopped_started_and_restarted(stage: Stage) -> None:
    agent, (name, *others) = stage.agent, stage.named("fixture")
    assert agent.info.target_applications() == (name, *others)
    assert set(agent.applications()) >= {*stage.named("kernel"), name, *others}
    agent.stop_app(name, 5)
    assert name not in agent.applications()
    assert set(agent.applications()) >= set(others)
    agent.start_app(name, 5)
    assert name in agent.applications()
    agent.restart_app(name, 5)
    assert name in agent.applications()
    agent.stop_app(name, 5)
    agent.restart_app(name, 5)
    assert name in agent.applications()


def test_an_application_that_nobody_knows_is_refused(stage: Stage) -> None:
    (name, *_) = stage.named("nobody_has_heard_of_it")
    with pytest.raises(AgentError, match="no application of that name"):
        stage.agent.restart_app(name, 5)


def test_stopping_what_does_not_run_is_refused(stage: Stage) -> None:
    (name, *_) = stage.named("fixture")
    stage.agent.stop_app(name, 5)
    with pytest.raises(AgentError, match="not_started,fixture"):
        stage.agent.stop_app(name, 5)


def test_nothing_is_suspicious_at_rest(stage: Stage) -> None:
    assert stage.agent.quiet()
    assert stage.agent.suspects() == ()
