"""Several agents as one: points, readings, the barrier, and one that is lost."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.beam import Application, Event, EventKind, FakeAgent, Point
from fuzz.beam.fleet import Fleet
from fuzz.beam.members import Member
from fuzz.clock import FakeClock
from fuzz.decoding import Decoder, Ended, Outcome, Shape
from fuzz.errors import AgentError, AgentRefusalError
from fuzz.node import Gate, Holding, QuickVitals, Suspect

CONN = Point("conn", "handle", 2, 10, "function")
STORE = Point("store", "keep", 1, 20, "function")
ROUTER = Point("router", "send", 2, 30, "function")
SERVER = Application("iris", "1", False, ())


def agent(name: str, *points: Point, failures: tuple[tuple[str, str], ...] = ()) -> FakeAgent:
    return FakeAgent(points, [SERVER], failures, f"{name}@here")


class Cluster:
    """Two edges and a core of fakes; ``edge2`` has one point less, the core one of its own."""

    def __init__(self, cores: bool = True) -> None:
        self.edge1 = agent("edge1", CONN, ROUTER)
        self.edge2 = agent("edge2", ROUTER)
        self.core = agent("core", ROUTER, STORE)
        self.clock = FakeClock()
        members = [Member(self.edge1), Member(self.edge2), Member(self.core, edge=False)]
        self.fleet = Fleet(members, cores, self.clock)

    def passes_on(self, *moves: Callable[[], None]) -> list[str]:
        """Let each of ``moves`` happen with one more question; return who was asked."""
        left, asked = list(moves), list[str]()

        def ask(name: str) -> Callable[[], None]:
            def on_ask() -> None:
                asked.append(name)
                if left:
                    left.pop(0)()

            return on_ask

        for name in ("edge1", "edge2", "core"):
            getattr(self, name).on_ask = ask(name)
        return asked


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def crash(reason: str, time_ms: int) -> Event:
    return Event(EventKind.CRASH, "error", reason, (), "", "", "", "", "", "<0.1.0>", time_ms)


# Points and coverage.


def test_the_same_body_on_two_nodes_is_one_point(cluster: Cluster) -> None:
    # FakeAgent sorts points by module, as the real one does.
    assert cluster.fleet.instrument().points == (CONN, ROUTER, STORE)
    assert cluster.fleet.instrument().points == (CONN, ROUTER, STORE)


def test_gates_go_by_the_numbers_of_all_points_and_are_told_once() -> None:
    word, inner = Gate(0, None, (b"GP",)), Gate(1, 0, (3,))
    points = CONN, ROUTER
    one, two = (FakeAgent(points, [SERVER], (), f"{n}@here", [word, inner]) for n in "ab")
    core = FakeAgent([STORE, ROUTER], [SERVER], (), "core@here", [Gate(1, 0, (b"keep",))])
    fleet = Fleet([Member(one), Member(two), Member(core, edge=False)])
    assert fleet.instrument().points == (CONN, ROUTER, STORE)
    assert fleet.instrument().gates == (word, inner, Gate(2, 1, (b"keep",)))


def test_cores_are_left_alone_if_they_are_not_asked_for() -> None:
    cluster = Cluster(cores=False)
    assert cluster.fleet.instrument().points == (CONN, ROUTER)
    cluster.core.report(crash("late", 1))
    assert cluster.fleet.read().hits() == ()


def test_where_no_node_is_known_to_be_an_edge_all_are_asked() -> None:
    cores = [Member(agent(name, ROUTER), edge=False) for name in ("one", "two")]
    assert Fleet(cores, cores=False).instrument().points == (ROUTER,)


def test_counts_are_added_up_and_clamped(cluster: Cluster) -> None:
    cluster.fleet.instrument()
    cluster.edge1.hit(1, 2)
    cluster.edge2.hit(0, 3)
    cluster.core.hit(1, 200)
    assert cluster.fleet.read().hits() == ((1, 5), (2, 200))
    cluster.edge1.hit(1, 200)
    cluster.core.hit(0, 200)
    reading = cluster.fleet.settle()
    assert reading.hits() == ((1, 255),)
    assert cluster.fleet.read().hits() == ()


def test_the_hottest_point_is_that_of_the_node_that_worked_hardest(cluster: Cluster) -> None:
    cluster.fleet.instrument()
    cluster.fleet.read()
    cluster.edge1.hit(0, 90)
    cluster.core.hit(1, 5)
    cluster.core.levels = replace(cluster.core.levels, reductions=1_000_000)
    reading = cluster.fleet.read()
    assert reading.hottest == 2
    assert reading.vitals.reductions == 1_000_000


def test_a_node_that_cannot_be_instrumented_does_not_stop_the_rest() -> None:
    failing = agent("edge2", failures=(("router", "no source"),))
    silent = agent("core", STORE)
    silent.silent = True
    fleet = Fleet([Member(agent("edge1", CONN)), Member(failing), Member(silent, edge=False)])
    done = fleet.instrument()
    assert done.points == (CONN,)
    assert done.failures[0] == ("router on edge2", "no source")
    assert done.failures[1][0] == "core"
    assert "silent" in done.failures[1][1]


def test_it_is_an_error_that_no_node_can_be_instrumented() -> None:
    one, two = agent("edge1"), agent("edge2")
    one.silent = two.silent = True
    with pytest.raises(AgentError, match="edge1: the agent was silent"):
        Fleet([Member(one), Member(two)]).instrument()


# The barrier.


def test_who_exchanges_nothing_is_asked_once_when_it_is_known(cluster: Cluster) -> None:
    asked = cluster.passes_on()
    assert cluster.fleet.quiet()
    assert asked == ["edge1", "edge2", "core"] * 2  # nothing was known before
    asked.clear()
    assert cluster.fleet.quiet()
    assert asked == ["edge1", "edge2", "core"]


def test_a_message_that_comes_back_is_waited_for(cluster: Cluster) -> None:
    assert cluster.fleet.quiet()
    done: list[str] = []

    def goes_on(*ends: FakeAgent) -> Callable[[], None]:
        def move() -> None:
            for end in ends:
                end.traffic += 10

        return move

    def comes_back() -> None:
        goes_on(cluster.core, cluster.edge1)()
        done.append("delivered")

    # Behind the look at each node, it has gone one node further: none is ever seen busy.
    asked = cluster.passes_on(
        goes_on(cluster.edge1, cluster.core),
        goes_on(cluster.core, cluster.edge2),
        goes_on(cluster.edge2, cluster.core),
        comes_back,
    )
    assert cluster.fleet.quiet()
    assert done == ["delivered"]
    # The round in which it came back, one that sees the traffic of it, one that sees none.
    assert len(asked) % 3 == 0
    assert len(asked) >= 9


def test_a_reading_of_several_rounds_holds_what_each_of_them_heard(cluster: Cluster) -> None:
    cluster.fleet.instrument()
    assert cluster.fleet.quiet()

    def late() -> None:
        cluster.core.traffic += 1
        cluster.edge1.traffic += 1
        cluster.edge1.hit(0)
        cluster.edge1.report(crash("late", 5))
        cluster.core.report(crash("first", 4))

    cluster.passes_on(lambda: None, lambda: None, late)
    reading = cluster.fleet.settle()
    assert reading.quiet
    assert reading.hits() == ((0, 1),)
    assert [(event.reason, event.node) for event in reading.events] == [
        ("first", "core"),
        ("late", "edge1"),
    ]


def test_a_report_that_came_to_another_node_too_is_told_once(cluster: Cluster) -> None:
    cluster.core.report(crash("its own", 1))
    cluster.edge1.report(replace(crash("its own", 1), node="core@here"))
    cluster.edge1.report(replace(crash("of a stranger", 1), node="monitor@here"))
    told = [(event.reason, event.node) for event in cluster.fleet.settle().events]
    assert sorted(told) == [("its own", "core"), ("of a stranger", "monitor@here")]
    # Nobody else tells of one that is lost.
    cluster.core.silent = True
    assert cluster.fleet.settle().lost == ("core",)
    cluster.edge1.report(replace(crash("its own", 1), node="core@here"))
    assert [event.node for event in cluster.fleet.settle().events] == ["core"]


def test_a_cluster_that_never_rests_is_given_up_and_then_waited_for_less(cluster: Cluster) -> None:
    def chatters() -> None:
        cluster.core.traffic += 1
        cluster.clock.advance(0.01)

    cluster.core.on_ask = chatters
    assert not cluster.fleet.quiet()
    assert cluster.clock.now() == pytest.approx(3 * 0.5, abs=0.02)
    assert not cluster.fleet.settle().quiet
    assert cluster.clock.now() == pytest.approx(3 * 0.75, abs=0.04)
    cluster.core.on_ask = lambda: None
    assert cluster.fleet.quiet()


def test_one_busy_node_is_not_at_rest(cluster: Cluster) -> None:
    cluster.edge2.busy = True
    cluster.core.on_ask = lambda: cluster.clock.advance(2.0)
    assert not cluster.fleet.quiet()


def test_something_else_is_done_while_any_of_them_is_waited_for(cluster: Cluster) -> None:
    done: list[str] = []

    def meanwhile() -> bool:
        done.append("something")
        return True

    cluster.edge1.slow, cluster.core.slow = 2, 1
    assert cluster.fleet.quiet(None, meanwhile)
    assert len(done) == 3


# What is told of each.


def test_counts_are_summed_and_told_by_node(cluster: Cluster) -> None:
    cluster.edge1.levels = QuickVitals(1, 2, 3, 4, 5, 6)
    cluster.edge2.levels = QuickVitals(10, 20, 30, 40, 50, 60)
    cluster.core.levels = QuickVitals(100, 200, 300, 400, 500, 600)
    reading = cluster.fleet.read()
    assert reading.vitals == QuickVitals(111, 222, 333, 444, 555, 666)
    assert dict(reading.nodes)["edge2"] == QuickVitals(10, 20, 30, 40, 50, 60)
    assert cluster.fleet.vitals().atoms == 333


def test_things_are_named_by_their_node(cluster: Cluster) -> None:
    cluster.edge1.holdings = [Holding("ETS rows", "presence", 3)]
    cluster.core.holdings = [Holding("durable rows", "", 2), Holding("binaries", "", 9)]
    cluster.edge2.holdings = [Holding("durable rows", "", 1)]
    titles = {holding.title: holding.amount for holding in cluster.fleet.resources()}
    assert titles == {
        "ETS rows of presence on edge1": 3,
        "binaries on core": 9,
        "durable rows": 3,
    }
    cluster.edge2.stuck = (Suspect("<0.1.0>", "clerk", "", 7, 0, "running", ()),)
    assert [suspect.node for suspect in cluster.fleet.suspects()] == ["edge2"]
    assert cluster.fleet.info.target_applications() == (
        "iris on core", "iris on edge1", "iris on edge2",
    )  # fmt: skip
    with pytest.raises(AgentRefusalError, match="no node is known"):
        cluster.fleet.stop_app("iris on nowhere", 1.0)


def test_hosts_are_told_where_names_are_not_enough() -> None:
    same = FakeAgent(name="iris@one"), FakeAgent(name="iris@two")
    fleet = Fleet([Member(one) for one in same])
    assert [member.label for member in fleet.members] == ["iris@one", "iris@two"]


# One that is lost.


def test_one_that_is_lost_is_named_and_the_others_stay_usable(cluster: Cluster) -> None:
    cluster.fleet.instrument()
    cluster.core.silent = True
    cluster.edge2.hit(0)
    cluster.edge1.report(crash("its own", 1))
    reading = cluster.fleet.settle()
    assert reading.lost == ("core",)
    assert not reading.quiet
    assert reading.hits() == ((1, 1),)
    assert [event.node for event in reading.events] == ["edge1"]
    with pytest.raises(AgentError, match="core: the agent was silent"):
        cluster.fleet.quiet()
    assert cluster.fleet.applications() == ("iris on edge1", "iris on edge2")
    assert cluster.fleet.settle().lost == ("core",)
    with pytest.raises(AgentError, match="core: "):
        cluster.fleet.restart_app("iris on core", 1.0)
    cluster.fleet.restart_app("iris on edge2", 1.0)


def test_who_comes_back_takes_its_place_with_its_points(cluster: Cluster) -> None:
    points = cluster.fleet.instrument().points
    cluster.core.silent = True
    assert cluster.fleet.settle().lost == ("core",)
    assert not cluster.fleet.take_back(agent("edge1", CONN, ROUTER))
    with pytest.raises(AgentError, match="core has other coverage points"):
        cluster.fleet.take_back(agent("core", CONN))
    back = agent("core", ROUTER, STORE)
    assert cluster.fleet.take_back(back)
    assert cluster.fleet.lost() == ()
    back.hit(1)
    reading = cluster.fleet.settle()
    assert [points[index] for index, _ in reading.hits()] == [STORE]
    assert cluster.fleet.quiet()


def test_a_refusal_does_not_lose_the_one_that_refuses(cluster: Cluster) -> None:
    cluster.core.broken.add("iris")
    with pytest.raises(AgentRefusalError, match="core: the agent refused"):
        cluster.fleet.restart_app("iris on core", 1.0)
    assert cluster.fleet.quiet()


def test_without_any_that_answers_it_is_an_error(cluster: Cluster) -> None:
    cluster.edge1.silent = cluster.edge2.silent = cluster.core.silent = True
    with pytest.raises(AgentError, match=r"edge1: .*; edge2: .*; core: "):
        cluster.fleet.settle()
    with pytest.raises(AgentError, match="edge1: "):
        cluster.fleet.applications()


def test_all_are_closed_and_detached(cluster: Cluster) -> None:
    cluster.fleet.instrument()
    assert set(cluster.fleet.detach().restored) == {
        "conn on edge1", "router on edge1", "router on edge2", "router on core", "store on core",
    }  # fmt: skip
    cluster.fleet.close()
    with pytest.raises(AgentError, match="closed"):
        cluster.fleet.read()


DECODER = Decoder("proto", "decode")


def test_a_decoder_is_called_on_the_first_node_that_has_it(cluster: Cluster) -> None:
    shape = Shape(Ended.RETURNED, "more", 0)
    numbers = {
        "edge2": 0,
        "core": 1,
    }  # of the router's point, and of the store's
    for name, number in numbers.items():
        coverage = struct.pack(">I", number << 8 | 7)
        getattr(cluster, name).decoders[DECODER] = lambda _, read=coverage: (Outcome(shape), read)
    points = cluster.fleet.instrument().points
    found = cluster.fleet.find_decoder(DECODER)
    assert (found.known, found.arities) == (True, (1,))
    batch = cluster.fleet.decode(DECODER, [b"a", b"b"])
    assert len(batch) == 2
    (coverage,) = batch.coverages
    assert struct.unpack(">I", coverage) == (points.index(ROUTER) << 8 | 7,)
    cluster.edge2.silent = True
    with pytest.raises(AgentError, match="edge2"):
        cluster.fleet.decode(DECODER, [b"a"])
    (coverage,) = cluster.fleet.decode(DECODER, [b"a"]).coverages
    assert struct.unpack(">I", coverage) == (points.index(STORE) << 8 | 7,)


def test_a_decoder_that_no_node_has_is_refused(cluster: Cluster) -> None:
    assert not cluster.fleet.find_decoder(DECODER).known
    with pytest.raises(AgentRefusalError, match="no node has the decoder proto:decode/1"):
        cluster.fleet.decode(DECODER, [b""])
