"""The matrix of opcodes by state, read off cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.report.html import matrix as module
from fuzz.report.html.folder import case_files
from fuzz.report.html.matrix import MatrixMaker, sent_by
from fuzz.report.html.model import Cell, Matrix
from grammar import ClientOpcode, GetStatus, Login, SendMessage, State, encode
from tests.report.html.stand_ins import case_of, keep

STATUS = encode(GetStatus(b"<user:A>"))
MESSAGE = encode(SendMessage(b"<user:A>", b"hi"))


def cells(matrix: Matrix, name: str) -> dict[str, Cell]:
    row = next(row for row in matrix.rows if row.name == name)
    return dict(zip(matrix.states, row.cells, strict=True))


def made(folder: Path, *cases: Case) -> Matrix:
    keep(folder, *cases)
    return MatrixMaker().matrix({"evolved": case_files(folder / "evolved")})


def test_frames_are_counted_in_the_state_in_which_they_are_sent() -> None:
    steps = (
        Step(StepKind.SEND, 0, STATUS),
        Step(StepKind.LOGIN, 0, b"<user:A>"),
        Step(StepKind.LOGIN, 0, b"<user:A>"),
        Step(StepKind.SEND, 0, STATUS + MESSAGE + MESSAGE),
        Step(StepKind.HALF_CLOSE, 0),
        Step(StepKind.SEND, 0, STATUS),
    )
    assert dict(sent_by(Case(steps))) == {
        (ClientOpcode.GET_STATUS, State.CONNECTED): 1,
        (ClientOpcode.LOGIN, State.CONNECTED): 1,
        (ClientOpcode.LOGIN, State.LOGGED_IN): 1,
        (ClientOpcode.GET_STATUS, State.LOGGED_IN): 1,
        (ClientOpcode.SEND_MESSAGE, State.LOGGED_IN): 2,
        (ClientOpcode.GET_STATUS, State.CLOSED): 1,
    }


def test_a_login_in_the_bytes_of_a_case_counts_and_logs_in() -> None:
    login = Step(StepKind.SEND, 0, encode(Login(b"ann")))
    sent = sent_by(Case((login, Step(StepKind.SEND, 0, MESSAGE))))
    assert sent[ClientOpcode.LOGIN, State.CONNECTED] == 1
    assert sent[ClientOpcode.SEND_MESSAGE, State.LOGGED_IN] == 1


def test_a_frame_that_tcp_cuts_is_one_frame() -> None:
    halves = (Step(StepKind.SEND, 0, STATUS[:4]), Step(StepKind.SEND, 0, STATUS[4:]))
    assert dict(sent_by(Case(halves))) == {(ClientOpcode.GET_STATUS, State.CONNECTED): 1}


def test_a_restart_closes_all_connections() -> None:
    steps = (Step(StepKind.LOGIN, 0, b"a"), Step(StepKind.RESTART), Step(StepKind.SEND, 0, STATUS))
    assert sent_by(Case(steps))[ClientOpcode.GET_STATUS, State.CLOSED] == 1


def test_cases_and_frames_are_told_apart_and_gaps_are_named(tmp_path: Path) -> None:
    matrix = made(
        tmp_path, case_of(MESSAGE + MESSAGE), case_of(MESSAGE), case_of(b"\x06\0", b"\xee")
    )
    assert matrix.cases == 3
    assert cells(matrix, "SEND_MESSAGE")["logged in"] == Cell(3, 2, True, 5)
    assert cells(matrix, "SEND_MESSAGE")["connected"] == Cell(0, 0, False, 0)
    assert cells(matrix, "the server's own opcodes")["logged in"].cases == 1
    assert "ACK while logged in" in matrix.gaps
    assert "SEND_MESSAGE while logged in" not in matrix.gaps


def test_what_is_no_case_is_told_and_not_counted(tmp_path: Path) -> None:
    keep(tmp_path, case_of(MESSAGE))
    (tmp_path / "evolved" / "broken").write_bytes(encode_case(case_of(MESSAGE))[:-1])
    matrix = MatrixMaker().matrix({"evolved": case_files(tmp_path / "evolved")})
    assert matrix.cases == 1
    assert matrix.cut == ("1 files are no cases, or cannot be read, and are not counted",)


def test_more_cases_than_are_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CASES", 3)
    matrix = made(tmp_path, *(case_of(MESSAGE),) * 5)
    assert (matrix.cases, matrix.cut) == (3, ("only 3 cases were read; 2 more were not",))


def test_a_case_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    keep(tmp_path, case_of(MESSAGE))
    maker = MatrixMaker()
    files = case_files(tmp_path / "evolved")
    first = maker.matrix({"evolved": files})
    files[0].path.unlink()
    assert maker.matrix({"evolved": files}) == first
    assert maker.matrix({"evolved": ()}).cases == 0


def test_without_a_case_nothing_is_a_gap() -> None:
    matrix = MatrixMaker().matrix({})
    assert (matrix.cases, matrix.gaps) == (0, ())
