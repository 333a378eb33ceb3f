"""Every case in ``corpus/regressions`` is well on a target without a defect.

To add one, put a file there: a case that a campaign saved, or a payload as it is. No JSON is
needed beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.case import read_case
from fuzz.triage.replay import Replayer, Verdict, case_files
from tests.planted.support import LONG_MS, bench, pauses

FOLDER = Path(__file__).resolve().parents[1] / "corpus" / "regressions"


@pytest.fixture(scope="session")
def clean() -> Iterator[Replayer]:
    with bench() as made:
        yield Replayer(made.rig)


@pytest.mark.parametrize("path", list(case_files([FOLDER])), ids=lambda path: str(path.name))
def test_a_regression_stays_fixed(clean: Replayer, path: Path) -> None:
    result = clean.replay(path, plays=1 if pauses(read_case(path)) > LONG_MS else 3)
    assert result.verdict is Verdict.FIXED, (result.note, [f.title for f in result.findings])
