"""The doctor looks at everything that a campaign needs, and says what to do about it."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fuzz import wakeful
from fuzz.cli import doctor as module
from fuzz.cli.doctor import Check, checks
from fuzz.erlang import otp_release
from fuzz.errors import IrisFuzzError
from fuzz.settings import AttachSettings, StartSettings, TargetSettings
from tests.cli.support import Ran, Run
from tests.planted.support import bench

HERE = ("127.0.0.1", 0)
EMBEDDED = TargetSettings(port=0)
NAMES = [check.name for check in checks(Path("corpus"), EMBEDDED)]


@pytest.fixture
def no_erlang(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Take Erlang off the path, and out of what is remembered of it."""
    otp_release.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    otp_release.cache_clear()


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that somebody listens on, and with nobody on the one before it."""
    with ExitStack() as held:
        while True:
            port: int = held.enter_context(socket.create_server(HERE)).getsockname()[1]
            with suppress(OSError), socket.create_server((HERE[0], port - 1)):
                break
        yield port


def look(name: str, port: int = 0, target: TargetSettings | None = None) -> object:
    settings = target or TargetSettings(port=port)
    (check,) = (c for c in checks(Path("corpus"), settings) if c.name == name)
    return check.look()


def lines(ran: Ran) -> dict[str, tuple[str, str]]:
    """Return the mark and the text of each line of the report, by the check's name."""
    assert "Traceback" not in ran.out + ran.err
    told = [line for line in ran.out.partition("\n\n")[0].splitlines() if line]
    return {line[7:20].strip(): (line[:7].strip(), line[20:]) for line in told}


def test_a_machine_that_is_ready_passes_and_is_left_as_it_was(run: Run, tmp_path: Path) -> None:
    corpus = tmp_path / "not" / "yet"
    ran = run("doctor", "--port", "0", "--corpus", corpus)
    told = lines(ran)
    assert ran.code == 0
    assert list(told) == NAMES
    assert {mark for mark, _ in told.values()} <= {"ok", "note"}
    assert told["corpus"] == ("ok", f"{corpus} can be written")
    assert told["trial"][1].startswith("embedded served a client (")
    assert f"OTP {otp_release()}: iris_ref" in told["agent"][1]
    assert int(told["coverage"][1].removesuffix(" points")) > 0
    assert ran.out.endswith("all is well: iris-fuzz fuzz --time 60\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_erlang")
def test_as_json_each_check_says_the_same(run: Run, tmp_path: Path) -> None:
    told = json.loads(run("doctor", "--port", "0", "--corpus", tmp_path, "--json").out)
    marks = {one["check"]: one["mark"] for one in told}
    assert list(marks) == NAMES
    assert (marks["Erlang"], marks["trial"], marks["corpus"]) == ("wrong", "skipped", "ok")


@pytest.mark.usefixtures("no_erlang")
def test_without_erlang_it_says_what_to_install_and_leaves_out_what_needs_it(
    run: Run, tmp_path: Path
) -> None:
    ran = run("doctor", "--port", "0", "--corpus", tmp_path)
    told = lines(ran)
    assert ran.code == 2
    assert told["Erlang"][0] == "WRONG"
    assert "apt install erlang-base" in told["Erlang"][1]
    assert told["Erlang code"] == ("-", "not looked at: it needs Erlang")
    assert told["trial"] == ("-", "not looked at: it needs Erlang code")
    assert told["agent"] == ("-", "not looked at: it needs trial")
    assert told["corpus"][0] == "ok"
    assert "put right what is WRONG" in ran.out


def test_what_is_wrong_is_a_line_each_and_the_rest_is_still_looked_at(
    run: Run, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    every = checks(tmp_path / "file" / "corpus", TargetSettings(port=taken))
    quick = tuple(Check(c.name, (lambda: "skipped") if c.needs else c.look) for c in every)
    monkeypatch.setattr(module, "checks", lambda *_: quick)
    ran = run("doctor")
    told = lines(ran)
    assert ran.code == 2
    assert [name for name, (mark, _) in told.items() if mark == "WRONG"] == ["ports", "corpus"]
    assert f"port {taken} on 127.0.0.1 cannot be had" in told["ports"][1]
    assert "choose another with --port" in told["ports"][1]
    assert "choose another folder" in told["corpus"][1]


def test_the_port_of_websocket_is_looked_at_too(taken: int) -> None:
    with pytest.raises(IrisFuzzError, match=f"port {taken} .* cannot be had"):
        look("ports", port=taken - 1)


def test_an_old_erlang_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "otp_release", lambda: "24")
    with pytest.raises(IrisFuzzError, match="Erlang/OTP 24 is too old; install 25"):
        look("Erlang")


@pytest.mark.parametrize("release", [(3, 10), (3, 14)])
def test_a_python_that_atheris_is_not_made_for_is_refused(
    release: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (*release, 0, "final", 0))
    with pytest.raises(IrisFuzzError, match=r"from 3\.11 to 3\.13"):
        look("Python")


def test_atheris_that_cannot_be_imported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ImportError("no module of that name")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(IrisFuzzError, match=r"no module of that name.*make setup"):
        look("Atheris")


def test_few_open_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.resource, "getrlimit", lambda _which: (64, 64))
    with pytest.raises(IrisFuzzError, match=r"only 64 files .*`ulimit -n 1024`"):
        look("open files")


def test_sleepy_processors_are_a_note_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeful, "_LATENCY_FILE", str(tmp_path / "missing" / "latency"))
    said = look("wake-up")
    assert isinstance(said, module.Note)
    assert "/dev/cpu_dma_latency" in said.text


def test_a_disk_in_place_of_memory_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "scratch_folder", lambda: None)
    said = look("memory disk")
    assert isinstance(said, module.Note)
    assert "/dev/shm" in said.text


def test_a_note_does_not_change_the_exit_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Check("wake-up", lambda: module.Note("slow"))
    monkeypatch.setattr(module, "checks", lambda *_: (slow,))
    ran = run("doctor")
    assert (ran.code, lines(ran)) == (0, {"wake-up": ("note", "slow")})


@contextmanager
def answering(data: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Be where epmd is looked for, and answer the first question with ``data``."""
    with socket.create_server(HERE) as server:
        port: int = server.getsockname()[1]
        monkeypatch.setenv("ERL_EPMD_PORT", str(port))

        def serve() -> None:
            asked, _ = server.accept()
            with asked:
                assert asked.recv(16) == b"\x00\x01n"
                asked.sendall(data.replace(b"PORT", port.to_bytes(4, "big")))

        server.settimeout(10.0)
        thread = threading.Thread(target=serve)
        thread.start()
        yield port
        thread.join()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PORT", "running, and knows no node"),
        (b"PORTname a at port 1\nname b at port 2\n", "running, and knows a, b"),
    ],
)
def test_epmd_is_asked_for_its_nodes(
    data: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(data, monkeypatch):
        assert look("epmd") == says


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 400 Bad Request\r\n"])
def test_who_is_no_epmd_is_told(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(data, monkeypatch) as port, pytest.raises(IrisFuzzError) as refused:
        look("epmd")
    assert f"who listens on port {port} is no epmd" in str(refused.value)


def test_nobody_in_the_place_of_epmd_is_well_if_it_can_be_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(HERE) as server:
        monkeypatch.setenv("ERL_EPMD_PORT", str(server.getsockname()[1]))
    assert look("epmd") == "not running; nodes that need it start it"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IrisFuzzError, match="no epmd on the PATH"):
        look("epmd")
    monkeypatch.setenv("ERL_EPMD_PORT", "x")
    with pytest.raises(IrisFuzzError, match="which is no port"):
        look("epmd")


ATTACHED = TargetSettings("127.0.0.1:8085", attach=AttachSettings(("iris",)))
STARTED = TargetSettings(start=StartSettings(("make start",)))


@pytest.fixture
def cookie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the nodes of a user read their cookie who has none yet."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / ".erlang.cookie"


def test_a_target_without_a_cookie_needs_none(cookie: Path) -> None:
    for target in (EMBEDDED, TargetSettings("127.0.0.1:8085")):
        assert look("cookie", target=target) == "this target needs none"


def test_the_file_is_told_from_which_the_cookie_is_read(cookie: Path, tmp_path: Path) -> None:
    other = tmp_path / ".config" / "erlang" / ".erlang.cookie"
    other.parent.mkdir(parents=True)
    for path in (other, cookie):
        path.write_text("secret")
        path.chmod(0o400)
        assert look("cookie", target=ATTACHED) == f"in {path}"
    named = tmp_path / "named"
    named.write_text("secret")
    named.chmod(0o400)
    attach = AttachSettings(("iris",), named)
    assert look("cookie", target=replace(ATTACHED, attach=attach)) == f"in {named}"
    assert str(look("cookie", target=STARTED)).startswith(f"in {cookie}, unless")


def test_a_cookie_that_is_not_there_is_wrong_for_who_has_to_read_it(cookie: Path) -> None:
    with pytest.raises(IrisFuzzError, match=rf"cannot be read from {cookie} .*--cookie-file"):
        look("cookie", target=ATTACHED)
    assert "makes it" in str(look("cookie", target=STARTED))


@pytest.mark.parametrize("mode", [0o440, 0o604])
@pytest.mark.parametrize("target", [ATTACHED, STARTED])
def test_a_cookie_that_others_can_read_is_refused_by_nodes(
    cookie: Path, target: TargetSettings, mode: int
) -> None:
    cookie.write_text("secret")
    cookie.chmod(mode)
    said = look("cookie", target=target)
    assert isinstance(said, module.Note)
    assert said.text.startswith(f"{cookie} is open to others: ")
    assert f"`chmod 400 {cookie}`" in said.text


def test_what_is_no_file_holds_no_cookie(cookie: Path) -> None:
    cookie.mkdir(0o700)
    said = look("cookie", target=STARTED)
    assert isinstance(said, module.Note)
    assert f"{cookie} is no file" in said.text


def test_a_clock_that_was_set_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(look("clock")).startswith("it is 20")
    monkeypatch.setattr(module.time, "time", lambda: 0.0)
    with pytest.raises(IrisFuzzError, match="it is set to 1970-01-01 00:00 UTC"):
        look("clock")


def test_a_target_without_an_agent_is_told_with_what_is_not_seen(run: Run, tmp_path: Path) -> None:
    with bench() as planted:
        endpoint = planted.rig.endpoint
        where = f"{endpoint.host}:{endpoint.port}"
        ran = run("doctor", "--target", where, "--corpus", tmp_path)
    told = lines(ran)
    assert ran.code == 0
    assert "ports" not in told
    assert told["trial"][1].startswith(f"{where} served a client (")
    assert told["agent"][0] == told["coverage"][0] == "note"
    assert "seen from outside only" in told["agent"][1]


def test_a_target_that_is_not_there_is_what_is_wrong(run: Run, tmp_path: Path) -> None:
    with socket.create_server(HERE) as server:
        port = server.getsockname()[1]
    ran = run("doctor", "--target", f"127.0.0.1:{port}", "--corpus", tmp_path)
    told = lines(ran)
    assert ran.code == 2
    assert told["trial"][0] == "WRONG"
    assert "cannot be reached" in told["trial"][1]
    assert told["coverage"] == ("-", "not looked at: it needs trial")
