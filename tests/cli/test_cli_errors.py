"""What cannot be done ends with exit code 2 and one sentence, never with a traceback."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.finding import Cause, Finding, Kind
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.sidecar import sidecar_path
from tests.cli.support import Run

WHOLE = encode_case(Case((Step(StepKind.LOGIN, 0, b"alice"), Step(StepKind.SEND, 0, b"\x05"))))
#: An address of the block that is reserved for documentation (RFC 5737): it is nobody's.
ELSEWHERE = "192.0.2.1:8085"


def as_program(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a program of its own."""
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-c", "from fuzz.cli import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any attempt to connect fail the test."""

    def refuse(_socket: socket.socket, address: object) -> None:
        pytest.fail(f"connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.mark.parametrize("verb", ["show", "replay"])
def test_a_file_that_is_not_there_is_named(run: Run, verb: str, tmp_path: Path) -> None:
    ran = run(verb, tmp_path / "missing")
    assert ran.code == 2
    assert str(tmp_path / "missing") in ran.sentence()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (WHOLE[:-1], "damaged or cut short"),
        (WHOLE[:5], "cut short"),
        (WHOLE[:8], "cut short"),
        (WHOLE[:8] + b"\x09" + WHOLE[9:], "format version 9"),
        (bytes(10 * 1024 * 1024), "at most 4194304 are played"),
    ],
)
def test_show_says_what_is_wrong_with_a_case_file(
    run: Run, data: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "case"
    file.write_bytes(data)
    ran = run("show", file)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence().startswith(f"iris-fuzz: {file}: ")
    assert reason in ran.sentence()


def test_show_of_a_folder_is_an_error_with_a_sentence(run: Run, tmp_path: Path) -> None:
    ran = run("show", tmp_path)
    assert ran.code == 2
    assert "cannot be read" in ran.sentence()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)), b"\xff" * 3])
def test_show_takes_bytes_without_the_magic_for_a_raw_payload(
    run: Run, data: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "payload"
    file.write_bytes(data)
    ran = run("show", file)
    assert (ran.code, ran.err) == (0, "")
    assert "raw payload" in ran.out


def test_show_prints_a_case_and_no_bytes_that_a_terminal_obeys(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "case"
    steps = (Step(StepKind.LOGIN, 0, b"alice"), Step(StepKind.SEND, 0, b"\x05\x00\x05\x1b[2Ja"))
    file.write_bytes(encode_case(Case(steps)))
    ran = run("show", file)
    assert ran.code == 0
    assert "GET_STATUS" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("fuzz", "--no-such-option"), "--no-such-option"),
        (("no-such-verb",), "no-such-verb"),
        (("fuzz", "--time", "soon"), "--time"),
        (("fuzz", "--port", "70000"), "--port"),
        (("fuzz", "--seed-corpus", "/no/such/folder"), "/no/such/folder"),
        (("replay",), "PATHS"),
        (("show",), "FILE"),
    ],
)
def test_wrong_usage_is_told_with_what_is_wrong(
    run: Run, arguments: tuple[str, ...], word: str
) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert word in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--time", "0"), "--time wants a number of seconds above zero"),
        (("--cases", "0"), "--cases wants a number above zero"),
        (("--target", "127.0.0.1:8085", "-j", "2"), "--jobs wants a target for each worker"),
        (("--start", "make", "--jobs", "2"), "--jobs wants a target for each worker"),
        (("--target", "nonsense"), "HOST:PORT, not 'nonsense'"),
        (("--target", "127.0.0.1:0"), "HOST:PORT"),
        (("--target", "127.0.0.1:8085", "--plant", "hang"), "embedded target only"),
        (("--attach", "nonsense"), "HOST:PORT, not 'nonsense'"),
        (("--node", "edge"), "--node wants the edge's address too: --attach HOST:PORT"),
        (("--attach", "127.0.0.1:8085", "--node", "a b"), "NAME or NAME@HOST, not 'a b'"),
        (("--attach", "127.0.0.1:8085", "--cookie-file", "c"), "--cookie-file belongs to --node"),
    ],
)
def test_settings_that_cannot_be_carried_out_are_refused(
    run: Run, arguments: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    ran = run("fuzz", "--corpus", tmp_path / "corpus", *arguments)
    assert ran.code == 2
    assert reason in ran.sentence()
    assert not (tmp_path / "corpus").exists()


@pytest.mark.usefixtures("no_connections")
def test_replay_does_not_touch_a_host_that_is_not_allowed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "case").write_bytes(WHOLE)
    ran = run("replay", tmp_path / "case", "--target", ELSEWHERE)
    assert ran.code == 2
    assert "--allow-host 192.0.2.1" in ran.sentence()


def test_a_campaign_against_a_host_that_is_not_allowed_ends_at_once(tmp_path: Path) -> None:
    ran = as_program("fuzz", "--target", ELSEWHERE, "--time", "60", folder=tmp_path)
    assert ran.returncode == 2
    assert "--allow-host 192.0.2.1" in ran.stderr
    assert "Traceback" not in ran.stderr + ran.stdout
    assert not (tmp_path / "corpus" / "journal").exists()


def test_a_corpus_that_cannot_be_written_ends_a_campaign_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = as_program("fuzz", "--corpus", "file/corpus", "--time", "60", folder=tmp_path)
    assert ran.returncode == 2
    assert "cannot be" in ran.stderr
    assert "Traceback" not in ran.stderr + ran.stdout


def test_a_corpus_in_whose_place_a_file_is_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "corpus").touch()
    ran = run("fuzz", "--corpus", tmp_path / "corpus", "--time", "1")
    assert ran.code == 2
    assert "is a file" in ran.err


def test_a_summary_that_could_not_be_written_is_refused_before_the_run(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ran = run("fuzz", "--time", "60", "--summary", tmp_path / "file" / "summary.json")
    assert ran.code == 2
    assert str(tmp_path / "file") in ran.sentence()


LONG = "a" * 300


@pytest.mark.usefixtures("no_connections")
@pytest.mark.parametrize(
    "arguments",
    [
        ("triage", LONG),
        ("replay", LONG),
        ("triage", "case", "--out", LONG),
        ("tmin", LONG),
        ("tmin", "case", "-o", f"{LONG}/b"),
        ("promote", LONG),
        ("promote", "case", "--name", LONG),
        ("promote", "a" * 250),
        ("triage", "case", "--time", "nan"),
        ("tmin", "case", "--time", "nan"),
        ("fuzz", "--time", "nan"),
    ],
)
def test_what_no_file_system_takes_is_refused_with_a_sentence(
    run: Run, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = Finding(Kind.HANG, "it hangs", Cause("hang"))
    saved = CrashStore(tmp_path).save(WHOLE, finding, Context("fake", "25")).path
    for name in ("case", "a" * 250):
        Path(name).write_bytes(WHOLE)
        Path(f"{name}.json").write_bytes(sidecar_path(saved).read_bytes())
    ran = run(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    words = ("too long", "is no time", "has no JSON")
    assert any(word in ran.err for word in words)


@pytest.mark.usefixtures("no_connections")
@pytest.mark.parametrize("method", ["iterdir", "is_dir"])
def test_a_folder_that_may_not_be_read_is_named(
    run: Run, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, method, refuse)  # root may read everything
    ran = run("triage", tmp_path, "--out", tmp_path / "out")
    assert (ran.code, ran.sentence()) == (
        2,
        f"iris-fuzz: {tmp_path} cannot be read: Permission denied",
    )


@pytest.mark.usefixtures("no_connections")
def test_a_folder_without_a_case_is_nothing_to_replay(run: Run, tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text("{}")
    (tmp_path / ".hidden").touch()
    ran = run("replay", tmp_path)
    assert ran.code == 2
    assert "holds no case to replay" in ran.sentence()


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_no_error(run: Run, option: str) -> None:
    ran = run(option)
    assert ran.code == 0
    for verb in ("fuzz", "replay", "show", "target", "doctor"):
        assert verb in ran.out


def test_what_is_about_to_be_sent_elsewhere_is_said_first(run: Run) -> None:
    where = ("--target", "192.0.2.1:8085", "--allow-host", "192.0.2.1")
    ran = run("replay", "nothing", *where, "--rate", "2.5")
    said, failed = ran.err.splitlines()
    assert "about to send malformed traffic to 192.0.2.1, port 8085" in said
    assert "at most 2.5 in a second" in said
    assert "nothing" in failed
    assert "as many cases as it takes in a second" in run("replay", "nothing", *where).err
    assert "about to send" not in run("replay", "nothing", "--target", "127.0.0.1:1").err
