"""Plays are held to the laws once each, in time, and mostly while others are waited for."""

from __future__ import annotations

import random
from typing import cast

import pytest

from fuzz.clock import FakeClock
from fuzz.engines import lawful as module
from fuzz.engines.lawful import Hearing, Lawful
from fuzz.finding import Finding
from fuzz.meanwhile import nothing
from fuzz.observation import Observation
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from grammar import GetStatus, SendMessage, StatusResponse
from tests.engines.test_coverage_engine import SEEDS, Bench
from tests.oracles.law_support import B, play, sender
from tests.watchdog.fake_rig import case

#: An answer about somebody else than was asked for, and a right one.
BROKEN = play(sender(GetStatus(B), heard=[StatusResponse(b"other", 0, 0)]))
SOUND = play(sender(GetStatus(B), heard=[StatusResponse(B, 0, 0)]))
#: More than is judged while others are waited for.
LARGE = play(sender(SendMessage(B, bytes(8_000))))


class _Investigator:
    """Knows all findings, or none."""

    def __init__(self, knows: bool) -> None:
        self._knows = knows

    def knows(self, finding: Finding) -> Finding | None:
        return finding if self._knows else None


class Court:
    """The laws of a campaign whose clock stands still unless a law is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, knows: bool = False) -> None:
        self.clock = FakeClock()
        self.clock.advance(1.0)
        self.asked: list[Observation] = []
        self.counted: list[Attributed] = []
        investigator = cast(Investigator, _Investigator(knows))
        self.lawful = Lawful(investigator, self.counted.append, self.clock, random.Random(1))
        self.clock.advance(1.0)
        judge = module.judge_laws

        def asked(observation: Observation) -> tuple[Finding, ...]:
            self.asked.append(observation)
            self.clock.advance(0.01)
            return judge(observation)

        monkeypatch.setattr(module, "judge_laws", asked)


def test_what_was_judged_while_others_played_is_not_judged_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    court = Court(monkeypatch)
    hearing = court.lawful.begin(nothing)
    hearing.hear(SOUND)
    hearing.hear(BROKEN)
    assert hearing.work()
    assert hearing.work()
    assert not hearing.work()
    assert court.lawful.broken([SOUND, BROKEN], hearing)
    assert court.asked == [SOUND, BROKEN]


def test_what_nobody_waited_for_is_judged_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    court = Court(monkeypatch)
    hearing = court.lawful.begin(nothing)
    hearing.hear(SOUND)
    assert hearing.work()
    assert court.lawful.broken([SOUND, BROKEN], hearing)
    assert not court.lawful.broken([SOUND], court.lawful.begin(nothing))


def test_a_large_play_does_not_keep_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    court = Court(monkeypatch)
    hearing = court.lawful.begin(nothing)
    hearing.hear(LARGE)
    assert not hearing.work()
    assert not court.lawful.broken([LARGE], hearing)
    assert court.asked == [LARGE]


def test_something_else_is_done_where_nothing_waits_to_be_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    court = Court(monkeypatch)
    left = iter((True, True))
    hearing = court.lawful.begin(lambda: next(left, False))
    assert hearing.work()
    hearing.hear(SOUND)
    assert hearing.work()
    assert court.asked == [SOUND]
    assert hearing.work()
    assert not hearing.work()


def test_what_there_is_no_time_for_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    court = Court(monkeypatch)
    many = [play(sender(GetStatus(B), heard=[StatusResponse(B, 0, 0)])) for _ in range(100)]
    assert not court.lawful.broken(many, court.lawful.begin(nothing))
    # A fifth of the second that went by, and of what the judging took.
    assert 20 <= len(court.asked) <= 27
    assert not court.lawful.broken([BROKEN], court.lawful.begin(nothing))
    court.clock.advance(1.0)
    assert court.lawful.broken([BROKEN], court.lawful.begin(nothing))


def test_a_play_for_which_no_hearing_was_held_is_judged_in_any_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    court = Court(monkeypatch)
    assert not court.lawful.broken([SOUND] * 100)
    assert len(court.asked) == 100
    assert court.lawful.broken([BROKEN])


def test_what_is_known_is_counted_once_for_each_play(monkeypatch: pytest.MonkeyPatch) -> None:
    court = Court(monkeypatch, knows=True)
    hearing = court.lawful.begin(nothing)
    hearing.hear(BROKEN)
    assert hearing.work()
    assert not court.lawful.broken([BROKEN], hearing)
    assert len(court.counted) == 1


# In the engine.


def test_a_batch_has_its_hearing_and_a_case_that_is_played_alone_has_none() -> None:
    bench = Bench()
    bench.seed()
    bench.beside.clear()
    bench.batch(case("new"))
    batch, *others = bench.beside
    work, hear = batch["meanwhile"], batch["finished"]
    hearing = work.__self__  # type: ignore[attr-defined]
    assert isinstance(hearing, Hearing)
    assert (work, hear) == (hearing.work, hearing.hear)
    assert others
    assert not any(others)


def test_the_search_asks_laws_within_their_share_and_the_seeds_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, asked = Bench(), []

    def judge(observation: Observation) -> tuple[Finding, ...]:
        asked.append(observation)
        bench.rig.clock.advance(60.0)  # so long that there is no time for another
        return ()

    monkeypatch.setattr(module, "judge_laws", judge)
    bench.seed()
    assert len(asked) == len(SEEDS)
    asked.clear()
    bench.batch()
    assert len(asked) == 1
