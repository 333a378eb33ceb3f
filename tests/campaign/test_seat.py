"""What a seat keeps to itself over hours: its log, its descriptors, and its patience."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.campaign import Campaign
from fuzz.campaign.seat import Seat
from fuzz.errors import HarnessFault
from fuzz.events import Found
from fuzz.settings import FuzzSettings, TargetSettings
from tests.campaign import worker_stand_ins as stand_ins


@pytest.fixture
def settings(tmp_path: Path) -> FuzzSettings:
    return FuzzSettings(TargetSettings(), tmp_path, (), seconds=60.0, cases=100)


def test_a_log_that_has_grown_too_long_keeps_its_end(
    settings: FuzzSettings, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with log.open("ab", buffering=0) as writer:  # the worker's own
        writer.write(b"x" * 5_000_000 + b"the last words")
        Seat(settings, stand_ins.ends, tmp_path).takes(stand_ins.progress(1, 1.0))
        assert log.stat().st_size < 1024 * 1024
        writer.write(b", and more")
    assert log.read_bytes().endswith(b"xthe last words, and more")


def test_a_log_that_is_short_is_left_alone(settings: FuzzSettings, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_bytes(b"x" * 100_000)
    Seat(settings, stand_ins.ends, tmp_path).takes(stand_ins.progress(1, 1.0))
    assert log.stat().st_size == 100_000


def test_descriptors_of_workers_that_were_replaced_are_given_back(settings: FuzzSettings) -> None:
    campaign = Campaign(settings, worker_main=stand_ins.dies_after_finding)
    open_now = [
        len(os.listdir("/proc/self/fd")) for event in campaign.events() if isinstance(event, Found)
    ]
    assert len(open_now) == 4
    assert open_now[-1] <= open_now[0]


def test_deaths_that_are_far_apart_are_not_held_against_a_worker(settings: FuzzSettings) -> None:
    events = list(Campaign(settings, worker_main=stand_ins.dies_now_and_then).events())
    assert events[-1] == replace(events[-1], reason="time is up")
    assert len(stand_ins.starts_of(settings).read_text().splitlines()) == 6


def test_a_worker_that_cannot_be_started_is_told_in_a_sentence(
    settings: FuzzSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pipe(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("multiprocessing.context.SpawnContext.Pipe", no_pipe)
    with pytest.raises(HarnessFault, match="cannot be started: Too many open files; raise"):
        list(Campaign(settings, worker_main=stand_ins.ends).events())
