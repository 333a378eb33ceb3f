"""A case is in the journal before it is sent, and out of it only when it is judged."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from fuzz.errors import HarnessFault, StoreError
from fuzz.store import records
from fuzz.store.journal import SEGMENTS, Journal
from tests.store.support import fork, kill_at_call, killed_after, run, status_of


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("journal-*.log"))


def test_judged_cases_are_gone_and_others_come_back(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == []
        first = journal.begin([b"a", b""])
        journal.begin([b"b", b"c"])
        journal.judged(first)
        journal.begin([b"d"])
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == [b"b", b"c", b"d"]
        assert journal.notes() == ()
        assert journal.tail(10) == [b"a", b"", b"b", b"c", b"d"]
        assert journal.tail(2) == [b"c", b"d"]
        assert journal.tail(0) == []


def test_what_is_left_over_stays_until_it_is_judged(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.begin([b"a", b"b", b"c"])
    for _ in range(2 * SEGMENTS):
        with Journal.open(tmp_path) as journal:
            assert journal.unjudged() == [b"a", b"b", b"c"]
    with Journal.open(tmp_path) as journal:
        journal.judged(journal.begin([b"b"]))
        journal.begin([b"a"])
        assert journal.unjudged() == [b"a", b"c"]
    with Journal.open(tmp_path) as journal:
        assert sorted(journal.unjudged()) == [b"a", b"c"]
        journal.judged(journal.begin([b"c", b"a"]))
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == []


def test_a_case_that_was_judged_once_is_open_again_when_begun_again(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        first = journal.begin([b"same"])
        journal.begin([b"same"])
        journal.judged(first)
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == [b"same"]


def test_judging_what_is_not_in_play_is_a_fault_of_ours(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        number = journal.begin([b"a"])
        journal.judged(number)
        with pytest.raises(HarnessFault, match=f"batch {number} was judged"):
            journal.judged(number)


def test_judged_cases_are_counted_once_over_all_runs(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.judged(journal.begin([b"a", b"b"]), 2)
        journal.judged(journal.begin([b"a"]))  # played once more, alone
        journal.begin([b"c"])
        assert journal.judged_cases == 2
    for _ in range(2 * SEGMENTS):  # the mark that has the count is in none of these segments
        with Journal.open(tmp_path) as journal:
            assert journal.judged_cases == 2
    with Journal.open(tmp_path) as journal:
        journal.judged(journal.begin(journal.unjudged()), 1)
    with Journal.open(tmp_path) as journal:
        assert journal.judged_cases == 3


def test_a_kill_before_any_change_leaves_the_count_of_what_was_judged(tmp_path: Path) -> None:
    """Each case is told to us when it has been judged; the last may have been so untold."""
    for number in count(1):
        folder, told = tmp_path / str(number), tmp_path / f"{number}-told"

        def body(folder: Path = folder, told: Path = told) -> None:
            with Journal.open(folder, segment_bytes=256) as journal, told.open("ab", 0) as file:
                for index in range(8):
                    journal.judged(journal.begin([b"%d" % index * 100]), 1)
                    file.write(b".")

        killed = kill_at_call(number, body)
        judged = told.stat().st_size if told.exists() else 0
        with Journal.open(folder) as journal:
            assert journal.judged_cases in (judged, judged + 1)
        if not killed:
            break
    assert number > 30


def test_segments_rotate_within_their_ceiling_and_carry_what_is_open(tmp_path: Path) -> None:
    ceiling = 4096
    with Journal.open(tmp_path, segment_bytes=ceiling) as journal:
        journal.begin([b"open"])
        for number in range(200):
            journal.judged(journal.begin([b"%04d" % number * 50]))
            assert len(segments(tmp_path)) <= SEGMENTS
            assert all(path.stat().st_size < ceiling + 1024 for path in segments(tmp_path))
        assert segments(tmp_path)[-1].name > records.name(10)
        assert journal.tail(2) == [b"0198" * 50, b"0199" * 50]
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == [b"open"]


def test_a_batch_above_the_ceiling_is_written_whole_and_once(tmp_path: Path) -> None:
    big = [b"x" * 5000, b"y" * 5000]
    with Journal.open(tmp_path, segment_bytes=4096) as journal:
        journal.begin(big)
        for number in range(5):
            journal.judged(journal.begin([b"%d" % number]))
        assert len(segments(tmp_path)) == 2
        assert journal.tail(7) == [*big, b"0", b"1", b"2", b"3", b"4"]
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == big


def test_each_batch_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(tmp_path) as journal:
        calls: list[int] = []
        write = os.write

        def counted(descriptor: int, data: bytes) -> int:
            calls.append(len(data))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", counted)
        monkeypatch.setattr(os, "fsync", lambda _: calls.append(-1))
        journal.begin([b"x" * 200] * 16)
        monkeypatch.undo()
    assert len(calls) == 1


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)

    def body() -> None:
        with pytest.raises(StoreError, match="is in use by another campaign: wait for its end"):
            Journal.open(tmp_path, patience=0)

    assert run(body) == 0
    journal.close()
    journal.close()
    Journal.open(tmp_path).close()


def test_the_next_one_waits_for_an_owner_that_is_about_to_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, flock = Journal.open(tmp_path), fcntl.flock
    refused: list[int] = []

    def leave_when_asked(descriptor: int, operation: int) -> None:
        try:
            flock(descriptor, operation)
        except BlockingIOError:
            refused.append(descriptor)
            first.close()
            raise

    monkeypatch.setattr(fcntl, "flock", leave_when_asked)
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == []
    assert len(refused) == 1


def test_the_lock_goes_with_a_killed_owner(tmp_path: Path) -> None:
    with killed_after(1, lambda beat: hold(tmp_path, beat)), Journal.open(tmp_path) as journal:
        assert journal.unjudged() == [b"held"]


def hold(folder: Path, beat: Callable[[], None]) -> None:
    journal = Journal.open(folder)
    journal.begin([b"held"])
    beat()
    reader, _ = os.pipe()
    os.read(reader, 1)


def test_a_failed_opening_gives_the_lock_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("fuzz.store.journal.sync_folder", fail)
    with pytest.raises(StoreError, match="cannot be written: Input/output error"):
        Journal.open(tmp_path)
    monkeypatch.undo()
    Journal.open(tmp_path).close()


def test_a_full_disk_is_one_sentence_and_tears_nothing(tmp_path: Path) -> None:
    def body() -> None:
        journal = Journal.open(tmp_path)
        journal.begin([b"before"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        with pytest.raises(StoreError, match="cannot be written: the limit on file sizes"):
            journal.begin([b"x" * 5000])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        journal.begin([b"after"])
        journal.close()

    assert run(body) == 0
    with Journal.open(tmp_path) as journal:
        assert journal.notes() == ()
        assert journal.unjudged() == [b"before", b"after"]


def test_a_torn_last_record_is_said_and_left_out(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.begin([b"whole"])
        journal.begin([b"torn" * 10])
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with Journal.open(tmp_path) as journal:
        (note,) = journal.notes()
        assert note.startswith(f"{path} ends in a record cut short at byte ")
        assert journal.unjudged() == [b"whole"]
        journal.begin([b"new"])
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == [b"whole", b"new"]


def test_damage_in_the_middle_ends_the_reading_of_that_segment(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        for data in (b"first", b"damaged", b"behind"):
            journal.begin([data])
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"damaged", b"DAMAGED"))
    with Journal.open(tmp_path) as journal:
        (note,) = journal.notes()
        assert "is damaged, and what follows is left out, at byte " in note
        assert journal.unjudged() == [b"first"]


def test_a_file_of_another_version_is_said_and_not_read(tmp_path: Path) -> None:
    (tmp_path / records.name(7)).write_bytes(b"IRISJRNL\x02whatever")
    with Journal.open(tmp_path) as journal:
        assert journal.notes() == (
            f"{tmp_path / records.name(7)} is no journal of this version and is not read",
        )
        assert segments(tmp_path)[-1].name == records.name(8)


def test_a_kill_before_any_change_loses_no_open_case(tmp_path: Path) -> None:
    """Begin, judge and rotate, killed before each single change to the disk."""
    for number in count(1):
        folder = tmp_path / str(number)
        with Journal.open(folder) as journal:
            journal.begin([b"open"])

        def body(folder: Path = folder) -> None:
            with Journal.open(folder, segment_bytes=512) as journal:
                for index in range(8):
                    journal.judged(journal.begin([b"%d" % index * 100]))

        killed = kill_at_call(number, body)
        with Journal.open(folder) as journal:
            assert journal.unjudged()[0] == b"open"
            assert len(journal.unjudged()) <= 2
            assert journal.notes() == ()
        if not killed:
            break
    assert number > 30


def test_fifty_kills_at_random_moments_leave_a_readable_journal(tmp_path: Path) -> None:
    """Each beat follows a ``begin``; whatever was begun by then is open or judged."""
    rng = random.Random(9)

    def forever(beat: Callable[[], None]) -> None:
        journal = Journal.open(tmp_path, segment_bytes=64 * 1024)
        for number in count():
            batch = journal.begin([b"%d-%d-" % (os.getpid(), number) + b"x" * 200] * 3)
            beat()
            if number % 2:
                journal.judged(batch)

    for _ in range(50):
        beats = rng.randrange(1, 60)
        with (
            killed_after(beats, forever),
            Journal.open(tmp_path, segment_bytes=64 * 1024) as journal,
        ):
            # The kernel gives a killed write up between two pages: nothing of it was sent.
            assert all("ends in a record cut short" in note for note in journal.notes())
            assert len(journal.notes()) <= 1
            numbers = [int(case.split(b"-")[1]) for case in journal.unjudged()]
            even = [number for number in numbers if number % 2 == 0]
            assert even[: (beats + 1) // 2] == list(range(0, beats, 2))
            journal.judged(journal.begin(journal.unjudged()))
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == []


def test_an_owner_that_forks_and_exits_keeps_others_out_until_the_child_ends(
    tmp_path: Path,
) -> None:
    journal = Journal.open(tmp_path)
    reader, writer = os.pipe()
    child = fork(lambda: wait_on(reader, writer))
    os.close(reader)
    journal.close()
    with pytest.raises(StoreError, match="in use"):
        Journal.open(tmp_path)
    os.close(writer)
    assert status_of(child) == 0
    Journal.open(tmp_path).close()


def wait_on(reader: int, writer: int) -> None:
    os.close(writer)
    os.read(reader, 1)
