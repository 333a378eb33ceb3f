"""The WebSocket port, with wsproto as the client that judges it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from tests.target.reference_support import (
    LOGIN_OK,
    REPLY_SECONDS,
    Client,
    ReferenceNode,
    n16,
    n32,
)

Name = Callable[[], bytes]


class WebSocket:
    """A client that has shaken hands."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), REPLY_SECONDS)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.send(Request(host="iris", target="/"))
        assert isinstance(self.event(), AcceptConnection)

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, event: Event) -> None:
        self.socket.sendall(self.protocol.send(event))

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def event(self) -> Event:
        while True:
            for event in self.protocol.events():
                return event
            data = self.socket.recv(65536)
            self.protocol.receive_data(data or None)

    def message(self) -> bytes:
        parts = []
        while True:
            event = self.event()
            assert isinstance(event, BytesMessage), event
            parts.append(bytes(event.data))
            if event.message_finished:
                return b"".join(parts)

    def ask(self, frame: bytes) -> bytes:
        self.send(BytesMessage(data=frame))
        return self.message()

    def closed(self) -> int:
        """Return the code that the server closes with; nothing comes after it."""
        event = self.event()
        assert isinstance(event, CloseConnection), event
        assert self.socket.recv(100) == b""
        return int(event.code)


def masked(first: int, payload: bytes, size: bytes | None = None) -> bytes:
    """Return a client's frame with a mask of zeros, which leaves its payload readable."""
    length = bytes([len(payload)]) if size is None else size
    return bytes([first, length[0] | 0x80]) + length[1:] + bytes(4) + payload


def test_a_dialogue_over_both_transports(reference: ReferenceNode, name: Name) -> None:
    ann, bob = name(), name()
    with WebSocket(reference.ws) as web, Client(reference.tcp, bob) as raw:
        assert web.ask(b"\x05" + n16(bob))[:-8] == b"\x06" + n16(bob) + b"\x01"
        assert web.ask(b"\x02" + n16(bob) + n16(b"hi")) == b"\xfe" + n16(b"login required")
        assert web.ask(b"\x01" + ann) == LOGIN_OK
        web.send(BytesMessage(data=b"\x02" + n16(bob) + n16(b"hi")))
        assert raw.frame()[2] == b"hi"
        raw.send(b"\x70" + n16(ann))
        assert web.message() == b"\x72" + n16(bob) + b"\x01"


def test_each_reply_is_a_message_and_an_ack_ends_with_its_own(
    reference: ReferenceNode, name: Name
) -> None:
    ann = name()
    with Client(reference.tcp, name()) as raw:
        raw.send((b"\x02" + n16(ann) + n16(b"hi")) * 3)
        raw.settle()
    with WebSocket(reference.ws) as web:
        web.send(BytesMessage(data=b"\x01" + ann))
        replies = [web.message() for _ in range(4)]
        assert replies[0] == LOGIN_OK
        for reply in replies[1:]:
            assert (reply[0], reply[-6:]) == (0x10, n32(b"hi"))
            msg_id = reply[3 : 3 + int.from_bytes(reply[1:3], "big")]
            web.send(BytesMessage(data=b"\x03" + msg_id))
        assert web.ask(b"\x05" + n16(b"nobody"))[0] == 0x06
    with Client(reference.tcp, ann) as raw:
        assert raw.finish() == ()


def test_a_fragmented_message_with_a_ping_between_is_one_frame(
    reference: ReferenceNode, name: Name
) -> None:
    with WebSocket(reference.ws) as web:
        frame = b"\x05" + n16(b"nobody")
        web.send(BytesMessage(data=frame[:2], message_finished=False))
        web.send(Ping(payload=b"are you there"))
        web.send(BytesMessage(data=frame[2:], message_finished=True))
        assert web.event() == Pong(payload=b"are you there")
        assert web.message() == b"\x06" + n16(b"nobody") + bytes(9)
        web.send(Pong(payload=b"unasked"))
        assert web.ask(frame)[0] == 0x06


def test_a_frame_in_single_bytes(reference: ReferenceNode) -> None:
    with WebSocket(reference.ws) as web:
        for byte in masked(0x82, b"\x05" + n16(b"nobody")):
            web.raw(bytes([byte]))
        assert web.message()[0] == 0x06


def test_a_message_cannot_be_continued_by_the_next(reference: ReferenceNode) -> None:
    with WebSocket(reference.ws) as web:
        reply = b"\xfe" + n16(b"the message ends within a frame")
        assert web.ask(b"\x05\x00") == reply
        assert web.ask(b"\x05" + n16(b"nobody"))[0] == 0x06
        web.send(BytesMessage(data=b""))
        assert web.ask((b"\x05" + n16(b"nobody")) * 2)[0] == 0x06
        assert web.message()[0] == 0x06


def test_the_largest_message_passes(reference: ReferenceNode, name: Name) -> None:
    target, body = name(), b"m" * 65000
    with WebSocket(reference.ws) as web, Client(reference.tcp, target) as raw:
        assert web.ask(b"\x01" + name()) == LOGIN_OK
        web.send(BytesMessage(data=b"\x02" + n16(target) + n16(body)))
        assert raw.frame()[2] == body
        raw.send(b"\x02" + n16(target) + n16(body))
        assert raw.frame()[2] == body


def test_a_close_is_answered_with_its_code(reference: ReferenceNode) -> None:
    for code in (1000, 1001, 4321):
        with WebSocket(reference.ws) as web:
            web.send(CloseConnection(code=code, reason="done"))
            assert web.closed() == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x82\x01\x05", 1002),  # not masked
        (masked(0xC2, b"x"), 1002),  # a reserved bit
        (masked(0x83, b"x"), 1002),  # an unknown opcode
        (masked(0x8B, b"x"), 1002),  # an unknown control opcode
        (masked(0x80, b"x"), 1002),  # a continuation of nothing
        (masked(0x02, b"x") + masked(0x82, b"y"), 1002),  # a message within a message
        (masked(0x09, b""), 1002),  # a fragmented ping
        (masked(0x89, b"p" * 126, b"\x7e\x00\x7e"), 1002),  # a long ping
        (masked(0x82, b"x", b"\x7e\x00\x01"), 1002),  # a length that is longer than need be
        (masked(0x82, b"x", b"\x7f" + bytes(7) + b"\x01"), 1002),  # the same, in eight bytes
        (masked(0x88, b"\x03"), 1002),  # half a code
        (masked(0x88, b"\x03\xed"), 1002),  # 1005 must not be sent
        (masked(0x88, b"\x03\xe8\xff"), 1002),  # a reason that is not UTF-8
        (masked(0x81, b"text"), 1003),
        (masked(0x82, b"", b"\x7f" + b"\xff" * 8), 1009),
        (masked(0x02, b"x" * 40000, b"\x7e\x9c\x40") * 2, 1002),
        (
            masked(0x02, b"x" * 40000, b"\x7e\x9c\x40")
            + masked(0x80, b"x" * 40000, b"\x7e\x9c\x40"),
            1009,
        ),
    ],
)
def test_a_broken_frame_closes_with_its_code(
    reference: ReferenceNode, data: bytes, code: int
) -> None:
    with WebSocket(reference.ws) as web:
        web.raw(data + b"whatever comes behind it")
        assert web.closed() == code


def test_a_refusal_is_told_before_the_close(reference: ReferenceNode) -> None:
    for data, reply in (
        (b"\x01", b"AUTH_FAILED"),
        (b"\x00", b"\xfe" + n16(b"unknown opcode")),
    ):
        with WebSocket(reference.ws) as web:
            assert web.ask(data) == reply
            assert web.closed() == 1008


def test_text_from_a_client_is_not_taken(reference: ReferenceNode) -> None:
    with WebSocket(reference.ws) as web:
        message: Message[str] = TextMessage(data="\x05")
        web.send(message)
        assert web.closed() == 1003


REQUEST = (
    b"GET / HTTP/1.1\r\nHost: iris\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_the_example_of_the_rfc(reference: ReferenceNode) -> None:
    with Client(reference.ws) as client:
        client.send(REQUEST + masked(0x82, b"\x05" + n16(b"nobody")))
        client.socket.shutdown(socket.SHUT_WR)
        head, reply = client.rest().split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        assert reply == b"\x82\x12\x06" + n16(b"nobody") + bytes(9)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x01alice\r\n\r\n", b"400"),
        (REQUEST.replace(b"GET", b"POST"), b"400"),
        (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), b"400"),
        (REQUEST.replace(b"Upgrade: websocket", b"Upgrade: h2c"), b"400"),
        (REQUEST.replace(b"Connection: keep-alive, Upgrade", b"Connection: close"), b"400"),
        (REQUEST.replace(b"Host: iris\r\n", b""), b"400"),
        (REQUEST.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), b"400"),
        (REQUEST.replace(b"Version: 13", b"Version: 8"), b"426"),
        (REQUEST.replace(b"Host: iris", b"Host: \xff\xfe\x00"), b"101"),
        (REQUEST.replace(b"Host: iris", b"Host: iris\r\n\xff"), b"400"),
        (b"GET /" + b"a" * 9000, b"400"),
        (REQUEST[:-2] + b"X: " + b"a" * 9000 + b"\r\n\r\n", b"400"),
    ],
)
def test_a_request_that_is_no_upgrade_is_refused(
    reference: ReferenceNode, request_bytes: bytes, status: bytes
) -> None:
    with Client(reference.ws) as client:
        client.send(request_bytes)
        if status == b"101":
            client.socket.shutdown(socket.SHUT_WR)
        assert client.rest().split(b" ")[1] == status
