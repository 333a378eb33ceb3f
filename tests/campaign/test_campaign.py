"""The campaign over stand-ins for its worker: totals, replacements, and how it ends."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz.campaign import Campaign, WorkerMain
from fuzz.errors import HarnessFault, IrisFuzzError, StoreError
from fuzz.events import Ended, Event, Faulted, Found, Progress, Started
from fuzz.settings import FuzzSettings, TargetSettings
from tests.campaign import worker_stand_ins as stand_ins


@pytest.fixture
def settings(tmp_path: Path) -> FuzzSettings:
    return FuzzSettings(TargetSettings(), tmp_path, (), seconds=60.0, cases=100)


def run(settings: FuzzSettings, main: WorkerMain) -> list[Event]:
    return list(Campaign(settings, worker_main=main).events())


def starts(settings: FuzzSettings) -> list[str]:
    return stand_ins.starts_of(settings).read_text().splitlines()


def test_the_events_of_a_worker_come_out_in_order(settings: FuzzSettings) -> None:
    assert run(settings, stand_ins.ends) == [
        stand_ins.STARTED,
        stand_ins.progress(10, 1.0),
        Ended(stand_ins.progress(20, 2.0), "time is up", stand_ins.MODULES),
    ]
    assert len(starts(settings)) == 1


def test_totals_go_on_over_a_worker_that_was_replaced(settings: FuzzSettings) -> None:
    events = run(settings, stand_ins.dies_once)
    kinds = [type(event) for event in events]
    assert kinds == [Started, Progress, Faulted, Started, Progress, Ended]
    assert isinstance(events[4], Progress)
    assert (events[4].cases, events[4].seconds) == (35, 3.5)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.progress == Progress(
        cases=50,
        seconds=5.0,
        points_covered=40,
        points_total=100,
        corpus=6,
        restarts=2,
        replays=4,
        recovering_seconds=1.0,
    )
    assert ended.modules == stand_ins.MODULES


def test_the_last_words_of_a_worker_that_died_are_told(settings: FuzzSettings) -> None:
    (fault,) = [e for e in run(settings, stand_ins.dies_once) if isinstance(e, Faulted)]
    assert fault.sentence == (
        "the worker was lost: it ended by signal SIGKILL and said: killed for its memory"
    )
    assert not fault.fatal


def test_a_worker_that_said_what_was_wrong_is_quoted_and_not_its_log(
    settings: FuzzSettings,
) -> None:
    (fault,) = [e for e in run(settings, stand_ins.faults_once) if isinstance(e, Faulted)]
    assert fault.sentence == ("the worker was lost: a fault in the harness itself: KeyError: 7")


def test_of_the_log_of_libfuzzer_the_summary_is_told(settings: FuzzSettings) -> None:
    (fault,) = [e for e in run(settings, stand_ins.gives_up_once) if isinstance(e, Faulted)]
    assert fault.sentence == (
        "the worker was lost: it ended by exit status 77 and said: SUMMARY: deadly signal"
    )


def test_a_replacement_gets_what_is_left_of_the_budget(settings: FuzzSettings) -> None:
    run(settings, stand_ins.dies_once)
    assert starts(settings) == [
        "{'seconds': 60.0, 'cases': 100}",
        "{'seconds': 57.0, 'cases': 70}",
    ]


def test_a_budget_that_is_all_spent_leaves_enough_to_end_properly(settings: FuzzSettings) -> None:
    run(replace(settings, seconds=2.0, cases=30), stand_ins.dies_once)
    assert starts(settings)[1] == "{'seconds': 1.0, 'cases': 1}"


def test_no_budget_stays_no_budget(settings: FuzzSettings) -> None:
    run(replace(settings, seconds=None, cases=None), stand_ins.dies_once)
    assert starts(settings)[1] == "{'seconds': None, 'cases': None}"


def test_a_worker_that_dies_three_times_is_a_fault_of_the_harness(settings: FuzzSettings) -> None:
    with pytest.raises(HarnessFault, match=r"3 times.*death number 2"):
        run(settings, stand_ins.always_dies)
    assert len(starts(settings)) == 3


def test_deaths_between_new_findings_are_not_held_against_it(settings: FuzzSettings) -> None:
    events = run(settings, stand_ins.dies_after_finding)
    assert sum(isinstance(event, Found) for event in events) == 4
    assert isinstance(events[-1], Ended)


def test_a_finding_that_ends_the_run_does_so_though_its_worker_is_lost(
    settings: FuzzSettings,
) -> None:
    events = run(replace(settings, until_finding=True), stand_ins.dies_after_finding)
    assert [type(event) for event in events] == [Found, Faulted, Ended]
    assert events[-1] == Ended(Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0), "a finding")
    assert len(starts(settings)) == 1


def test_a_fatal_fault_ends_the_campaign_with_its_sentence(settings: FuzzSettings) -> None:
    with pytest.raises(IrisFuzzError, match=r"port 8085 on 127\.0\.0\.1 is in use") as caught:
        run(settings, stand_ins.cannot_run)
    assert caught.value.exit_code == 2
    assert len(starts(settings)) == 1


def test_stop_ends_the_campaign_with_the_workers_own_totals(settings: FuzzSettings) -> None:
    campaign = Campaign(settings, worker_main=stand_ins.waits_for_stop)
    events = []
    for event in campaign.events():
        events.append(event)
        if isinstance(event, Progress):
            campaign.stop()
            campaign.stop()
    assert events[-1] == Ended(stand_ins.progress(12, 1.5), "stopped", stand_ins.MODULES)


def test_a_run_that_finds_nothing_new_any_more_ends(settings: FuzzSettings) -> None:
    stale = replace(settings, until_stale=0.01)
    for jobs in (1, 2):
        ended = run(replace(stale, jobs=jobs), stand_ins.waits_for_stop)[-1]
        assert isinstance(ended, Ended)
        assert (ended.reason, ended.progress.cases) == ("nothing new for 0.01 s", 12 * jobs)


def test_what_a_lost_worker_had_judged_and_not_told_is_counted(settings: FuzzSettings) -> None:
    """The one in its place reads it in the journal: 30 were told, and 7 more were judged."""
    ended = run(settings, stand_ins.dies_with_a_journal)[-1]
    assert isinstance(ended, Ended)
    assert ended.progress.cases == 37 + 20


def test_hits_of_a_finding_add_up_over_a_worker_that_was_replaced(settings: FuzzSettings) -> None:
    events = run(settings, stand_ins.finds_the_same_and_dies_once)
    assert [event.hits for event in events if isinstance(event, Found)] == [1, 3, 5]


def test_a_stop_before_the_worker_is_there_is_not_lost(settings: FuzzSettings) -> None:
    campaign = Campaign(settings, worker_main=stand_ins.waits_for_stop)
    campaign.stop()
    assert isinstance(list(campaign.events())[-1], Ended)


def test_a_worker_that_dies_while_stopping_is_not_replaced(settings: FuzzSettings) -> None:
    campaign = Campaign(settings, worker_main=stand_ins.dies_when_stopped)
    events = []
    for event in campaign.events():
        events.append(event)
        if isinstance(event, Progress):
            campaign.stop()
    assert events[-1] == Ended(stand_ins.progress(10, 1.0), "stopped")


def test_a_campaign_that_is_abandoned_lets_its_worker_go(settings: FuzzSettings) -> None:
    events = Campaign(settings, worker_main=stand_ins.runs_until_nobody_listens).events()
    next(events)
    events.close()
    assert (settings.corpus / "gone").exists()


def test_a_machine_that_takes_no_temporary_file_is_told_what_can_be_done(
    settings: FuzzSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:  # as it does under `ulimit -f 0`
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    with pytest.raises(StoreError, match=r"no temporary file .* TMPDIR"):
        run(settings, stand_ins.ends)
