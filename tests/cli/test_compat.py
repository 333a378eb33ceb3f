"""``iris-fuzz compat``: two versions of the reference, and what cannot be compared."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.cli.options import SHIPPED_CORPUS
from fuzz.triage.replay import case_files
from tests.cli.support import Run
from tests.planted.support import bench

SEEDS = SHIPPED_CORPUS / "seeds"
#: Cases in which an old message is sent, and one in which none is.
MESSAGES = [SEEDS / name for name in ("op-02-send-message", "dialogue-offline-message")]
OTHER = SEEDS / "op-05-get-status"
LONG_NAME = SHIPPED_CORPUS / "regressions" / "get-status-of-128-bytes"


def test_a_version_does_not_differ_from_itself(run: Run) -> None:
    folders = [SHIPPED_CORPUS / name for name in ("seeds", "golden")]
    ran = run("compat", "embedded", "embedded", "--json", *folders)

    told = json.loads(ran.out)
    assert told["groups"] == []
    given = len(list(case_files(folders)))
    assert told["cases"] == {"given": given, "compared": given}
    assert ran.code == 0


def test_one_changed_behaviour_is_one_group_with_its_smallest_case(run: Run) -> None:
    ran = run("compat", "embedded", "embedded:deprecated_told", "--json", *MESSAGES, OTHER)

    told = json.loads(ran.out)
    (group,) = told["groups"]
    assert group["what"] == "ERROR is added"
    assert sorted(group["cases"]) == sorted(map(str, MESSAGES))
    smallest = group["smallest"]
    assert smallest["case"] == str(MESSAGES[0])
    assert (smallest["connection"], smallest["replies"]) == (0, [1, 1])
    assert smallest["a"] == ["LOGIN_OK", "(closed)"]
    assert smallest["b"] == [
        "LOGIN_OK",
        'ERROR reason="SEND_MESSAGE is deprecated"',
        "(closed)",
    ]
    assert told["by_chance"] == []
    assert ran.code == 1


def test_a_finding_of_one_side_is_told_with_what_both_said(run: Run) -> None:
    ran = run("compat", "embedded:reply_length", "embedded", LONG_NAME)

    assert "1. a finding on A only: conformance: the server ended a" in ran.out
    assert f"{LONG_NAME}, connection 0:" in ran.out
    assert "A  STATUS_RESPONSE user=" in ran.out
    assert "B  STATUS_RESPONSE user=" in ran.out
    assert "1 of 1 case compared; 1 differs, in 1 group" in ran.out
    assert ran.code == 1


def test_a_server_that_runs_already_is_compared_but_for_websocket(run: Run) -> None:
    websocket = SEEDS / "dialogue-websocket"
    group = SEEDS / "op-35-group-roster"
    with bench() as running:
        address = f"127.0.0.1:{running.rig.endpoint.port}"
        ran = run("compat", address, "embedded", "--json", *MESSAGES, group, websocket)

    told = json.loads(ran.out)
    assert (told["groups"], told["left_out"]) == ([], [str(websocket)])
    assert told["cases"] == {"given": 4, "compared": 3}
    assert ran.code == 0


def test_both_sides_come_over_the_transport_that_is_named(run: Run) -> None:
    """What is said of a certificate is for the side that does not make its own."""
    ended = SHIPPED_CORPUS / "regressions" / "get-status-cut-short"
    with bench(transport="tls") as running:
        address = f"127.0.0.1:{running.rig.endpoint.port}"
        words = ("compat", address, "embedded:tls_goodbye", "--json", ended)
        ran = run(*words, "--tls", "--tls-insecure")

    (group,) = json.loads(ran.out)["groups"]
    assert group["what"].startswith("a finding on B only: process_crash")
    assert ran.code == 1


def test_a_side_may_be_a_file_and_have_options_of_its_own(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "iris-fuzz.toml"
    file.write_text('[target]\nplant = ["hang"]\n')
    ran = run("compat", f"{file} --plant reply_length", "embedded --edges 1", "--json", LONG_NAME)

    (group,) = json.loads(ran.out)["groups"]
    assert group["what"].startswith("a finding on A only: conformance")
    assert ran.code == 1
    file.write_text("[fuzz]\ntime = 5\n")
    assert "it has no table [target]" in run("compat", file, "embedded", LONG_NAME).sentence()


def test_a_server_that_goes_down_ends_it_and_what_was_seen_is_told(run: Run) -> None:
    fatal = SHIPPED_CORPUS / "regressions" / "send-seq-largest-number"
    with bench("node_dump") as running:
        address = f"127.0.0.1:{running.rig.endpoint.port}"
        ran = run("compat", "embedded", address, OTHER, fatal, *MESSAGES)

    assert ran.code == 2
    assert "1. a finding on B only: " in ran.out
    assert "2 of 4 cases compared; 1 differs, in 1 group" in ran.out
    assert address in ran.sentence()


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        (("embedded", "nowhere"), "HOST:PORT, not 'nowhere'"),
        (("embedded:", "embedded"), "'embedded:' names a planted defect that is empty"),
        (("embedded:hang,,", "embedded"), "names a planted defect that is empty"),
        (("embedded:no_such", "embedded"), "no_such"),
        (("192.0.2.1:8085", "embedded"), "192.0.2.1"),
        (("127.0.0.1:1 --cookie-file x", "embedded"), "--cookie-file belongs to --node"),
        (("embedded --egdes 2", "embedded"), "No such option '--egdes'"),
        (("embedded 'x", "embedded"), "No closing quotation"),
        (("", "embedded"), "HOST:PORT, not ''"),
        (("missing.toml", "embedded"), "missing.toml cannot be read"),
    ],
)
def test_a_target_that_is_none_is_refused_in_a_sentence(
    run: Run, sides: tuple[str, str], words: str
) -> None:
    ran = run("compat", *sides, OTHER)

    assert ran.code == 2
    assert words in ran.sentence()


def test_a_case_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    ran = run("compat", "embedded", "embedded", tmp_path / "missing")

    assert ran.code == 2
    assert str(tmp_path / "missing") in ran.sentence()


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a port that is taken, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_server_that_is_not_there_is_named(run: Run, nobody: str) -> None:
    ran = run("compat", nobody, "embedded", OTHER)

    assert ran.code == 2
    assert nobody in ran.sentence()
