"""The dashboard, driven by keys on a terminal that is made up: what it shows, and asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from fuzz.case import encode_case
from fuzz.clock import FakeClock
from fuzz.events import Event, Faulted, Found, Gauged, Progress, Recovered, Refined, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.seeds import SEEDS
from fuzz.node import QuickVitals
from fuzz.report.dashboard import Board, Controls, Dashboard
from fuzz.report.dashboard.app import FindingScreen
from fuzz.report.dashboard.board import Trend
from fuzz.report.summary import Summary

STARTED = Started("a stand-in", "the coverage of its BEAM", 1_000, 7)
LOST = Finding(Kind.SEMANTIC, "a message was lost", Cause("lost"))
DOWN = Finding(Kind.NODE_DOWN, "the node ended by SIGABRT", Cause("node ended"))
WIDE, LOW = (140, 50), (80, 24)


def progress(cases: int, seconds: float, covered: int = 10) -> Progress:
    return Progress(cases, seconds, covered, 1_000, 3, 1, 5, 0.5)


class Campaign:
    """What the dashboard is told, and what it asks for."""

    def __init__(self, corpus: Path) -> None:
        self.board = Board(Summary(), corpus)
        self.asked: list[str] = []
        self.clock = FakeClock()
        controls = Controls(
            lambda: self.asked.append("stop"), lambda paused: self.asked.append(f"pause {paused}")
        )
        self.more = True
        self.app = Dashboard(self.board, controls, lambda: self.more, self.clock)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.board.summary.take(event)
            self.board.take(event)
        if self.app.is_running:
            self.app.paint()
            self.app.paint_heat()

    def drive(
        self, keys: Callable[[Pilot[None]], Awaitable[None]], size: tuple[int, int] = WIDE
    ) -> None:
        async def main() -> None:
            async with self.app.run_test(size=size) as pilot:
                await keys(pilot)

        asyncio.run(main())

    def shown(self, name: str) -> str:
        return str(self.app.screen_stack[0].query_one(f"#{name}", Static).render())

    def table(self) -> DataTable[object]:
        return self.app.screen_stack[0].query_one("#findings", DataTable)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path)


def test_it_tells_what_a_campaign_does(campaign: Campaign) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        assert "waiting for the target" in campaign.shown("head")
        campaign.tell(STARTED, progress(100, 1.0), progress(400, 2.0, covered=50))
        await pilot.pause()
        assert "a stand-in" in campaign.shown("head")
        assert "400, 300/s now, 200/s on average" in campaign.shown("totals")
        assert "coverage 50   10 to 50" in campaign.shown("covered-line")
        assert "cases 300/s" in campaign.shown("rate-line")

    campaign.drive(keys)


def test_findings_stand_worst_first_and_the_cursor_stays(campaign: Campaign) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(STARTED, Found(LOST, "a", True))
        await pilot.pause()
        campaign.tell(Found(DOWN, "b", True), Found(LOST, "a", False, hits=12))
        await pilot.pause()
        rows = [[str(cell) for cell in campaign.table().get_row_at(at)] for at in range(2)]
        assert rows[0][:4] == ["critical", "node_down", "1", DOWN.fingerprint]
        assert rows[1] == ["high", "semantic", "12", LOST.fingerprint, "a message was lost"]

    campaign.drive(keys)


def test_a_finding_opens_with_its_case_and_closes_again(campaign: Campaign, tmp_path: Path) -> None:
    case = tmp_path / "crash-1"
    case.write_bytes(encode_case(SEEDS["op-02-send-message"]))

    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("enter")  # there is none yet
        assert not isinstance(campaign.app.screen, FindingScreen)
        campaign.tell(STARTED, Found(LOST, "gone", True), Refined(LOST, str(case)))
        await pilot.press("enter")
        assert isinstance(campaign.app.screen, FindingScreen)
        text = campaign.app.export_screenshot(simplify=True)
        assert "SEND_MESSAGE" in text
        campaign.tell(progress(1, 1.0))  # what is behind it goes on
        await pilot.press("escape")
        assert not isinstance(campaign.app.screen, FindingScreen)
        assert campaign.asked == []

    campaign.drive(keys)


def test_a_finding_without_a_case_opens_with_what_is_known(
    campaign: Campaign, tmp_path: Path
) -> None:
    file = tmp_path / "assertion-1.json"
    file.write_text('{"left": 4}')

    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(STARTED, Found(LOST, str(file), True))
        await pilot.press("enter")
        assert "left" in campaign.app.export_screenshot(simplify=True)

    campaign.drive(keys)


def test_a_finding_whose_file_is_gone_says_so(campaign: Campaign, tmp_path: Path) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(STARTED, Found(LOST, str(tmp_path / "gone"), True))
        await pilot.press("enter")
        assert "cannot be read" in campaign.app.export_screenshot(simplify=True).replace(
            "&#160;", " "
        )

    campaign.drive(keys)


def test_keys_pause_and_stop_and_the_screen_waits_for_the_end(campaign: Campaign) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(STARTED, progress(1, 1.0))
        await pilot.press("p")
        campaign.tell(progress(1, 1.0))
        assert "paused" in campaign.shown("head")
        await pilot.press("p", "q", "p", "ctrl+c")
        campaign.tell(progress(2, 1.1))
        assert "ending when the cases in flight are judged" in campaign.shown("head")
        assert campaign.app.is_running

    campaign.drive(keys)
    assert campaign.asked == ["pause True", "pause False", "stop", "stop"]


def test_when_there_is_nothing_more_to_come_the_terminal_is_given_back(
    campaign: Campaign,
) -> None:
    campaign.more = False
    campaign.app.run(headless=True)
    assert not campaign.app.is_running


def test_silence_is_an_alarm_that_is_looked_into(campaign: Campaign) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(STARTED, progress(1, 1.0))
        campaign.clock.advance(3.0)
        campaign.app.paint()
        assert "looking into an alarm" in campaign.shown("head")
        campaign.tell(progress(2, 4.0))
        assert "looking into" not in campaign.shown("head")

    campaign.drive(keys)


def test_nodes_tell_what_they_have_and_have_gained_and_what_recovery_takes(
    campaign: Campaign,
) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(
            STARTED, progress(1, 2.0), Gauged({"": QuickVitals(90, 9, 15_000, 30, 2**24)})
        )
        campaign.tell(
            Gauged({"": QuickVitals(95, 9, 15_000, 30, 2**25)}),
            Recovered("application", 0.5, "for a process was stuck"),
            Faulted("the worker was lost"),
        )
        await pilot.pause()
        lines = [" ".join(line.split()) for line in campaign.shown("nodes").splitlines()]
        assert "processes 95 +5" in lines
        assert "ports 9" in lines
        assert "memory 32 MiB +16 MiB" in lines
        assert "recovery 1 restarts, 0.5 s lost, 25% of the time" in lines
        assert "last application in 0.5 s, for a process was stuck" in lines
        assert "fault the worker was lost" in lines

    campaign.drive(keys)


def test_the_heat_is_that_of_the_cases_that_were_kept(campaign: Campaign, tmp_path: Path) -> None:
    kept = tmp_path / "evolved"

    async def keys(pilot: Pilot[None]) -> None:
        assert "no case was kept yet" in campaign.shown("heat")
        kept.mkdir()
        (kept / "one").write_bytes(encode_case(SEEDS["op-05-get-status"]))
        campaign.app.paint_heat()
        (line,) = (x for x in campaign.shown("heat").splitlines() if "GET_STATUS" in x)
        assert "░" in line
        assert "○" in campaign.shown("heat")  # and most were never sent

    campaign.drive(keys)


def test_a_small_terminal_has_the_findings_and_the_totals(campaign: Campaign) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        campaign.tell(STARTED, progress(7, 1.0), Found(LOST, "a", True))
        await pilot.pause()
        screen = campaign.app.screen
        assert not screen.query_one("#bottom").display
        assert screen.query_one("#findings").size.height >= 4
        text = campaign.app.export_screenshot(simplify=True)
        assert "semantic" in text

    campaign.drive(keys, LOW)


def test_what_is_to_stay_on_the_terminal_is_kept(campaign: Campaign) -> None:
    found, fault = Found(LOST, "a", True), Faulted("the worker was lost")
    campaign.tell(STARTED, progress(1, 1.0), found, Recovered("node", 1.0), fault)
    assert campaign.board.kept == [STARTED, found, fault]


def test_a_trend_keeps_the_whole_time_in_as_many_moments_as_a_screen_has_columns() -> None:
    trend = Trend()
    for number in range(100_000):
        trend.add(number)
    assert 64 <= len(trend.values) <= 256
    steps = {
        later - earlier for earlier, later in zip(trend.values, trend.values[1:], strict=False)
    }
    assert len(steps) == 1
    assert trend.values[0] < 2 * steps.pop()
    assert trend.values[-1] > 98_000
