"""The shell's side of the verbs: version, module, help, and what they print."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from fuzz.checks import CHECKS
from fuzz.cli import replay as replay_module
from fuzz.cli import running
from fuzz.cli.target import _pass_on
from fuzz.finding import Cause, Finding, Kind
from fuzz.store.crashes import Context, CrashStore
from fuzz.target.embedded import MEMORY_BYTES
from fuzz.target.foreground import Layout, _commands
from fuzz.target.planted import planted_defects
from fuzz.triage.replay import Replayed, Verdict
from tests.cli.support import Run

ROOT = Path(__file__).resolve().parents[2]
HANG = Finding(Kind.HANG, "a reply did not come", Cause("hang"))


def python_m_fuzz(*arguments: str) -> subprocess.Popen[str]:
    """Start ``python -m fuzz`` from the sources, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fuzz", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a case that was found with a planted defect."""
    context = Context("embedded", "25", ("hang",), ("--plant", "hang"))
    return CrashStore(tmp_path / "crashes").save(b"\x34", HANG, context).path


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> list[Verdict]:
    """Let a replay start nothing, and give these verdicts in turn."""
    told: list[Verdict] = []

    class Rig:
        left: tuple[str, ...] = ()

        def __init__(self, *_: object) -> None: ...
        def start(self) -> None: ...
        def stop(self) -> None: ...

    class Replayer:
        def __init__(self, _rig: Rig) -> None: ...

        def replay(self, path: Path, plays: int) -> Replayed:
            verdict = told.pop(0)
            shown = 0 if verdict is Verdict.FIXED else plays
            return Replayed(path, verdict, shown, plays, (HANG,) if shown else ())

    monkeypatch.setattr(running, "rig_of", Rig)
    monkeypatch.setattr(replay_module, "Replayer", Replayer)
    return told


def test_version_is_that_of_the_installation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: f"1.2 of {name}")
    ran = run("--version")
    assert (ran.code, ran.out) == (0, "iris-fuzz 1.2 of iris-fuzz\n")


def test_version_of_bare_sources_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    ran = run("--version")
    assert (ran.code, ran.err) == (0, "")
    assert "run from its sources" in ran.out


def test_python_m_fuzz_is_the_command_line() -> None:
    process = python_m_fuzz("--help")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("Usage: iris-fuzz ")


@pytest.mark.parametrize(
    ("gives", "code"),
    [
        ([Verdict.FIXED], 0),
        ([Verdict.FIXED, Verdict.FAILED], 1),
        ([Verdict.DIFFERENT, Verdict.FIXED], 1),
        ([Verdict.ERROR, Verdict.FAILED], 2),
    ],
)
def test_a_replay_ends_with_the_worst_verdict(
    run: Run, saved: Path, verdicts: list[Verdict], gives: list[Verdict], code: int
) -> None:
    verdicts += gives
    assert run("replay", *[saved] * len(gives)).code == code


def test_a_replay_of_several_cases_sums_up(run: Run, saved: Path, verdicts: list[Verdict]) -> None:
    verdicts += [Verdict.FAILED, Verdict.FIXED, Verdict.FAILED]
    ran = run("replay", saved, saved, saved, "--plant", "hang")
    assert ran.out.splitlines()[0] == f"FAILED     3 of 3  {saved}"
    assert ran.out.splitlines()[1] == "           hang: a reply did not come"
    assert ran.out.splitlines()[-1] == "1 FIXED, 2 FAILED"


def test_a_fixed_case_whose_defect_is_off_now_says_so(
    run: Run, saved: Path, verdicts: list[Verdict]
) -> None:
    verdicts += [Verdict.FIXED, Verdict.FIXED]
    assert "found with --plant hang, which is off" in run("replay", saved).out
    assert "found with" not in run("replay", saved, "--plant", "hang").out


def test_the_verdicts_as_json_are_nothing_but_json(
    run: Run, saved: Path, verdicts: list[Verdict]
) -> None:
    verdicts += [Verdict.FAILED]
    ran = run("replay", saved, "--json")
    (told,) = json.loads(ran.out)
    assert (told["verdict"], told["shown"], told["path"]) == ("FAILED", 3, str(saved))


def test_show_of_a_saved_finding_tells_how_to_play_it_again(run: Run, saved: Path) -> None:
    text = " ".join(run("show", saved).out.split())
    assert "finding a reply did not come" in text
    assert f"iris-fuzz replay {saved} --plant hang" in text


def test_the_planted_defects_are_listed_with_what_they_must_give(run: Run) -> None:
    ran = run("planted")
    first_words = [line.split()[:2] for line in ran.out.splitlines() if line[:1].strip()]
    assert ran.code == 0
    assert first_words[1:] == [[defect.name, defect.kind] for defect in planted_defects()]


def test_each_planted_defect_names_what_is_to_find_it(run: Run) -> None:
    told = {one["name"]: one["engine"] for one in json.loads(run("planted", "--json").out)}
    assert told == {defect.name: defect.engine for defect in planted_defects()}
    checks = {engine.partition(":")[2] for engine in told.values() if ":" in engine}
    assert checks <= {check.name for check in CHECKS}
    assert (told["hang"], told["decode_short"]) == ("campaign", "decoder")
    assert "found by the check relations" in " ".join(run("planted").out.split())


def test_the_manual_names_kinds_that_planted_defects_have() -> None:
    text = (ROOT / ".github" / "MANUAL.md").read_text().split("## Planted defects")[1]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]+)\|", text, re.M)))
    kinds = {defect.kind for defect in planted_defects()}
    assert len(named) > 5
    assert set(named) <= kinds


DOCUMENTS = (
    "README.md",
    ".github/MANUAL.md",
    ".github/CONTRIBUTING.md",
    ".github/CHANGELOG.md",
)


def test_the_documents_name_no_file_that_is_not_there() -> None:
    text = "".join((ROOT / name).read_text() for name in DOCUMENTS)
    named = re.findall(r"[`( ]((?:fuzz|grammar|tests|corpus|\.github)/[\w./]+)[`)]", text)
    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_documents_name_what_the_modules_have() -> None:
    """A name in capitals, or of a class, that stands before the module it is said to be in."""
    text = " ".join((ROOT / ".github" / "CONTRIBUTING.md").read_text().split())
    named = re.findall(
        r"`([A-Z_]{3,}|[A-Z]\w+|\w+_\w+)` (?:in|of) `((?:fuzz|tests)/[\w/]+\.py)`", text
    )
    assert len(named) > 8
    assert [pair for pair in named if pair[0] not in (ROOT / pair[1]).read_text()] == []
    assert ("VERBS", "fuzz/cli/verbs.py") in named


@pytest.mark.parametrize(
    ("line", "out", "err"),
    [
        (
            "IRIS_REF READY tcp=9000 ws=9001 node=nonode@nohost auth=false tls=false",
            "ready: nonode@nohost on 127.0.0.1, TCP 9000, WebSocket 9001\n",
            "",
        ),
        (
            "IRIS_REF READY tcp=0 ws=0 node=core@localhost auth=true tls=false",
            "ready: core@localhost\n",
            "",
        ),
        ("IRIS_REF ERROR port 9000 is in use", "", "iris-fuzz: port 9000 is in use\n"),
        ("=ERROR REPORT====", "=ERROR REPORT====\n", ""),
    ],
)
def test_what_a_node_says_to_the_harness_becomes_a_sentence(
    line: str, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _pass_on(line)
    assert tuple(capsys.readouterr()) == (out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_target_in_the_foreground_ends_cleanly(number: signal.Signals) -> None:
    process = python_m_fuzz("target", "run", "--port", "0")
    assert process.stdout is not None
    ready = process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert re.match(r"ready: nonode@nohost on 127\.0\.0\.1, TCP \d+, WebSocket \d+$", ready)
    assert (process.returncode, err) == (0, "")


def test_a_target_over_tls_is_trusted_by_who_has_what_is_in_its_data(tmp_path: Path) -> None:
    process = python_m_fuzz("target", "run", "--port", "0", "--tls", "--data", str(tmp_path))
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        found = re.fullmatch(r"ready: .* TCP (\d+), WebSocket \d+, both over TLS\n", ready)
        assert found is not None, ready
        trusting = ssl.create_default_context(cafile=tmp_path / "single" / "tls" / "ca.pem")
        with (
            socket.create_connection(("127.0.0.1", int(found[1])), 10.0) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(b"\x01bob")
            assert client.recv(64) == b"\x03LOGIN_OK"
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_target_in_the_foreground_has_the_memory_of_one_in_a_campaign() -> None:
    process = python_m_fuzz("target", "run", "--port", "0")
    assert process.stdout is not None
    process.stdout.readline()
    # The thread that starts the nodes is the first.
    (node,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ceiling = resource.prlimit(int(node), resource.RLIMIT_AS)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert ceiling == (MEMORY_BYTES, MEMORY_BYTES)


def test_the_clocks_of_edges_in_the_foreground_are_off_in_turn(run: Run, tmp_path: Path) -> None:
    told = []
    for command in _commands(Layout(19_000, 3, clock_skew=5.0), tmp_path):
        words = command[command.index("-extra") + 1 :]
        given = dict(zip(words[::2], words[1::2], strict=True))
        told.append((given["role"], given.get("clock_offset_ms")))
    assert told == [("core", None), ("edge", "5000"), ("edge", "-5000"), ("edge", "5000")]
    ran = run("target", "run", "--clock-skew", "5")
    assert ran.code == 2
    assert ran.sentence() == "iris-fuzz: --clock-skew sets the clocks of edges: add --edges N"


def test_a_reader_that_has_enough_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "payload").write_bytes(bytes(4096))
    process = python_m_fuzz("show", str(tmp_path / "payload"))
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(30) != 0
