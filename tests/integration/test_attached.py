"""A server that is already running is seen from outside only, and still watched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import fuzz.rig
from fuzz.campaign import Campaign
from fuzz.case import encode_case, read_case
from fuzz.clock import SystemClock
from fuzz.errors import TargetError
from fuzz.events import Found
from fuzz.finding import Kind
from fuzz.generate.seeds import SEEDS as CASES
from fuzz.report.summary import Summary
from fuzz.rig import Rig
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.target import AttachedTarget, EmbeddedTarget
from fuzz.target.base import Address
from fuzz.triage.replay import Replayer, Verdict
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog
from tests.integration.support import ROOT, kinds_of
from tests.planted.support import Bench
from tests.planted.triggers import CASES as TRIGGERS

#: The only seed is the trigger itself: how a finding is made is tested here, not the search.
SEED = ROOT / "corpus" / "regressions" / TRIGGERS["crash_cascades"][0]


@contextmanager
def somebodys_server(*plants: str) -> Iterator[Address]:
    """Return where a server listens that the campaign has not started."""
    server = EmbeddedTarget(0, plants)
    try:
        yield server.start({})
    finally:
        server.stop()


@contextmanager
def attached(address: Address) -> Iterator[Rig]:
    """Return a rig on a server that runs."""
    rig = Rig(AttachedTarget(address.host, address.port), SystemClock())
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()


def test_without_an_agent_a_restart_is_seen_by_those_it_cut_off(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    shutil.copy(SEED, seeds)
    summary = Summary()
    with somebodys_server("crash_cascades") as address:
        target = TargetSettings(f"{address.host}:{address.port}")
        settings = FuzzSettings(target, tmp_path, (seeds,), seconds=180.0)
        with closing(Campaign(settings).events()) as events:
            for event in events:
                summary.take(event)
                # Its supervisors bear a few restarts, and nobody brings it back after that.
                if isinstance(event, Found):
                    break
    assert summary.started is not None
    assert summary.started.guided_by == "replies"
    assert any("there is no agent" in note for note in summary.started.notes)
    assert kinds_of(summary) == [Kind.LISTENER_RESTART.value]
    (seen,) = summary.findings.values()
    assert read_case(Path(seen.path)).steps
    # What can be known from outside, and no more.
    assert seen.finding.cause.what == "bystanders cut off"


def test_a_finding_is_told_before_the_end_of_a_server_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = TRIGGERS["app_gives_up"][1]
    batch = [CASES["op-05-get-status"], case]
    with somebodys_server("app_gives_up") as address, attached(address) as rig:
        monkeypatch.setattr(fuzz.rig, "_READY_SECONDS", 1.0)  # it will not come back
        watchdog = Watchdog(rig)
        investigator = Investigator(rig, watchdog, lambda _: False, lambda _: None)
        observations = rig.play(batch)
        glance = watchdog.glance(observations)
        told = investigator.investigate(batch, observations, glance)
        one = next(told)
        with pytest.raises(TargetError, match="serves nobody any more and is not ours to restart"):
            next(told)
    # From outside, one that is on its way down may be seen between two restarts.
    assert one.finding.kind in (Kind.APP_DOWN, Kind.LISTENER_RESTART)
    assert one.case is not None
    # It could not be played again, so all that was played is kept.
    assert (one.reproduced, one.plays) == (0, 0)
    assert all(step.data in encode_case(one.case) for step in case.steps[2:])


def test_a_websocket_where_there_is_no_port_for_it_is_no_finding() -> None:
    with somebodys_server() as address, attached(address) as rig:
        assert Bench(rig).judge(CASES["dialogue-websocket"]) == ()


def test_a_case_that_restarts_the_server_is_refused_with_a_sentence() -> None:
    path = ROOT / "corpus" / "regressions" / TRIGGERS["restart_forgets"][0]
    with somebodys_server() as address, attached(address) as rig:
        result = Replayer(rig).replay(path, plays=3)
        # Nobody has touched the server.
        assert rig.bystanders_well()
    assert (result.verdict, result.plays) == (Verdict.ERROR, 0)
    assert result.note.startswith("the case restarts the server, which takes a target that")
