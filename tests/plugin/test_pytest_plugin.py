"""The fixture ``iris``, used from a project of its own, as a user of the package would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.erlang import clean_environment
from tests.integration.support import ROOT

#: A project with one test of each sort: its own socket, a case, a property.
_TESTS = """
import socket

from hypothesis import Phase, given, settings
from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.generate import strategies
from grammar import GetStatus, SendMessage, TypingStart, encode

A, B = USER_TOKENS[:2]


def test_by_hand(iris):
    with socket.create_connection((iris.host, iris.port), timeout=10) as client:
        client.sendall(b"\\x01bob")
        assert client.recv(64) == b"\\x03LOGIN_OK"
        client.sendall(encode(TypingStart(b"")))
        client.shutdown(socket.SHUT_WR)
        while client.recv(64):
            pass


def test_a_case(iris):
    seen = iris.play(Case((Step(StepKind.LOGIN, 0, A), Step(StepKind.LOGIN, 1, B),
                           Step(StepKind.SEND, 0, encode(SendMessage(B, b"hello"))))))
    assert b"hello" in seen.traces[1].replies()


def test_one_that_is_cut_short(iris):
    iris.play(Case((Step(StepKind.SEND, 0, encode(GetStatus(A))[:5]),)))


@settings(max_examples=200, derandomize=True, database=None, deadline=None,
          phases=[Phase.generate])  # to make it small takes a minute
@given(case=strategies.dialogues())
def test_dialogues(iris, case):
    iris.play(case)
"""


class Project:
    """A folder with tests, and how pytest ended there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "test_mine.py").write_text(_TESTS)

    def run(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_all_passes_on_an_iris_without_defects(project: Project) -> None:
    # With the example of the README in place of the property, which is the same but for its seed.
    example = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    (project.folder / "test_readme.py").write_text(example)
    code, out = project.run("--deselect", "test_mine.py::test_dialogues")
    assert (code, "4 passed" in out) == (0, True), out


def test_what_a_test_did_by_hand_fails_it_when_it_ends(project: Project) -> None:
    code, out = project.run("--iris-plant", "crash_cascades", "-k", "by_hand")
    assert code == 1, out
    assert "FindingError: listener_restart" in out
    assert "cut off (a client that is logged in" in out
    assert "1 failed" in out


def test_a_case_fails_at_once_and_is_kept(project: Project) -> None:
    crashes = project.folder / "crashes"
    code, out = project.run(
        "--iris-plant", "before_login", "--iris-crashes", str(crashes), "-k", "dialogues or a_case"
    )
    # Nobody sends before LOGIN there: the defect does not show.
    assert (code, list(crashes.iterdir())) == (0, []), out
    code, out = project.run(
        "--iris-plant", "wrong_user", "--iris-crashes", str(crashes), "-k", "dialogues"
    )
    assert code == 1, out
    assert "FindingError: semantic" in out
    # The defect shows in more than one way, and each is kept.
    kept = [path for path in crashes.iterdir() if path.suffix != ".json"]
    assert any(f"iris-fuzz replay {path} --plant wrong_user" in out for path in kept)


def test_an_iris_that_cannot_be_had_is_one_sentence(project: Project) -> None:
    code, out = project.run("--iris-target", "127.0.0.1:1")
    assert code == 1
    assert "iris-fuzz: 127.0.0.1:1" in out
    assert "Traceback" not in out
    assert "another exception occurred" not in out


def test_the_file_of_the_project_and_the_options_choose_the_iris(project: Project) -> None:
    """The defect of the file shows only over the transport that the options name."""
    (project.folder / "iris-fuzz.toml").write_text('[target]\nplant = ["tls_goodbye"]\n')
    code, out = project.run("--iris-options", "--tls --tls-version 1.3", "-k", "cut_short")
    assert code == 1, out
    assert "FindingError: process_crash" in out
    assert "1 failed" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--iris-config", "none.toml"), "none.toml cannot be read"),
        (("--iris-options", "--start 'exit 3' --port 1"), "ended with exit code 3 before"),
    ],
)
def test_options_that_choose_no_iris_are_one_sentence(
    project: Project, arguments: tuple[str, ...], says: str
) -> None:
    code, out = project.run(*arguments, "-k", "a_case")
    assert (code, says in out) == (1, True), out
    assert "Traceback" not in out


def test_the_plugin_is_quiet_where_nobody_asks_for_it(project: Project) -> None:
    (project.folder / "test_mine.py").write_text("def test_nothing():\n    pass\n")
    code, out = project.run("--iris-plant", "no_such_defect")
    assert (code, "1 passed" in out) == (0, True), out
    assert "--iris-target" in project.run("--help")[1]
