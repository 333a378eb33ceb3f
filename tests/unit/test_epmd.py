"""The port mapper of Erlang, and who only listens where it should."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest

from fuzz import epmd
from fuzz.clock import Deadline, FakeClock, SystemClock
from fuzz.epmd import epmd_port, exactly, names, port_of
from fuzz.errors import SettingsError
from tests.clocks import LeapingClock


@contextmanager
def answering(*pieces: bytes, endless: Event | None = None) -> Iterator[int]:
    """Answer the first question, with PORT for the port.

    If it is to be ``endless``, the last piece comes again and again, and that is told.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]

        def serve() -> None:
            asked, _ = server.accept()
            with asked, suppress(ConnectionError):
                asked.recv(4096)
                for piece in pieces:
                    asked.sendall(piece.replace(b"PORT", port.to_bytes(4, "big")))
                while endless is not None:
                    asked.sendall(pieces[-1])
                    endless.set()

        server.settimeout(10.0)
        thread = Thread(target=serve)
        thread.start()
        yield port
        thread.join(10.0)
        assert not thread.is_alive()


def test_names_come_with_their_ports_in_however_many_pieces() -> None:
    with answering(b"PORTna", b"me a b at port 1", b"2\nname c at port 3\n") as port:
        assert names(port) == {"a b": 12, "c": 3}


def test_where_nobody_listens_nothing_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert names(port) is None


def test_who_talks_without_end_is_not_listened_to_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    talks = Event()
    monkeypatch.setattr(epmd, "_SECONDS", 60.0)
    monkeypatch.setattr(epmd, "SystemClock", lambda: LeapingClock(talks.is_set))
    with (
        answering(b"PORT", b"name a at port 1\n", endless=talks) as port,
        pytest.raises(SettingsError, match=f"whoever listens on port {port} .* without end"),
    ):
        names(port)


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"\x77\x00\x1f\x95rest", 0x1F95), (b"\x77\x01", None)]
)
def test_the_port_of_a_node_is_told_if_it_is_known(answer: bytes, expected: int | None) -> None:
    deadline = Deadline.after(SystemClock(), 5.0, "an answer")
    with answering(answer) as port:
        assert port_of("iris", port, deadline) == expected


def test_who_says_a_byte_at_a_time_has_no_longer_for_it() -> None:
    ours, theirs = socket.socketpair()

    class Dripping(FakeClock):
        def now(self) -> float:
            theirs.send(b"x")
            self.advance(1.0)
            return super().now()

    deadline = Deadline.after(Dripping(), 5.0, "an answer")
    with ours, theirs, pytest.raises(TimeoutError, match="it takes too long"):
        exactly(ours, 1_000, deadline)


@pytest.mark.parametrize(("told", "expected"), [("", 4369), ("20001", 20_001)])
def test_the_environment_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch, told: str, expected: int
) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", told)
    assert epmd_port() == expected


@pytest.mark.parametrize("told", ["4369x", "0", "65536", "-1", "9" * 5_000])
def test_what_is_no_port_is_told(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", told)
    with pytest.raises(SettingsError, match=f"ERL_EPMD_PORT is '{told}'"):
        epmd_port()
