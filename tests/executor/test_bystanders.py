"""The bystanders and the canary: innocent clients, and how they are served."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection

from fuzz.bystanders import Bystander, Bystanders, await_socket, canary
from fuzz.case import Transport
from fuzz.clock import Deadline, SystemClock
from fuzz.evidence import Pulse
from fuzz.executor import Endpoint, Names, Patience
from fuzz.executor.connection import Connection
from grammar import StatusResponse, encode
from tests.clocks import LeapingClock
from tests.executor.fake_server import LOGIN_OK, SECONDS, Peer, Script, ScriptedServer, mute, soon
from tests.executor.support import AMPLE, SCANT

STATUS = encode(StatusResponse(b"someone", 1, 0))


def serve(peer: Peer) -> None:
    while data := peer.read():
        peer.say(LOGIN_OK if data[:1] == b"\x01" else STATUS)


def gone(peer: Peer) -> None:
    peer.reset()


def hangs_up(_peer: Peer) -> None:
    """Close at once."""


def deaf_after_login(peer: Peer) -> None:
    peer.read()
    peer.say(LOGIN_OK)
    mute(peer)


def babbles(peer: Peer) -> None:
    """Answer with frames that are no status, and with bytes that are no frame."""
    while peer.read():
        peer.say(b"\xfe\x00\x02no\x99 is no opcode")


def group(server: ScriptedServer) -> Bystanders:
    """Return bystanders of a server that has no WebSocket port."""
    endpoint = Endpoint(server.endpoint.host, server.endpoint.port)
    return Bystanders(endpoint, Names(0), SystemClock())


@pytest.mark.parametrize(
    ("script", "pulse"),
    [
        (serve, Pulse.WELL),
        (gone, Pulse.REFUSED),
        (hangs_up, Pulse.REFUSED),
        (mute, Pulse.MUTE),
        (deaf_after_login, Pulse.MUTE),
        (babbles, Pulse.MUTE),
    ],
)
def test_the_canary_tells_how_a_new_client_is_served(script: Script, pulse: Pulse) -> None:
    with ScriptedServer(script) as server:
        deadline = soon("the canary", 0.2 if pulse is Pulse.MUTE else SECONDS)
        assert canary(server.endpoint, Names(0), deadline) is pulse


def test_a_connection_that_has_ended_is_not_waited_for() -> None:
    with ScriptedServer(hangs_up) as server:
        link = Connection(0, server.endpoint)
        server.ended(0)
        while link.ending is None:
            link.receive()
        assert not await_socket(link, soon("a connection that has ended"))


def test_the_canary_is_refused_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint(*listener.getsockname())
    assert canary(endpoint, Names(0), soon("the canary")) is Pulse.REFUSED


def test_a_reply_byte_by_byte_is_an_answer() -> None:
    def serve_slowly(peer: Peer) -> None:
        peer.read()
        peer.say(LOGIN_OK)
        peer.read()
        for byte in STATUS:
            peer.say(bytes([byte]))
        peer.read()

    with ScriptedServer(serve_slowly) as server:
        assert canary(server.endpoint, Names(0), soon("the canary")) is Pulse.WELL


def test_bystanders_keep_their_connections_from_check_to_check() -> None:
    with ScriptedServer(serve) as server:
        bystanders = group(server)
        assert bystanders.open(soon("the bystanders"))
        assert all(bystanders.check(AMPLE) for _ in range(3))
        assert bystanders.cut() == ()
        assert len(server.peers) == 2
        bystanders.close()


def test_some_are_seated_on_each_edge_and_named_by_it() -> None:
    with ScriptedServer(serve) as one, ScriptedServer(hangs_up) as two:
        first, second = (
            Endpoint(server.endpoint.host, server.endpoint.port, name=name)
            for server, name in ((one, "edge1"), (two, "edge2"))
        )
        bystanders = Bystanders(replace(first, further=(second,)), Names(0), SystemClock())
        bystanders.open(soon("the bystanders"))
        assert not bystanders.check(AMPLE)
        assert bystanders.cut() == (
            "a client that is logged in on edge2",
            "a client before its login on edge2",
        )
        bystanders.close()


def test_one_bystander_is_logged_in_and_the_other_is_not() -> None:
    with ScriptedServer(serve) as server:
        bystanders = group(server)
        bystanders.open(soon("the bystanders"))
        bystanders.check(AMPLE)
        bystanders.close()
        opcodes = [[data[0] for data in server.ended(n).segments] for n in (0, 1)]
    assert opcodes == [[0x01, 0x05], [0x05]]


def test_everybody_who_is_cut_off_is_named() -> None:
    def script(peer: Peer) -> None:
        if peer.number == 0:
            peer.read()
            peer.say(LOGIN_OK)
        peer.read()
        peer.reset()

    with ScriptedServer(script) as server:
        bystanders = group(server)
        assert bystanders.open(soon("the bystanders"))
        assert not bystanders.check(AMPLE)
        assert bystanders.cut() == ("a client that is logged in", "a client before its login")
        assert not bystanders.check(AMPLE)
        bystanders.close()


def test_a_bystander_that_is_not_answered_is_no_better_off_than_one_that_is_cut() -> None:
    with ScriptedServer(deaf_after_login) as server:
        bystanders = group(server)
        assert bystanders.open(soon("the bystanders"))
        assert not bystanders.check(SCANT)
        assert bystanders.cut() == ("a client that is logged in", "a client before its login")
        bystanders.close()


def test_an_answer_that_comes_late_is_not_the_answer_to_the_next_question() -> None:
    def one_behind(peer: Peer) -> None:
        if peer.number == 0:
            peer.read()
            peer.say(LOGIN_OK)
        peer.read()
        while peer.read():
            peer.say(STATUS)

    with ScriptedServer(one_behind) as server:
        bystanders = group(server)
        assert bystanders.open(soon("the bystanders"))
        assert not bystanders.check(SCANT)
        assert not bystanders.check(SCANT)
        assert bystanders.cut() == ("a client that is logged in", "a client before its login")
        bystanders.close()


def test_answers_that_come_late_and_all_at_once_are_answers() -> None:
    def late(peer: Peer) -> None:
        if peer.number == 0:
            peer.read()
            peer.say(LOGIN_OK)
        peer.read()
        peer.read()
        peer.say(STATUS)
        peer.say(STATUS)
        while peer.read():
            peer.say(STATUS)

    with ScriptedServer(late) as server:
        bystanders = group(server)
        assert bystanders.open(soon("the bystanders"))
        assert not bystanders.check(SCANT)
        assert server.quiet()  # else one read may take two questions
        assert all(bystanders.check(AMPLE) for _ in range(2))
        bystanders.close()


def test_a_silent_bystander_does_not_use_up_the_time_of_the_other() -> None:
    """The first is silent until the deadline: the other's answer, long here, still counts."""
    asked = []

    def script(peer: Peer) -> None:
        while data := peer.read():
            asked.append(data)
            if data[:1] == b"\x01":
                peer.say(LOGIN_OK)
            elif peer.number == 1:
                peer.say(STATUS)
                peer.reset()
                return

    with ScriptedServer(script) as server:
        bystanders = group(server)
        assert bystanders.open(soon("the bystanders"))
        for _ in range(2):
            assert not bystanders.check(Patience(1.0, 0.1, 1.0))
            assert server.quiet()  # else one read may take two questions
        assert bystanders.cut() == ("a client that is logged in", "a client before its login")
        assert len(asked) == 4, "both were asked at the first check, one again at the second"
        bystanders.close()


def test_a_peer_that_floods_is_not_listened_to_beyond_the_deadline() -> None:
    def script(peer: Peer) -> None:
        try:
            while True:
                peer.say(b"\xfe\x00\x02no" * 500)
        except (ConnectionResetError, BrokenPipeError):
            return

    with ScriptedServer(script) as server:
        assert canary(server.endpoint, Names(0), soon("the canary", 0.2)) is Pulse.MUTE


def accepted(request: bytes) -> bytes:
    """Return a WebSocket server's answer to the request for an upgrade."""
    protocol = WSConnection(ConnectionType.SERVER)
    protocol.receive_data(request)
    return bytes(protocol.send(AcceptConnection()))


@pytest.mark.parametrize("upgrades", [False, True])
def test_a_websocket_peer_that_talks_and_never_answers_is_not_listened_to_beyond_the_deadline(
    upgrades: bool,
) -> None:
    """It never answers the request, or it accepts that and then says nothing but pings."""
    talks = threading.Event()

    def script(peer: Peer) -> None:
        request = peer.read()
        peer.socket.settimeout(60.0)  # it is not to fall silent by itself
        if upgrades:
            peer.say(accepted(request))
        for _ in range(1_000):  # who listened to all of it would see the end
            peer.say((b"\x89\x7d" + bytes(125)) * 64 if upgrades else b"no WebSocket\r\n" * 500)
            talks.set()

    with ScriptedServer(script) as server:
        deadline = Deadline.after(LeapingClock(talks.is_set), 60.0, "the bystander")
        names = Names(0)
        member = Bystander("it", server.endpoint, b"someone", names.tokens, Transport.WEBSOCKET)
        assert not member.open(deadline)
        assert talks.is_set()
        assert not member.cut
        member.close()
