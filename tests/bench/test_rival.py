"""boofuzz is compared with where it is installed; what goes wrong with it is one sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fuzz.bench import QUICK, make_parts, rival
from fuzz.bench.ratios import Time
from fuzz.bench.strength import Strength
from fuzz.errors import TargetError
from fuzz.target.planted import Planted, planted_defects

UNKNOWN = Planted("no_such_defect", "hang", "a-file", "a mistake", "the truth", 1, 1)


def test_without_it_the_part_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rival, "installed", lambda: False)
    (part,) = make_parts(("strength",), QUICK, Path("seeds"))
    assert isinstance(part, Strength)
    assert any("pip install iris-fuzz[bench]" in note for note in part.result().notes)


def test_a_rival_that_cannot_run_says_why() -> None:
    with pytest.raises(TargetError, match=r"^boofuzz (ended|could not run): "):
        rival.look_for(UNKNOWN, 1.0, 0)


@pytest.mark.skipif(importlib.util.find_spec("boofuzz") is None, reason="boofuzz is not installed")
def test_it_finds_a_name_that_is_too_long() -> None:
    """It tries long names early, and begins with GET_STATUS in this round."""
    defects = {defect.name: defect for defect in planted_defects()}
    seen = rival.look_for(defects["app_gives_up"], 60.0, 0)
    assert isinstance(seen, Time)
    assert seen.found
