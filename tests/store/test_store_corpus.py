"""Seeds are read in order and bad ones said; evolved cases are kept within ceilings."""

from __future__ import annotations

import hashlib
import os
import resource
from pathlib import Path

import pytest

from fuzz.case import MAX_FILE_BYTES, Case, Step, StepKind, encode_case
from fuzz.errors import StoreError
from fuzz.store.corpus import EvolvedCorpus, load_seeds
from tests.store.support import case_of, run


def test_seeds_are_read_in_order_from_all_folders(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (two / "a").write_bytes(case_of(b"a"))
    (one / "c").write_bytes(b"raw payload")
    (one / "b").write_bytes(case_of(b"b"))
    loaded = load_seeds([two, one, two])
    assert loaded.seeds == (
        (one / "b", case_of(b"b")),
        (one / "c", b"raw payload"),
        (two / "a", case_of(b"a")),
    )
    assert loaded.problems == ()


def test_what_is_no_case_is_passed_over_or_said(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(case_of(b"x"))
    (tmp_path / "good.json").write_bytes(b"{}")
    (tmp_path / "README.md").write_bytes(b"# Seeds")
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut").write_bytes(case_of(b"x")[:-1])
    (tmp_path / "empty").write_bytes(b"")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    loaded = load_seeds([tmp_path])
    assert [path.name for path, _ in loaded.seeds] == ["good"]
    cut, empty, huge = loaded.problems
    assert cut == f"{tmp_path / 'cut'}: the case is damaged or cut short (StreamError)"
    assert empty.startswith(f"{tmp_path / 'empty'}: the case is empty")
    assert huge.startswith(f"{tmp_path / 'huge'}: the case is {MAX_FILE_BYTES + 1} bytes")


def test_a_case_that_restarts_the_server_is_no_seed(tmp_path: Path) -> None:
    case = Case((Step(StepKind.LOGIN, 0, b"a"), Step(StepKind.RESTART)))
    (tmp_path / "restart").write_bytes(encode_case(case))
    loaded = load_seeds([tmp_path])
    assert loaded.seeds == ()
    (problem,) = loaded.problems
    assert problem.endswith("restart: it restarts the server, which a campaign never does")


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere is no folder"):
        load_seeds([tmp_path / "nowhere"])


def test_evolved_cases_are_kept_once_under_their_hash(tmp_path: Path) -> None:
    folder = tmp_path / "evolved"
    corpus = EvolvedCorpus(folder)
    path = corpus.add(b"case")
    assert path == folder / hashlib.sha1(b"case").hexdigest()
    assert path.read_bytes() == b"case"
    assert corpus.add(b"case") is None
    reopened = EvolvedCorpus(folder)
    assert reopened.add(b"case") is None
    assert reopened.add(b"other") is not None
    assert len(reopened) == 2
    assert not reopened.full
    assert sorted(data for _, data in load_seeds([folder]).seeds) == [b"case", b"other"]


def test_a_shorter_case_takes_the_place_of_another_though_all_is_full(tmp_path: Path) -> None:
    evolved, other = EvolvedCorpus(tmp_path, 1), EvolvedCorpus(tmp_path, 1)
    evolved.add(b"a long case")
    other.take_in(b"a long case")
    evolved.replace(b"a long case", b"a case")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a case"]
    evolved.replace(b"a long case", b"a")  # which is not there any more
    other.take_in(b"a case", b"a long case")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a case"]
    assert (len(evolved), len(other)) == (1, 1)


def test_the_ceilings_hold_over_restarts(tmp_path: Path) -> None:
    by_count = EvolvedCorpus(tmp_path / "count", max_entries=2)
    assert [by_count.add(data) is not None for data in (b"a", b"b", b"c")] == [True, True, False]
    assert by_count.full
    assert EvolvedCorpus(tmp_path / "count", max_entries=2).add(b"c") is None
    by_size = EvolvedCorpus(tmp_path / "size", max_total_bytes=10)
    assert by_size.add(b"12345678") is not None
    reopened = EvolvedCorpus(tmp_path / "size", max_total_bytes=10)
    assert reopened.add(b"abc") is None
    assert reopened.full
    assert reopened.add(b"ab") is not None


def test_a_full_disk_is_one_sentence_and_leaves_no_half(tmp_path: Path) -> None:
    def body() -> None:
        corpus = EvolvedCorpus(tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(StoreError, match="cannot be written: the limit on file sizes"):
            corpus.add(b"x" * 5000)

    assert run(body) == 0
    assert os.listdir(tmp_path) == []
