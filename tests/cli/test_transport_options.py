"""The options of transports: what they become, and one sentence for what makes no sense."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from fuzz.cli.target_options import target_options
from fuzz.errors import SettingsError
from fuzz.settings import TargetSettings, TlsSettings
from fuzz.target.choose import choose_target

SERVER = ("--target", "127.0.0.1:8085")


def chosen(*words: str) -> TargetSettings:
    """Return what the words on a command line choose."""
    found: list[TargetSettings] = []

    @click.command()
    @target_options
    def command(target: TargetSettings) -> None:
        found.append(target)

    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


@pytest.mark.parametrize(
    ("words", "transport"),
    [
        ((), "tcp"),
        (("--transport", "tls"), "tls"),
        (("--tls",), "tls"),
        (("--transport", "websocket"), "websocket"),
        (("--transport", "wss"), "wss"),
        (("--tls", "--transport", "websocket"), "wss"),
    ],
)
def test_one_option_says_what_clients_come_over(words: tuple[str, ...], transport: str) -> None:
    assert chosen(*words).transport == transport


@pytest.mark.parametrize(
    "words",
    [
        ("--transport", "tls"),
        ("--transport", "wss", "--tls-version", "1.3", "--plant", "hang", "--auth"),
        (*SERVER, "--transport", "websocket", "--websocket-port", "9000"),
        (*SERVER, "--tls", "--tls-ca", "a b.pem", "--tls-cert", "c.pem", "--tls-key", "k.pem"),
        (*SERVER, "--tls", "--tls-insecure", "--tls-server-name", "chat.example.org"),
    ],
)
def test_the_switches_of_a_finding_choose_the_same_target_again(words: tuple[str, ...]) -> None:
    settings = chosen(*words)
    assert chosen(*settings.switches()) == settings


@pytest.mark.parametrize("name", [".foo", "a..b", "x" * 64, "\udcff", "a\0b"])
def test_a_server_cannot_prove_to_be_what_is_no_name(name: str) -> None:
    for secure in ((), ("--tls-insecure",)):
        settings = chosen(*SERVER, "--tls", *secure, "--tls-server-name", name)
        with pytest.raises(SettingsError, match=r"--tls-server-name .* is no host name"):
            choose_target(settings)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--tls", "--transport", "tcp"), "contradict one another"),
        (("--tls-ca", "ca.pem"), "--tls-ca is of no use without --tls"),
        (("--tls-insecure",), "--tls-insecure is of no use without --tls"),
        (("--tls", "--tls-ca", "ca.pem"), "makes its own certificates"),
        (("--websocket-port", "9000"), "--websocket-port is for an Iris of your own only"),
        ((*SERVER, "--tls", "--tls-key", "k.pem"), "--tls-key is of no use without --tls-cert"),
        ((*SERVER, "--tls", "--tls-insecure", "--tls-ca", "x"), "--tls-ca is of no use beside it"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as raised:
        chosen(*words)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for tls, says in (
        (TlsSettings(ca=tmp_path / "none.pem"), "cannot be read: No such file"),
        (TlsSettings(ca=empty), "holds no certificate"),
        (TlsSettings(insecure=True, certificate=empty), "--tls-cert .* holds no certificate"),
    ):
        with pytest.raises(SettingsError, match=says):
            choose_target(TargetSettings("127.0.0.1:8085", tls=tls))
