"""The same play over TLS, against servers that speak it with OpenSSL."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable

import pytest

from fuzz.case import Case, Transport
from fuzz.clock import SystemClock
from fuzz.executor import Executor, Names
from fuzz.executor.secure import SecureConnection, dial
from fuzz.meanwhile import Meanwhile
from fuzz.observation import ConnectionTrace, Ending
from fuzz.settings import TlsSettings
from grammar import GetStatus, StatusResponse, encode
from tests.executor.certificates import certificates, server_context, trusting
from tests.executor.fake_server import LOGIN_OK, SECONDS, Peer, Script, ScriptedServer, echo, polite
from tests.executor.support import AMPLE, SCANT, WAIT, login, open_, reset, send, trace_of
from tests.executor.test_executor_websocket import Session

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
ASK = encode(GetStatus(b"alice"))
STATUS = encode(StatusResponse(b"alice", 1, 0))


def server(script: Script, version: ssl.TLSVersion | None = None) -> ScriptedServer:
    return ScriptedServer(script, server_context(version), trusting())


@pytest.mark.parametrize("version", [V12, V13])
def test_each_segment_is_a_record_of_its_own(version: ssl.TLSVersion) -> None:
    with server(echo, version) as served:
        trace = trace_of(served, login(), send(b"one"), send(b"two"), WAIT, send(b"three"))
        (peer,) = served.peers
        assert peer.segments[1:] == [b"one", b"two", b"three"]
        assert isinstance(peer.socket, ssl.SSLSocket)
    assert trace.ending is Ending.CLOSED
    assert trace.replies().endswith(b"onetwothree")
    assert trace.plain


def test_the_reply_to_login_is_not_what_the_two_sides_of_tls_say_to_one_another() -> None:
    """OpenSSL sends session tickets behind the handshake, which are no answer to anything."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.say(LOGIN_OK)
        while peer.read():
            pass

    with server(script, V13) as served:
        trace = trace_of(served, login(), send(b"x"))
    assert trace.received[0] == LOGIN_OK


def test_what_is_owed_is_taken_before_goodbye_is_said() -> None:
    """A server that drops what it has to say at close_notify, and answers late."""
    asked = threading.Event()

    def script(peer: Peer) -> None:
        peer.read()
        assert asked.wait(SECONDS)
        peer.say(STATUS)
        assert peer.read() == b""

    def barrier(_meanwhile: Meanwhile) -> bool:
        asked.set()  # and what it answers comes some time later
        return True

    with server(script) as served:
        black_box = Executor(served.endpoint, barrier, Names(0), SystemClock(), exact=False)
        (seen,) = black_box.play([Case((send(ASK),))], AMPLE)
    assert seen.traces == (ConnectionTrace(0, Ending.CLOSED, (STATUS,)),)


def test_large_segments_go_both_ways_and_end_in_order() -> None:
    sent = bytes(range(256)) * 4_000

    def script(peer: Peer) -> None:
        got = b""
        while len(got) < len(sent):
            got += peer.read()
        peer.say(got)
        while peer.read():
            pass

    with server(script) as served:
        trace = trace_of(served, send(sent))
    assert trace.replies() == sent
    assert trace.ending is Ending.CLOSED


def test_a_segment_that_does_not_fit_is_offered_again_and_arrives_once() -> None:
    data = b"z" * 8_000_000
    go = threading.Event()

    def script(peer: Peer) -> None:
        assert go.wait(SECONDS)
        got = 0
        while got < len(data):
            got += len(peer.read())
        peer.say(b"%d" % got)
        assert peer.read() == b""

    with server(script) as served:
        link = dial(0, served.endpoint)
        while link.awaits:
            select.select([link], [], [], SECONDS)
            link.go_on()
        assert isinstance(link, SecureConnection)
        assert link.send(data) == 0
        go.set()
        while not link.send(data):
            select.select([], [link], [], SECONDS)
        heard = b""
        while not heard:
            select.select([link], [], [], SECONDS)
            heard = link.take()
        assert heard == b"%d" % len(data)
        link.end(Ending.DROPPED)


def test_a_reset_cuts_the_tcp_connection_below() -> None:
    with server(polite) as served:
        trace = trace_of(served, login(), reset())
        assert served.ended(0).was_reset
    assert trace.ending is Ending.DROPPED


def test_a_server_that_says_close_notify_has_ended_in_order() -> None:
    def script(peer: Peer) -> None:
        assert peer.read() == b"x"
        assert isinstance(peer.socket, ssl.SSLSocket)
        peer.say(b"last words")
        assert peer.read() == b""
        peer.socket.unwrap()

    with server(script) as served:
        trace = trace_of(served, send(b"x"))
    assert trace == ConnectionTrace(0, Ending.CLOSED, (b"last words",))


def test_a_server_that_ends_without_close_notify_has_ended_all_the_same() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.say(b"last words")
        peer.socket.shutdown(socket.SHUT_RDWR)

    with server(script) as served:
        trace = trace_of(served, send(b"x"))
    assert trace.replies() == b"last words"
    assert trace.ending in (Ending.CLOSED, Ending.RESET)


def test_a_websocket_goes_within_tls() -> None:
    session = Session()
    steps = open_(0, Transport.WEBSOCKET), login(user=b"alice"), send(b"hello")
    with server(session) as served:
        trace = trace_of(served, *steps)
    assert session.messages == [b"\x01alice", b"hello"]
    assert trace.replies() == LOGIN_OK + b"hello"
    assert trace.messages


def plain_words(peer: Peer) -> None:
    peer.say(b"\xfe\x00\x03bad")
    peer.read()


@pytest.mark.parametrize(
    ("context", "settings", "words"),
    [
        (lambda: None, None, "it does not speak TLS there"),
        (server_context, TlsSettings(), "is not trusted"),
        (lambda: server_context(V13), TlsSettings(version="1.2"), "version of TLS"),
    ],
)
def test_a_handshake_that_fails_is_seen_as_a_refusal_with_its_reason(
    context: Callable[[], ssl.SSLContext | None], settings: TlsSettings | None, words: str
) -> None:
    with ScriptedServer(plain_words, context(), trusting(settings)) as served:
        trace = trace_of(served, login(), send(b"x"))
    assert trace.ending is Ending.REFUSED
    assert words in trace.waited_for
    assert trace.replies() == b""


def test_a_name_that_is_not_the_servers_is_refused() -> None:
    settings = TlsSettings(ca=certificates() / "ca.pem", server_name="chat.example.org")
    with ScriptedServer(polite, server_context(), trusting(settings)) as served:
        trace = trace_of(served, login())
    assert trace.ending is Ending.REFUSED
    assert "chat.example.org" in trace.waited_for


def test_who_is_told_to_be_insecure_takes_any_certificate() -> None:
    insecure = trusting(TlsSettings(insecure=True, server_name="chat.example.org"))
    with ScriptedServer(polite, server_context(), insecure) as served:
        assert trace_of(served, login()).replies() == LOGIN_OK


def test_a_server_that_hangs_up_in_the_handshake_is_a_refusal() -> None:
    def script(peer: Peer) -> None:
        peer.read()

    with ScriptedServer(script, None, trusting()) as served:
        trace = trace_of(served, login())
    assert trace.ending is Ending.REFUSED
    assert "does it speak TLS there?" in trace.waited_for


def test_a_server_that_is_silent_in_the_handshake_is_named() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.hold()

    with ScriptedServer(script, None, trusting()) as served:
        trace = trace_of(served, login(), patience=SCANT)
    assert trace == ConnectionTrace(0, Ending.DEADLINE, (), "the handshake of TLS")
