"""Starting, stopping, and what a node that was killed still knows."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import cbor2
import pytest

from fuzz.erlang import clean_environment
from tests.target.reference_support import (
    BOOT_SECONDS,
    REPLY_SECONDS,
    Client,
    ReferenceNode,
    command,
    n16,
    n32,
)

BUNDLE = {
    "identity_key": b"i" * 32,
    "signed_prekey": b"s" * 32,
    "signed_prekey_signature": b"g" * 64,
    "one_time_prekeys": [b"1" * 32, b"2" * 32],
}


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    node = ReferenceNode(tmp_path)
    with Client(node.tcp, b"ann") as ann, Client(node.tcp, b"bob") as bob:
        group = ann.ask(b"\x30" + n16(b"team"))[1]
        assert isinstance(group, bytes)
        assert bob.ask(b"\x30" + n16(group))[0] == 0x31
        assert ann.frame() == (0x31, group, b"bob")
        assert ann.ask(b"\x20" + n32(cbor2.dumps(BUNDLE)))[1] == cbor2.dumps({"status": "ok"})
        assert ann.ask(b"\x21" + n16(b"ann"))[0] == 0x22
        ann.send(b"\x04" + n16(b"cid") + n32(n16(b"1") + n16(b"2")))
        ann.send(b"\x33" + n16(group) + n16(b"\xa0") + n32(b"c"))
        assert bob.frame()[0] == 0x10
        ann.settle()
        # Unacknowledged on a connection that ends: the end comes after the disc.
        assert bob.finish() == ()
        node.kill()
    with ReferenceNode(tmp_path) as again:
        with Client(again.tcp, b"ann") as ann, Client(again.tcp, b"cid") as cid:
            roster = (0x35, group, cbor2.dumps(["ann", "bob"]))
            assert ann.ask(b"\x35" + n16(group)) == roster
            left = cbor2.dumps({**BUNDLE, "one_time_prekeys": [b"2" * 32]})
            assert ann.ask(b"\x21" + n16(b"ann")) == (0x22, left)
            assert [cid.frame()[2], cid.frame()[2]] == [b"1", b"2"]
        with Client(again.tcp, b"bob") as bob:
            assert bob.frame()[0] == 0x10


def test_a_stop_of_the_application_stores_what_is_unacknowledged(tmp_path: Path) -> None:
    with ReferenceNode(tmp_path) as node:
        with Client(node.tcp, b"ann") as ann, Client(node.tcp, b"bob") as bob:
            ann.send(b"\x02" + n16(b"bob") + n16(b"hi"))
            frame = bob.frame()
            assert node.eval("application:stop(iris_ref)") == "ok"
            assert ann.rest() == b""
            assert node.eval("application:start(iris_ref)") == "ok"
        with Client(node.tcp, b"bob") as bob:
            assert bob.frame() == frame


def test_a_stop_stores_what_a_client_has_not_read_that_is_being_sent_to(tmp_path: Path) -> None:
    body, count = b"x" * 60000, 200
    with ReferenceNode(tmp_path) as node:
        with Client(node.tcp, b"ann") as ann, Client(node.tcp, b"bob") as bob:
            ann.send(count * (b"\x02" + n16(b"bob") + n16(body)))
            ann.settle()
            node.eval('{ok, {_, _, P}} = iris_ref_presence:find(<<"bob">>), put(bob, P)')
            stuck = "[{status, waiting}, {message_queue_len, N}] when N > 0 -> true; _ -> false"
            of_bob = "process_info(get(bob), [status, message_queue_len])"
            node.until(f"case {of_bob} of {stuck} end", "the full socket")
            assert node.eval("application:stop(iris_ref)") == "ok"
            assert node.eval("application:start(iris_ref)") == "ok"
            bob.reset()
        kept = node.number('length(iris_ref_offline:fetch(<<"bob">>))')
    assert kept == count


def test_the_application_restarts_on_the_same_ports(tmp_path: Path) -> None:
    with ReferenceNode(tmp_path) as node:
        before = node.eval("lists:sort(erlang:registered())")
        for _ in range(5):
            with Client(node.tcp, b"ann") as client, Client(node.ws) as web:
                web.send(b"GET ")
                client.settle()
                assert node.eval("{application:stop(iris_ref), application:start(iris_ref)}") == (
                    "{ok,ok}"
                )
        with Client(node.tcp, b"ann") as client:
            client.settle()
        assert node.eval("{application:stop(iris_ref), application:stop(mnesia)}") == "{ok,ok}"
        restart = "element(1, application:ensure_all_started(iris_ref))"
        assert node.eval(restart) == "ok"
        assert node.eval("lists:sort(erlang:registered())") == before
        assert not [line for line in node.log if "rash" in line or "rror" in line]


def run(arguments: dict[str, object], folder: Path) -> tuple[int, str, str]:
    """Run a node that ends by itself: its code, its output and its errors."""
    result = subprocess.run(
        command(arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=BOOT_SECONDS,
        env={**clean_environment(), "ERL_CRASH_DUMP": str(folder / "dump")},
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("key", ["port", "ws_port"])
def test_a_port_in_use_is_one_line_and_code_3(tmp_path: Path, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run({"port": 0, key: port}, tmp_path)
    assert (code, out) == (3, "")
    assert err == f"IRIS_REF ERROR port {port} on 127.0.0.1 is in use\n"
    assert list(tmp_path.iterdir()) == []


def test_a_core_does_not_care_who_has_a_port(tmp_path: Path) -> None:
    """It listens on none; an Iris beside another one has the same default."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ReferenceNode(tmp_path, {"role": "core", "port": port}) as core:
            assert core.tcp == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"port": "high"}, "the value high of port is not valid"),
        ({"ip": "nowhere"}, "the value nowhere of ip is not valid"),
        ({"plants": "hang,unheard_of"}, "the value hang,unheard_of of plants is not valid"),
        ({"colour": "red"}, "the argument colour is not known"),
        ({"port": 0, "role": "edge"}, "an edge needs the argument core"),
        ({"port": 0, "auth_enabled": "true"}, "auth_enabled needs the argument auth_secret"),
        ({"port": 0, "data_dir": "file/data"}, "the data_dir file/data cannot be made: not a"),
        (
            {"port": 0, "role": "edge", "core": "x@localhost"},
            "the core x@localhost cannot be reached",
        ),
        ({"ip": "192.0.2.1", "port": 0, "ws_port": 1}, "port 1 on 192.0.2.1 cannot be opened"),
    ],
)
def test_a_start_that_fails_is_one_line_and_code_3(
    tmp_path: Path, arguments: dict[str, object], sentence: str
) -> None:
    (tmp_path / "file").touch()
    code, out, err = run(arguments, tmp_path)
    assert (code, out) == (3, "")
    assert err.startswith(f"IRIS_REF ERROR {sentence}")
    assert err.count("\n") == 1


def test_a_node_ends_with_its_standard_input(tmp_path: Path) -> None:
    arguments = {"port": 0, "data_dir": "data", "stop_on_eof": "true"}
    code, out, err = run(arguments, tmp_path)
    assert (code, err) == (0, "")
    assert out == "" or out.startswith("IRIS_REF READY ")


def test_a_node_stops_on_sigterm(tmp_path: Path) -> None:
    node = ReferenceNode(tmp_path)
    with Client(node.tcp, b"ann") as client:
        node.process.send_signal(signal.SIGTERM)
        assert client.rest() == b""
    assert node.process.wait(REPLY_SECONDS) == 0
    node.stop()


def test_the_node_listens_on_loopback_only(tmp_path: Path) -> None:
    with ReferenceNode(tmp_path) as node:
        names = "[Name || P <- erlang:ports(), {ok, Name} <- [inet:sockname(P)]]"
        assert re.findall(r"\{\{([\d,]+)\},(\d+)\}", node.eval(names)) == [
            ("127,0,0,1", str(node.tcp)),
            ("127,0,0,1", str(node.ws)),
        ]
