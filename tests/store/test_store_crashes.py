"""One pair of files for each fingerprint, complete or recoverable at every instant."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from fuzz.case import decode_case
from fuzz.errors import HarnessFault, StoreError
from fuzz.finding import Finding, Kind
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.sidecar import read_sidecar, sidecar_path
from tests.store.support import case_of, finding_of, kill_at_call, killed_after

NOON = datetime(2026, 2, 1, 13, 0, 0, tzinfo=timezone(timedelta(hours=1)))
CONTEXT = Context("reference", "25", ("hang",), ("--plant", "hang"))
CASE = case_of(b"\x05\x00\x08<user:A>")


def store(folder: Path) -> CrashStore:
    return CrashStore(folder, now=lambda: NOON)


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_finding_is_a_case_and_a_json(tmp_path: Path) -> None:
    saved = store(tmp_path).save(CASE, finding_of("crash", slogan=b"\xff", pids=(1, 2)), CONTEXT)
    name = f"crash-{hashlib.sha1(CASE).hexdigest()}"
    assert saved.path == tmp_path / name
    assert (saved.new, saved.hits, saved.kind) == (True, 1, Kind.PROCESS_CRASH)
    assert files(tmp_path) == [name, f"{name}.json"]
    assert saved.path.read_bytes() == CASE
    assert json.loads(sidecar_path(saved.path).read_text()) == {
        "schema": 1,
        "case": name,
        "severity": "medium",
        "kind": "process_crash",
        "title": "crash happened",
        "fingerprint": finding_of("crash").fingerprint,
        "cause": {
            "what": "crash",
            "reason": "{badmatch,<binary>}",
            "origin": "iris_conn",
            "frames": ["iris_conn:handle/3"],
        },
        "evidence": {"slogan": "\\xff", "pids": [1, 2]},
        "steps": [
            'connection 0: log in as "<user:A>"',
            'connection 0: send 11 bytes: GET_STATUS(user="<user:A>")',
        ],
        "target": {
            "name": "reference",
            "otp": "25",
            "plants": ["hang"],
            "transport": "tcp",
        },
        "replay": f"iris-fuzz replay {tmp_path / name} --plant hang",
        "first_seen": "2026-02-01T12:00:00+00:00",
        "hits": 1,
    }


def test_the_same_fingerprint_is_counted_and_not_stored_again(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    first = crashes.save(CASE, finding_of("crash"), CONTEXT)
    again = crashes.save(case_of(b"other"), finding_of("crash", Kind.HANG), CONTEXT)
    counted = crashes.count(finding_of("crash"))
    assert (again.new, again.hits, again.path, again.kind) == (False, 2, first.path, first.kind)
    assert counted.hits == 3
    assert len(files(tmp_path)) == 2
    crashes.flush()
    sidecar = read_sidecar(first.path)
    assert sidecar is not None
    assert (sidecar.hits, sidecar.kind) == (3, Kind.PROCESS_CRASH)


def test_counting_what_was_never_saved_is_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="before it was saved"):
        store(tmp_path).count(finding_of("crash"))


def test_a_worse_play_takes_the_place_of_the_first(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    crashes.save(CASE, finding_of("crash"), CONTEXT)
    worse = finding_of("crash", Kind.NODE_DOWN, slogan="out of memory")
    later = CrashStore(tmp_path, now=lambda: NOON + timedelta(days=1))
    saved = later.save(case_of(b"worse"), worse, CONTEXT)
    assert (saved.new, saved.hits, saved.kind) == (False, 2, Kind.NODE_DOWN)
    assert files(tmp_path) == [saved.path.name, f"{saved.path.name}.json"]
    assert saved.path.read_bytes() == case_of(b"worse")
    sidecar = read_sidecar(saved.path)
    assert sidecar is not None
    assert sidecar.kind is Kind.NODE_DOWN
    assert sidecar.evidence == {"slogan": "out of memory"}
    assert sidecar.first_seen == "2026-02-01T12:00:00+00:00"
    assert sidecar.hits == 2


def test_a_worse_play_of_the_same_case_keeps_its_name(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    first = crashes.save(CASE, finding_of("crash"), CONTEXT)
    again = crashes.save(CASE, finding_of("crash", Kind.APP_DOWN), CONTEXT)
    assert again.path == first.path
    assert len(files(tmp_path)) == 2
    assert store(tmp_path).known()[finding_of("crash").fingerprint].kind is Kind.APP_DOWN


def test_one_case_that_shows_two_defects_is_kept_for_both(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    paths = {crashes.save(CASE, finding_of(what), CONTEXT).path for what in ("one", "two")}
    assert len(paths) == 2
    assert all(path.read_bytes() == CASE for path in paths)
    known = store(tmp_path).known()
    assert {known[finding_of(what).fingerprint].path for what in ("one", "two")} == paths


def test_what_is_known_survives_a_restart(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    crashes.save(CASE, finding_of("crash"), CONTEXT)
    crashes.save(CASE, finding_of("crash"), CONTEXT)
    crashes.flush()
    reopened = store(tmp_path)
    assert reopened.problems() == ()
    saved = reopened.save(CASE, finding_of("crash"), CONTEXT)
    assert (saved.new, saved.hits) == (False, 3)


def test_bytes_that_are_no_case_are_kept_all_the_same(tmp_path: Path) -> None:
    saved = store(tmp_path).save(b"IRISCASE\x09", finding_of("crash"), CONTEXT)
    sidecar = read_sidecar(saved.path)
    assert sidecar is not None
    assert sidecar.steps == ("the case has format version 9; this harness reads 1",)


def test_a_case_without_json_is_said_and_completed(tmp_path: Path) -> None:
    path = tmp_path / f"crash-{hashlib.sha1(CASE).hexdigest()}"
    path.write_bytes(CASE[:10])
    crashes = store(tmp_path)
    (problem,) = crashes.problems()
    assert problem.startswith(f"{path} has no JSON beside it")
    assert crashes.save(CASE, finding_of("crash"), CONTEXT).path == path
    assert path.read_bytes() == CASE
    assert store(tmp_path).problems() == ()


def test_a_corrupt_json_is_said_and_left_alone(tmp_path: Path) -> None:
    saved = store(tmp_path).save(CASE, finding_of("crash"), CONTEXT)
    broken = sidecar_path(saved.path)
    broken.write_bytes(b'{"schema": 1')
    crashes = store(tmp_path)
    (problem,) = crashes.problems()
    assert problem.startswith(f"{broken} is damaged: it is not JSON")
    assert crashes.known() == {}
    again = crashes.save(CASE, finding_of("crash"), CONTEXT)
    assert again.new
    assert again.path != saved.path
    assert broken.read_bytes() == b'{"schema": 1'


def test_a_json_without_case_is_said_and_not_known(tmp_path: Path) -> None:
    saved = store(tmp_path).save(CASE, finding_of("crash"), CONTEXT)
    saved.path.unlink()
    crashes = store(tmp_path)
    (problem,) = crashes.problems()
    assert "has no case beside it" in problem
    assert crashes.known() == {}


def test_a_pair_that_was_moved_away_is_not_brought_back(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    saved = crashes.save(CASE, finding_of("crash"), CONTEXT)
    crashes.count(finding_of("crash"))
    saved.path.unlink()
    sidecar_path(saved.path).unlink()
    crashes.flush()
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "crashes").write_bytes(b"")
    with pytest.raises(StoreError, match="crashes cannot be used as a folder"):
        store(tmp_path / "crashes")


def test_evidence_that_json_has_no_form_for_is_kept_as_text(tmp_path: Path) -> None:
    deep: object = "bottom"
    for _ in range(2000):
        deep = [deep]
    finding = finding_of("crash", nan=float("nan"), huge=1 << 70_000, deep=deep, raw="\udcff")
    saved = store(tmp_path).save(CASE, finding, CONTEXT)
    sidecar = read_sidecar(saved.path)
    assert sidecar is not None
    assert sidecar.evidence["nan"] == "nan"
    assert sidecar.evidence["huge"] == hex(1 << 70_000)
    assert sidecar.evidence["raw"] == "\udcff"


def saving(folder: Path, findings: list[tuple[bytes, Finding]]) -> Callable[[], None]:
    def body() -> None:
        crashes = store(folder)
        for case, finding in findings:
            crashes.save(case, finding, CONTEXT)
        crashes.flush()

    return body


def test_a_kill_before_any_change_leaves_no_half_and_loses_nothing(tmp_path: Path) -> None:
    """Save, then worsen: killed before each single change to the disk, then done again."""
    plays = [(CASE, finding_of("crash")), (case_of(b"x"), finding_of("crash", Kind.NODE_DOWN))]
    fingerprint = finding_of("crash").fingerprint
    for number in count(1):
        folder = tmp_path / str(number)
        killed = kill_at_call(number, saving(folder, plays))
        if killed and folder.exists():
            check_pairs(folder)
        saving(folder, plays)()
        known = store(folder).known()
        assert list(known) == [fingerprint]
        assert known[fingerprint].kind is Kind.NODE_DOWN
        assert known[fingerprint].path.read_bytes() == case_of(b"x")
        assert not [name for name in files(folder) if name.endswith(".tmp")]
        if not killed:
            break
    assert number > 20


def check_pairs(folder: Path) -> None:
    for path in folder.glob("crash-*"):
        if path.suffix == ".json":
            assert read_sidecar(path.with_suffix("")) is not None
        else:
            decode_case(path.read_bytes())
            assert path.name == f"crash-{hashlib.sha1(path.read_bytes()).hexdigest()}"


def test_fifty_kills_at_random_moments_lose_no_finding(tmp_path: Path) -> None:
    rng = random.Random(4)

    def forever(beat: Callable[[], None], start: int) -> None:
        crashes = store(tmp_path)
        for number in count(start):
            letters = "".join(chr(97 + int(digit)) for digit in str(number))
            crashes.save(case_of(letters.encode()), finding_of(letters), CONTEXT)
            beat()

    beaten = 0
    for _ in range(50):
        beats = rng.randrange(1, 6)
        with killed_after(beats, partial(forever, start=beaten)):
            beaten += beats
            check_pairs(tmp_path)
            assert len(store(tmp_path).known()) >= beaten
    assert not [name for name in files(tmp_path) if name.endswith(".tmp")]


def test_the_clock_is_that_of_the_machine(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    saved = CrashStore(tmp_path).save(CASE, finding_of("crash"), CONTEXT)
    sidecar = read_sidecar(saved.path)
    assert sidecar is not None
    assert before <= datetime.fromisoformat(sidecar.first_seen) <= datetime.now(UTC)


def test_a_better_case_takes_the_place_of_the_first(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    first = crashes.save(CASE, finding_of("crash"), CONTEXT)
    again = crashes.improve(case_of(b"surely"), finding_of("crash"), CONTEXT)
    assert (again.new, again.hits) == (False, 1), "it is no hit"
    assert again.path.read_bytes() == case_of(b"surely")
    assert not first.path.exists()


def test_a_case_of_a_lesser_kind_is_not_better(tmp_path: Path) -> None:
    crashes = store(tmp_path)
    first = crashes.save(CASE, finding_of("crash", Kind.NODE_DOWN), CONTEXT)
    again = crashes.improve(case_of(b"mild"), finding_of("crash"), CONTEXT)
    assert again.path == first.path
    assert first.path.read_bytes() == CASE


def test_what_was_never_saved_cannot_be_improved(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="before it was saved"):
        store(tmp_path).improve(CASE, finding_of("crash"), CONTEXT)


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_found_after_the_folder_was_removed_is_kept(shared: bool, tmp_path: Path) -> None:
    folder = tmp_path / "corpus" / "crashes"
    crashes = CrashStore(folder, now=lambda: NOON, turns=tmp_path / "turns" if shared else None)
    crashes.save(CASE, finding_of("crash"), CONTEXT)
    shutil.rmtree(folder.parent)
    saved = crashes.save(case_of(b"x"), finding_of("hang"), CONTEXT)
    crashes.count(finding_of("crash"))
    crashes.flush()
    assert saved.path.read_bytes() == case_of(b"x")
    assert files(folder) == [saved.path.name, f"{saved.path.name}.json"]
