"""The set-up scripts install what is missing, or say in one sentence what to install.

They run here on a PATH that holds a few stand-ins and nothing that could install anything.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What the scripts use of every machine.
TOOLS = ("cat", "chmod", "dirname", "env", "mktemp", "rm", "sed", "sh", "tail", "touch")
PACKAGED = "erlang-base erlang-asn1 erlang-crypto erlang-dev erlang-mnesia erlang-public-key"
#: A script that outlives this is waiting for something; each takes a few milliseconds.
LIMIT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder with the scripts, and a folder that is its whole PATH."""

    root: Path

    def has(self, name: str, script: str) -> None:
        """Put a program on the machine."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def can_install(self, gets: str) -> None:
        """Give it an apt-get that writes down its calls and runs ``gets`` on install."""
        self.has(
            "apt-get",
            f'echo "$DEBIAN_FRONTEND $*" >>apt.log\ncase "$*" in *install*) {gets} ;; esac',
        )

    def erlang_by_apt(self, line: str) -> None:
        """Let apt-get bring an Erlang that answers the probe with ``line``."""
        self.has("erl.deb", f'echo "{line}"')
        self.can_install("cat bin/erl.deb >bin/erl; : >bin/erlc; chmod 755 bin/erl bin/erlc")

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        """Run a script of ``.ci``; return its exit code and what it said."""
        done = subprocess.run(
            [str(self.root / "bin/sh"), f".ci/{script}", *arguments],
            cwd=self.root,
            env={"PATH": str(self.root / "bin"), "TMPDIR": str(self.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    def apt_calls(self) -> list[str]:
        """Return the calls of apt-get, each as its DEBIAN_FRONTEND and its arguments."""
        log = self.root / "apt.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a bare Linux machine, used by root, in a path with a space."""
    root = tmp_path / "a folder"
    (root / "bin").mkdir(parents=True)
    shutil.copytree(ROOT / ".ci", root / ".ci")
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is not on the PATH"
        (root / "bin" / tool).symlink_to(found)
    bare = Machine(root)
    bare.has("id", "echo 0")
    bare.has("uname", "case $1 in -s) echo Linux ;; *) echo x86_64 ;; esac")
    return bare


def test_an_erlang_that_has_everything_is_left_alone(machine: Machine) -> None:
    machine.has("erl", "echo 27")
    machine.has("erlc", "")
    machine.can_install("exit 1")
    assert machine.run("erlang") == (0, "")
    assert machine.apt_calls() == []


def test_erlang_is_installed_by_apt(machine: Machine) -> None:
    machine.erlang_by_apt("25")
    assert machine.run("erlang") == (0, "iris-fuzz: installing Erlang/OTP 25 or later\n")
    update, install = machine.apt_calls()
    assert update == "noninteractive update -q"
    assert install.startswith("noninteractive -o DPkg::Lock::Timeout=120 install -y")
    assert PACKAGED in install


def test_an_erlang_without_mnesia_is_completed(machine: Machine) -> None:
    machine.has("erl", "echo 25 mnesia headers")
    machine.has("erlc", "")
    machine.erlang_by_apt("25")
    code, said = machine.run("erlang")
    assert (code, said.count("\n")) == (0, 1)
    assert "now without: mnesia headers" in said


def test_sudo_is_used_when_not_root_and_never_waits(machine: Machine) -> None:
    machine.has("id", "echo 1000")
    machine.has("sudo", 'echo "sudo $1" >>sudo.log; shift; exec "$@"')
    machine.erlang_by_apt("25")
    assert machine.run("erlang")[0] == 0
    assert (machine.root / "sudo.log").read_text() == "sudo -n\n" * 2


def test_a_failed_update_does_not_stop_the_install(machine: Machine) -> None:
    machine.erlang_by_apt("25")
    apt = machine.root / "bin/apt-get"
    apt.write_text(apt.read_text() + 'case "$*" in update*) exit 100 ;; esac\n')
    code, said = machine.run("erlang")
    assert code == 0
    assert "trying with the package lists at hand" in said


def test_without_apt_one_sentence_says_what_is_missing(machine: Machine) -> None:
    said = "iris-fuzz: Erlang/OTP 25 or later is missing: install it, then run this again.\n"
    assert machine.run("erlang") == (2, said)


def test_without_root_and_sudo_one_sentence_gives_the_command(machine: Machine) -> None:
    machine.has("id", "echo 1000")
    machine.can_install("exit 1")
    code, said = machine.run("erlang")
    assert (code, said.count("\n")) == (2, 1)
    assert f"as root, run: apt-get install {PACKAGED}" in said
    assert machine.apt_calls() == []


def test_an_install_that_fails_shows_why(machine: Machine) -> None:
    machine.can_install("echo no such package >&2; exit 100")
    code, said = machine.run("erlang")
    assert code == 2
    assert "no such package\niris-fuzz: Erlang/OTP 25 or later could not be installed" in said
    assert list(machine.root.glob("tmp.*")) == []


def test_an_old_erlang_is_refused_and_not_replaced(machine: Machine) -> None:
    machine.has("erl", "echo 24")
    machine.has("erlc", "")
    machine.can_install("exit 1")
    code, said = machine.run("erlang")
    assert (code, said.count("\n")) == (2, 1)
    assert "bin/erl is Erlang/OTP 24: install OTP 25 or later" in said
    assert machine.apt_calls() == []


def test_an_erlang_that_apt_cannot_complete_is_named(machine: Machine) -> None:
    machine.erlang_by_apt("26 tools")
    code, said = machine.run("erlang")
    assert code == 2
    assert "bin/erl is an Erlang/OTP 26 without: tools; install these for it.\n" in said


def test_an_erlang_that_apt_brings_too_old_is_refused(machine: Machine) -> None:
    machine.erlang_by_apt("24")
    code, said = machine.run("erlang")
    assert code == 2
    assert "is Erlang/OTP 24: install OTP 25 or later" in said


def test_the_real_erlang_answers_the_probe() -> None:
    done = subprocess.run(
        ["sh", ".ci/erlang"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_browser_that_is_there_is_left_alone(machine: Machine) -> None:
    machine.has("google-chrome", "")
    machine.has("chromedriver", "")
    machine.can_install("exit 1")
    assert machine.run("chromium") == (0, "")
    assert machine.apt_calls() == []


def test_a_browser_is_installed_by_apt(machine: Machine) -> None:
    machine.can_install("for n in chromium chromedriver; do : >bin/$n; chmod 755 bin/$n; done")
    said = "iris-fuzz: installing a Chromium and a chromedriver\n"
    assert machine.run("chromium") == (0, said)
    assert machine.apt_calls()[1].endswith(" chromium chromium-driver fonts-dejavu-core")


def test_a_driver_alone_is_added_to_the_browser(machine: Machine) -> None:
    machine.has("chromium", "")
    machine.can_install(": >bin/chromedriver; chmod 755 bin/chromedriver")
    assert machine.run("chromium") == (0, "iris-fuzz: installing a chromedriver\n")


def test_a_browser_that_does_not_run_once_installed_is_said(machine: Machine) -> None:
    machine.can_install("exit 0")
    code, said = machine.run("chromium")
    assert (code, said.count("\n")) == (2, 2)
    assert "a Chromium and a chromedriver does not run, though it was installed" in said


def test_without_apt_one_sentence_says_that_a_browser_is_missing(machine: Machine) -> None:
    said = "iris-fuzz: a Chromium and a chromedriver is missing: install it, then run this again.\n"
    assert machine.run("chromium") == (2, said)


def test_without_a_python_one_sentence_says_which(machine: Machine) -> None:
    code, said = machine.run("python", "")
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("iris-fuzz: no Python 3.11, 3.12 or 3.13 was found")


def test_a_python_that_is_named_but_too_old_is_refused(machine: Machine) -> None:
    machine.has("python3.9", "exit 1")
    machine.has("python3.13", "exit 0")
    code, said = machine.run("python", "python3.9")
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("iris-fuzz: python3.9 is not a Python 3.11, 3.12 or 3.13")


def test_another_platform_is_refused_by_name(machine: Machine) -> None:
    machine.has("uname", "case $1 in -s) echo Darwin ;; *) echo arm64 ;; esac")
    code, said = machine.run("python", "")
    assert (code, said.count("\n")) == (2, 1)
    assert "this is Darwin arm64" in said


def test_a_shim_that_cannot_run_is_passed_over_and_venv_is_installed(machine: Machine) -> None:
    machine.has("python3.13", "exit 127")
    machine.has(
        "python3.12",
        'case "$*" in *ensurepip*) exit 1 ;; *print*) echo 3.12 ;; *venv*) exit 3 ;; esac',
    )
    machine.can_install("exit 0")
    code, said = machine.run("python", "")
    assert code == 2
    assert machine.apt_calls()[1].endswith(" python3.12-venv")
    assert "iris-fuzz: installing the venv module of Python 3.12\n" in said
    assert said.endswith("iris-fuzz: python3.12 could not make .venv here.\n")
