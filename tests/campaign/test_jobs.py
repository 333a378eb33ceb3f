"""Several workers are one campaign: over stand-ins, how their totals and findings add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.campaign import Campaign, WorkerMain
from fuzz.campaign.seat import Seat, settings_of
from fuzz.campaign.totals import Totals
from fuzz.decoding import Decoder
from fuzz.errors import HarnessFault, IrisFuzzError, SettingsError
from fuzz.events import Charted, Covered, Ended, Event, Faulted, Found, Progress, Refined, Started
from fuzz.finding import Kind
from fuzz.report.summary import Summary
from fuzz.settings import FuzzSettings, Place, StartSettings, TargetSettings
from fuzz.store.crashes import CrashStore
from tests.campaign import crew_stand_ins as stand_ins


@pytest.fixture
def settings(tmp_path: Path) -> FuzzSettings:
    return FuzzSettings(
        TargetSettings(), tmp_path, (), seconds=60.0, cases=100, random_seed=7, jobs=2
    )


def run(settings: FuzzSettings, main: WorkerMain) -> list[Event]:
    return list(Campaign(settings, worker_main=main).events())


def seats(settings: FuzzSettings) -> list[Seat]:
    """Return two seats on which nobody sits yet."""
    own = (settings_of(settings, Place(number, settings.corpus)) for number in range(2))
    return [Seat(one, stand_ins.plays, settings.corpus) for one in own]


def test_totals_add_up_and_a_point_that_two_have_covered_is_one(settings: FuzzSettings) -> None:
    started, charted, *covered, ended = run(settings, stand_ins.plays)
    assert charted == Charted(stand_ins.POINTS)
    told = [event.points for event in covered if isinstance(event, Covered)]
    points = [(name, point) for some in told for name in some for point in some[name]]
    assert sorted(points) == [("one", 0), ("one", 1), ("two", 5), ("two", 7)]
    own = "worker 2: 3 cases were not judged"
    assert started == Started(
        "a stand-in", "nothing", 10, 21, notes=(stand_ins.NOTE, own), workers=2
    )
    assert isinstance(ended, Ended)
    assert ended.progress == Progress(
        cases=201,
        seconds=6.0,
        points_covered=4,
        points_total=10,
        corpus=4,
        restarts=2,
        replays=6,
        recovering_seconds=1.0,
    )
    assert ended.reason == "time is up"
    assert ended.modules == {"one": (2, 4), "two": (2, 6)}
    assert ended.left == ("something stays",)


def test_each_worker_has_a_port_and_a_seed_of_its_own(settings: FuzzSettings) -> None:
    places = [Place(number, Path("shared")) for number in range(3)]
    first, second, third = (settings_of(settings, place) for place in places)
    assert first == replace(settings, place=places[0])
    assert (second.target.port, third.target.port) == (0, 0)
    assert len({one.random_seed for one in (first, second, third)}) == 3
    assert settings_of(settings, Place(1, Path("elsewhere"))).random_seed == second.random_seed
    unseeded = settings_of(replace(settings, random_seed=None), places[1])
    assert unseeded.random_seed is None


def test_what_two_workers_find_is_told_once_and_is_where_it_is_said_to_be(
    settings: FuzzSettings,
) -> None:
    events = []
    for event in Campaign(settings, worker_main=stand_ins.saves_the_same).events():
        events.append(event)
        if isinstance(event, Found):
            (settings.corpus / "heard").touch()
    found = [event for event in events if isinstance(event, Found)]
    assert [(event.new, event.hits) for event in found] == [(True, 2), (True, 5)]
    summary = Summary()
    for event in events:
        summary.take(event)
    (seen,) = summary.findings.values()
    (saved,) = CrashStore(settings.corpus / "crashes").known().values()
    assert (seen.new, seen.hits, seen.path) == (True, 5, str(saved.path))
    assert saved.path.read_bytes() == stand_ins.case_of("better")
    assert isinstance(events[-2], Refined), "the last word is what is on the disk"


def test_what_was_known_before_the_run_is_not_new(settings: FuzzSettings) -> None:
    fingerprint = stand_ins.CRASH.fingerprint
    one, other = seats(settings)
    for before, new in ((frozenset[str](), True), (frozenset({fingerprint}), False)):
        totals = Totals([one, other], before)
        events = [
            totals.found(seat, Found(stand_ins.CRASH, "path", not new)) for seat in (one, other)
        ]
        assert [event.new for event in events] == [new, new]


def test_a_finding_is_where_its_worst_effect_is(settings: FuzzSettings) -> None:
    one, other = seats(settings)
    totals = Totals([one, other], frozenset())
    worse = replace(stand_ins.CRASH, kind=Kind.NODE_DOWN)
    events = [(one, stand_ins.CRASH, "a"), (other, worse, "b"), (one, stand_ins.CRASH, "a")]
    paths = [totals.found(seat, Found(finding, path, True)).path for seat, finding, path in events]
    assert paths == ["a", "b", "b"]
    totals.refined(Refined(worse, "c"))
    assert totals.found(one, Found(stand_ins.CRASH, "a", False)).path == "c"


def test_the_finding_of_one_ends_all_where_that_was_asked_for(settings: FuzzSettings) -> None:
    events = run(replace(settings, until_finding=True), stand_ins.one_finds)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.progress.cases) == ("a finding", 12)


def test_stop_ends_all_workers(settings: FuzzSettings) -> None:
    campaign = Campaign(settings, worker_main=stand_ins.waits_for_stop)
    events = []
    for event in campaign.events():
        events.append(event)
        if isinstance(event, Progress):
            campaign.stop()
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.progress.cases) == ("stopped", 40)


def test_one_that_is_lost_is_replaced_and_hears_what_it_had_told(settings: FuzzSettings) -> None:
    events = run(settings, stand_ins.second_dies_once)
    (fault,) = [event for event in events if isinstance(event, Faulted)]
    assert fault.sentence.startswith("worker 2 was lost: it ended by signal SIGKILL")
    assert [event.hits for event in events if isinstance(event, Found)] == [4, 6]
    ended = events[-1]
    assert isinstance(ended, Ended)
    # 30 before the kill, then 20 each: the tally goes on where the lost worker was.
    assert ended.progress.cases == 70
    assert {event.reason for event in events if isinstance(event, Ended)} < {
        "50 are played",
        "70 are played",
    }
    # The budget of cases is that of all, and the tally knows what of it is spent.
    told = (settings.corpus / "told-1").read_text().splitlines()
    assert told == ["{'seconds': 60.0, 'cases': 100}", "{'seconds': 57.0, 'cases': 100}"]


def test_one_that_cannot_run_ends_the_campaign_and_the_others(settings: FuzzSettings) -> None:
    with pytest.raises(IrisFuzzError, match="the disk is full"):
        run(settings, stand_ins.second_cannot_run)
    assert (settings.corpus / "gone").exists()


def test_targets_that_are_not_alike_are_a_fault_of_the_harness(settings: FuzzSettings) -> None:
    one, other = seats(settings)
    one.takes(stand_ins.progress(1, 1.0, 0))
    totals = Totals([one, other], frozenset())
    assert totals.progress().points_total == 10
    other.takes(replace(stand_ins.progress(1, 1.0, 0), points_total=11))
    with pytest.raises(HarnessFault, match="have 10 and 11 coverage points"):
        totals.progress()


def test_a_worker_that_starts_late_is_told_of_when_it_does(settings: FuzzSettings) -> None:
    one, other = seats(settings)
    totals = Totals([one, other], frozenset())
    started = Started("a stand-in", "nothing", 10, 2)
    assert list(totals.started(one, started)) == []
    assert totals.waiting
    assert [event.workers for event in totals.start()] == [2], "before a finding"
    assert list(totals.start()) == []
    assert not totals.waiting
    (late,) = totals.started(other, replace(started, notes=("late",)))
    assert late.notes == ("worker 2: late",)


@pytest.mark.parametrize(
    ("target", "jobs", "sentence"),
    [
        (TargetSettings("127.0.0.1:8085"), 2, "--jobs wants a target for each worker"),
        (TargetSettings(start=StartSettings(("make",))), 2, "--jobs wants a target for each"),
        (TargetSettings(), 0, "--jobs wants a number from 1 to"),
        (TargetSettings(), 1000, "--jobs wants a number from 1 to"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    target: TargetSettings, jobs: int, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        FuzzSettings(target, tmp_path, (), jobs=jobs)


def test_a_decoder_has_one_worker(settings: FuzzSettings) -> None:
    with pytest.raises(SettingsError, match="a decoder is called by one worker"):
        replace(settings, decoder=Decoder("iris", "decode"))
