"""``iris-fuzz doctor``: is this machine able to run a campaign, and if not, what to do?

A check returns what it found, or raises the error that a campaign would end with. What only
costs speed, or sight, is said as a note, and is no failure. The last checks are a trial: the target
that the options name is started, or attached to, and serves a client.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import resource
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import click
from rich.text import Text

from fuzz.beam.cookie import cookie_file, read_cookie, refused
from fuzz.beam.inject import NAME, SOURCES
from fuzz.cli.options import corpus_option
from fuzz.cli.screen import screen
from fuzz.cli.target_options import target_options
from fuzz.clock import SystemClock
from fuzz.descriptors import LEAST_FILES
from fuzz.epmd import epmd_port, names
from fuzz.erlang import compile_erlang, otp_release
from fuzz.errors import IrisFuzzError, SettingsError
from fuzz.node import NodeInfo, NodeSeen, Point
from fuzz.report.text import say
from fuzz.rig import rig_of
from fuzz.settings import TargetSettings
from fuzz.store.atomic import ensure_writable
from fuzz.target.embedded import scratch_folder
from fuzz.target.reference_build import compile_reference
from fuzz.wakeful import awake

#: Those that atheris 3.0.0 has wheels for; the ceiling is the first one that is too new.
_PYTHONS = ((3, 11), (3, 14))
#: The oldest release whose emulator and compiler the agent is written for.
_LEAST_OTP = 25


class Mark(Enum):
    """The word that a check's line begins with, and its colour."""

    OK = ("ok", "green")
    NOTE = ("note", "yellow")
    WRONG = ("WRONG", "bold red")
    SKIPPED = ("-", "dim")


@dataclass(frozen=True, slots=True)
class Note:
    """What a check says that found nothing wrong, but something slow."""

    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; ``needs`` names the check without which it makes no sense."""

    name: str
    look: Callable[[], str | Note]
    needs: str = ""


@click.command()
@target_options
@corpus_option("The folder that a campaign would write to; nothing is left in it.")
@click.option("--json", "as_json", is_flag=True, help="Print what each check says as JSON.")
def doctor(target: TargetSettings, corpus: Path, as_json: bool) -> int:
    """Check this machine, and say what to do about each thing that is wrong.

    The last checks are a trial: the target (the reference Iris, or your own) is started with the
    agent in it, or attached to, serves a client, and is stopped, or left as it was. A `note` costs
    speed, or something that cannot be seen, and no more.

    \b
    Examples:
      iris-fuzz doctor
      iris-fuzz doctor --port 9000 --corpus /tmp/corpus
      iris-fuzz doctor --target 127.0.0.1:8085
      iris-fuzz doctor --json

    Exit codes: 0 all is well, 2 something has to be put right first.
    """
    console, failed, told = screen(), set[str](), []
    for check in checks(corpus, target):
        mark, said = _outcome(check, failed)
        if mark in (Mark.WRONG, Mark.SKIPPED):
            failed.add(check.name)
        word, style = mark.value
        told.append({"check": check.name, "mark": mark.name.lower(), "said": said})
        if not as_json:
            say(console, [Text.assemble((f"{word:<7}", style), f"{check.name:<13}", said)])
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return 2 if failed else 0
    if failed:
        say(console, [Text("\nput right what is WRONG, then run it again")])
        return 2
    say(console, [Text("\nall is well: iris-fuzz fuzz --time 60")])
    return 0


def checks(corpus: Path, target: TargetSettings) -> tuple[Check, ...]:
    """Return the checks in the order in which they are made."""
    trial = _Trial(target)
    return (
        Check("Python", _python),
        Check("Atheris", _atheris),
        Check("Erlang", _erlang),
        Check("Erlang code", _compiled, needs="Erlang"),
        Check("epmd", _epmd, needs="Erlang"),
        Check("cookie", lambda: _cookie(target)),
        Check("clock", lambda: _clock(time.time())),
        *((Check("ports", lambda: _ports(target.port)),) if target.embedded else ()),
        Check("open files", _files),
        Check("corpus", lambda: _corpus(corpus)),
        Check("memory disk", _memory_disk),
        Check("wake-up", _wake_up),
        Check("trial", trial.start, needs="Erlang code"),
        Check("agent", trial.agent, needs="trial"),
        Check("coverage", trial.coverage, needs="trial"),
    )


def _outcome(check: Check, failed: set[str]) -> tuple[Mark, str]:
    if check.needs in failed:
        return Mark.SKIPPED, f"not looked at: it needs {check.needs}"
    try:
        said = check.look()
    except IrisFuzzError as error:
        return Mark.WRONG, str(error)
    return (Mark.NOTE, said.text) if isinstance(said, Note) else (Mark.OK, said)


def _python() -> str:
    lowest, above = _PYTHONS
    release = sys.version.split()[0]
    if not lowest <= sys.version_info[:2] < above:
        raise SettingsError(
            f"{release} has no release of Atheris; make .venv with a Python from 3.11 to 3.13: "
            "make clean setup PYTHON=python3.13"
        )
    return release


def _atheris() -> str:
    try:
        importlib.import_module("atheris")
        return importlib.metadata.version("atheris")
    except ImportError as error:
        raise SettingsError(
            f"cannot be imported ({error}); `make setup` installs it, on Linux x86-64"
        ) from None


def _erlang() -> str:
    release = otp_release()
    if not release.isdecimal() or int(release) < _LEAST_OTP:
        raise SettingsError(f"Erlang/OTP {release} is too old; install {_LEAST_OTP} or newer")
    return f"OTP {release}"


def _compiled() -> str:
    compile_erlang(SOURCES, NAME)
    # Three folders up: the cache, and not the one that belongs to these very sources.
    return f"compiled, in {compile_reference().parents[2]}"


def _ports(port: int) -> str:
    for number in (port, port + 1) if port else ():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as error:
                raise SettingsError(
                    f"port {number} on 127.0.0.1 cannot be had ({error.strerror}); "
                    "free it, or choose another with --port"
                ) from None
    return f"{port} and {port + 1} are free" if port else "the system chooses"


def _files() -> str:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < LEAST_FILES:
        raise SettingsError(f"only {soft} files may be open; run `ulimit -n 1024` first")
    return "no limit" if soft == resource.RLIM_INFINITY else f"up to {soft}"


def _corpus(folder: Path) -> str:
    """Try to write, in the folder that there is: a check makes none."""
    whole = folder.absolute()
    ensure_writable(next(path for path in (whole, *whole.parents) if path.exists()))
    return f"{folder} can be written"


def _memory_disk() -> str | Note:
    folder = scratch_folder()
    if folder is None:
        return Note("no 512 MiB free in /dev/shm: the node's data goes to a slower disk")
    return f"the node's data goes to {folder}"


def _wake_up() -> str | Note:
    with awake() as granted:
        if granted:
            return "processors are kept from sleeping while a campaign runs"
    return Note(
        "processors may sleep between steps, which costs speed; "
        "to change that, let this user write to /dev/cpu_dma_latency"
    )


def _epmd() -> str:
    known = names(epmd_port())
    if known:
        return f"running, and knows {', '.join(known)}"
    if known is not None:
        return "running, and knows no node"
    if shutil.which("epmd") is None:
        raise SettingsError(
            "there is no epmd on the PATH, which nodes of a cluster need; it comes with Erlang"
        )
    return "not running; nodes that need it start it"


def _cookie(target: TargetSettings) -> str | Note:
    """Look at the file that we read for --node, and that nodes read which are given no cookie."""
    attach = target.attach
    if attach is None and target.start is None:
        return "this target needs none"
    path = cookie_file(None if attach is None else attach.cookie_file)
    if attach is not None:
        read_cookie(path)
    if why := refused(path):
        return Note(
            f"{path} {why}: a node that has to read its cookie there does not start; make it a "
            f"file of this user, and `chmod 400 {path}`"
        )
    if not path.exists():
        return f"there is no {path}: a node that is given no cookie makes it"
    return f"in {path}" + ("" if attach else ", unless the start commands give another")


def _clock(now: float) -> str:
    """Tokens are good until a time, and what is saved has one: the clock must not lie by years."""
    made = Path(__file__).stat().st_mtime
    if now < made:
        raise SettingsError(
            f"it is set to {_day(now)}, and this program was installed on {_day(made)}; set it"
        )
    return f"it is {_day(now)}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


class _Trial:
    """The target once: brought up, looked at, and let go again."""

    def __init__(self, target: TargetSettings) -> None:
        self._target = target
        self._node: NodeInfo | None = None
        self._nodes: tuple[NodeSeen, ...] = ()
        self._points: tuple[Point, ...] = ()
        self._failed: list[str] = []

    def start(self) -> str:
        """Start the target, or attach to it; a client has been served when it is up."""
        rig, clock = rig_of(self._target), SystemClock()
        begun = clock.now()
        try:
            rig.start()
            self._node, self._nodes = rig.node, rig.nodes
            self._points, self._failed = rig.points, rig.notes
        finally:
            rig.stop()
        return f"{rig.target.name} served a client ({clock.now() - begun:.1f} s)"

    def agent(self) -> str | Note:
        """Tell of the node that the agent was in."""
        node = self._node
        if node is None:
            return Note(
                "none in this target: no coverage, no crash reports, no leaks; it is seen from "
                "outside only"
            )
        if len(self._nodes) > 1:
            return f"OTP {node.otp}, in {', '.join(one.told() for one in self._nodes)}"
        own = ", ".join(node.target_applications()) or "no application but those of OTP"
        return f"in {node.name}, OTP {node.otp}: {own}"

    def coverage(self) -> str | Note:
        """Tell how much of it can be measured, and what keeps the rest from it."""
        told = f"{len(self._points)} points"
        if self._points and not self._failed:
            return told
        return Note("; ".join([told, *self._failed]))
