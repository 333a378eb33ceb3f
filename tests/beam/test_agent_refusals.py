"""Who may talk to an agent, how it gets into a node, and what is said when it does not."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from fuzz.beam import AgentClient, AgentFiles, decode
from fuzz.beam.inject import PROTOCOL_VERSION
from fuzz.errors import AgentError
from tests.beam.nodes import AgentNode, soon


def _exchange(port: int, request: object) -> bytes:
    """Send one request on a new connection, and return all that comes back."""
    return _answer_to(port, decode.encode(request))


def _answer_to(port: int, body: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(struct.pack(">I", len(body)) + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


#: How the announcement of an agent begins that is ours.
OURS = f"version={PROTOCOL_VERSION}\nnode=a@b\n"


def _hello(version: int, token: str) -> tuple[object, ...]:
    return (decode.atom("hello"), version, decode.text(token))


@pytest.mark.parametrize("token", ["", "x", "y" * 32])
def test_a_wrong_token_is_refused_and_the_connection_closed(node: AgentNode, token: str) -> None:
    with pytest.raises(AgentError, match="the token is wrong"):
        AgentClient.connect(node.where, token)
    assert b"the token is wrong" in _exchange(node.where.port, _hello(PROTOCOL_VERSION, token))


def test_another_version_is_refused(node: AgentNode) -> None:
    reply = _exchange(node.where.port, _hello(PROTOCOL_VERSION + 1, node.files.token))
    told = f"the agent speaks version {PROTOCOL_VERSION}, the client {PROTOCOL_VERSION + 1}"
    assert told.encode() in reply


def test_nothing_is_answered_before_the_hello(node: AgentNode) -> None:
    reply = _exchange(node.where.port, decode.atom("detach"))
    assert b"the first request must be a hello" in reply
    assert node.agent.quiet()


def test_bytes_that_are_no_term_end_the_connection_only(node: AgentNode) -> None:
    with socket.create_connection(("127.0.0.1", node.where.port), 5) as connection:
        connection.sendall(b"\x00\x00\x00\x04junk")
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"is not a term" in rest
    with socket.create_connection(("127.0.0.1", node.where.port), 5) as connection:
        connection.sendall(b"\x7f\xff\xff\xff")
        assert connection.recv(1) == b""
    assert node.agent.quiet()
    assert node.agent.read().events == ()


def test_what_is_compressed_is_not_unpacked(node: AgentNode) -> None:
    text = b"\x6b\xff\xff" + bytes(0xFFFF)  # a string, for each byte of which a list has 16
    term = b"\x6c\x00\x00\x01\x00" + text * 256 + b"\x6a"
    packet = b"\x83\x50" + struct.pack(">I", len(term)) + zlib.compress(term, 9)
    assert len(packet) < 65536
    assert b"is not a term" in _answer_to(node.where.port, packet)
    assert node.agent.settle(5).events == ()


def test_a_session_has_a_small_heap_until_the_hello(own_node: AgentNode) -> None:
    limits = (
        "lists:sort([element(2, process_info(S, max_heap_size)) "
        "|| {_, S, _, _} <- supervisor:which_children(iris_fuzz_sessions)])"
    )
    of_any = "[erlang:system_info(max_heap_size)]"
    assert own_node.eval(f"{limits} =:= {of_any}") == "true"
    with socket.create_connection(("127.0.0.1", own_node.where.port), 5):
        own_node.until(f"length({limits}) =:= 2", "the session")
        small = own_node.eval(f"[S || #{{size := S, kill := true}} <- {limits} -- {of_any}]")
    assert small == "[1048576]"


def test_strangers_who_say_nothing_do_not_keep_the_harness_out(own_node: AgentNode) -> None:
    with ExitStack() as stack:
        strangers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", own_node.where.port), 30))
            for _ in range(12)
        ]
        another = AgentClient.connect(own_node.where, own_node.files.token)
        stack.callback(another.close)
        assert another.quiet(5)
        assert [stranger.recv(1) for stranger in strangers[:5]] == [b""] * 5
    assert own_node.agent.settle(5).events == ()


def test_those_who_have_said_hello_are_not_sent_away(own_node: AgentNode) -> None:
    with ExitStack() as stack:
        for _ in range(7):
            another = AgentClient.connect(own_node.where, own_node.files.token)
            stack.callback(another.close)
        with pytest.raises(AgentError):
            AgentClient.connect(own_node.where, own_node.files.token)
        assert own_node.agent.quiet(5)


def test_an_unknown_request_is_refused_and_the_session_goes_on(node: AgentNode) -> None:
    with pytest.raises(AgentError, match="does not know this request"):
        node.agent._call((decode.atom("hello"), 1), 5, "nothing")
    assert node.agent.quiet()


def test_atoms_from_outside_are_not_made(node: AgentNode) -> None:
    reply = _exchange(node.where.port, decode.atom("an_atom_that_no_module_has"))
    assert b"is not a term that the agent knows" in reply


def test_only_the_loopback_is_listened_on(node: AgentNode) -> None:
    names = node.eval("[inet:sockname(P) || P <- erlang:ports(), inet:sockname(P) =/= x]")
    assert "{0,0,0,0}" not in names
    assert f"{{127,0,0,1}},{node.where.port}" in names


def test_the_announcement_says_which_node(node: AgentNode) -> None:
    where = node.where
    assert (where.node, where.os_pid) == ("nonode@nohost", node.fixture.process.pid)
    assert where.otp == node.agent.info.otp
    assert node.agent.info.os_pid == where.os_pid
    assert node.files.wait(soon("it"), node="nonode", os_pid=where.os_pid) == where


def test_flags_of_the_user_are_kept(node: AgentNode) -> None:
    flags = node.files.environment({"ERL_ZFLAGS": "+S 1:1"})["ERL_ZFLAGS"]
    assert flags.startswith("+S 1:1 -pa ")


def test_a_folder_with_a_space_in_its_name_is_quoted(tmp_path: Path) -> None:
    files = AgentFiles(tmp_path, ebin=tmp_path / "a b")
    assert f'-pa "{tmp_path}/a b"' in files.environment({})["ERL_ZFLAGS"]


def test_an_agent_that_never_comes_is_named_at_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="no agent announced itself in time for the node to boot"):
        AgentFiles(tmp_path).wait(soon("the node to boot", 0.03))


@pytest.mark.parametrize("collected", [True, False])
def test_the_announcement_of_a_dead_node_is_passed_over(tmp_path: Path, collected: bool) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | (0 if collected else os.WNOWAIT))
    text = f"{OURS}os_pid={child.pid}\notp=25\nport=1\n"
    (tmp_path / "a@b.agent").write_text(text)
    with pytest.raises(AgentError, match="no agent announced itself"):
        AgentFiles(tmp_path).wait(soon("it", 0.03))
    child.wait()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            f"{OURS}error=no disk\n",
            "the agent did not start in a@b: no disk",
        ),
        ("version=9\nnode=a@b\n", "the agent in a@b speaks version 9 of the protocol"),
        (
            f"{OURS}port=x\n",
            "odd.agent is no announcement of an agent",
        ),
    ],
)
def test_an_announcement_of_a_failure_is_told(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "odd.agent").write_text(content)
    with pytest.raises(AgentError, match=sentence):
        AgentFiles(tmp_path).wait(soon("it", 0.03))


def test_nobody_on_the_port_is_told(unused_port: int) -> None:
    with pytest.raises(AgentError, match=f"no agent answers on port {unused_port}"):
        AgentClient.connect(unused_port, "token")


@pytest.fixture
def impostor() -> Iterator[Callable[[bytes], int]]:
    """Return a starter of servers that answer any first request with given bytes."""
    threads = []

    def start(answer: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with server, server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.recv(65536)

        threads.append(Thread(target=serve))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def _packet(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (_packet(b"junk"), "something that is not a reply"),
        (_packet(decode.encode((decode.atom("ok"), 5))), "a term that is no node info"),
        (_packet(decode.encode(5)), "something that is not a reply"),
        (b"\x7f\xff\xff\xff", "announces a reply of 2147483651 bytes"),
        (_packet(b"ab") + b"more", "more than one reply"),
        (b"\x00", "s; awaited a hello"),
        (b"", "s; awaited a hello"),
    ],
)
def test_an_impostor_is_seen_through(
    impostor: Callable[[bytes], int], answer: bytes, sentence: str
) -> None:
    port = impostor(answer)
    silent = "awaited" in sentence  # and that is to be sat out
    with pytest.raises(AgentError) as refusal:
        AgentClient.connect(port, "token", soon("the hello", 0.1 if silent else 30.0))
    assert sentence in str(refusal.value)
