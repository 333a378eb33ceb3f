"""Each oracle speaks for its own reason and for no other; together they tell the worst."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.evidence import Cost, Evidence, Growth, Pulse
from fuzz.finding import Finding, Kind
from fuzz.node import Doing, EventKind
from fuzz.observation import Ending, NodeExit
from fuzz.oracles import ORACLES, judge
from fuzz.oracles.leak import leak_of
from tests.oracles.evidence_support import (
    LINKED,
    OTHER,
    PROC_LIB,
    SILENT,
    STATEM,
    STUCK,
    SUPERVISOR,
    observed,
)

ABORTED = NodeExit(status=None, signal="SIGABRT")
DUMPED = NodeExit(1, None, slogan="eheap_alloc: Cannot allocate 1234 bytes", log_tail=("bye",))
STEADY = Growth("atoms", plays=10, grew=10, amount=20)


def kinds(evidence: Evidence) -> list[Kind]:
    return [finding.kind for finding in judge(evidence)]


def only(evidence: Evidence) -> Finding:
    (finding,) = judge(evidence)
    return finding


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(),
        Evidence(pulse=Pulse.WELL, observations=(observed(), observed(Ending.RESET))),
        Evidence(pulse=Pulse.WELL, suspects=(STUCK,)),
        Evidence(pulse=Pulse.WELL, events=(replace(STATEM, kind=EventKind.ERROR),)),
        Evidence(pulse=Pulse.WELL, growth=(replace(STEADY, grew=1),)),
        Evidence(observations=(SILENT,)),
    ],
)
def test_what_is_in_order_or_unknown_gives_no_finding(evidence: Evidence) -> None:
    assert judge(evidence) == ()


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        (Evidence(node_exit=ABORTED), Kind.NODE_DOWN),
        (Evidence(node_silent=True), Kind.NODE_DOWN),
        (Evidence(pulse=Pulse.REFUSED), Kind.APP_DOWN),
        (Evidence(pulse=Pulse.MUTE), Kind.APP_DOWN),
        (Evidence(pulse=Pulse.WELL, applications_lost=("iris_ref",)), Kind.APP_DOWN),
        (Evidence(pulse=Pulse.WELL, bystanders_cut=("a client",)), Kind.LISTENER_RESTART),
        (Evidence(pulse=Pulse.WELL, events=(STATEM,)), Kind.PROCESS_CRASH),
        (Evidence(pulse=Pulse.WELL, observations=(SILENT,)), Kind.HANG),
        (Evidence(pulse=Pulse.WELL, growth=(STEADY,)), Kind.LEAK),
    ],
)
def test_each_oracle_fires_for_its_own_reason_alone(evidence: Evidence, kind: Kind) -> None:
    assert kinds(evidence) == [kind]
    assert sum(bool(list(oracle(evidence))) for oracle in ORACLES) == 1


def test_the_end_of_the_node_is_told_by_its_signal_status_and_slogan() -> None:
    assert only(Evidence(node_exit=ABORTED)).title == "the node ended by SIGABRT"
    finding = only(Evidence(node_exit=DUMPED))
    assert finding.title.startswith("the node ended by exit status 1: eheap_alloc")
    assert finding.evidence["log_tail"] == ["bye"]


def test_the_slogan_identifies_the_end_but_its_numbers_do_not() -> None:
    other_size = replace(DUMPED, slogan="eheap_alloc: Cannot allocate 99 bytes")
    other_slogan = replace(DUMPED, slogan="no more index entries in atom_tab (max=1048576)")
    first, size, slogan = (
        only(Evidence(node_exit=e)).fingerprint for e in (DUMPED, other_size, other_slogan)
    )
    assert first == size
    assert first != slogan


def test_a_dead_node_is_not_also_an_application_that_is_down_or_a_cut_or_a_hang() -> None:
    everything = Evidence(
        observations=(SILENT,),
        node_exit=ABORTED,
        bystanders_cut=("a client",),
        pulse=Pulse.REFUSED,
        applications_lost=("iris_ref",),
    )
    assert kinds(everything) == [Kind.NODE_DOWN]


def test_a_silent_node_is_not_also_an_application_that_is_down() -> None:
    assert kinds(Evidence(node_silent=True, pulse=Pulse.REFUSED)) == [Kind.NODE_DOWN]


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(pulse=Pulse.REFUSED, bystanders_cut=("a",)),
        Evidence(pulse=Pulse.MUTE, bystanders_cut=("a",)),
        Evidence(pulse=Pulse.WELL, bystanders_cut=("a",), applications_lost=("iris_ref",)),
    ],
)
def test_a_listener_that_did_not_come_back_did_not_restart(evidence: Evidence) -> None:
    assert kinds(evidence) == [Kind.APP_DOWN]


def test_an_application_that_is_down_names_those_that_stopped() -> None:
    finding = only(Evidence(pulse=Pulse.REFUSED, applications_lost=("iris_ref", "other")))
    assert "(stopped: iris_ref, other)" in finding.title


def test_a_server_that_answers_nobody_is_down_and_no_hang() -> None:
    assert kinds(Evidence(pulse=Pulse.MUTE, observations=(SILENT,))) == [Kind.APP_DOWN]


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        (Evidence(pulse=Pulse.REFUSED, bystanders_cut=("a",)), Kind.APP_DOWN),
        (Evidence(pulse=Pulse.WELL, bystanders_cut=("a",)), Kind.LISTENER_RESTART),
        (Evidence(pulse=Pulse.WELL), Kind.PROCESS_CRASH),
    ],
)
def test_the_same_cause_is_told_once_as_its_worst_effect(evidence: Evidence, kind: Kind) -> None:
    crashed = replace(evidence, events=(STATEM, PROC_LIB, SUPERVISOR, LINKED))
    finding = only(crashed)
    assert finding.kind is kind
    alone = only(Evidence(pulse=Pulse.WELL, events=(STATEM,)))
    assert finding.fingerprint == alone.fingerprint


def test_another_crash_beside_the_worst_is_told_too() -> None:
    evidence = Evidence(pulse=Pulse.WELL, bystanders_cut=("a",), events=(STATEM, OTHER))
    assert kinds(evidence) == [Kind.LISTENER_RESTART, Kind.PROCESS_CRASH]


def test_a_crash_names_the_process_the_reason_and_the_place() -> None:
    finding = only(Evidence(pulse=Pulse.WELL, events=(STATEM,)))
    assert finding.title == (
        "iris_ref_conn:init/1 crashed with error:function_clause in iris_ref_session:handle/2"
    )


def test_a_hang_is_identified_by_its_loop_and_not_by_the_moment_of_looking() -> None:
    def seen(*stack: str) -> Finding:
        stuck = replace(STUCK, stack=stack)
        return only(Evidence(pulse=Pulse.WELL, observations=(SILENT,), suspects=(stuck,)))

    one, other = seen(*STUCK.stack), seen("binary:part/3", *STUCK.stack)
    assert other.title == (
        "the reply to LOGIN did not come while iris_ref_conn:init/1 is in iris_ref_cbor:item/2"
    )
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != seen("iris_other:loop/1", *STUCK.stack).fingerprint


def test_work_that_goes_on_without_a_client_is_the_hang_that_a_client_would_have_seen() -> None:
    """Over TLS, another process than the one that loops says goodbye to the client."""
    loops = (replace(STUCK, doing=Doing.LOOP),)
    costly = Cost(10**9, 10)
    finding = only(Evidence(pulse=Pulse.WELL, suspects=loops, cost=costly))
    assert finding.title == (
        "the work that a client made did not end while iris_ref_conn:init/1 loops in "
        "iris_ref_cbor:item/2"
    )
    waited = only(Evidence(pulse=Pulse.WELL, observations=(SILENT,), suspects=loops, cost=costly))
    assert finding.fingerprint == waited.fingerprint


def test_a_hang_without_a_suspect_is_identified_by_what_did_not_come() -> None:
    login = only(Evidence(pulse=Pulse.WELL, observations=(SILENT,)))
    end = observed(Ending.DEADLINE, "the end of the stream after half-close")
    other = only(Evidence(pulse=Pulse.WELL, observations=(end,)))
    assert login.evidence["waited_for"] == ["the reply to LOGIN"]
    assert login.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("plays", "grew", "steady"), [(10, 8, True), (10, 7, False), (10, 1, False), (1, 1, False)]
)
def test_only_what_grows_with_each_play_leaks(plays: int, grew: int, steady: bool) -> None:
    evidence = Evidence(growth=(Growth("ports", plays, grew, 30),))
    assert bool(judge(evidence)) is steady


def test_a_leak_is_the_same_whether_suspected_or_measured() -> None:
    measured = only(Evidence(growth=(STEADY,)))
    assert measured.fingerprint == leak_of("atoms").fingerprint
    assert measured.fingerprint != leak_of("ports").fingerprint
    assert measured.title == "atoms grow by 2.0 with each play"
    assert measured.evidence["grew_in"] == 10


def test_each_leaking_resource_is_a_finding() -> None:
    growth = (STEADY, replace(STEADY, what="ports"), replace(STEADY, what="tables", grew=2))
    assert kinds(Evidence(growth=growth)) == [Kind.LEAK, Kind.LEAK]


def test_a_node_that_ends_with_its_last_supervisor_is_known_by_what_crashed_first() -> None:
    slogan = "Kernel pid terminated (application_controller) (shutdown)"
    end = NodeExit(1, None, slogan=slogan)
    one, other = (only(Evidence(node_exit=end, events=(event,))) for event in (STATEM, OTHER))
    assert {one.kind, other.kind} == {Kind.NODE_DOWN}
    assert one.cause.origin == STATEM.process
    assert one.fingerprint != other.fingerprint
    assert only(Evidence(node_exit=end)).cause.what == slogan


def test_a_cost_out_of_all_proportion_is_told_with_what_it_bought() -> None:
    (finding,) = judge(Evidence(cost=Cost(50_000_000, 100), pulse=Pulse.WELL))
    assert (finding.kind, finding.title) == (Kind.COST, "100 bytes cost 50,000,000 reductions")
    assert judge(Evidence(cost=Cost(50_000_000, 200_000), pulse=Pulse.WELL)) == ()


def test_a_cost_is_known_by_the_module_that_was_busy() -> None:
    def at(where: str) -> Finding:
        return only(Evidence(cost=Cost(50_000_000, 100, where=where), pulse=Pulse.WELL))

    assert at("one:item/2").title.endswith("reductions, and one:item/2 ran most often")
    assert at("one:item/2").fingerprint == at("one:map/3").fingerprint
    assert at("one:item/2").fingerprint != at("two:item/2").fingerprint


def test_what_a_crash_report_costs_is_not_told_beside_the_crash() -> None:
    crashed = Evidence(cost=Cost(50_000_000, 100), pulse=Pulse.WELL, events=(STATEM,))
    assert kinds(crashed) == [Kind.PROCESS_CRASH]


def test_a_cost_tells_the_reply_time_where_it_is_known_and_is_not_judged_by_it() -> None:
    timed = only(Evidence(cost=Cost(50_000_000, 100, seconds=0.25), pulse=Pulse.WELL))
    untimed = only(Evidence(cost=Cost(50_000_000, 100), pulse=Pulse.WELL))
    assert timed.evidence["answered_after_seconds"] == 0.25
    assert "answered_after_seconds" not in untimed.evidence
    assert timed.fingerprint == untimed.fingerprint
    assert judge(Evidence(cost=Cost(900_000, 10, seconds=60.0), pulse=Pulse.WELL)) == ()


def test_an_ordinary_cost_is_no_finding() -> None:
    assert judge(Evidence(cost=Cost(900_000, 0), pulse=Pulse.WELL)) == ()


def test_a_node_that_was_started_anew_is_down_and_not_its_listener() -> None:
    cut = ("a client that is logged in",)
    evidence = Evidence(node_restarted=True, bystanders_cut=cut, pulse=Pulse.WELL)
    (finding,) = judge(evidence)
    assert (finding.kind, finding.cause.what) == (Kind.NODE_DOWN, "node restarted")


def test_the_oracles_stand_in_the_order_of_the_ladder() -> None:
    names = [oracle.__name__ for oracle in ORACLES]
    ladder = [kind.value for kind in Kind if kind.value in names]
    # These speak of several rungs, or of the last ones.
    assert names == [*ladder, "storm", "laws", "relation", "decoder"]
