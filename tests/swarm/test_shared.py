"""The shared corpus, in a folder and at a URL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from fuzz.errors import StoreError
from fuzz.finding import Kind
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.crashes import Context, CrashStore
from fuzz.swarm.shared import Shared
from tests.swarm.campaign_stand_in import FOUND, case

CONTEXT = Context("stand-in", "27", switches=("--plant", "x"))


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "shared")
    place = f"memory://{tmp_path.name}"
    assert not fsspec.filesystem("memory").exists(place)
    return place


def corpus(folder: Path, *cases: bytes) -> Path:
    evolved = EvolvedCorpus(folder / "evolved")
    for one in cases:
        evolved.add(one)
    CrashStore(folder / "crashes")
    return folder


def test_what_one_has_pushed_another_pulls(url: str, tmp_path: Path) -> None:
    ours = corpus(tmp_path / "ours", case(1), case(2))
    theirs = corpus(tmp_path / "theirs", case(2), case(3))
    assert Shared(url).push(ours) == 2
    assert Shared(url).push(theirs) == 1
    assert Shared(url).push(theirs) == 0

    Shared(url).pull(ours)

    assert {path.read_bytes() for path in (ours / "evolved").iterdir()} == {
        case(1), case(2), case(3),
    }  # fmt: skip


def test_a_finding_is_promoted_once_with_its_best_case(url: str, tmp_path: Path) -> None:
    other = replace(FOUND, cause=replace(FOUND.cause, origin="b"))
    less = replace(FOUND, kind=Kind.HANG)
    for name, size, seen in (("one", 9, FOUND), ("two", 3, FOUND), ("three", 2, less)):
        CrashStore(corpus(tmp_path / name) / "crashes").save(case(size), seen, CONTEXT)
    CrashStore(tmp_path / "one" / "crashes").save(case(8), other, CONTEXT)
    shared = Shared(url)
    for name in ("one", "two", "three"):
        shared.push(tmp_path / name)

    (first,) = shared.promote([FOUND.fingerprint])
    assert "send 3 bytes" in first[1].steps[0]
    assert first[1].replay == f"iris-fuzz replay {first[0]} --plant x"
    assert [sidecar.fingerprint for _, sidecar in shared.promote()] == [other.fingerprint]
    assert shared.promote() == []

    pulled = corpus(tmp_path / "new")
    shared.pull(pulled)
    known = CrashStore(pulled / "crashes").known()
    assert set(known) == {FOUND.fingerprint, other.fingerprint}
    assert known[FOUND.fingerprint].path.read_bytes() == case(3)
    # What is known is not found again by who has pulled it.
    before = shared.names("found")
    shared.push(pulled)
    assert shared.names("found") == before


def test_what_is_being_written_is_not_read(tmp_path: Path) -> None:
    shared = Shared(str(tmp_path))
    (tmp_path / "evolved" / ".0123.tmp").write_bytes(b"half")
    assert shared.names("evolved") == set()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nonsense://x/y", "Protocol not known"),
        ("/dev/null/x", "Not a directory"),
    ],
)
def test_a_place_that_cannot_be_had_is_one_sentence(place: str, why: str) -> None:
    with pytest.raises(StoreError, match=why) as told:
        Shared(place)
    assert "\n" not in str(told.value)


def test_damage_is_named(tmp_path: Path) -> None:
    shared = Shared(str(tmp_path))
    (tmp_path / "found" / "crash-x").write_bytes(b"x")
    (tmp_path / "found" / "crash-x.json").write_text("{")
    with pytest.raises(StoreError, match=r"found/crash-x\.json is"):
        shared.promote()
