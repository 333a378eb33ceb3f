"""A reproducer runs with nothing but Python, and tells whether the effect has shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, Transport
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.seeds import SEEDS
from fuzz.report import standalone
from fuzz.report.reproducer import reproducer
from fuzz.target import EmbeddedTarget
from fuzz.target.base import Address
from tests.planted.triggers import CASES

#: A play waits for five seconds at most for each thing that does not come.
SECONDS = 60.0
SHOWN, NOT_SHOWN, NO_SERVER, ON_THE_NODE = 0, 1, 2, 3


@contextmanager
def serving(*plants: str) -> Iterator[Address]:
    target = EmbeddedTarget(0, plants)
    try:
        yield target.start({})
    finally:
        target.stop()


def run(case: Case, kind: Kind, folder: Path, address: Address, *more: str) -> tuple[int, str]:
    """Write a reproducer and run it in an isolated Python; return its code and output."""
    finding = Finding(kind, 'a "title" with \\ in it', Cause("what"))
    file = folder / "reproduce.py"
    file.write_text(reproducer(case, finding))
    where = (address.host, str(address.port), "--ws-port", str(address.websocket_port))
    done = subprocess.run(
        [sys.executable, "-I", str(file), *where, *more],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("crash_alone", Kind.PROCESS_CRASH),
        ("crash_cascades", Kind.LISTENER_RESTART),
        ("app_gives_up", Kind.APP_DOWN),
        ("node_abort", Kind.NODE_DOWN),
        ("hang", Kind.HANG),
    ],
)
def test_the_effect_shows_with_the_defect_and_not_without(
    name: str, kind: Kind, tmp_path: Path
) -> None:
    case = CASES[name][1]
    with serving(name) as address:
        code, out = run(case, kind, tmp_path, address)
    assert (code, "SHOWN: " in out) == (SHOWN, True), out
    with serving() as address:
        code, out = run(case, kind, tmp_path, address)
    assert code == NOT_SHOWN, out
    assert "NOT SHOWN: " in out


def test_tokens_are_bound_and_websocket_is_spoken(tmp_path: Path) -> None:
    web = Step(StepKind.OPEN, 0, value=int(Transport.WEBSOCKET))
    chat = Case((web, *SEEDS["dialogue-group-chat"].steps))
    with serving() as address:
        code, out = run(chat, Kind.SEMANTIC, tmp_path, address)
    assert code == ON_THE_NODE
    assert "no such group" not in out
    assert b"LOGIN_OK".hex(" ") in out
    assert "<group:1>" not in out


def test_a_leak_is_played_many_times_and_read_on_the_node(tmp_path: Path) -> None:
    with serving() as address:
        code, out = run(CASES["atom_leak"][1], Kind.LEAK, tmp_path, address)
    assert code == ON_THE_NODE
    assert out.count("connection 0: login") == standalone.LEAK_PLAYS


def test_no_server_and_a_host_elsewhere_are_told(tmp_path: Path) -> None:
    with serving() as address:
        pass
    code, out = run(CASES["crash_alone"][1], Kind.PROCESS_CRASH, tmp_path, address)
    assert (code, "no server answers" in out) == (NO_SERVER, True)
    elsewhere = Address("192.0.2.1", 8085, 8086)
    code, out = run(CASES["crash_alone"][1], Kind.PROCESS_CRASH, tmp_path, elsewhere)
    assert (code, "--allow-host" in out) == (NO_SERVER, True)


def test_the_same_tokens_and_lengths_are_bound_as_by_the_harness() -> None:
    values = {b"<user:A>": b"abcdefgh", b"<group:1>": b"0123456789abcdef"}
    data = b"\x35\x00\x09<group:1>\x05\x00\x08<user:A>\x00\x05<user:A>"
    bound = b"\x35\x00\x100123456789abcdef\x05\x00\x08abcdefgh\x00\x05abcdefgh"
    assert standalone.bound(data, values) == bound
