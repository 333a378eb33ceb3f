"""The bare loop does what a script would do, and names what it waited for when that fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fuzz.bench import bare, shapes
from fuzz.bench.bare import BareLoop, play_one
from fuzz.errors import TargetError

Script = Callable[[socket.socket], None]


@contextmanager
def served_by(script: Script) -> Iterator[tuple[str, int]]:
    """Serve each connection by ``script``, one after another, until the context is over."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    script(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_it_logs_in_anew_each_time_and_sends_the_frames_in_turn() -> None:
    heard: list[tuple[bytes, bytes]] = []

    def script(client: socket.socket) -> None:
        login = client.recv(100)
        client.sendall(b"\x03LOGIN_OK")
        sent = b""
        while more := client.recv(100):
            sent += more
        heard.append((login, sent))

    with served_by(script) as address:
        loop = BareLoop((b"\x05one", b"\x05two"), address)
        played = loop.run(0.05)
        loop.close()
    assert played.rounds == len(heard)
    assert played.rate == pytest.approx(played.rounds / played.seconds)
    assert played.node == 0  # it is no node of ours
    assert {sent for _, sent in heard} <= {b"\x05one", b"\x05two"}
    assert heard[0] == (b"\x01bare0", b"\x05one")
    assert len({login for login, _ in heard}) == len(heard)


def test_a_server_that_cuts_it_off_is_told() -> None:
    with (
        served_by(lambda client: None) as address,
        pytest.raises(TargetError, match="the reply to LOGIN"),
    ):
        play_one(address, b"u", b"frame")


def test_a_server_that_says_nothing_is_waited_for_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bare, "STEP_SECONDS", 0.1)
    with (
        served_by(lambda client: client.recv(100) and client.recv(100) and None) as address,
        pytest.raises(TargetError, match="did not get the reply to LOGIN: waited 0 s"),
    ):
        play_one(address, b"u", b"frame")


def test_a_port_that_refuses_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
    with pytest.raises(TargetError, match=r"did not get a connection: .*refused"):
        BareLoop(shapes.FRAMES, address).run(0.1)
