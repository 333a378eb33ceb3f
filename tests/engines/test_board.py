"""The board: what one worker tells, all others hear, whatever was cut short."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from fuzz.engines import board as boards
from fuzz.engines.board import Barred, Board, Earned, OfCase, Shortened, Tally
from fuzz.engines.feedback import BatchMemory, Memory
from fuzz.engines.filters import Filters
from fuzz.errors import StoreError
from fuzz.triage.pattern import FrameRule, Part, Pattern, Place
from fuzz.triage.pattern_fields import Aspect, Condition
from tests.engines.test_filters import TYPING, share

CONDITION = Condition("target", Aspect.SIZE, 0, 0)
PATTERN = Pattern((FrameRule((0x70,), (CONDITION,)),), (Part("any frame", 3, 3, Place.FRAME),))
NOTES = (Earned(b"case", ((1, 2), (3, 4))), Barred(PATTERN), Earned(b"another", ()))


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Callable[[], Board]]:
    """Return what makes boards in one folder; they are closed at the end."""
    folder = tmp_path / "board"
    folder.mkdir()
    with ExitStack() as stack:

        def make() -> Board:
            return stack.enter_context(closing(Board(folder)))

        yield make


Make = Callable[[], Board]


def test_others_hear_each_note_once_and_nobody_hears_his_own(board: Make) -> None:
    one, other, third = board(), board(), board()
    for note in NOTES:
        one.tell(note)
    assert list(one.news()) == []
    assert list(other.news()) == list(NOTES)
    assert list(other.news()) == []
    other.tell(NOTES[0])
    assert list(one.news()) == [NOTES[0]]
    assert sorted(map(repr, third.news())) == sorted(map(repr, (*NOTES, NOTES[0])))


def test_who_comes_late_hears_what_was_told_before(board: Make) -> None:
    board().tell(NOTES[0])
    assert list(board().news()) == [NOTES[0]]


def test_a_note_that_is_not_whole_yet_is_heard_when_it_is(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    with closing(Board(whole)) as one:
        one.tell(NOTES[0])
        one.tell(NOTES[1])
    (file,) = whole.iterdir()
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        with closing(Board(whole)) as other:
            heard = list(other.news())
            assert heard == list(NOTES[: len(heard)])
            with file.open("ab") as rest:
                rest.write(data[length:])
            assert [*heard, *other.news()] == list(NOTES[:2])
        for path in set(whole.iterdir()) - {file}:
            path.unlink()


def test_what_a_kill_has_cut_short_keeps_nobody_from_being_heard(
    board: Make, tmp_path: Path
) -> None:
    (tmp_path / "board" / "killed").write_bytes(b"\0\0\0\x09torn")
    one, other = board(), board()
    one.tell(NOTES[0])
    assert list(other.news()) == [NOTES[0]]


def test_a_lot_is_heard_bit_by_bit(board: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "_CHUNK", 100)
    one, other = board(), board()
    notes = [Earned(bytes([number]) * 150, ()) for number in range(4)]
    for note in notes:
        one.tell(note)
    heard = [list(other.news()) for _ in range(20)]
    assert [note for some in heard for note in some] == notes
    assert max(map(len, heard)) == 1


def test_what_is_heard_is_known_and_credited_only_where_it_is_new(board: Make) -> None:
    one, other = board(), board()
    filters, heard = Filters(random.Random(1)), list[OfCase]()
    batches, cases = BatchMemory(5), Memory(5)
    notes = [Earned(b"case", ((1, 2), (3, 4))), Earned(b"the same again", ((3, 4),))]
    for note in (*notes, Shortened(b"case", b"c"), *[Barred(PATTERN)] * 2):
        one.tell(note)
    news = other.take_in(filters, heard.append, batches, cases)
    assert list(news) == [(b"case", ((1, 2), (3, 4)))]
    assert heard == [*notes, Shortened(b"case", b"c")]
    assert batches.covered() == [1, 3]
    assert not batches.learn(((1, 30), (3, 60)), 16), "a batch of such cases is no news"
    assert share(filters, TYPING) > 1_950


def test_a_board_without_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: its folder is gone"):
        Board(tmp_path / "none")
    with closing(Board(tmp_path)) as board:
        (tmp_path / "other").mkdir()
        with pytest.raises(StoreError, match="cannot be read"):
            list(board.news())


def test_the_tally_is_of_all_and_goes_on_where_a_lost_worker_was(tmp_path: Path) -> None:
    file = tmp_path / "tally"
    Tally.make(file, 3)
    one, other = Tally(file, 0), Tally(file, 2)
    assert one.played(10) == 10
    assert other.played(5) == 15
    assert one.played(12) == 17
    again = Tally(file, 0)
    assert again.played(1) == 18
    with pytest.raises(StoreError, match="cannot be read"):
        Tally(tmp_path / "none", 0)
