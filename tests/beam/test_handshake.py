"""What a node says of itself, and who only looks like one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest

from fuzz.beam.handshake import find, is_here
from fuzz.clock import Deadline
from fuzz.errors import AgentError
from tests.beam.nodes import soon
from tests.clocks import LeapingClock

Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a starter of servers that answer any first request with given bytes.

    One that is to tell when it has said them says one byte more after that.
    """
    threads = []

    def start(answer: bytes, said: Event | None = None) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def once() -> None:
            with server, server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(answer)
                if said is not None:
                    said.set()
                    connection.sendall(b"N")

        threads.append(Thread(target=once))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def _epmd(serve: Serve, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", str(serve(answer)))


@pytest.mark.parametrize(
    "answer", [b"", b"\x00\x03sno", b"\x15\x03\x03\x00\x02\x02\x46", b"\x00\x03sok\x00\x02Nx"]
)
def test_what_does_not_speak_the_protocol_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    port = serve(answer)
    _epmd(serve, monkeypatch, b"\x77\x00" + port.to_bytes(2, "big"))
    with pytest.raises(AgentError, match=r"iris does not speak the distribution protocol.*TLS"):
        find("iris", "caller", soon("the node", 5))


def test_a_full_name_is_read_from_the_challenge(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = b"iris@a.long.host"
    challenge = b"N" + bytes(16) + len(name).to_bytes(2, "big") + name
    port = serve(b"\x00\x03sok" + len(challenge).to_bytes(2, "big") + challenge)
    _epmd(serve, monkeypatch, b"\x77\x00" + port.to_bytes(2, "big"))
    found = find("iris", "caller", soon("the node", 5))
    assert (found.name, found.host, found.long) == ("iris@a.long.host", "a.long.host", True)
    assert found.address == "127.0.0.1"


def test_a_node_that_takes_too_long_over_a_message_is_not_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Event()
    port = serve(b"\x00\x03sok\xff\xffN", said)
    _epmd(serve, monkeypatch, b"\x77\x00" + port.to_bytes(2, "big"))
    with pytest.raises(AgentError, match="it takes too long"):
        find("iris", "caller", Deadline.after(LeapingClock(said.is_set), 60.0, "the node"))


def test_a_port_where_nobody_listens_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    _epmd(serve, monkeypatch, b"\x77\x00" + unused_port.to_bytes(2, "big"))
    with pytest.raises(AgentError, match=f"listens on port {unused_port}, but nobody does"):
        find("iris@localhost", "caller", soon("the node", 5))


def test_an_epmd_that_hangs_up_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    _epmd(serve, monkeypatch, b"\x77")
    with pytest.raises(AgentError, match="no epmd answers"):
        find("iris", "caller", soon("the node", 5))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("192.0.2.1", False), ("a..b", True)],
)
def test_what_is_on_this_machine(host: str, expected: bool) -> None:
    assert is_here(host) is expected
