"""How the program ends where the system refuses something, and where nobody reads what it prints.

To end with 1 would say that something was found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, encode_case
from tests.cli.support import Run

ROOT = Path(__file__).resolve().parents[2]
LONG = "a" * 300
CASE = encode_case(Case((Step(StepKind.LOGIN, 0, b"alice"),)))


def in_shell(command: str, folder: Path) -> tuple[int, str]:
    """Run a line of bash, in which ``$iris`` is the program; return its code and error output."""
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; iris='{sys.executable} -m fuzz'; {command}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("arguments", ["--help", "show case"])
def test_an_output_that_takes_nothing_is_told(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "case").write_bytes(CASE)
    code, err = in_shell(f"$iris {arguments} >/dev/full", tmp_path)
    assert (code, err) == (
        2,
        "iris-fuzz: the output cannot be written (No space left on device): "
        "send it to where there is room for it\n",
    )
    assert in_shell(f"$iris {arguments} >/dev/full 2>&1", tmp_path)[0] not in (0, 1)


@pytest.mark.parametrize("arguments", ["--help", "show case"])
def test_a_reader_that_is_gone_ends_it_quietly(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "case").write_bytes(CASE)
    # The reader has ended before the program begins.
    assert in_shell(f"(sleep 0.2; exec $iris {arguments}) | true", tmp_path) == (141, "")


def test_without_an_output_a_verb_does_what_it_does(tmp_path: Path) -> None:
    (tmp_path / "case").write_bytes(CASE)
    assert in_shell("$iris show case >&- <&-", tmp_path) == (0, "")


def test_a_name_that_is_no_text_is_printed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "crashes").mkdir(parents=True)
    command = "$iris report corpus --out $'p\\xff.html' | grep -F '.html' >&2"
    code, err = in_shell(f"export PYTHONIOENCODING=utf-8:strict; {command}", tmp_path)
    assert (code, err) == (0, "p\\udcff.html\n")


def test_a_path_that_the_system_refuses_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("merge", LONG, "others")
    assert (ran.code, ran.sentence()) == (
        2,
        f"iris-fuzz: {LONG} cannot be used (File name too long): "
        "see to its permissions, or choose another",
    )


@pytest.mark.parametrize(
    ("import_ends_with", "code"), [("KeyboardInterrupt", 130), ("RuntimeError", 2)]
)
def test_what_ends_the_import_of_the_verbs_does_not_say_that_something_was_found(
    import_ends_with: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "click.py").write_text(f"raise {import_ends_with}")
    ran_code, err = in_shell("$iris --help", tmp_path)  # -m looks into this folder first
    assert ran_code == code
    assert ("Traceback" in err) is (code == 2)


def test_the_program_that_is_installed_is_that_of_the_module() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"iris-fuzz": "fuzz.__main__:main"}
