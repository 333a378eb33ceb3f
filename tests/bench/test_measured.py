"""A campaign is measured when it is warm, for as long as was asked for, and then stopped."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection

import pytest

from fuzz.bench import measured, shapes
from fuzz.bench.measured import PATIENCE_SECONDS, SHAPELY, WARM_CASES, Sample, Used, between
from fuzz.bench.scale import thirds
from fuzz.case import Step, StepKind, decode_case
from fuzz.errors import TargetError
from fuzz.events import Event
from fuzz.settings import FuzzSettings
from grammar import Direction, frame_bounds
from tests.bench.stand_ins import Campaigns, after, at_rate

#: What the two ways to read a clock of the kernel may differ by, in seconds.
TICK = 0.03


def busy(pipe: Connection) -> None:
    """Let a child compute for a while, tell the processor seconds of both, and wait for a word."""
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    times = os.times()
    pipe.send(times.user + times.system + times.children_user + times.children_system - TICK)
    pipe.recv()


@pytest.mark.usefixtures("seen")
def test_seeds_and_beginning_are_not_measured() -> None:
    seeds = shapes.one_frame()
    begun: list[Event] = [
        after(len(seeds) + WARM_CASES - 1, 10.0),
        after(len(seeds) + WARM_CASES, 20.0),
    ]
    campaigns = Campaigns(
        lambda _: [*begun, after(1_000, 24.0), after(2_000, 26.0), after(5_000, 29.0), *at_rate(9)]
    )
    seen = measured.steady(seeds, 4.0, 5.0, campaigns.make)
    assert (seen.cases, seen.seconds, seen.rate) == (4_000, 5.0, 800.0)
    assert campaigns.made[0].stopped


@pytest.mark.usefixtures("seen")
def test_the_campaign_has_the_seeds_and_keeps_their_shape() -> None:
    seen: list[bytes] = []

    def begin(settings: FuzzSettings) -> list[Event]:
        (folder,) = settings.seeds
        seen.extend(path.read_bytes() for path in sorted(folder.iterdir()))
        return at_rate(10_000)

    campaigns = Campaigns(begin)
    measured.steady(shapes.five_frames(), 1.0, 2.0, campaigns.make)
    assert [decode_case(data) for data in seen] == shapes.five_frames()
    (settings,) = campaigns.settings
    assert (settings.families, settings.seconds) == (SHAPELY, PATIENCE_SECONDS + 3.0)
    assert not settings.corpus.exists(), "it is removed with the measurement"


def test_a_campaign_that_never_warms_is_told_in_one_sentence() -> None:
    campaigns = Campaigns(lambda _: [after(7, 3.0)])
    with pytest.raises(TargetError) as refused:
        measured.steady(shapes.one_frame(), 1.0, 2.0, campaigns.make)
    assert str(refused.value) == (
        f"waited in vain for 3 s of a campaign after its first {5 + WARM_CASES} cases: it ended "
        "after 3 s with 7"
    )


def test_a_stretch_in_which_nothing_was_judged_has_no_rate() -> None:
    with pytest.raises(TargetError, match=r"judged no case between 1\.0 s and 2\.0 s"):
        between(Sample(after(5, 1.0), Used(1, 1, 0)), Sample(after(5, 2.0), Used(1, 2, 0)))


def test_young_and_old_are_the_first_and_the_last_third() -> None:
    totals = [(0, 0.0), (100, 1.0), (200, 2.0), (250, 3.0), (300, 4.0), (320, 5.0), (340, 6.0)]
    samples = [
        Sample(after(cases, at), Used(memory=at, workers=1.5 * at, nodes=0.5 * at))
        for cases, at in totals
    ]
    young, old = thirds(samples)
    assert (young.rate, young.memory, young.cost) == (100.0, 2.0, 0.02)
    assert (old.rate, old.memory, old.cost) == (20.0, 6.0, 0.1)
    assert (young.node_cost, old.node_cost) == (0.005, 0.025)


def test_a_worker_that_cannot_be_seen_has_no_cost() -> None:
    first, last = Sample(after(5, 1.0), Used(0, 0, 0)), Sample(after(9, 2.0), Used(0, 0, 0))
    with pytest.raises(TargetError, match="processor time of the campaign's worker"):
        between(first, last)


def test_processor_time_and_memory_are_those_of_a_worker_and_of_what_it_started() -> None:
    """The node is a child of the worker, and may end before it does."""
    assert measured.used() == Used(0.0, 0.0, 0.0), "there is no worker"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=busy, args=(theirs,))
    process.start()
    try:
        first = ours.recv()
        seen = measured.used()
        assert seen.memory > 1
        assert seen.processor >= first
    finally:
        ours.send("stop")
        process.join()


def test_the_shapes_are_what_they_are_called() -> None:
    for case in shapes.one_frame():
        assert len(case.connections()) == 1
        assert _frames(case.steps) == 1
    for case in shapes.five_frames():
        assert len(case.connections()) == 2
        assert _frames(case.steps) == 5
    many = list(shapes.distinct(300))
    assert len(set(many)) == 300
    assert {len(case.steps) for case in many} == {2}


def _frames(steps: tuple[Step, ...]) -> int:
    sent = [step.data for step in steps if step.kind is StepKind.SEND]
    return sum(len(frame_bounds(data, Direction.CLIENT)) for data in sent)
