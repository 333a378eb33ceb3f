"""What was kept is made shorter and surveyed for leaks, each within its share of the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from fuzz.case import Case, Step, StepKind, decode_case, encode_case
from fuzz.clock import FakeClock
from fuzz.engines.board import Board, Earned, Shortened
from fuzz.engines.feedback import Features
from fuzz.engines.kept import Kept
from fuzz.store.corpus import EvolvedCorpus
from fuzz.watchdog.leaks import LeakSurvey
from tests.watchdog.fake_rig import case

#: A case that earns a point by its first step; that it has seven more is of no use.
LONG = Case(tuple(step for word in ("new", *["idle"] * 7) for step in case(word).steps))
EARNED: Features = ((3, 1),)
#: Seconds of a play, and of a survey.
PLAY, SURVEY = 0.01, 0.05


class Desk:
    """Kept cases over a clock that plays and surveys move."""

    def __init__(self, folder: Path, board: Board | None = None, trims: bool = True) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.evolved = EvolvedCorpus(folder)
        self.surveyed: list[Case] = []
        #: How many were surveyed one after the other, each time.
        self.visits: list[int] = []
        self.plays = 0
        survey = cast(LeakSurvey, self)
        self.kept = Kept(self.evolved, board, survey, self.alone, self.clock, trims)

    def alone(self, played: Case) -> Features | None:
        self.plays += 1
        self.clock.advance(PLAY)
        return EARNED if played.steps[0] == LONG.steps[0] else ((0, 1),)

    def survey(self, looked_at: Iterable[Case]) -> None:
        self.visits.append(0)
        for one in looked_at:
            self.clock.advance(SURVEY)
            self.surveyed.append(one)
            self.visits[-1] += 1

    def keep(self, *cases: Case, leads: bool = False) -> list[bytes]:
        return [self.kept.keep(one, EARNED, {3}, leads) for one in cases]

    def files(self) -> set[bytes]:
        return {path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "evolved")


def numbered(number: int) -> Case:
    return Case((*LONG.steps, *case(f"{number}").steps))


def test_the_shorter_case_takes_the_place_of_the_one_that_was_kept(desk: Desk) -> None:
    (data,) = desk.keep(LONG)
    assert desk.files() == {data} == {encode_case(LONG)}
    assert (desk.kept.shorter(data), desk.plays) == (data, 0), "nothing is played when it is kept"
    desk.kept.work()
    shorter = desk.kept.shorter(data)
    assert len(shorter) < len(data)
    assert (desk.files(), len(desk.evolved)) == ({shorter}, 1)
    desk.clock.advance(1.0)
    desk.kept.work()
    assert [encode_case(one) for one in desk.surveyed] == [shorter]


def test_a_case_of_which_every_step_counts_stays(desk: Desk) -> None:
    (data,) = desk.keep(case("new"))
    desk.kept.work()
    assert (desk.kept.shorter(data), desk.files()) == (data, {data})
    assert desk.surveyed == [case("new")]


def test_nothing_is_trimmed_where_shapes_are_to_stay(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "evolved", trims=False)
    (data,) = desk.keep(LONG)
    desk.kept.work()
    assert (desk.kept.shorter(data), desk.plays, desk.surveyed) == (data, 0, [LONG])


def test_both_take_their_share_of_the_time_and_all_comes_to_its_turn(desk: Desk) -> None:
    many = [numbered(number) for number in range(60)]
    desk.keep(*many)
    rounds = 0
    while len(desk.surveyed) < len(many):
        rounds += 1
        before = desk.clock.now()
        desk.kept.work()
        worked = desk.clock.now() - before
        desk.clock.advance(0.1)  # the search goes on
        if rounds == 100:
            spent = PLAY * desk.plays + SURVEY * len(desk.surveyed)
            assert 0.15 * desk.clock.now() < spent < 0.25 * desk.clock.now()
        assert worked < 0.5, "the search is never kept waiting for long"
        assert rounds < 1000
    assert len({encode_case(one) for one in desk.surveyed}) <= len(many)


def test_what_leads_on_is_looked_at_first_and_cut_short_for_what_is_said_behind_it(
    desk: Desk,
) -> None:
    lead = Case((LONG.steps[0], Step(StepKind.SEND, 0, b"z" * 40)))
    (first,) = desk.keep(LONG)
    (data,) = desk.keep(lead, leads=True)
    desk.kept.work()  # there is time for one
    assert desk.kept.cut(first) == desk.kept.shorter(first) == first
    assert decode_case(desk.kept.cut(data)).steps == (LONG.steps[0], Step(StepKind.SEND, 0, b"z"))
    assert desk.kept.shorter(data) == data, "all else is built upon the whole of it"
    for _ in range(50):
        desk.clock.advance(1.0)
        desk.kept.work()
    assert desk.kept.cut(first) == desk.kept.shorter(first) != first


def test_with_too_much_ahead_what_comes_then_stays_as_it_is(desk: Desk) -> None:
    *first, last = desk.keep(*(numbered(number) for number in range(2_049)))
    for _ in range(5_000):
        desk.clock.advance(10.0)
        desk.kept.work()
    assert len(desk.surveyed) == 2_048
    assert desk.kept.shorter(last) == last
    assert all(desk.kept.shorter(data) != data for data in first)


def test_seeds_are_looked_at_for_leaks_and_stay_as_they_are(desk: Desk) -> None:
    desk.kept.look_at([LONG, case("new")])
    desk.clock.advance(1.0)
    desk.kept.work()
    assert (desk.surveyed, desk.plays, desk.files()) == ([LONG, case("new")], 0, set())


def test_what_was_trimmed_by_then_is_surveyed_without_its_idle_steps(desk: Desk) -> None:
    one, other = desk.keep(numbered(1), numbered(2))
    desk.kept.work()  # there is time for one of each
    desk.clock.advance(0.3)
    desk.kept.work()  # and for one survey
    assert (desk.kept.shorter(one) != one, desk.kept.shorter(other)) == (True, other)
    assert list(map(encode_case, desk.surveyed)) == [desk.kept.shorter(one), other]


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[tuple[Board, Board]]:
    (tmp_path / "board").mkdir()
    with closing(Board(tmp_path / "board")) as one, closing(Board(tmp_path / "board")) as other:
        yield one, other


def test_other_workers_hear_at_once_and_build_upon_the_shorter_one(
    tmp_path: Path, boards: tuple[Board, Board]
) -> None:
    mine, theirs = boards
    desk, other = Desk(tmp_path / "evolved", mine), Desk(tmp_path / "evolved", theirs)
    (data,) = desk.keep(LONG)
    (told,) = theirs.news()
    assert told == Earned(data, EARNED)
    desk.kept.work()
    (shortened,) = theirs.news()
    assert shortened == Shortened(data, desk.kept.shorter(data))
    for note in (told, shortened):
        other.kept.hear(note)
    assert other.kept.shorter(data) == desk.kept.shorter(data)
    assert len(other.evolved) == 1
    other.kept.work()
    assert other.plays == 0, "what another has kept is the other's to look at"


def test_four_are_surveyed_one_after_the_other(desk: Desk) -> None:
    desk.kept.look_at([numbered(number) for number in range(10)])
    for _ in range(10):
        desk.clock.advance(1.0)
        desk.kept.work()
    assert desk.visits == [4, 4, 2]
