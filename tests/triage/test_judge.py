"""The judge over a rig: what it asks for, and how sure it is."""

from __future__ import annotations

from dataclasses import replace

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Finding, Kind
from fuzz.node import Event
from fuzz.oracles import judge
from fuzz.oracles.leak import leak_of
from fuzz.triage.judge import Confidence, RigJudge, judge_of
from tests.oracles.evidence_support import OTHER, STATEM
from tests.watchdog.fake_rig import FakeRig, case, cuts_bystanders, leaks, reports


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
    assert asked.confidence(case("crash"), 3) == Confidence(3, 3)
    assert played.calls[:2] == ["recover node", "play"]


def test_a_finding_that_needs_chance_is_told_with_its_rate() -> None:
    asked = RigJudge(rig().as_rig(), finding_of(STATEM))
    sure = asked.confidence(case("flaky"), 4)
    assert (sure, sure.by_chance, sure.rate) == (Confidence(2, 4), True, 0.5)
    assert sure.sentence() == (
        "shown in 2 of 4 plays on a fresh node: it needs a timing, a race or other chance"
    )


def test_a_finding_that_always_or_never_shows_needs_no_chance() -> None:
    assert not Confidence(3, 3).by_chance
    assert not Confidence(0, 3).by_chance
    assert Confidence(3, 3).sentence() == "shown in 3 of 3 plays on a fresh node"
    assert Confidence(0, 0).rate == 0.0
