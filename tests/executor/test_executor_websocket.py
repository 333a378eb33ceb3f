"""The WebSocket transport, against the server's side of wsproto."""

from __future__ import annotations

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Request, TextMessage

from fuzz.case import Case, Transport
from fuzz.clock import SystemClock
from fuzz.executor import Endpoint, Executor, Names
from fuzz.observation import ConnectionTrace, Ending, Observation
from tests.executor.fake_server import LOGIN_OK, Peer, ScriptedServer
from tests.executor.support import AMPLE, WAIT, login, open_, send, trace_of

OPEN = open_(0, Transport.WEBSOCKET)


class Session:
    """A script that speaks WebSocket: it keeps the messages, and answers each with itself."""

    def __init__(self, cut: int = 1 << 20) -> None:
        self.messages: list[bytes] = []
        self.target = ""
        self._part = b""
        self._cut = cut

    def __call__(self, peer: Peer) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        while data := peer.read():
            protocol.receive_data(data)
            for event in protocol.events():
                if isinstance(event, Request):
                    self.target = event.target
                    peer.say(protocol.send(AcceptConnection()))
                elif isinstance(event, BytesMessage):
                    self._part += bytes(event.data)
                    if event.message_finished:
                        self.messages.append(self._part)
                        self._answer(peer, protocol, self._part)
                        self._part = b""

    def _answer(self, peer: Peer, protocol: WSConnection, message: bytes) -> None:
        if message[:1] == b"\x01":
            message = LOGIN_OK
        if message == b"close":
            peer.say(protocol.send(CloseConnection(1000)))
            return
        if message == b"text":
            peer.say(protocol.send(TextMessage("täxt")))
            return
        framed = protocol.send(BytesMessage(message))
        peer.say(framed[: self._cut])
        peer.say(framed[self._cut :])


def test_each_segment_is_one_masked_binary_message_and_replies_are_unwrapped() -> None:
    session = Session()
    with ScriptedServer(session) as server:
        trace = trace_of(server, OPEN, login(user=b"alice"), send(b"\x05\x00\x01a"), send(b""))
    assert session.messages == [b"\x01alice", b"\x05\x00\x01a", b""]
    assert session.target == "/"
    assert trace.ending is Ending.CLOSED
    assert trace.replies() == LOGIN_OK + b"\x05\x00\x01a"
    assert (trace.plain, trace.messages) == (False, True)


def test_a_message_of_every_length_form_arrives_whole() -> None:
    session = Session()
    messages = [b"x" * size for size in (1, 125, 126, 65_535, 65_536, 200_000)]
    with ScriptedServer(session) as server:
        trace = trace_of(server, OPEN, *(step for m in messages for step in (send(m), WAIT)))
    assert session.messages == messages
    assert trace.replies() == b"".join(messages)


def test_a_reply_that_tcp_cuts_inside_its_head_is_put_together() -> None:
    with ScriptedServer(Session(cut=1)) as server:
        trace = trace_of(server, OPEN, send(b"hello"), send(b"again"))
    assert trace.replies() == b"helloagain"


def test_a_text_message_counts_as_its_bytes() -> None:
    with ScriptedServer(Session()) as server:
        assert trace_of(server, OPEN, send(b"text")).replies() == "täxt".encode()


def test_steps_after_the_server_has_said_goodbye_do_no_harm() -> None:
    with ScriptedServer(Session()) as server:
        trace = trace_of(server, OPEN, send(b"close"), WAIT, send(b"more"), login())
    assert trace.ending in (Ending.CLOSED, Ending.DEADLINE)
    assert trace.number == 0
    assert not trace.messages


def test_a_server_that_refuses_the_upgrade_is_seen_to_close() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")

    with ScriptedServer(script) as server:
        trace = trace_of(server, OPEN, send(b"x"))
    assert trace.ending is not Ending.DEADLINE
    assert not trace.messages


def test_a_server_that_speaks_no_http_is_heard_as_it_speaks() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.say(b"\xfe\x00\x03bad\r\n\r\n")

    with ScriptedServer(script) as server:
        trace = trace_of(server, OPEN, send(b"x"))
    assert trace == ConnectionTrace(0, Ending.CLOSED, (b"\xfe\x00\x03bad\r\n\r\n",))
    assert not trace.messages


@pytest.mark.parametrize("header", [b"Connection: \xff", b"Sec-WebSocket-Protocol: \xff"])
def test_a_server_whose_answer_has_a_header_that_is_no_text_is_heard_as_it_speaks(
    header: bytes,
) -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" + header + b"\r\n\r\n"

    def script(peer: Peer) -> None:
        peer.read()
        peer.say(answer)

    with ScriptedServer(script) as server:
        trace = trace_of(server, OPEN, send(b"x"))
    assert trace == ConnectionTrace(0, Ending.CLOSED, (answer,))
    assert not trace.messages


def test_where_there_is_no_websocket_port_nothing_is_refused() -> None:
    def played() -> Observation:
        runner = Executor(Endpoint("127.0.0.1", 9), lambda _: True, Names(0), SystemClock())
        return runner.play([Case((OPEN, login(), send(b"x")))], AMPLE)[0]

    assert played().traces == (ConnectionTrace(0, Ending.UNUSED),)
