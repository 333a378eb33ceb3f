"""When a sentence that does not hold is a finding, and what else becomes of a run."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from fuzz.assertions.expression import parse_assertion
from fuzz.assertions.keeper import LOOK_SECONDS, PATIENCE_SECONDS, Keeper
from fuzz.assertions.page import Page, Source, page_of
from fuzz.clock import FakeClock
from fuzz.errors import SettingsError, TargetError
from fuzz.events import Ended, Event, Faulted, Found, Gauged, Progress, Started
from fuzz.finding import Kind
from fuzz.node import NodeSeen, QuickVitals
from fuzz.store.crashes import CrashStore

SOURCE = Source("http://127.0.0.1:9/metrics", "127.0.0.1", 9, "127.0.0.1", "/metrics")
ERRORS = "iris_errors_total / iris_messages_total < 0.1"


def page(errors: int, messages: int) -> str:
    return f"iris_errors_total {errors}\niris_messages_total {messages}\n"


class Scene:
    """A run of which each progress is a look, and the pages that are there at each look."""

    def __init__(self, folder: Path, *sentences: str) -> None:
        self.clock = FakeClock()
        self.pages: list[str | None] = []
        self.closed = False
        assertions = [parse_assertion(sentence) for sentence in sentences]
        self.keeper = Keeper(assertions, SOURCE, folder / "crashes", self.clock, self._read)

    def _read(self, _source: Source) -> Page:
        text = self.pages.pop(0)
        if text is None:
            raise TargetError("it cannot be read")
        return page_of(text)

    def _events(self) -> Generator[Event, None, None]:
        try:
            yield Started("embedded", "nothing", 0, 1)
            for number in range(len(self.pages) - 1):
                self.clock.advance(LOOK_SECONDS)
                yield Progress(10 * number, LOOK_SECONDS * number, 0, 0, 0, 0, 0, 0.0)
            yield Ended(Progress(99, 9.0, 0, 0, 0, 0, 0, 0.0), "time is up")
        finally:
            self.closed = True

    def run(self, *pages: str | None) -> list[Event]:
        """Return the events of a run: a page at the start, at each progress, and at the end."""
        self.pages = list(pages)
        return list(self.keeper.watch(self._events()))

    def found(self, *pages: str | None) -> list[Found]:
        return [event for event in self.run(*pages) if isinstance(event, Found)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, ERRORS)
    yield made
    assert made.closed, "the run below is ended whatever happens"


def test_what_holds_is_no_finding_and_all_events_go_on(scene: Scene) -> None:
    events = scene.run(page(0, 0), page(0, 100), page(1, 200), page(1, 300))
    assert [type(event) for event in events] == [Started, Progress, Progress, Ended]


def test_what_fails_at_two_looks_in_a_row_is_one_finding(scene: Scene, tmp_path: Path) -> None:
    bad = [page(20 * n, 100 * n) for n in range(6)]
    (found,) = scene.found(*bad)
    assert found.finding.kind is Kind.SEMANTIC
    assert found.finding.title == f"{ERRORS} does not hold: 0.2 < 0.1"
    assert found.finding.evidence["metrics"] == {
        "iris_errors_total": 40.0, "iris_messages_total": 200.0,
    }  # fmt: skip
    assert found.new
    document = json.loads(Path(found.path).read_text())
    assert document["fingerprint"] == found.finding.fingerprint
    assert CrashStore(tmp_path / "crashes").known() == {}, "it is no case"


def test_what_fails_once_is_none_unless_it_is_the_last_look(tmp_path: Path) -> None:
    jump = (page(0, 0), page(5, 10), page(5, 100))
    scene = Scene(tmp_path, ERRORS)
    assert scene.found(*jump, page(5, 101)) == []
    scene = Scene(tmp_path, ERRORS)
    events = scene.run(*jump, page(50, 101))
    assert [type(event) for event in events[-2:]] == [Found, Ended]


def test_what_came_before_the_run_does_not_count(scene: Scene) -> None:
    assert scene.found(page(90, 100), page(90, 200), page(90, 300)) == []


def test_no_traffic_says_neither_yes_nor_no(scene: Scene) -> None:
    assert scene.found(page(5, 5), page(5, 5), page(5, 5)) == []


def test_a_finding_of_a_run_before_is_not_new(tmp_path: Path) -> None:
    bad = [page(20 * n, 100 * n) for n in range(3)]
    first, second = (Scene(tmp_path, ERRORS).found(*bad)[0] for _ in range(2))
    assert (first.new, second.new) == (True, False)
    assert first.finding.fingerprint == second.finding.fingerprint


def test_each_sentence_is_looked_at(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "a < 1", "a < 2", "b == 0")
    found = scene.found("a 1\nb 0\n", "a 1\nb 0\n", "a 2\nb 0\n")
    assert [one.finding.evidence["assertion"] for one in found] == ["a < 1", "a < 2"]
    assert len({one.finding.fingerprint for one in found}) == 2


def test_a_name_that_is_not_there_ends_the_run_with_those_that_are_like_it(scene: Scene) -> None:
    with pytest.raises(SettingsError) as error:
        scene.run("iris_error_total 1\niris_message_total 2\n", page(0, 0))
    assert "has no metric iris_errors_total (similar: iris_error_total" in str(error.value)


def test_nothing_similar_is_said_too(scene: Scene) -> None:
    with pytest.raises(SettingsError, match="nothing is similar"):
        scene.run("up 1\n", "up 1\n")


def test_a_page_that_comes_late_is_waited_for(scene: Scene) -> None:
    assert scene.found(None, None, page(0, 0), page(20, 100), page(40, 200)) != []


def test_a_page_that_never_comes_ends_the_run(scene: Scene) -> None:
    looks = int(PATIENCE_SECONDS // LOOK_SECONDS) + 2
    with pytest.raises(TargetError, match="--assert has nothing to go by: it cannot be read"):
        scene.run(*[None] * looks, page(0, 0))
    assert len(scene.pages) == 1


def test_a_short_run_without_a_page_is_no_success(scene: Scene) -> None:
    with pytest.raises(TargetError, match="has nothing to go by"):
        scene.run(None, None)


def test_pages_that_were_missed_are_told_and_the_last_one_before_the_end_counts(
    scene: Scene,
) -> None:
    events = scene.run(page(0, 0), None, page(20, 100), None)
    assert [type(event) for event in events[-3:]] == [Found, Faulted, Ended]
    assert isinstance(events[-2], Faulted)
    assert "could not be read 1 of 3 times" in events[-2].sentence


def vital_run(*levels: int, agents: bool = True) -> Generator[Event, None, None]:
    nodes = (NodeSeen("edge", "27", 1, ()),) if agents else ()
    yield Started("embedded", "nothing", 0, 1, nodes=nodes)
    for processes in levels:
        yield Gauged({"edge": QuickVitals(processes, 0, 0, 0, 0)})
        yield Progress(1, 1.0, 0, 0, 0, 0, 0, 0.0)
    yield Ended(Progress(1, 1.0, 0, 0, 0, 0, 0, 0.0), "time is up")


class Ticking(FakeClock):
    """A clock that goes on by a look each time it is read."""

    def now(self) -> float:
        self.advance(LOOK_SECONDS)
        return super().now()


def keeper_of(folder: Path, sentence: str) -> Keeper:
    return Keeper([parse_assertion(sentence)], None, folder / "crashes", Ticking())


def test_what_agents_tell_needs_no_page(tmp_path: Path) -> None:
    sentence = 'beam_processes{node="edge"} < 100'
    assert [
        e for e in keeper_of(tmp_path, sentence).watch(vital_run(5, 99, 5)) if isinstance(e, Found)
    ] == []
    (found,) = (
        e
        for e in keeper_of(tmp_path, sentence).watch(vital_run(5, 100, 200, 5))
        if isinstance(e, Found)
    )
    assert found.finding.evidence["metrics"] == {'beam_processes{node="edge"}': 200.0}
    assert "read_from" not in found.finding.evidence


def test_before_an_agent_has_told_anything_nothing_is_judged(tmp_path: Path) -> None:
    events = list(keeper_of(tmp_path, "beam_processes > 0").watch(vital_run()))
    assert [type(event) for event in events] == [Started, Ended]


def test_agents_that_are_not_there_are_not_asked(tmp_path: Path) -> None:
    run = keeper_of(tmp_path, "beam_processes < 1").watch(vital_run(5, agents=False))
    with pytest.raises(SettingsError, match="beam_processes is what an agent tells"):
        list(run)


def test_a_progress_soon_after_a_look_is_none(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ERRORS)
    scene.pages = [page(0, 0)] * 5

    def events() -> Generator[Event, None, None]:
        yield Started("embedded", "nothing", 0, 1)
        for _ in range(9):
            yield Progress(1, 1.0, 0, 0, 0, 0, 0, 0.0)

    list(scene.keeper.watch(events()))
    assert len(scene.pages) == 4
