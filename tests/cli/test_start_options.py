"""The options that start somebody's own Iris: what they make, what they refuse, how they replay."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

import click
import pytest

from fuzz.cli.target_options import target_of, target_options, words_of
from fuzz.errors import SettingsError
from fuzz.settings import AttachSettings, StartSettings, TargetSettings, TlsSettings
from fuzz.target.choose import choose_target
from fuzz.target.started import StartedTarget
from tests.cli.support import Run
from tests.cli.test_cli_errors import as_program

#: Words that a shell would take apart, or read something else in.
AWKWARD = "make start NAME='a b' && echo $HOME \"done\"; true"


def parsed(*arguments: str, **file: object) -> TargetSettings:
    """Return the settings that a command line makes; ``file`` is what iris-fuzz.toml says."""
    seen = []

    @click.command()
    @target_options
    def verb(target: TargetSettings) -> None:
        seen.append(target)

    verb.main(list(arguments), standalone_mode=False, default_map=file)
    return seen[0]


def test_start_commands_keep_their_order() -> None:
    settings = parsed("--start", "one", "--start", "two", "--cwd", "iris", "--edge", "8087")
    assert settings.start == StartSettings(("one", "two"), Path("iris"), 60.0)
    assert settings.address() == ("127.0.0.1", 8085)
    assert settings.edge_addresses() == (("127.0.0.1", 8087),)
    assert not settings.embedded
    assert isinstance(choose_target(settings), StartedTarget)


@pytest.mark.parametrize(
    "words",
    [
        ("--start", AWKWARD, "--port", "8085"),
        ("--start", "one", "--start", "two", "--cwd", "my iris", "--port", "9000"),
        ("--start", "one", "--start-timeout", "2.5", "--port", "8085", "--edge", "8087"),
        ("--target", "127.0.0.1:8085", "--edge", "8087", "--edge", "localhost:9001"),
        ("--plant", "iat_ahead", "--auth", "--edges", "2", "--clock-skew", "2.5"),
    ],
)
def test_the_replay_line_starts_the_same_target_again(words: tuple[str, ...]) -> None:
    settings = parsed(*words)
    assert settings.switches() == words
    assert parsed(*shlex.split(shlex.join(settings.switches()))) == settings


def test_further_edges_of_a_server_that_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = TargetSettings(f"localhost:{port}", further=("8087", "127.0.0.2:8085"))
        assert settings.edge_addresses() == (("localhost", 8087), ("127.0.0.2", 8085))
        address = choose_target(settings).start({})
    where = [(edge.host, edge.port) for edge in (address, *address.further)]
    assert where == [("127.0.0.1", port), ("127.0.0.1", 8087), ("127.0.0.2", 8085)]


def test_what_the_command_line_names_takes_the_place_of_what_the_file_starts() -> None:
    file = {"commands": ["make start"], "folder": "iris", "further": ["8087"]}
    assert parsed(**file).start is not None
    assert parsed("--target", "127.0.0.1:9", **file) == TargetSettings("127.0.0.1:9")
    started = parsed("--start", "mine", target="127.0.0.1:9")
    assert started == TargetSettings(start=StartSettings(("mine",)))


def test_what_is_said_of_one_server_is_not_said_of_another() -> None:
    file = {"target": "127.0.0.1:9", "nodes": ["iris"], "cookie_file": "c", "websocket_port": 10}
    file |= {"tls": True, "ca": "ca.pem"}
    assert parsed(**file).attach == AttachSettings(("iris",), Path("c"))
    other = TlsSettings(ca=Path("ca.pem"))
    assert parsed("--target", "127.0.0.1:8", **file) == TargetSettings("127.0.0.1:8", tls=other)
    assert parsed("--target", "embedded", **file) == TargetSettings(tls=TlsSettings())
    assert parsed("--start", "mine", **file).start == StartSettings(("mine",))


def test_a_target_is_chosen_by_words_without_a_command_line() -> None:
    assert target_of(()) == TargetSettings(port=0)
    assert target_of(("--port", "9000")) == TargetSettings(port=9000)
    words = words_of("--start 'make start' --tls")
    assert target_of(words, {"port": 9000, "insecure": True}) == TargetSettings(
        port=9000, start=StartSettings(("make start",)), tls=TlsSettings(insecure=True)
    )
    for text in ("--prot 1", "--port x", "--port", "1", "--help"):
        with pytest.raises(SettingsError):
            target_of(words_of(text))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--start", "x", "--target", "127.0.0.1:8085"), "give one of the two"),
        (("--start", "x", "--port", "0"), "--start needs the port on which your Iris listens"),
        (("--start", " "), "--start wants a command of the shell"),
        (("--start", "x", "--start-timeout", "0"), "--start-timeout wants a number of seconds"),
        (("--start", "x", "--start-timeout", "nan"), "--start-timeout wants a number of seconds"),
        (("--start", "x", "--plant", "hang"), "embedded target only"),
        (("--start", "x", "--auth"), "embedded target only"),
        (("--start", "x", "--clock-skew", "5"), "--clock-skew is for the embedded target only"),
        (("--clock-skew", "5"), "--clock-skew sets the clocks of edges: add --edges N"),
        (("--edges", "2", "--clock-skew", "-5"), "--clock-skew wants a number of seconds from 0"),
        (("--start", "x", "--edge", "8085"), "the edge 127.0.0.1:8085 is named twice"),
        (("--start", "x", "--edge", "iris"), "--edge is PORT or HOST:PORT, not 'iris'"),
        (("--start", "x", "--edge", ":8087"), "--edge is PORT or HOST:PORT"),
        (("--cwd", "/"), "--start COMMAND, which is missing"),
        (("--start-timeout", "5"), "--start COMMAND, which is missing"),
        (("--edge", "8087"), "it goes with --start or --target"),
        (("--target", "127.0.0.1:8085", "--edge", "192.0.2.1:8085"), "--allow-host 192.0.2.1"),
    ],
)
def test_options_that_make_no_target_are_refused(
    run: Run, arguments: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    ran = run("fuzz", "--corpus", tmp_path / "corpus", *arguments)
    assert ran.code == 2
    assert reason in ran.sentence()
    assert not (tmp_path / "corpus").exists()


def test_an_edge_of_what_is_started_is_on_this_machine() -> None:
    start = StartSettings(("make start",))
    settings = TargetSettings(start=start, further=("192.0.2.1:8087",), allowed=("192.0.2.1",))
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:8087 is on another"):
        choose_target(settings)


@pytest.mark.parametrize("verb", [("fuzz", "--time", "60"), ("replay", "payload")])
def test_a_start_command_that_fails_ends_a_verb_at_once(
    verb: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "payload").write_bytes(b"\x05")
    command = ("--start", "echo the cookie is wrong; exit 3", "--port", "1")
    ran = as_program(*verb, *command, folder=tmp_path)
    assert ran.returncode == 2
    assert "ended with exit code 3 before the target was ready; run it by hand" in ran.stderr
    assert ran.stderr.endswith("\nIts last lines:\n  the cookie is wrong\n")
    assert "Traceback" not in ran.stderr + ran.stdout
