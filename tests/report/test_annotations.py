"""Commands for GitHub: one line each, beside the line of the source or the case."""

from __future__ import annotations

from pathlib import Path

from fuzz.report.annotations import annotated
from tests.report.outcome_support import CRASH, HANG, outcome_of, played


def test_what_is_new_is_an_error_and_what_is_not_a_notice(tmp_path: Path) -> None:
    (tmp_path / "iris_conn.erl").touch()
    outcome = outcome_of([], CRASH, HANG, excused=[HANG], faults=["no: disk"], base=tmp_path)
    error, notice, fault = annotated(outcome)
    assert error.startswith("::error file=iris_conn.erl,line=7,title=iris-fuzz%3A process_crash ")
    assert CRASH.fingerprint in error
    assert notice.startswith("::notice file=c,line=1,title=iris-fuzz%3A hang ")
    assert "in the baseline" in notice
    assert fault == "::error title=iris-fuzz::no: disk"


def test_hostile_text_is_one_line_and_no_second_command() -> None:
    (line,) = annotated(outcome_of([played("a,b:c%\n::error::d", CRASH)]))
    assert line.isprintable()
    assert line.startswith("::error file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ad,line=1,title=")
    line.encode()
