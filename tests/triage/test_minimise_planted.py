"""Planted defects on a real node: bloated triggers shrink to what a person would write by hand."""

from __future__ import annotations

import pytest

from fuzz.case import Case
from fuzz.finding import Finding
from fuzz.generate.seeds import SEEDS
from fuzz.triage.generalise import generalise
from fuzz.triage.judge import RigJudge
from fuzz.triage.minimise import minimise
from fuzz.triage.reduce import Budget, size_of
from fuzz.watchdog.merge import merge
from tests.planted.support import Bench, bench
from tests.planted.triggers import CASES

#: A play that shows one of these costs milliseconds: nothing is cut short.
BUDGET = Budget(plays=2_000, seconds=1e9)
#: Words of the pattern.
EXPECTED = {
    "crash_alone": "any frame with the opcode 34 (reserved), after login",
    "crash_cascades": "any TYPING_START whose target is empty, after login",
    "app_gives_up": (
        "any GET_STATUS whose user length is 257 or more, logged in or not; the user itself is free"
    ),
    "atom_leak": (
        "any GROUP_ROSTER whose group_id is not the id of a group that was made in the case"
    ),
}


def bloated(trigger: Case) -> Case:
    """Return ``trigger`` among other traffic, as a batch of a campaign leaves it."""
    before = [SEEDS["dialogue-offline-message"], SEEDS["op-10-cbor-msg"]]
    return merge([*before, trigger, SEEDS["op-05-get-status"], SEEDS["op-20-upload-prekeys"]])


def shown(planted: Bench, case: Case) -> Finding:
    (finding,) = planted.judge(case)
    return finding


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bloated_case_becomes_no_longer_than_the_trigger_that_a_person_wrote(name: str) -> None:
    trigger = CASES[name][1]
    case = bloated(trigger)
    with bench(name) as planted:
        judge = RigJudge(planted.rig, shown(planted, case))
        small = minimise(case, judge, BUDGET)
        hand, machine = size_of(trigger), size_of(small.case)
        assert machine.steps <= hand.steps
        assert machine.bytes <= hand.bytes
        assert machine.connections <= hand.connections
        assert judge.confidence(small.case, 2).rate == 1.0
        assert small.complete
        pattern = generalise(small.case, judge, BUDGET)
        assert EXPECTED[name] in pattern.sentence()
        assert pattern.usable(SEEDS.values())
        assert pattern.matches(case)
