"""The law on WebSocket: sessions written by hand, right and wrong."""

from __future__ import annotations

import pytest

from fuzz.generate.envelopes import UPGRADE
from fuzz.observation import ConnectionTrace, Ending, Observation, Sent
from fuzz.oracles.laws import judge_laws
from grammar import (
    Envelope,
    Error,
    GetStatus,
    GroupCreate,
    Login,
    LoginOk,
    MessageKind,
    StatusResponse,
    encode,
    encode_envelope,
)

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
KEY = b"\x01\x02\x03\x04"
ASK, STATUS = encode(GetStatus(b"alice")), encode(StatusResponse(b"alice", 1, 0))
PING, PONG, CLOSE, BINARY = (
    MessageKind.PING,
    MessageKind.PONG,
    MessageKind.CLOSE,
    MessageKind.BINARY,
)


def asked(payload: bytes, kind: int = BINARY, key: bytes | None = KEY, **words: int) -> bytes:
    return encode_envelope(Envelope(payload, kind, key=key, **words))


def said(payload: bytes, kind: int = BINARY, **words: object) -> bytes:
    return encode_envelope(Envelope(payload, kind, **words))  # type: ignore[arg-type]


def reasons(asked_for: bytes, heard: bytes, ending: Ending = Ending.CLOSED) -> list[str]:
    sent = (Sent(1, UPGRADE, False), Sent(2, asked_for, False))
    trace = ConnectionTrace(0, ending, (ACCEPTED + heard,), "", sent, 90, False)
    return [f.cause.reason for f in judge_laws(Observation((trace,), 0.001))]


BAD = asked(ASK, key=None)
RIGHT = {
    "an answered ping": (asked(b"hi", PING), said(b"hi", PONG)),
    "of two pings the last": (asked(b"a", PING) + asked(b"b", PING), said(b"b", PONG)),
    "a close": (asked(b"\x03\xe8", CLOSE), said(b"\x03\xe8", CLOSE)),
    "a close with a code of the server's": (asked(b"\x03\xe8", CLOSE), said(b"\x03\xea", CLOSE)),
    "an unmasked frame refused": (BAD, said(b"\x03\xea", CLOSE)),
    "an unmasked frame, and the end": (BAD, b""),
    "an error before the end": (BAD, said(encode(Error(b"no")))),
    "what was asked before": (asked(ASK) + BAD, said(STATUS)),
    "a ping behind what ends the session": (asked(b"\x7f") + asked(b"hi", PING), b""),
    "a ping behind half a message": (asked(b"\x05", fin=False) + asked(b"\x05"), b""),
    "a close behind a text": (asked(b"text", 1) + asked(b"", CLOSE), b""),
    "a close behind what no client may say": (asked(STATUS) + asked(b"", CLOSE), b""),
    "a ping behind a LOGIN that was refused": (
        asked(encode(Login(b"alice"))) + asked(b"hi", PING),
        said(b"AUTH_FAILED"),
    ),
    "a ping behind a frame that is over a limit": (
        asked(encode(GroupCreate(b"a" * 300))) + asked(b"hi", PING),
        said(encode(Error(b"no"))) + said(b"\x03\xf0", CLOSE),
    ),
    "a ping behind what is too big, without a word": (
        asked(encode(GroupCreate(b"a" * 300))) + asked(b"hi", PING),
        said(b"\x03\xf1why", CLOSE),
    ),
    "a frame that never came whole": (asked(b"hello", PING)[:-1], b""),
    "a length in more bits than it needs": (asked(b"hi", PING, width=16), b""),
}


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_server_may(name: str) -> None:
    assert reasons(*RIGHT[name]) == []


WRONG = {
    "no pong": (asked(b"hi", PING), b"", "no pong"),
    "an empty pong": (asked(b"hi", PING), said(b"", PONG), "no pong"),
    "no pong before a close": (
        asked(b"hi", PING) + asked(b"", CLOSE),
        said(b"", CLOSE),
        "no pong",
    ),
    "no close": (asked(ASK) + asked(b"\x03\xe8", CLOSE), said(STATUS), "no close"),
    "unmasked": (BAD, said(STATUS), "without a mask"),
    "unmasked LOGIN": (
        asked(encode(Login(b"alice")), key=None),
        said(encode(LoginOk())),
        "without a mask",
    ),
    "behind it": (
        asked(b"", key=None) + asked(b"hi", PING),
        said(b"hi", PONG),
        "without a mask",
    ),
    "reserved": (asked(ASK, reserved=1), said(STATUS), "with a reserved bit"),
    "unknown": (asked(b"", 3) + asked(ASK), said(STATUS), "with an unknown opcode"),
    "a mask": (asked(ASK), said(STATUS, key=KEY), "a mask"),
    "wide": (asked(ASK), said(STATUS, width=16), "a length wider than it needs to be"),
    "server's reserved": (asked(ASK), said(STATUS, reserved=4), "a reserved bit"),
    "server's opcode": (asked(ASK), said(STATUS, 11), "an unknown opcode"),
    "server's ping": (
        asked(ASK),
        said(b"p" * 126, PING),
        "a control frame that is too long, or in fragments",
    ),
    "server's fragment": (asked(ASK), said(STATUS, 0), "a fragment out of its place"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_server_must_not(name: str) -> None:
    asked_for, heard, reason = WRONG[name]
    assert reasons(asked_for, heard) == [reason]


def test_only_sessions_with_a_framing_of_their_own_are_judged() -> None:
    ping = asked(b"hi", PING)
    assert reasons(ping, b"", ending=Ending.RESET) == []
    sent = (Sent(1, UPGRADE, False), Sent(2, ping, False))
    refused = ConnectionTrace(0, Ending.CLOSED, (b"HTTP/1.1 400 No\r\n\r\n",), "", sent, 90, False)
    assert judge_laws(Observation((refused,), 0.001)) == ()
