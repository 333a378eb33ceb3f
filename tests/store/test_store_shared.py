"""Several workers share one folder of findings, and leave journals to one another."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fuzz.clock import Deadline, FakeClock
from fuzz.errors import StoreError
from fuzz.finding import Kind
from fuzz.store import locks
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.journal import Journal, journal_of, left_behind
from fuzz.store.sidecar import read_sidecar
from tests.store.support import case_of, finding_of, fork, status_of

CONTEXT = Context("reference", "25")
CRASH = finding_of("crash")


def pair(folder: Path) -> tuple[CrashStore, CrashStore]:
    """Return the store as two workers have it, both opened before anything is in it."""
    one, other = (CrashStore(folder / "crashes", turns=folder / "turns") for _ in range(2))
    return one, other


def hits(store: CrashStore) -> int:
    sidecar = read_sidecar(store.known()[CRASH.fingerprint].path)
    assert sidecar is not None
    return sidecar.hits


def test_what_one_worker_has_saved_is_not_new_to_the_other(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    first = one.save(case_of(b"one"), CRASH, CONTEXT)
    again = other.save(case_of(b"other"), CRASH, CONTEXT)
    assert (first.new, again.new, again.path, again.hits) == (True, False, first.path, 2)
    assert len(list((tmp_path / "crashes").iterdir())) == 2


def test_what_one_worker_has_saved_is_known_to_the_other(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    saved = one.save(case_of(b"one"), CRASH, CONTEXT)
    assert other.known()[CRASH.fingerprint].path == saved.path
    assert other.count(CRASH).hits == 2


def test_the_hits_of_all_workers_add_up(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    one.save(case_of(b"one"), CRASH, CONTEXT)
    for store, times in ((one, 3), (other, 4)):
        store.count(CRASH, times)
    one.flush()
    other.flush()
    one.flush()
    assert hits(one) == 8


def test_hits_that_are_counted_survive_a_better_case_of_another_worker(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    one.save(case_of(b"long"), CRASH, CONTEXT)
    one.count(CRASH, 3)
    better = other.improve(case_of(b"s"), CRASH, CONTEXT)
    assert one.known()[CRASH.fingerprint].path == better.path
    one.flush()
    assert hits(other) == 4
    assert len(list((tmp_path / "crashes").iterdir())) == 2


def test_a_lesser_case_does_not_take_the_place_of_a_worse_one_of_another(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    one.save(case_of(b"one"), CRASH, CONTEXT)
    worse = other.save(case_of(b"worse"), finding_of("crash", Kind.NODE_DOWN), CONTEXT)
    assert one.improve(case_of(b"s"), CRASH, CONTEXT).path == worse.path


def test_workers_that_save_at_once_save_each_defect_once(tmp_path: Path) -> None:
    defects = ("crash", "hang", "leak", "loop")

    def save(name: bytes) -> None:
        store = CrashStore(tmp_path / "crashes", turns=tmp_path / "turns")
        new = [store.save(case_of(name), finding_of(what), CONTEXT).new for what in defects]
        store.flush()
        (tmp_path / f"new-{os.getpid()}").write_text(str(sum(new)))

    pids = [fork(lambda name=name: save(name)) for name in (b"a", b"b", b"c")]  # type: ignore[misc]
    assert [status_of(pid) for pid in pids] == [0, 0, 0]
    assert sum(int(path.read_text()) for path in tmp_path.glob("new-*")) == len(defects)
    store = CrashStore(tmp_path / "crashes")
    assert (store.problems(), len(store.known())) == ((), len(defects))
    assert hits(store) == 3


def test_a_turn_that_never_comes_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_TURN_SECONDS", 0.0)
    threads = threading.active_count()  # other tests' may be among them
    with (
        locks.turn(tmp_path / "turns"),
        pytest.raises(StoreError, match="for the other workers to finish writing"),
        locks.turn(tmp_path / "turns"),
    ):
        pass
    with locks.turn(tmp_path / "turns"):
        assert threading.active_count() == threads


def test_a_lock_in_a_folder_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: its folder is gone"):
        locks.take(tmp_path / "none" / "turns", Deadline.after(FakeClock(), 0, "a lock"))


def test_an_entry_that_another_worker_has_written_is_not_written_again(tmp_path: Path) -> None:
    one, other = EvolvedCorpus(tmp_path), EvolvedCorpus(tmp_path)
    assert one.add(b"case") is not None
    assert other.add(b"case") is None
    assert (len(other), other.full) == (1, False)


def test_the_ceiling_of_the_corpus_is_one_for_all_workers(tmp_path: Path) -> None:
    one, other = (EvolvedCorpus(tmp_path, max_entries=2) for _ in range(2))
    for case in (b"a", b"b"):
        assert one.add(case) is not None
        other.take_in(case)
        other.take_in(case)
    assert other.add(b"c") is None
    assert (len(other), other.full) == (2, True)


def test_each_worker_has_a_journal_of_its_own(tmp_path: Path) -> None:
    folders = [journal_of(tmp_path, number) for number in range(3)]
    assert [path.name for path in folders[1:]] == ["worker-2", "worker-3"]
    with Journal.open(folders[0]), Journal.open(folders[1]), Journal.open(folders[2]):
        assert left_behind(tmp_path, 3) == []
        assert left_behind(tmp_path, 1) == folders[1:]


def test_what_a_worker_has_left_that_is_no_more_is_taken_over(tmp_path: Path) -> None:
    gone = journal_of(tmp_path, 1)
    with Journal.open(gone) as journal:
        journal.judged(journal.begin([b"judged"]), 1)
        journal.begin([b"one", b"two"])
    with Journal.open(tmp_path) as journal:
        journal.judged(journal.begin([b"judged", b"too"]), 2)
        journal.begin([b"own"])
    with Journal.open(tmp_path) as journal:
        journal.take_over(gone)
        assert journal.judged_cases == 3
        assert journal.unjudged() == [b"own", b"one", b"two"]
        assert not gone.exists()
    with Journal.open(tmp_path) as journal:
        assert journal.unjudged() == [b"own", b"one", b"two"]
        assert journal.judged_cases == 3
        journal.judged(journal.begin([b"two", b"own", b"one"]))
        assert journal.unjudged() == []


def test_a_journal_with_nothing_unjudged_is_removed(tmp_path: Path) -> None:
    gone = journal_of(tmp_path, 1)
    Journal.open(gone).close()
    with Journal.open(tmp_path) as journal:
        journal.take_over(gone)
        assert journal.unjudged() == []
    assert left_behind(tmp_path, 1) == []
