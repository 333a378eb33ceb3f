"""The judge over a rig: what it asks for, and how sure it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.errors import TargetError
from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Finding, Kind
from fuzz.node import Event
from fuzz.oracles import judge
from fuzz.oracles.leak import leak_of
from fuzz.rig import Recovery
from fuzz.triage.judge import SEEN_ONCE, Confidence, RigJudge, TargetLostError, judge_of
from tests.oracles.evidence_support import OTHER, STATEM
from tests.watchdog.fake_rig import (
    FakeRig,
    case,
    cuts_bystanders,
    ends_node,
    leaks,
    reports,
    stops_application,
)


def finding_of(event: Event) -> Finding:
    (finding,) = judge(Evidence(pulse=Pulse.WELL, events=(event,)))
    return finding


def rig() -> FakeRig:
    return FakeRig(
        {
            "crash": reports(STATEM),
            "other": reports(OTHER),
            "leak": leaks,
            "flaky": lambda rig: reports(STATEM)(rig) if len(rig.plays) % 2 else None,
        }
    )


def test_only_the_same_fingerprint_counts() -> None:
    asked = RigJudge(rig().as_rig(), finding_of(STATEM))
    assert asked.shows(case("crash"))
    assert not asked.shows(case("other"))
    assert not asked.shows(case("plain"))


def test_an_effect_is_asked_for_where_the_case_brings_it_back() -> None:
    both = FakeRig({"crash": reports(STATEM), "cut": cuts_bystanders})
    worse = replace(finding_of(STATEM), kind=Kind.LISTENER_RESTART)
    asked = judge_of(both.as_rig(), case("crash", "cut"), worse)
    assert asked.shows(case("crash", "cut"))
    assert not asked.shows(case("crash"))
    by_chance = judge_of(both.as_rig(), case("crash"), worse)
    assert by_chance.shows(case("crash"))
    assert not by_chance.shows(case("cut"))


def test_a_leak_is_asked_for_by_many_plays() -> None:
    played = rig()
    asked = RigJudge(played.as_rig(), leak_of("atoms"))
    assert asked.shows(case("leak"))
    assert not asked.shows(case("plain"))
    assert len(played.plays) >= 20


def test_confidence_is_counted_on_a_fresh_node() -> None:
    played = rig()
    asked = RigJudge(played.as_rig(), finding_of(STATEM))
    assert asked.confidence(case("crash"), 3) == Confidence(3, 3, nodes=1)
    assert played.calls[:2] == ["recover node", "play"]
    assert asked.confidence(case("crash"), 3, afresh=True) == Confidence(3, 3, nodes=3)


def test_a_node_that_ended_is_a_fresh_one_for_the_next_play() -> None:
    played = FakeRig({"end": ends_node})
    (ended,) = RigJudge(played.as_rig(), finding_of(STATEM)).findings(case("end"))
    assert RigJudge(played.as_rig(), ended).confidence(case("end"), 3).nodes == 3


def test_each_time_that_the_target_was_brought_back_is_told() -> None:
    played = FakeRig({"end": ends_node})
    (ended,) = RigJudge(played.as_rig(), finding_of(STATEM)).findings(case("end"))
    told: list[Recovery] = []
    RigJudge(played.as_rig(), ended, recovered=told.append).confidence(case("end"), 2)
    whys = [recovery.why for recovery in told]
    assert whys == ["to see a case on a fresh node", "for it had ended", "for it had ended"]


def test_a_running_target_is_measured_as_it_is() -> None:
    played = rig()
    played.target.restartable = False
    asked = RigJudge(played.as_rig(), finding_of(STATEM))
    sure = asked.confidence(case("crash"), 3)
    assert (sure, "recover node" in played.calls) == (Confidence(3, 3, nodes=0), False)


def test_a_target_that_is_gone_is_asked_nothing_more() -> None:
    played = FakeRig({"stop": stops_application})

    def never(fresh_node: bool = False) -> Recovery:
        raise TargetError("it serves nobody any more")

    played.recover = never  # type: ignore[method-assign]
    asked = RigJudge(played.as_rig(), finding_of(STATEM))
    with pytest.raises(TargetLostError, match="serves nobody") as lost:
        asked.shows(case("stop"))
    assert [found.kind for found in lost.value.findings] == [Kind.APP_DOWN]
    assert (lost.value.case, len(played.plays)) == (case("stop"), 1)


def test_a_finding_that_needs_chance_is_told_with_its_rate() -> None:
    asked = RigJudge(rig().as_rig(), finding_of(STATEM))
    sure = asked.confidence(case("flaky"), 4)
    assert (sure, sure.by_chance, sure.rate) == (Confidence(2, 4, nodes=1), True, 0.5)
    assert sure.sentence() == (
        "shown in 2 of 4 plays on one fresh node for all of them: "
        "it needs a timing, a race or other chance"
    )


def test_a_finding_that_always_or_never_shows_needs_no_chance() -> None:
    assert not Confidence(3, 3).by_chance
    assert not Confidence(0, 3).by_chance
    assert Confidence(0, 0).rate == 0.0


@pytest.mark.parametrize(
    ("sure", "sentence"),
    [
        (Confidence(3, 3, 3), "shown in 3 of 3 plays on a fresh node"),
        (Confidence(3, 3, 1), "shown in 3 of 3 plays on one fresh node for all of them"),
        (Confidence(0, 3, 2), "shown in 0 of 3 plays on 2 fresh nodes"),
        (Confidence(3, 3), "shown in 3 of 3 plays on the running target"),
        (SEEN_ONCE, "seen once; how surely it shows was not measured"),
    ],
)
def test_it_is_told_on_what_it_was_measured(sure: Confidence, sentence: str) -> None:
    assert sure.sentence() == sentence


@pytest.mark.parametrize(
    ("shown", "questions"),
    [(5, 1), (4, 3), (2, 7), (0, 10)],
)
def test_what_shows_by_chance_is_asked_for_until_a_miss_is_rare(shown: int, questions: int) -> None:
    assert Confidence(shown, 5).plays_for_a_question() == questions
