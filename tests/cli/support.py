"""Running the command line inside a test, as ``iris-fuzz`` would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fuzz.cli import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    def sentence(self) -> str:
        """Return the one line of the error, having checked that it is one and no traceback."""
        assert "Traceback" not in self.out + self.err
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert len(lines) == 1, lines
        return lines[0]


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``iris-fuzz`` with arguments in this process."""

    def ran(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["iris-fuzz", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, captured.out, captured.err)

    return ran
