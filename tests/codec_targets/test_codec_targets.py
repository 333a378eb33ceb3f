"""The targets run by themselves, find nothing, and would find a codec that is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.codec_targets import properties
from grammar import Frame, GetStatus, SendMessage, Stream, encode

ROOT = Path(__file__).parents[2]
#: From a client, cut twice.
TWO = encode(SendMessage(b"bob", b"hello")) + encode(GetStatus(b"bob"))


@pytest.mark.parametrize("name", ["round_trip", "cutting"])
def test_a_target_runs_and_finds_nothing(tmp_path: Path, name: str) -> None:
    seed = tmp_path / "seeds"
    seed.mkdir()
    (seed / "two").write_bytes(b"\x00\x02\x10\x80" + TWO if name == "cutting" else b"\x00" + TWO)
    command = [sys.executable, "-m", f"fuzz.codec_targets.{name}", "-runs=2000", "-seed=1", seed]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert "Done 2000 runs" in ran.stderr
    assert "cov:" in ran.stderr, "the codec was not instrumented"


def test_an_encoder_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    properties.round_trip(b"\x00" + TWO)
    monkeypatch.setattr(properties, "encode", lambda frame: encode(frame)[:-1])
    with pytest.raises(AssertionError, match="encodes to something else"):
        properties.round_trip(b"\x00" + TWO)


def test_spans_that_leave_a_gap_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = properties.spans
    monkeypatch.setattr(properties, "spans", lambda *given: spans(*given)[1:])
    with pytest.raises(AssertionError, match="a gap"):
        properties.round_trip(b"\x00" + TWO)


def test_a_stream_that_depends_on_cuts_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(Stream):
        def feed(self, segment: bytes) -> list[Frame]:
            frames = super().feed(segment)
            if self.pending and len(frames) == 1:
                self._buffer = b""
            return frames

    properties.cutting(b"\x00\x02\x10\xc0" + TWO)
    monkeypatch.setattr(properties, "Stream", Forgetful)
    with pytest.raises(AssertionError, match="what it was not fed"):
        properties.cutting(b"\x00\x02\x10\xc0" + TWO)


def test_clusterfuzzlite_builds_the_targets_that_there_are() -> None:
    script = (ROOT / ".clusterfuzzlite" / "build.sh").read_text()
    (names,) = re.findall(r"^for name in (.*); do$", script, re.M)
    (place,) = re.findall(r'compile_python_fuzzer "(.*)/\$name.py"', script)
    runnable = {path.stem for path in (ROOT / place).glob("*.py") if "__main__" in path.read_text()}
    assert set(names.split()) == runnable
