"""From a folder of cases to one report for each bug; a small case; a regression."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuzz.case import encode_case, read_case
from fuzz.generate.seeds import SEEDS
from fuzz.store.sidecar import read_sidecar
from fuzz.watchdog.merge import merge
from tests.cli.support import Run
from tests.planted.triggers import CASES

PLANTED = ("--port", "0", "--plant", "crash_alone")


@pytest.fixture
def crashes(tmp_path: Path) -> Path:
    """Return a folder: one bug twice, a case that is well, and a file that is no case."""
    folder = tmp_path / "crashes"
    folder.mkdir()
    (folder / "payload").write_bytes(b"\x34")
    bloated = merge([SEEDS["op-04-batch-send"], CASES["crash_alone"][1]])
    (folder / "bloated").write_bytes(encode_case(bloated))
    (folder / "well").write_bytes(encode_case(SEEDS["op-05-get-status"]))
    (folder / "broken").write_bytes(b"IRISCASE\x01")
    return folder


def test_each_bug_gets_one_report_with_all_that_is_needed(
    run: Run, crashes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = run("triage", crashes, "--out", out, "--json", *PLANTED)
    assert ran.code == 1
    told = json.loads(ran.out)
    (bug,) = told["bugs"]
    assert sorted(Path(file).name for file in bug["files"]) == ["bloated", "payload"]
    assert [note for note in told["notes"] if "broken" in note]
    assert (bug["kind"], bug["confidence"]) == (
        "process_crash",
        {"shown": 5, "plays": 5, "by_chance": False, "on": "one fresh node for all of them"},
    )
    assert bug["minimised"]["after"] == {"connections": 1, "steps": 2, "frames": 1, "bytes": 9}
    assert bug["segments"] == ["34"]
    assert "opcode 34" in bug["pattern"]["sentence"]
    (folder,) = out.iterdir()
    assert folder.name == f"process_crash-{bug['fingerprint']}"
    assert {path.name for path in folder.iterdir()} == {
        "case",
        "case.json",
        "report.md",
        "report.json",
        "reproduce.py",
    }
    text = (folder / "report.md").read_text()
    for part in ("iris_ref_session:handle/2", "## What the node logged", "What fails", "0: 34"):
        assert part in text
    compile((folder / "reproduce.py").read_text(), "reproduce.py", "exec")
    assert encode_case(read_case(folder / "case")) == (folder / "case").read_bytes()


def test_a_known_issue_is_reported_and_fails_nothing(
    run: Run, crashes: Path, tmp_path: Path
) -> None:
    out, known = tmp_path / "out", tmp_path / "known.toml"
    run("triage", crashes / "payload", "--out", out, *PLANTED)
    (folder,) = out.iterdir()
    fingerprint = folder.name.partition("-")[2]
    issue = f'[[issue]]\nfingerprint = "{fingerprint}"\nreason = "soon"\nexpires = 2999-01-01\n'
    known.write_text(issue)
    ran = run("triage", crashes / "payload", "--out", out, "--known", known, *PLANTED)
    assert ran.code == 0
    assert "known until 2999-01-01: soon" in ran.out
    assert "known until 2999-01-01: soon" in (folder / "report.md").read_text()


def test_tmin_writes_the_smallest_case_and_says_by_how_much(run: Run, crashes: Path) -> None:
    ran = run("tmin", crashes / "bloated", *PLANTED)
    assert ran.code == 0
    assert "1 connection (from " in ran.out
    assert len(read_case(crashes / "bloated.min").steps) == 2
    small = read_sidecar(crashes / "bloated.min")
    assert small is not None
    assert (small.plants, small.steps[1].startswith("connection 0: send")) == (
        ("crash_alone",),
        True,
    )
    again = run("tmin", crashes / "bloated.min", *PLANTED, "--json", "-o", crashes / "again")
    told = json.loads(again.out)
    assert (told["file"], told["fingerprint"]) == (str(crashes / "again"), small.fingerprint)
    assert "--plant crash_alone" in told["replay"]
    (crashes / "again").unlink()
    ran = run("tmin", crashes / "well", *PLANTED)
    assert (ran.code, "shows no finding" in ran.out) == (1, True)
    told = json.loads(run("tmin", crashes / "well", *PLANTED, "--json").out)
    assert (told["file"], "shows no finding" in told["note"]) == (None, True)


def test_promote_copies_what_is_known_and_overwrites_nothing(
    run: Run, crashes: Path, tmp_path: Path
) -> None:
    corpus, to = tmp_path / "corpus", tmp_path / "regressions"
    found = run(
        "fuzz", *PLANTED, "--corpus", corpus, "--seed-corpus", crashes, "--until-finding",
        "--time", "60",
    )  # fmt: skip
    assert found.code == 1
    (saved,) = [p for p in (corpus / "crashes").iterdir() if p.suffix != ".json"]
    sidecar = read_sidecar(saved)
    assert sidecar is not None
    assert "minimised to" in str(sidecar.evidence["minimised"])
    assert "opcode 34" in str(sidecar.evidence["pattern"])
    ran = run("promote", saved, "--to", to, "--name", "reserved-opcode")
    assert ran.code == 0
    assert read_case(to / "reserved-opcode") == read_case(saved)
    promoted = read_sidecar(to / "reserved-opcode")
    assert promoted is not None
    assert promoted.fingerprint == sidecar.fingerprint
    for arguments, words in (
        (("--name", "reserved-opcode"), "is there already"),
        (("--name", "../elsewhere"), "is the name of a file"),
        (("--name", "x.json"), "a replay passes over files that are called like 'x.json'"),
        (("--name", ".hidden"), "a replay passes over files that are called like '.hidden'"),
    ):
        ran = run("promote", saved, "--to", to, *arguments)
        assert (ran.code, words in ran.err) == (2, True)
    ran = run("promote", crashes / "payload", "--to", to)
    assert (ran.code, "has no JSON beside it" in ran.err) == (2, True)
