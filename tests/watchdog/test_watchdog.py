"""The two looks of the watchdog, over a rig that does what a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.errors import AgentError, HarnessFault
from fuzz.evidence import Cost, Growth, Pulse
from fuzz.node import Doing, EventKind, Holding, Reading
from fuzz.observation import Ending, NodeExit, Observation
from fuzz.watchdog.growth import Repeated
from fuzz.watchdog.watchdog import Watchdog
from tests.oracles.evidence_support import PROC_LIB, SILENT, STATEM, STUCK, SUPERVISOR, observed
from tests.watchdog.fake_rig import FakeRig, case, hangs, leaks, reports


def rig_with(**words: Callable[[FakeRig], Observation | None]) -> tuple[FakeRig, Watchdog]:
    rig = FakeRig(words)
    return rig, Watchdog(rig.as_rig())


def _lapse(rig: FakeRig, lost: bool) -> Reading:
    """Answer as the agent does, or lose the connection to it."""
    assert rig.agent is not None
    if lost:
        raise AgentError("the connection was lost")
    return rig.agent.read()


@pytest.mark.parametrize(
    ("observation", "alarmed"),
    [
        (observed(), False),
        (observed(Ending.RESET), False),
        (observed(Ending.DROPPED), False),
        (observed(Ending.REFUSED), True),
        (SILENT, True),
        (observed(cut_short=True), True),
    ],
)
def test_a_glance_is_alarmed_by_what_the_client_saw(
    observation: Observation, alarmed: bool
) -> None:
    _, watchdog = rig_with()
    assert watchdog.glance([observed(), observation]).alarmed is alarmed


@pytest.mark.parametrize(
    ("kind", "alarmed"),
    [
        (EventKind.CRASH, True),
        (EventKind.SUPERVISOR, True),
        (EventKind.APPLICATION, True),
        (EventKind.ERROR, False),
    ],
)
def test_a_glance_is_alarmed_by_what_broke_and_not_by_a_line_in_the_log(
    kind: EventKind, alarmed: bool
) -> None:
    rig, watchdog = rig_with()
    event = replace(STATEM, kind=kind)
    reports(event)(rig)
    glance = watchdog.glance([observed()])
    assert (glance.alarmed, glance.events) == (alarmed, (event,))


def test_what_a_case_has_stopped_by_a_restart_is_nothing_that_broke() -> None:
    stopped = replace(STATEM, kind=EventKind.APPLICATION, class_name="exit", reason="stopped")
    killed = replace(SUPERVISOR, reason="{shutdown_error,killed}")
    for event, ordered in ((stopped, True), (killed, True), (STATEM, False), (SUPERVISOR, False)):
        for restarts in ((), (3,)):
            rig, watchdog = rig_with()
            reports(event)(rig)
            glance = watchdog.glance([replace(observed(), restarts=restarts)])
            assert glance.alarmed is not (ordered and restarts != ()), event


def test_a_glance_is_alarmed_by_bystanders_and_by_an_agent_that_is_silent() -> None:
    rig, watchdog = rig_with()
    rig.cut = ("a client",)
    assert watchdog.glance([observed()]).alarmed
    rig, watchdog = rig_with()
    assert rig.agent is not None
    rig.agent.silent = True
    glance = watchdog.glance([observed()])
    assert (glance.alarmed, glance.reading) == (True, None)


def test_without_an_agent_a_glance_sees_what_the_client_sees() -> None:
    rig, watchdog = rig_with()
    rig.agent = None
    assert not watchdog.glance([observed()]).alarmed
    assert watchdog.glance([SILENT]).alarmed
    assert watchdog.settle([SILENT]).suspects == ()


def test_growth_is_what_rises_above_the_highest_level_so_far() -> None:
    rig, watchdog = rig_with()
    grown = []
    for atoms, processes in ((0, 0), (1, 0), (0, 0), (-1, 3), (1, 0), (1, -1)):
        rig.grow(atoms, processes)
        grown.append(watchdog.glance([observed()]).grown)
    assert grown == [(), ("atoms",), (), ("processes",), (), ("atoms",)]


def test_levels_start_anew_when_they_are_forgotten() -> None:
    rig, watchdog = rig_with()
    watchdog.glance([observed()])
    rig.grow(atoms=100)
    watchdog.forget_levels()
    assert watchdog.glance([observed()]).grown == ()


def test_settle_adds_reports_that_came_late_to_those_read_before() -> None:
    rig, watchdog = rig_with()
    reports(PROC_LIB)(rig)
    evidence = watchdog.settle([observed()], [STATEM])
    assert evidence.events == (STATEM, PROC_LIB)
    assert evidence.pulse is Pulse.WELL


def test_settle_waits_for_a_listener_that_comes_back() -> None:
    rig, watchdog = rig_with()
    rig.pulses = [Pulse.REFUSED, Pulse.REFUSED, Pulse.WELL]
    assert watchdog.settle([observed()]).pulse is Pulse.WELL


def test_settle_gives_a_listener_three_seconds_and_no_more() -> None:
    rig, watchdog = rig_with()
    rig.pulses = [Pulse.REFUSED]
    assert watchdog.settle([observed()]).pulse is Pulse.REFUSED
    assert 3.0 <= rig.clock.now() < 3.2


def test_settle_tells_a_node_that_ended_from_one_that_is_silent() -> None:
    rig, watchdog = rig_with()
    assert rig.agent is not None
    rig.agent.silent = True
    rig.pulses = [Pulse.REFUSED]
    evidence = watchdog.settle([observed()])
    assert (evidence.node_silent, evidence.node_exit, evidence.pulse) == (True, None, None)
    rig.target.end = NodeExit(1, None)
    evidence = watchdog.settle([observed()])
    assert (evidence.node_silent, evidence.node_exit) == (False, NodeExit(1, None))


@pytest.mark.parametrize("silent", [False, True])
def test_bystanders_are_not_asked_on_a_node_that_answers_nobody(silent: bool) -> None:
    # Each of them would wait in vain as long as the canary did.
    rig, watchdog = rig_with()
    assert rig.agent is not None
    rig.agent.silent = silent
    rig.pulses = [Pulse.REFUSED if silent else Pulse.WELL]
    assert watchdog.settle([observed()]).node_silent is silent
    assert (rig.asked == 0) is silent


def test_a_node_that_serves_clients_is_not_silent_because_its_agent_is() -> None:
    rig, watchdog = rig_with()
    assert rig.agent is not None
    rig.agent.silent = True
    with pytest.raises(HarnessFault, match="the agent does not answer"):
        watchdog.settle([observed()])


def test_work_is_counted_anew_after_the_agent_was_connected_to_again() -> None:
    rig, watchdog = rig_with()
    assert rig.agent is not None

    def node_has_done(reductions: int) -> None:
        assert rig.agent is not None
        rig.agent.levels = replace(rig.agent.levels, reductions=reductions)

    watchdog.glance([])
    node_has_done(700)
    assert watchdog.glance([]).reductions == 700
    lapses = iter([True, False])
    rig.agent.settle = lambda: _lapse(rig, next(lapses, False))  # type: ignore[method-assign]
    watchdog.settle([])
    # The work of the process that answered before is not left out any more.
    node_has_done(900_000)
    assert watchdog.glance([]).reductions == 0


def test_settle_notices_a_node_that_ends_while_it_looks() -> None:
    rig, watchdog = rig_with()
    rig.pulses = [Pulse.REFUSED]
    await_exit = rig.target.await_exit

    def ends_in_a_second(seconds: float) -> NodeExit | None:
        if rig.clock.now() > 1.0:
            rig.target.end = NodeExit(None, "SIGABRT")
        return await_exit(seconds)

    rig.target.await_exit = ends_in_a_second  # type: ignore[method-assign]
    assert watchdog.settle([observed()]).node_exit == NodeExit(None, "SIGABRT")


def test_settle_names_lost_applications_and_cut_bystanders() -> None:
    rig, watchdog = rig_with()
    assert rig.agent is not None
    rig.agent.stop_app("iris_ref", 1.0)
    rig.cut = ("a client",)
    evidence = watchdog.settle([observed()])
    assert evidence.applications_lost == ("iris_ref",)
    assert evidence.bystanders_cut == ("a client",)


def test_suspects_are_asked_for_only_when_a_connection_was_silent() -> None:
    rig, watchdog = rig_with(hang=hangs)
    observations = rig.play([case("hang")])
    assert watchdog.settle([observed()]).suspects == ()
    (stuck,) = watchdog.settle(observations).suspects
    assert stuck == replace(STUCK, doing=Doing.LOOP)


#: What no few bytes may cost.
COSTLY = Cost(10**9, 10)


def test_work_without_an_end_is_looked_for_where_a_play_cost_too_much() -> None:
    rig, watchdog = rig_with(hang=hangs)
    rig.play([case("hang")])
    (stuck,) = watchdog.settle([observed()], cost=COSTLY).suspects
    assert stuck == replace(STUCK, doing=Doing.LOOP)


def test_costly_work_that_ends_late_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, watchdog = rig_with(hang=hangs)
    rig.play([case("hang")])
    waits = []

    def ends_at_last(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            assert rig.agent is not None
            rig.agent.stuck = ()

    monkeypatch.setattr(rig.target, "await_exit", ends_at_last)
    assert watchdog.settle([observed()], cost=COSTLY).suspects == ()
    assert len(waits) >= 3


def test_growth_with_each_play_is_counted_play_by_play() -> None:
    rig, watchdog = rig_with(leak=leaks)
    (growth,), _ = watchdog.confirm_growth(case("leak"), ["atoms"])
    assert growth == Growth("atoms", plays=10, grew=10, amount=20)
    assert growth.steady()
    assert len(rig.plays) == 10


def test_growth_once_is_no_leak_however_much_it_is() -> None:
    def loads_a_module(rig: FakeRig) -> None:
        rig.grow(atoms=500 if len(rig.plays) == 1 else 0)

    _, watchdog = rig_with(lazy=loads_a_module)
    (growth,), _ = watchdog.confirm_growth(case("lazy"), ["atoms"])
    assert growth == Growth("atoms", plays=10, grew=1, amount=500)
    assert not growth.steady()


@pytest.mark.parametrize(("a_play", "grows"), [(32 * 300, False), (32 * 300 + 1, True)])
def test_what_is_noise_of_one_client_is_noise_of_each_in_a_crowd(a_play: int, grows: bool) -> None:
    rig, watchdog = rig_with()

    def storm() -> None:
        assert rig.agent is not None
        held = sum(holding.amount for holding in rig.agent.holdings)
        rig.agent.holdings = [Holding("ETS bytes", "seen", held + a_play)]

    growth, _ = watchdog.growth_of(Repeated(storm, 2, sent=0, crowd=300))
    leak = Growth("ETS bytes of seen", plays=2, grew=2, amount=2 * a_play)
    assert growth == ((leak,) if grows else ())


def test_growth_that_was_looked_into_does_not_count_again_at_the_next_glance() -> None:
    _, watchdog = rig_with(leak=leaks)
    watchdog.glance([observed()])
    watchdog.confirm_growth(case("leak"), ["atoms"])
    assert watchdog.glance([observed()]).grown == ()


def test_a_node_that_dies_while_growth_is_counted_shows_none() -> None:
    rig, watchdog = rig_with(leak=leaks)
    assert rig.agent is not None
    rig.agent.silent = True
    growth, _ = watchdog.confirm_growth(case("leak"), ["atoms"])
    assert growth == ()
