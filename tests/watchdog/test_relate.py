"""A case and its variants are played, what differs is repeated, and the target stays well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.finding import Cause, Finding
from fuzz.generate.relations import relation_named
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.relate import Relater
from fuzz.watchdog.watchdog import Watchdog
from grammar import TypingRelay, encode
from tests.oracles.evidence_support import STATEM
from tests.watchdog.fake_rig import FakeRig, case, cuts_bystanders, reports

A = USER_TOKENS[0]
#: Two words of a fake rig: who is always there, and the stranger of a variant.
BASE, STRANGER = A.decode(), "<user:s>"
DIALOGUE = Case((Step(StepKind.LOGIN, 0, A),))


def hears(*states: int) -> Callable[[FakeRig], Observation]:
    """Return an effect: the client hears so many notices."""
    data = b"".join(encode(TypingRelay(b"ann", state)) for state in states)
    return lambda _rig: Observation((ConnectionTrace(0, Ending.CLOSED, (data,), left=9),), 0.01)


def in_turns(*effects: Callable[[FakeRig], Observation]) -> Callable[[FakeRig], Observation]:
    """Return an effect that is another in each play."""
    return lambda rig: effects[len(rig.plays) % len(effects)](rig)


def judged(rig: FakeRig, relation: str, played: Case = DIALOGUE) -> tuple[Finding, ...]:
    investigator = Investigator(
        rig.as_rig(), Watchdog(rig.as_rig()), lambda _: False, lambda _: None
    )
    return investigator.judge_as(played, Cause("relation", f"{relation}: whatever"))


def test_a_server_that_answers_alike_is_asked_for_each_variant_once() -> None:
    rig = FakeRig({BASE: hears(1)})
    assert judged(rig, "stranger") == ()
    assert len(rig.plays) == 5
    assert all(len(cases) == 1 for cases, _ in rig.plays), "each is played by itself"


def test_a_variant_that_is_not_heard_alike_is_one_finding_for_all_of_its_kind() -> None:
    rig = FakeRig({BASE: hears(1), STRANGER: hears(1, 0)})
    (finding,) = judged(rig, "stranger")
    assert finding.cause == Cause("relation", "stranger: TYPING_RELAY: another number of them")
    assert finding.evidence["shown"] == "4 of 4 pairs of plays"
    assert finding.evidence["variant"] == "a stranger's frames are interleaved"


def test_what_shows_in_some_plays_is_told_with_its_rate() -> None:
    once = FakeRig({BASE: hears(1)})
    # Of three variants with a stranger in them, the first differs in its first play alone.
    once._words = {
        BASE: hears(1),
        STRANGER: lambda rig: hears(1, 0)(rig) if len(rig.plays) == 2 else hears(1)(rig),
    }
    (finding,) = judged(once, "stranger")
    assert finding.evidence["shown"] == "1 of 4 pairs of plays"
    assert finding.title.endswith("(in 1 of 4 plays)")


@pytest.mark.parametrize("relation", ["again", "stranger"])
def test_a_case_that_differs_from_itself_breaks_no_other_relation(relation: str) -> None:
    (finding,) = judged(FakeRig({BASE: in_turns(hears(1), hears(0))}), relation)
    assert finding.cause == Cause("relation", "again: TYPING_RELAY: another content")


def test_a_relation_that_is_silent_plays_nothing() -> None:
    rig = FakeRig({})
    assert judged(rig, "stranger", case("no", "dialogue")) == ()
    assert rig.plays == []


def test_what_breaks_meanwhile_is_told_as_what_it_is_and_healed() -> None:
    rig = FakeRig({BASE: hears(1), STRANGER: lambda rig: _crash(rig) or hears(1, 0)(rig)})
    (finding,) = judged(rig, "stranger")
    assert finding.cause.what == "crash"
    cut = FakeRig({BASE: hears(1), STRANGER: cuts_bystanders})
    assert [found.cause.what for found in judged(cut, "stranger")] != ["relation"]
    assert (cut.cut, cut.calls[-1]) == ((), "reseat")


_crash = reports(STATEM)


def test_all_plays_are_handed_on_to_be_looked_at() -> None:
    rig = FakeRig({BASE: hears(1)})
    relater = Relater(rig.as_rig())
    assert list(relater.contrasts(DIALOGUE, relation_named("unknown"))) == []
    assert len(relater.plays) == len(rig.plays) == 3
