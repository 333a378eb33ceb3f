"""What keeps a campaign from starting is told in one sentence, with exit code 2."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import pytest

from fuzz.target.reference_build import compile_reference
from tests.integration.support import program


def sentence(folder: Path, *arguments: object, environment: dict[str, str] | None = None) -> str:
    """Run ``iris-fuzz`` into an error; return the one line that it printed."""
    with program(folder, *arguments, environment=environment) as running:
        assert running.end() == 2, running.text()
    assert "Traceback" not in running.text()
    lines = [line for line in running.text().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("iris-fuzz: ")
    return lines[0]


def test_a_port_that_is_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = sentence(tmp_path, "fuzz", "--port", port, "--time", 60)
    assert str(port) in told
    assert "--port" in told


@pytest.mark.parametrize(
    "verb", [("fuzz", "--port", 0, "--time", 60), ("fuzz", "--plant", "hang", "--time", 60)]
)
def test_a_machine_without_erlang_is_told_what_to_install(
    verb: tuple[object, ...], tmp_path: Path
) -> None:
    compile_reference()  # what is in the cache is of no use without an emulator
    folder = tmp_path / "bin"
    folder.mkdir()
    assert shutil.which("erl", path=str(folder)) is None
    told = sentence(tmp_path, *verb, environment={"PATH": str(folder)})
    assert "erl is not installed" in told
    assert "erlang-base" in told


def test_a_corpus_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = sentence(tmp_path, "fuzz", "--corpus", "file/corpus", "--port", 0, "--time", 60)
    assert "file/corpus" in told


def test_an_unknown_plant_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    told = sentence(tmp_path, "fuzz", "--plant", "no_such", "--port", 0, "--time", 60)
    assert "no_such" in told
    assert "crash_alone" in told


def test_seeds_that_are_not_there_are_named(tmp_path: Path) -> None:
    told = sentence(
        tmp_path, "replay", tmp_path / "missing", "--port", 0, environment={"PATH": sys.prefix}
    )
    assert str(tmp_path / "missing") in told


@pytest.mark.parametrize("option", ["--include=nosuch", "--include=[", "--exclude=*"])
def test_patterns_that_leave_nothing_to_cover_are_named(tmp_path: Path, option: str) -> None:
    told = sentence(tmp_path, "fuzz", option, "--port", 0, "--time", 60)
    name, _, pattern = option.partition("=")
    assert f"no module with coverage is left by {name} {pattern!r}" in told
