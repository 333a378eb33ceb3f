"""One crash speaks several times, and is one cause."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from fuzz.finding import Cause
from fuzz.node import Event, EventKind
from fuzz.oracles.causes import crash_causes, first_cause, own_frames, told
from tests.oracles.evidence_support import LINKED, OTHER, PROC_LIB, STACK, STATEM, SUPERVISOR

CAUSE = Cause("crash", "error:function_clause", "iris_ref_conn:init/1", STACK)


def causes_of(*events: Event) -> list[Cause]:
    return [cause for cause, _ in crash_causes(events)]


def test_the_reports_of_behaviour_proc_lib_supervisor_and_linked_process_are_one_cause() -> None:
    assert causes_of(STATEM, PROC_LIB, SUPERVISOR, LINKED) == [CAUSE]


@pytest.mark.parametrize("reports", list(itertools.permutations((STATEM, PROC_LIB, SUPERVISOR))))
def test_the_order_of_the_reports_of_one_process_does_not_matter(
    reports: tuple[Event, ...],
) -> None:
    assert causes_of(*reports) == [CAUSE]


def test_a_linked_process_that_ends_without_a_stack_is_no_cause_of_its_own() -> None:
    assert causes_of(STATEM, replace(LINKED, stack=())) == [CAUSE]


def test_many_linked_processes_are_still_one_cause() -> None:
    linked = [replace(LINKED, pid=f"<0.{n}.0>", process=f"conn_{n}") for n in range(20)]
    assert causes_of(STATEM, *linked) == [CAUSE]


def test_the_report_with_the_stack_names_the_cause() -> None:
    brief = replace(STATEM, stack=(), reason="killed", class_name="exit")
    assert causes_of(brief, PROC_LIB) == [CAUSE]


def test_two_crashes_that_have_nothing_to_do_with_one_another_are_two() -> None:
    found = causes_of(STATEM, OTHER, PROC_LIB, SUPERVISOR)
    assert [cause.origin for cause in found] == ["iris_ref_conn:init/1", "iris_ref_groups"]


def test_two_processes_that_fail_by_themselves_for_equal_reasons_are_two() -> None:
    """The same reason, but an error of its own with a stack: not the end of a linked one."""
    other = replace(STATEM, pid="<0.9.0>", process="other", stack=("other:f/1",))
    assert len(causes_of(STATEM, other)) == 2


def test_the_same_defect_in_two_processes_is_one_cause() -> None:
    assert causes_of(STATEM, replace(STATEM, pid="<0.9.0>")) == [CAUSE]


def test_each_cause_comes_with_the_reports_that_speak_of_it() -> None:
    (_, first), (_, second) = crash_causes([STATEM, OTHER, PROC_LIB])
    assert first == (STATEM, PROC_LIB)
    assert second == (OTHER,)


def test_a_supervisor_counts_only_where_no_process_spoke_for_itself() -> None:
    killed = replace(SUPERVISOR, reason="{child_terminated,killed}", stack=())
    (cause,) = causes_of(killed)
    assert cause.reason == "exit:{child_terminated,killed}"
    assert causes_of(killed, STATEM) == [CAUSE]


@pytest.mark.parametrize("kind", [EventKind.ERROR, EventKind.APPLICATION, EventKind.AGENT])
def test_other_events_are_no_cause(kind: EventKind) -> None:
    event = replace(STATEM, kind=kind)
    assert causes_of(event) == []
    assert first_cause([event], "bystanders cut off") == Cause("bystanders cut off")


def test_the_first_cause_is_that_of_the_first_process() -> None:
    assert first_cause(iter([STATEM, OTHER]), "nothing") == CAUSE
    assert first_cause([], "nothing") == Cause("nothing")


def test_fingerprints_do_not_know_pids_numbers_or_deeper_frames() -> None:
    again = replace(
        STATEM,
        pid="<0.99.1>",
        time_ms=77,
        reason="{badmatch,<0.99.1>,8085}",
        stack=(*STACK, "proc_lib:init_p_do_apply/3"),
    )
    before = replace(STATEM, reason="{badmatch,<0.310.0>,9}")
    (first,), (second,) = causes_of(before), causes_of(again)
    assert first.fingerprint() == second.fingerprint()
    (other,) = causes_of(replace(again, stack=("iris_ref_session:handle/3", *STACK[1:])))
    assert other.fingerprint() != first.fingerprint()


def test_events_are_told_as_plain_values_without_what_changes_from_run_to_run() -> None:
    (value,) = told([STATEM])
    assert value["kind"] == "crash"
    assert value["stack"] == list(STACK)
    assert "pid" not in value


def test_what_counts_for_the_coverage_is_no_frame_of_the_target() -> None:
    """A node that is out of atoms ends where it happens to be, which may be in there."""
    stack = ("iris_ref_conn:'-iris_fuzz_hit-'/2", "lists:map/2", "iris_ref_conn:open/3")
    assert own_frames(stack) == ("iris_ref_conn:open/3",)
