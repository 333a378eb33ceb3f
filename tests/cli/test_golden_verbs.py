"""Golden cases at the command line: recorded, checked, replayed, and never made smaller."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.case import USER_TOKENS, Case, Step, StepKind, encode_case, read_case
from fuzz.cli.options import SHIPPED_CORPUS
from fuzz.generate.seeds import SEEDS
from fuzz.store.golden import read_expecting, replies_path
from grammar import GetStatus, SendMessage, encode
from grammar.limits import RATE_BURST
from tests.cli.support import Run

A, B = USER_TOKENS[:2]
GOLDEN = SHIPPED_CORPUS / "golden"
OLD_MESSAGE = GOLDEN / "v0-send-message"


def _folder(tmp_path: Path, **cases: Case) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    for name, case in cases.items():
        (folder / name).write_bytes(encode_case(case))
    return folder


def test_the_shipped_ones_are_what_is_recorded(run: Run, tmp_path: Path) -> None:
    ran = run("record", GOLDEN, "--to", tmp_path, "--port", 0)

    assert ran.code == 0, ran.out
    recorded = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert recorded == {path.name: path.read_bytes() for path in GOLDEN.iterdir()}


def test_what_is_recorded_is_a_case_and_its_replies_in_words(run: Run, tmp_path: Path) -> None:
    steps = (
        Step(StepKind.LOGIN, 0, A),
        Step(StepKind.SEND, 0, encode(SendMessage(A, b"hello")) + encode(GetStatus(A))),
    )
    folder = _folder(tmp_path, mine=Case(steps))
    ran = run("record", folder, "--to", tmp_path, "--port", 0, "--json")

    assert ran.code == 0
    assert json.loads(ran.out) == [{"path": str(folder / "mine"), "kept": str(tmp_path / "mine")}]
    assert read_case(tmp_path / "mine") == Case(steps)
    told = json.loads(replies_path(tmp_path / "mine").read_text())
    assert told["name"] == "mine"
    assert told["steps"][0] == 'connection 0: log in as "<user:A>"'
    (heard,) = told["heard"]
    assert (heard["connection"], heard["ending"]) == (0, "closed")
    assert sorted(heard["replies"], key=lambda reply: str(reply["frame"])) == [
        {"frame": "LOGIN_OK"},
        {"frame": "RELIABLE_MSG", "msg_id": "<msgid:1>", "message": "hello"},
        {"frame": "STATUS_RESPONSE", "user": "<user:A>", "state": "1"},
    ]


def test_two_cases_of_one_name_are_not_recorded_to_one_folder(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_bytes(encode_case(SEEDS["op-05-get-status"]))
    ran = run("record", tmp_path / "a", tmp_path / "b", "--to", tmp_path / "kept", "--port", 0)

    assert ran.code == 2
    assert "two of the cases are called mine; record them to a folder each" in ran.sentence()
    assert not (tmp_path / "kept").exists()


def test_what_depends_on_time_or_ends_badly_is_not_kept(run: Run, tmp_path: Path) -> None:
    login = Step(StepKind.LOGIN, 0, A)
    burst = encode(SendMessage(B, b"")) * (RATE_BURST + 50)
    folder = _folder(
        tmp_path,
        limited=Case((login, Step(StepKind.SEND, 0, burst))),
        broken=Case((login, Step(StepKind.SEND, 0, b"\xff"), Step(StepKind.WAIT))),
    )
    ran = run("record", folder, "--to", tmp_path / "kept", "--port", 0)

    assert ran.code == 1
    assert f"{folder / 'broken'} is not kept: the server ends a connection in it" in ran.out
    assert f"{folder / 'limited'} is not kept: " in ran.out
    assert f"0 of 2 kept in {tmp_path / 'kept'}" in ran.out
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_deviation_is_saved_as_a_case_that_replays(run: Run, tmp_path: Path) -> None:
    plant = ("--plant", "deprecated_told", "--port", 0)
    ran = run("check", "golden", "--corpus", tmp_path, "--json", *plant)
    assert ran.code == 1
    (finding,) = json.loads(ran.out)["checks"][0]["findings"]
    assert finding["kind"] == "conformance"
    assert finding["title"].endswith("is not answered as it was: ERROR is added")

    again = run("replay", finding["file"], "--json", *plant)
    (result,) = json.loads(again.out)
    assert (result["verdict"], result["shown"], result["plays"]) == ("FAILED", 3, 3)
    assert [one["fingerprint"] for one in result["findings"]] == [finding["fingerprint"]]

    clean = run("replay", finding["file"], "--json", "--port", 0)
    assert [one["verdict"] for one in json.loads(clean.out)] == ["FIXED"]
    assert clean.code == 0


def test_a_golden_case_replays_as_the_file_that_it_is(run: Run) -> None:
    ran = run("replay", OLD_MESSAGE, "--json", "--plant", "deprecated_told", "--port", 0)

    (result,) = json.loads(ran.out)
    assert result["verdict"] == "FAILED"
    (finding,) = result["findings"]
    assert finding["title"] == (
        "a recorded dialogue, v0-send-message, is not answered as it was: ERROR is added"
    )


def test_a_golden_case_is_made_no_smaller(run: Run, tmp_path: Path) -> None:
    small = tmp_path / "small"
    ran = run("tmin", OLD_MESSAGE, "-o", small, "--plant", "deprecated_told", "--port", 0)

    assert ran.code == 0
    case, sidecar = read_expecting(small)
    assert case == read_case(OLD_MESSAGE)
    assert case.expects == read_expecting(OLD_MESSAGE)[0].expects
    assert sidecar is not None
    assert sidecar.cause.what == "golden"


def test_a_golden_case_without_its_replies_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "alone").write_bytes(encode_case(SEEDS["op-05-get-status"]))

    ran = run("check", "golden", "--corpus", tmp_path, "--port", 0)

    assert ran.code == 2
    assert f"{tmp_path / 'golden' / 'alone'} has no replies beside it" in ran.sentence()


def test_damaged_replies_are_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "golden").mkdir()
    path = tmp_path / "golden" / "case"
    path.write_bytes(encode_case(SEEDS["op-05-get-status"]))
    replies_path(path).write_text('{"heard": 1}')

    ran = run("check", "golden", "--corpus", tmp_path, "--port", 0)

    assert ran.code == 2
    assert f"{replies_path(path)} is damaged: it tells of no connection" in ran.sentence()


def test_what_only_golden_cases_show_is_looked_for_with_them(run: Run) -> None:
    ran = run("planted", "run", "--only", "receipt_id_cut")

    assert ran.code == 0
    assert "1 of 1 found with the right kind" in ran.out
