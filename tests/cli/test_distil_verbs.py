"""``cmin`` and ``merge`` at the command line, on an embedded target."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.case import USER_TOKENS, Case, Step, StepKind, encode_case
from fuzz.cli.options import SHIPPED_CORPUS
from fuzz.generate.seeds import SEEDS
from grammar import TypingStart, encode
from tests.cli.support import Run

STATUS, TYPING = SEEDS["op-05-get-status"], SEEDS["op-70-typing-start"]
LOGIN = Step(StepKind.LOGIN, 0, USER_TOKENS[0])
#: What ``--plant crash_cascades`` crashes at.
HARM = Case((LOGIN, Step(StepKind.SEND, 0, encode(TypingStart(b"")))))


def _folder(path: Path, **cases: Case) -> Path:
    path.mkdir()
    for name, one in cases.items():
        (path / name).write_bytes(encode_case(one))
    return path


def test_a_small_corpus_reaches_what_the_large_one_does(run: Run, tmp_path: Path) -> None:
    longer = Case((*STATUS.steps, *[Step(StepKind.WAIT)] * 3))
    many = _folder(tmp_path / "many", a=STATUS, b=TYPING, c=longer, d=STATUS)
    (many / "cut").write_bytes(encode_case(STATUS)[:-1])
    (many / "harm").write_bytes(encode_case(HARM))
    small = tmp_path / "small"
    plant = ("--plant", "crash_cascades", "--port", 0)

    ran = run("cmin", many, "--out", small, "--json", *plant)

    assert ran.code == 1, ran.err
    told = json.loads(ran.out)
    assert (told["by"], told["played"], told["alike"]) == ("coverage", 4, 1)
    assert [one["file"] for one in told["harmful"]] == [str(many / "harm")]
    assert told["harmful"][0]["why"].startswith("listener_restart ")
    assert [line.partition(":")[0] for line in told["not_read"]] == [str(many / "cut")]
    kept = {Path(one["from"]).name for one in told["kept"]}
    assert kept == {"a", "b"}
    assert len(list(small.iterdir())) == len(told["kept"])

    again = run("merge", small, many, *plant)
    assert again.code == 1
    assert f"{many / 'harm'} is left out, for it does harm: listener_restart " in again.out
    assert f"0 cases of 0 bytes are added to {small}" in again.out


def test_bad_folders_are_told_before_a_target_starts(run: Run, tmp_path: Path) -> None:
    taken = _folder(tmp_path / "taken", a=STATUS)
    missing = tmp_path / "missing"

    ran = run("cmin", taken, "--out", taken)
    assert (ran.code, "holds files already" in ran.sentence()) == (2, True)
    ran = run("cmin", missing, "--out", tmp_path / "new")
    assert (ran.code, "missing is no folder" in ran.sentence()) == (2, True)
    assert not (tmp_path / "new").exists()
    ran = run("merge", taken, missing)
    assert (ran.code, "missing is no folder" in ran.sentence()) == (2, True)


def test_the_shipped_seeds_are_cases(run: Run, tmp_path: Path) -> None:
    ran = run("merge", tmp_path / "new", SHIPPED_CORPUS / "golden", "--plays", 1, "--port", 0)
    assert ran.code == 0, ran.out
    assert "cases of" in ran.out
    assert (tmp_path / "new").is_dir()
