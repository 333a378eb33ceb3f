"""From an alarm after a batch to the case that causes it, and to a target that is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.case import (
    ALL_USER_TOKENS,
    MAX_CONNECTIONS,
    MAX_FILE_BYTES,
    MAX_STEPS,
    USER_TOKENS,
    Case,
    Step,
    StepKind,
    raw_case,
)
from fuzz.executor.endpoint import CONFIRMING, SEARCHING
from fuzz.finding import Finding, Kind
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.rig import Recovery
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.merge import merge
from fuzz.watchdog.watchdog import Watchdog
from grammar import StatusResponse, encode
from tests.oracles.evidence_support import OTHER, SILENT, STATEM
from tests.watchdog.fake_rig import (
    FakeRig,
    case,
    cuts_bystanders,
    ends_node,
    hangs,
    leaks,
    reports,
    stops_application,
)

Effect = Callable[[FakeRig], Observation | None]

PLAIN = [case(f"plain{n}") for n in range(15)]
CRASH = case("crash")


class Desk:
    """An investigator over a fake rig, the findings known so far, and the recoveries.

    ``confirmed`` holds what was said after the plays on a fresh node.
    """

    def __init__(self, **words: Effect) -> None:
        self.overdue = False
        self.rig = FakeRig(words)
        self.watchdog = Watchdog(self.rig.as_rig())
        self.known: dict[str, Kind] = {}
        self.recoveries: list[Recovery] = []
        self.confirmed: list[Attributed] = []
        self.investigator = Investigator(
            self.rig.as_rig(),
            self.watchdog,
            self._is_known,
            self.recoveries.append,
            overdue=lambda: self.overdue,
        )
        self.watchdog.glance([])

    def run(self, *batch: Case) -> list[Attributed]:
        """Play a batch and return what its alarm, if any, comes down to."""
        observations = self.rig.play(batch)
        glance = self.watchdog.glance(observations)
        if not (glance.alarmed or glance.grown):
            return []
        attributed: list[Attributed] = []
        for one in self.investigator.investigate(batch, observations, glance):
            self.known[one.finding.fingerprint] = one.finding.kind  # what the store does
            (self.confirmed if one.confirms else attributed).append(one)
        return attributed

    def _is_known(self, finding: Finding) -> bool:
        known = self.known.get(finding.fingerprint)
        return known is not None and known.rank <= finding.kind.rank


def told(attributed: list[Attributed]) -> list[tuple[Kind, Case | None, int, int]]:
    return [(a.finding.kind, a.case, a.reproduced, a.plays) for a in attributed]


@pytest.mark.parametrize("place", [0, 7, 15])
def test_the_culprit_in_a_batch_is_found(place: int) -> None:
    desk = Desk(crash=reports(STATEM))
    batch = [*PLAIN[:place], CRASH, *PLAIN[place:]]
    assert told(desk.run(*batch)) == [(Kind.PROCESS_CRASH, CRASH, 1, 1)]
    assert desk.rig.plays[place + 1][0] == (CRASH,)
    assert told(desk.confirmed) == [(Kind.PROCESS_CRASH, CRASH, 3, 3)]
    assert desk.investigator.replays == place + 1 + 3 + 1


def test_a_run_that_is_over_looks_for_no_culprit_and_loses_no_finding() -> None:
    desk = Desk(crash=reports(STATEM))
    desk.overdue = True
    batch = (*PLAIN[:2], CRASH)
    assert told(desk.run(*batch)) == [(Kind.PROCESS_CRASH, merge(batch), 0, 0)]
    assert desk.rig.calls == ["play"]


def test_a_run_that_is_over_tells_the_culprit_that_it_has() -> None:
    def crash_and_over(rig: FakeRig) -> Observation | None:
        desk.overdue = len(rig.plays) > 1
        return reports(STATEM)(rig)

    desk = Desk(crash=crash_and_over)
    assert told(desk.run(CRASH, *PLAIN)) == [(Kind.PROCESS_CRASH, CRASH, 1, 1)]
    assert told(desk.confirmed) == [(Kind.PROCESS_CRASH, CRASH, 3, 3)]
    # It is not tried many times at once any more.
    assert desk.rig.calls == ["play", "play", "recover node", *["play"] * 3]


def test_two_culprits_are_found_each_with_its_own_case() -> None:
    desk = Desk(crash=reports(STATEM), other=reports(OTHER))
    found = told(desk.run(PLAIN[0], case("other"), PLAIN[1], CRASH, PLAIN[2]))
    assert [(kind, culprit) for kind, culprit, *_ in found] == [
        (Kind.PROCESS_CRASH, case("other")),
        (Kind.PROCESS_CRASH, CRASH),
    ]


def test_the_search_ends_when_everything_new_has_its_case() -> None:
    desk = Desk(crash=reports(STATEM))
    desk.run(CRASH, *PLAIN)
    # The batch, the culprit, three plays on a fresh node, and the culprit many times at once.
    assert desk.rig.calls == ["play", "play", "recover node", *["play"] * 4]


def test_a_crash_that_takes_the_application_down_when_it_comes_often_is_told_as_that() -> None:
    def often(rig: FakeRig) -> Observation | None:
        reports(STATEM)(rig)
        steps = sum(len(played.steps) for played in rig.plays[-1][0])
        return stops_application(rig) if steps >= 3 else None

    desk = Desk(crash=often)
    crash, down = desk.run(PLAIN[0], CRASH)
    assert (crash.finding.kind, crash.case) == (Kind.PROCESS_CRASH, CRASH)
    assert down.finding.kind is Kind.APP_DOWN
    assert down.finding.fingerprint == crash.finding.fingerprint
    assert down.case is not None
    assert len(down.case.connections()) >= 3
    assert [(one.finding.kind, one.reproduced, one.plays) for one in desk.confirmed] == [
        (Kind.PROCESS_CRASH, 3, 3),
        (Kind.APP_DOWN, 2, 2),
    ]


def test_what_is_known_is_counted_and_not_searched_for() -> None:
    desk = Desk(crash=reports(STATEM))
    desk.run(CRASH, *PLAIN)
    played = len(desk.rig.plays)
    assert told(desk.run(*PLAIN, CRASH)) == [(Kind.PROCESS_CRASH, None, 0, 0)]
    assert len(desk.rig.plays) == played + 1


def test_something_new_beside_something_known_is_still_found() -> None:
    desk = Desk(crash=reports(STATEM), other=reports(OTHER))
    desk.run(CRASH)
    found = told(desk.run(case("other"), CRASH))
    assert found[0] == (Kind.PROCESS_CRASH, None, 0, 0)
    assert found[1] == (Kind.PROCESS_CRASH, case("other"), 1, 1)


def test_cases_that_ended_badly_are_tried_first() -> None:
    desk = Desk(crash=reports(STATEM), silent=lambda _: SILENT)
    desk.run(*PLAIN, case("silent", "crash"))
    assert desk.rig.plays[1] == ((case("silent", "crash"),), CONFIRMING)


def test_a_case_that_was_not_silent_is_played_again_without_more_patience() -> None:
    desk = Desk(crash=reports(STATEM))
    desk.run(CRASH)
    assert desk.rig.plays[1] == ((CRASH,), SEARCHING)


def half(own: str) -> Effect:
    """Return an effect that crashes the node's process once both halves were played."""

    def effect(rig: FakeRig) -> None:
        halves = {word for word in ("left", "right") if case(word) in rig.plays[-1][0]}
        merged = len(rig.plays[-1][0]) == 1 and len(rig.plays[-1][0][0].steps) > 1
        if own == "right" and (len(halves) == 2 or merged):
            reports(STATEM)(rig)

    return effect


def test_what_only_all_together_do_is_kept_as_one_merged_case() -> None:
    desk = Desk(left=half("left"), right=half("right"))
    batch = (case("left"), PLAIN[0], case("right"))
    assert told(desk.run(*batch)) == [(Kind.PROCESS_CRASH, merge(batch), 1, 1)]


def test_what_never_comes_back_is_kept_all_the_same() -> None:
    def once(rig: FakeRig) -> None:
        if len(rig.plays) == 1:
            reports(STATEM)(rig)

    desk = Desk(once=once)
    batch = (PLAIN[0], case("once"), PLAIN[1])
    assert told(desk.run(*batch)) == [(Kind.PROCESS_CRASH, merge(batch), 0, 1)]


def test_a_hang_is_told_when_it_comes_back_with_more_patience() -> None:
    desk = Desk(hang=hangs)
    assert told(desk.run(*PLAIN, case("hang"))) == [(Kind.HANG, case("hang"), 1, 1)]
    assert desk.rig.plays[1] == ((case("hang"),), CONFIRMING)


def test_a_silence_that_does_not_come_back_is_not_told() -> None:
    desk = Desk(slow=lambda rig: SILENT if len(rig.plays) == 1 else None)
    assert desk.run(*PLAIN, case("slow")) == []


def test_a_wait_in_which_nothing_was_seen_stuck_is_asked_of_a_fresh_node_first() -> None:
    desk = Desk(lost=lambda _: SILENT)
    assert told(desk.run(PLAIN[0], case("lost"))) == [(Kind.HANG, case("lost"), 1, 1)]
    assert told(desk.confirmed) == [(Kind.HANG, case("lost"), 2, 2)]

    busy = Desk(slow=lambda rig: SILENT if "recover node" not in rig.calls else None)
    assert busy.run(PLAIN[0], case("slow")) == []
    assert told(busy.confirmed) == [(Kind.HANG, case("slow"), 0, 2)]
    assert busy.confirmed[0].dismissed


def test_a_known_hang_is_not_waited_for_again() -> None:
    desk = Desk(hang=hangs)
    desk.run(case("hang"))
    played = len(desk.rig.plays)
    assert told(desk.run(*PLAIN, case("hang"))) == [(Kind.HANG, None, 0, 0)]
    assert len(desk.rig.plays) == played + 1


def test_a_leak_is_told_when_it_grows_with_each_of_many_plays() -> None:
    desk = Desk(leak=leaks)
    assert told(desk.run(PLAIN[0], case("leak"), PLAIN[1])) == [(Kind.LEAK, case("leak"), 1, 1)]


def test_a_leak_that_a_fresh_node_does_not_show_is_dismissed() -> None:
    def full(rig: FakeRig) -> None:
        rig.grow(atoms=0 if "recover node" in rig.calls else 2)

    desk = Desk(full=full)
    assert desk.run(PLAIN[0], case("full"), PLAIN[1]) == []
    (dismissed,) = desk.confirmed
    assert (dismissed.dismissed, dismissed.reproduced) == (True, 0)
    assert "recover node" in desk.rig.calls


def test_what_could_not_be_played_again_was_shown_in_none_of_no_plays() -> None:
    (finding,) = (one.finding for one in Desk(leak=leaks).run(case("leak")))
    assert Attributed(finding, case("leak")).rate == 0.0
    assert Attributed(finding, case("leak"), 1, 2).rate == 0.5


def test_growth_once_is_not_told() -> None:
    def loads(rig: FakeRig) -> None:
        rig.grow(atoms=9 if len(rig.plays) <= 3 else 0)

    desk = Desk(lazy=loads)
    assert desk.run(PLAIN[0], case("lazy"), PLAIN[1]) == []


def test_what_breaks_while_a_leak_is_looked_for_is_told_before_it_is_confirmed() -> None:
    """A finding is saved when it is told first, and only then can it be improved."""
    desk = Desk(crash=reports(STATEM))
    told_of = list(desk.investigator.investigate_growth(CRASH, "ETS rows of sessions"))
    assert [(one.finding.kind, one.confirms) for one in told_of] == [
        (Kind.PROCESS_CRASH, False),
        (Kind.PROCESS_CRASH, True),
    ]


def test_a_known_leak_costs_no_plays() -> None:
    desk = Desk(leak=leaks)
    desk.run(case("leak"))
    played = len(desk.rig.plays)
    assert desk.run(case("leak"), *PLAIN) == []
    assert len(desk.rig.plays) == played + 1


@pytest.mark.parametrize(
    ("effect", "kind", "call", "why"),
    [
        (
            stops_application,
            Kind.APP_DOWN,
            "recover application",
            "for new clients were not served",
        ),
        (ends_node, Kind.NODE_DOWN, "recover node", "for it had ended"),
        (hangs, Kind.HANG, "recover application", "for a process was stuck"),
        (cuts_bystanders, Kind.LISTENER_RESTART, "reseat", ""),
    ],
)
def test_the_target_is_well_again_after_each_harm(
    effect: Effect, kind: Kind, call: str, why: str
) -> None:
    desk = Desk(harm=effect)
    assert told(desk.run(PLAIN[0], case("harm"))) == [(kind, case("harm"), 1, 1)]
    # Once after the batch, once after the play that proved it; then a fresh node, and once
    # after each play on that.
    ((_, _, shown, plays),) = told(desk.confirmed)
    assert shown == plays > 1
    assert [c for c in desk.rig.calls if c != "play"] == [call, call, "recover node"] + [
        call
    ] * plays
    assert len(desk.recoveries) == 1 + (0 if call == "reseat" else 2 + plays)
    assert {recovery.why for recovery in desk.recoveries} == {
        "to confirm a finding",
        *filter(None, [why]),
    }
    assert desk.run(*PLAIN) == []


def test_nothing_is_brought_back_when_only_a_connection_crashed() -> None:
    desk = Desk(crash=reports(STATEM))
    desk.run(CRASH)
    assert desk.rig.calls.count("recover node") == 1, "the one for the confirmation"
    assert set(desk.rig.calls) == {"play", "recover node"}


def test_a_target_of_somebody_else_is_not_restarted_for_a_confirmation() -> None:
    desk = Desk(crash=reports(STATEM))
    desk.rig.target.restartable = False
    desk.run(CRASH)
    assert told(desk.confirmed) == [(Kind.PROCESS_CRASH, CRASH, 3, 3)]
    assert set(desk.rig.calls) == {"play"}


def test_a_finding_that_comes_back_by_chance_is_told_with_its_rate() -> None:
    desk = Desk(crash=lambda rig: reports(STATEM)(rig) if len(rig.plays) % 2 else None)
    desk.run(CRASH)
    ((_, _, shown, plays),) = told(desk.confirmed)
    assert 0 < shown < plays


def test_the_worst_effect_of_a_cause_is_what_is_told() -> None:
    desk = Desk(crash=reports(STATEM), cut=cuts_bystanders)
    (attributed,) = desk.run(case("crash", "cut"))
    assert attributed.finding.kind is Kind.LISTENER_RESTART
    assert attributed.finding.cause.origin == STATEM.process


def test_judging_alone_is_patient_and_returns_what_the_oracles_say() -> None:
    desk = Desk(crash=reports(STATEM))
    (finding,) = desk.investigator.judge_alone(CRASH)
    assert finding.kind is Kind.PROCESS_CRASH
    assert desk.rig.plays == [((CRASH,), CONFIRMING)]
    assert desk.investigator.judge_alone(PLAIN[0]) == ()


def test_judging_growth_plays_many_times() -> None:
    desk = Desk(leak=leaks)
    assert [f.kind for f in desk.investigator.judge_growth(case("leak"))] == [Kind.LEAK]
    assert desk.investigator.judge_growth(PLAIN[0]) == ()


def test_merging_gives_each_case_connections_of_its_own() -> None:
    two = Case((Step(StepKind.LOGIN, 0, USER_TOKENS[0]), Step(StepKind.SEND, 2, b"x")))
    merged = merge([two, PLAIN[0], two])
    assert [step.connection for step in merged.steps] == [0, 2, 3, 4, 6]
    assert [step.data for step in merged.steps[:2]] == [USER_TOKENS[0], b"x"]
    assert merged.steps[3].data == USER_TOKENS[1], "each case keeps users of its own"


def test_merging_gives_each_case_users_of_its_own_whatever_they_are_called() -> None:
    imported = _user(ALL_USER_TOKENS[8])
    assert len(merge([imported, imported]).users()) == 2
    nine = [_user(USER_TOKENS[0])] * 9
    assert len(merge([*nine, imported]).users()) == 10
    assert len(merge([merge(nine), imported, merge(nine)]).users()) == 19
    many = merge([_user(USER_TOKENS[0])] * (len(ALL_USER_TOKENS) + 1))
    assert many.users() == ALL_USER_TOKENS


def _user(token: bytes) -> Case:
    return Case((Step(StepKind.LOGIN, 0, token),))


def test_merging_leaves_out_what_does_not_fit() -> None:
    wide = Case((Step(StepKind.SEND, MAX_CONNECTIONS - 1, b"x"),))
    assert merge([wide, PLAIN[0]]) == wide
    long = Case(PLAIN[0].steps * (MAX_STEPS - 1))
    assert len(merge([long, PLAIN[0], PLAIN[1]]).steps) == MAX_STEPS
    large = raw_case(b"x" * MAX_FILE_BYTES)
    assert merge([large, PLAIN[0]]).steps == large.steps


def test_a_cost_is_told_with_the_time_until_all_was_answered() -> None:
    def busy(rig: FakeRig) -> None:
        assert rig.agent is not None
        levels = rig.agent.levels
        rig.agent.levels = replace(levels, reductions=levels.reductions + 50_000_000)

    desk = Desk(busy=busy)
    pausing = Step(StepKind.PAUSE, 0, value=2_000)
    (plain,) = desk.investigator.judge_alone(case("busy"))
    assert (plain.kind, plain.evidence["answered_after_seconds"]) == (Kind.COST, 0.001)
    (paused,) = desk.investigator.judge_alone(Case((*case("busy").steps, pausing)))
    assert paused.evidence["answered_after_seconds"] == 0


def strange(*before: bytes) -> Observation:
    """Return a play in which something that is no frame came behind some frames."""
    return Observation((ConnectionTrace(0, Ending.CLOSED, (*before, b"\x34?")),), 0.001, False)


def test_what_a_case_shows_in_another_way_than_its_batch_is_what_was_looked_for() -> None:
    status = encode(StatusResponse(b"bob", 1, 0))
    desk = Desk(odd=lambda rig: strange(status) if len(rig.plays) == 1 else strange())
    batch = (PLAIN[0], case("odd"))
    observations = desk.rig.play(batch)
    glance = desk.watchdog.glance(observations)
    found = [
        (one.finding.cause.reason, one.case)
        for one in desk.investigator.investigate(batch, observations, glance)
        if not one.confirms
    ]
    assert found == [("nothing", case("odd"))]
