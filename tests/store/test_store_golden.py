"""Golden cases on disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.errors import CaseFileError, StoreError
from fuzz.finding import Cause, Finding, Kind
from fuzz.replies import Expectation, Heard, Reply
from fuzz.store.crashes import Context, describe, write_pair
from fuzz.store.golden import read_expecting, replies_path, write_golden

CASE = Case((Step(StepKind.LOGIN, 0, b"<user:A>"), Step(StepKind.WAIT)))
REPLIES = (Reply("LOGIN_OK"), Reply("RELIABLE_MSG", (("message", 'say "hi" \\x00'),)))
EXPECTED = Expectation("mine", (Heard(0, REPLIES), Heard(1, (), "dropped")))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_golden(tmp_path / "mine", CASE, EXPECTED)

    case, sidecar = read_expecting(tmp_path / "mine")

    assert (case, case.expects, sidecar) == (CASE, EXPECTED, None)


def test_each_reply_has_a_line_of_its_own(tmp_path: Path) -> None:
    write_golden(tmp_path / "mine", CASE, EXPECTED)

    lines = replies_path(tmp_path / "mine").read_text().splitlines()

    assert '      {"frame": "LOGIN_OK"},' in lines
    assert json.loads("".join(lines))["steps"] == [
        'connection 0: log in as "<user:A>"',
        "connection 0: wait for a reply",
    ]


def test_a_case_without_replies_expects_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(encode_case(CASE))

    assert read_expecting(tmp_path / "mine")[0].expects is None


def _saved(folder: Path, evidence: object) -> Path:
    path, data = folder / "crash", encode_case(CASE)
    finding = Finding(Kind.CONFORMANCE, "", Cause("golden"), {"golden": evidence})
    context = Context("embedded", "25")
    write_pair(path, data, describe(path, data, finding, context, datetime.now(UTC)))
    return path


def test_a_saved_finding_has_the_expectation_in_its_evidence(tmp_path: Path) -> None:
    case, sidecar = read_expecting(_saved(tmp_path, EXPECTED.told()))

    assert case.expects == EXPECTED
    assert sidecar is not None


def test_evidence_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = _saved(tmp_path, {"name": "mine"})

    with pytest.raises(StoreError, match=f"the JSON beside {path} is damaged: it tells of no"):
        read_expecting(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", '{"name": "x", "heard": [1]}'])
def test_replies_that_are_damaged_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine"
    path.write_bytes(encode_case(CASE))
    replies_path(path).write_text(text)

    with pytest.raises(CaseFileError, match=f"{replies_path(path)} is damaged"):
        read_expecting(path)


def test_replies_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_bytes(encode_case(CASE))
    replies_path(path).mkdir()

    with pytest.raises(CaseFileError, match=f"{replies_path(path)} cannot be read"):
        read_expecting(path)
