"""The seed corpus: one small correct case for each client opcode and for each dialogue.

``corpus/seeds`` is written from here:

    python -m fuzz.generate.seeds corpus/seeds

Seeds are correct use, so that each reaches as deep into the server as its feature goes;
what is wrong comes from the mutators. A case that uses ``<group:1>`` or ``<msgid:1>``
waits first, for the reply that gives the token its value.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from fuzz.case import (
    GROUP_TOKEN,
    MSGID_TOKEN,
    USER_TOKENS,
    Case,
    Step,
    StepKind,
    Transport,
    encode_case,
)
from fuzz.generate.envelopes import UPGRADE
from grammar import (
    Ack,
    BatchSend,
    CborMsg,
    ClientFrame,
    ClientOpcode,
    E2eeMsg,
    FetchPrekeys,
    GetStatus,
    GroupCreate,
    GroupLeave,
    GroupMsg,
    GroupRoster,
    ReadReceipt,
    SenderKeyDist,
    SendMessage,
    SendSeq,
    TypingStart,
    TypingStop,
    UploadPrekeys,
    cbor,
    encode,
)
from grammar.envelope import Envelope, MessageKind, encode_envelope
from grammar.limits import RATE_BURST

A, B, C = USER_TOKENS[:3]

#: Keys of the sizes of RFC-001 Amendment 001; no cipher has ever seen them.
_KEYS = tuple(bytes(range(start, start + 32)) for start in range(0, 160, 32))
_HEADER = cbor.dumps({"ik": _KEYS[0], "ek": _KEYS[1], "opk_id": 0, "pn": 0, "n": 1})
_GROUP_HEADER = cbor.dumps({"n": 1})
_BUNDLE = cbor.dumps(
    {
        "identity_key": _KEYS[0],
        "signed_prekey": _KEYS[1],
        "signed_prekey_signature": _KEYS[2] + _KEYS[3],
        "one_time_prekeys": [_KEYS[4], _KEYS[2]],
    }
)
_PAYLOAD = cbor.dumps({"type": "text", "body": "hello", "tags": [1, 2]})
#: A JWT that is right in form; its signature is made up, so a server that asks refuses it.
_TOKEN = (
    b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ."
    b"dGhpcyBpcyBubyBzaWduYXR1cmUgb2YgYW55dGhpbmc"
)


def _login(user: bytes = A, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def _send(*frames: ClientFrame, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, b"".join(encode(frame) for frame in frames))


def _case(*steps: Step) -> Case:
    return Case(steps)


_WAIT = Step(StepKind.WAIT)
_BOTH = (_login(), _login(B, 1))
#: A group of the first user, its id known.
_GROUP = (_login(), _send(GroupCreate(b"friends")), _WAIT)
#: A message from the second user to the first, delivered, its id known.
_DELIVERED = (*_BOTH, _send(SendMessage(A, b"hello"), connection=1), _WAIT)


def _with_token(kind: bytes, owner: bytes = A) -> tuple[Step, ...]:
    """Return a login of the first user with a token; :mod:`fuzz.recipes` has the kinds."""
    return (_login(A + b":<jwt:%s:%s>" % (kind, owner)), _send(GetStatus(A)))


def _half(user: bytes, connection: int = 0) -> Step:
    """Return more than half a burst; in no batch, or a server that counts those as one fits too."""
    return _send(*[SendMessage(user, b"x")] * (RATE_BURST // 2 + 50), connection=connection)


def _login_segment(user: bytes) -> Step:
    """Return LOGIN as a segment of its own, where a LOGIN step would be a step of ours."""
    return Step(StepKind.SEND, 0, bytes([ClientOpcode.LOGIN]) + user)


#: For each client opcode, its correct use.
_OPCODES: Mapping[ClientOpcode, Case] = {
    ClientOpcode.LOGIN: _case(_login_segment(A), _WAIT),
    ClientOpcode.SEND_MESSAGE: _case(*_BOTH, _send(SendMessage(B, b"hello")), _WAIT),
    ClientOpcode.ACK: _case(*_DELIVERED, _send(Ack(MSGID_TOKEN))),
    ClientOpcode.BATCH_SEND: _case(*_BOTH, _send(BatchSend(B, (b"one", b"two", b""))), _WAIT),
    ClientOpcode.GET_STATUS: _case(*_BOTH, _send(GetStatus(B))),
    ClientOpcode.SEND_SEQ: _case(*_BOTH, _send(SendSeq(B, 1, b"hello")), _WAIT),
    ClientOpcode.CBOR_MSG: _case(*_BOTH, _send(CborMsg(B, _PAYLOAD)), _WAIT),
    ClientOpcode.UPLOAD_PREKEYS: _case(_login(), _send(UploadPrekeys(_BUNDLE))),
    ClientOpcode.FETCH_PREKEYS: _case(_login(), _send(FetchPrekeys(A))),
    ClientOpcode.E2EE_MSG: _case(*_BOTH, _send(E2eeMsg(B, _HEADER, b"sealed")), _WAIT),
    ClientOpcode.GROUP_CREATE: _case(_login(), _send(GroupCreate(b"friends"))),
    ClientOpcode.GROUP_LEAVE: _case(*_GROUP, _send(GroupLeave(GROUP_TOKEN))),
    ClientOpcode.GROUP_MSG: _case(*_GROUP, _send(GroupMsg(GROUP_TOKEN, _GROUP_HEADER, b"hi"))),
    ClientOpcode.GROUP_ROSTER: _case(*_GROUP, _send(GroupRoster(GROUP_TOKEN))),
    ClientOpcode.SENDER_KEY_DIST: _case(*_GROUP, _send(SenderKeyDist(GROUP_TOKEN, _KEYS[0]))),
    ClientOpcode.TYPING_START: _case(*_BOTH, _send(TypingStart(B)), _WAIT),
    ClientOpcode.TYPING_STOP: _case(*_BOTH, _send(TypingStop(B)), _WAIT),
    ClientOpcode.READ_RECEIPT: _case(*_DELIVERED, _send(ReadReceipt(MSGID_TOKEN, B)), _WAIT),
}

_SPLIT = encode(SendMessage(B, b"hello")) + encode(SendSeq(B, 1, b"again"))
#: Within lengths, texts and numbers, and once past the end of a frame; never within a
#: token, which is put in place segment by segment.
_CUTS = (0, 2, 11, 12, 15, 18, 31, 36, len(_SPLIT))


def _message(
    payload: bytes,
    kind: MessageKind = MessageKind.BINARY,
    fin: bool = True,
    key: bytes = bytes(4),
) -> Step:
    """Return a WebSocket frame; tokens in it can be bound under a masking key of zeros only."""
    return Step(StepKind.SEND, 0, encode_envelope(Envelope(payload, kind, fin, key=key)))


#: A WebSocket session whose framing is the case's own, with the first user logged in.
_SESSION = (
    Step(StepKind.OPEN, 0, value=int(Transport.WEBSOCKET_RAW)),
    Step(StepKind.SEND, 0, UPGRADE), _WAIT, _message(b"\x01" + A), _WAIT,
)  # fmt: skip
_ASK = encode(GetStatus(A))


#: Dialogues: what takes more than one frame or more than one client.
_DIALOGUES: Mapping[str, tuple[Step, ...]] = {
    "offline-message": (
        _login(), _send(SendMessage(B, b"for later")), _WAIT,
        _login(B, 1), _WAIT, _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "batch": (
        *_BOTH, _send(BatchSend(B, tuple(b"message %d" % n for n in range(8)))), _WAIT,
        _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "seq-fifo": (
        *_BOTH, _send(SendSeq(B, 1, b"first"), SendSeq(B, 2, b"second")),
        _send(SendSeq(B, 3, b"third")), _WAIT, _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "cbor-both-ways": (
        *_BOTH, _send(CborMsg(B, _PAYLOAD)), _send(CborMsg(A, _PAYLOAD), connection=1), _WAIT,
        _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "group-chat": (
        *_GROUP, _login(B, 1), _send(GroupCreate(GROUP_TOKEN), connection=1), _WAIT,
        _send(GroupRoster(GROUP_TOKEN)), _send(SenderKeyDist(GROUP_TOKEN, _KEYS[0])),
        _send(GroupMsg(GROUP_TOKEN, _GROUP_HEADER, b"one"), connection=1),
        _send(GroupMsg(GROUP_TOKEN, _GROUP_HEADER, b"two")), _WAIT,
        _send(GroupLeave(GROUP_TOKEN)), _WAIT, _send(GroupRoster(GROUP_TOKEN), connection=1),
    ),
    "prekeys": (
        *_BOTH, _send(UploadPrekeys(_BUNDLE)), _WAIT,
        _send(FetchPrekeys(A), FetchPrekeys(A), FetchPrekeys(A), connection=1),
    ),
    "e2ee": (
        *_BOTH, _send(UploadPrekeys(_BUNDLE)), _WAIT, _send(FetchPrekeys(A), connection=1), _WAIT,
        _send(E2eeMsg(A, _HEADER, b"sealed"), connection=1), _WAIT, _send(Ack(MSGID_TOKEN)),
        _send(E2eeMsg(B, _HEADER, b"sealed too")), _WAIT, _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "typing-and-receipt": (
        *_BOTH, _send(TypingStart(B)), _send(SendMessage(B, b"hello"), TypingStop(B)), _WAIT,
        _send(ReadReceipt(MSGID_TOKEN, A), connection=1), _WAIT,
        _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "login-again": (_login(), _login(), _login(B), _send(GetStatus(A), GetStatus(B))),
    "login-twice": (
        _login(), _login(A, 1), _send(SendMessage(A, b"to myself")), _WAIT,
        _send(Ack(MSGID_TOKEN), connection=1),
    ),
    "login-token": (_login(A + b":" + _TOKEN), _send(GetStatus(A))),
    # Where no token is asked for, and where no secret is known, all of them are as good as none.
    "login-token-good": _with_token(b"good"),
    "login-token-of-another": _with_token(b"good", B),
    "login-token-unsigned": _with_token(b"none"),
    "login-token-stripped": _with_token(b"stripped"),
    "login-token-other-secret": _with_token(b"secret"),
    "login-token-other-algorithm": _with_token(b"hs512"),
    "login-token-other-subject": _with_token(b"subject"),
    "login-token-expired": _with_token(b"expired"),
    "login-token-endless": _with_token(b"endless"),
    "login-token-endless-in-words": _with_token(b"expword"),
    "login-token-early": _with_token(b"early"),
    "login-token-revoked": _with_token(b"revoked"),
    "login-token-own-key": _with_token(b"jwk"),
    "login-token-unknown-key": _with_token(b"kidpath"),
    "login-token-all-claims": _with_token(b"goodjti"),
    "login-as-another": (
        _login(), _login(), _login(B), _login(C, 1),
        _send(SendMessage(A, b"who has gone"), SendMessage(B, b"hello"), GetStatus(A),
              connection=1), _WAIT,
        _send(Ack(MSGID_TOKEN)),
    ),
    "status-before-login": (_send(GetStatus(A)), _WAIT, _login(), _send(GetStatus(A))),
    "websocket": (
        Step(StepKind.OPEN, 0, value=int(Transport.WEBSOCKET)), *_BOTH,
        _send(SendMessage(B, b"over websocket")), _send(SendMessage(A, b"back"), connection=1),
        _WAIT, _send(Ack(MSGID_TOKEN)),
    ),
    "websocket-own-framing": (
        *_SESSION, _message(_ASK), _message(b"ping", MessageKind.PING),
        _message(_ASK[:5], fin=False), _message(_ASK[5:], MessageKind.CONTINUATION), _WAIT,
        _message(b"\x03\xe8", MessageKind.CLOSE),
    ),
    "websocket-fragments": (
        *_SESSION, _message(_ASK[:1], fin=False),
        _message(b"between", MessageKind.PING), _message(b"", MessageKind.CONTINUATION, fin=False),
        _message(_ASK[1:], MessageKind.CONTINUATION, fin=False),
        _message(b"unasked", MessageKind.PONG), _message(b"", MessageKind.CONTINUATION), _WAIT,
        _message(b"", MessageKind.CLOSE),
    ),
    "websocket-lengths": (
        *_SESSION, _message(encode(GetStatus(b"u" * 122))), _message(encode(GetStatus(b"u" * 123))),
        _message(b"p" * 125, MessageKind.PING), _WAIT,
        _message(b"\x03\xe9" + "grüße".encode(), MessageKind.CLOSE),
    ),
    "websocket-masked": (
        *_SESSION, _message(encode(GetStatus(b"nobody")), key=b"\x37\xfa\x21\x3d"),
        _message(b"masked", MessageKind.PING, key=b"\xff\xff\xff\xff"), _WAIT,
    ),
    "redelivery": (
        *_DELIVERED, Step(StepKind.HALF_CLOSE), _login(A, 2), _WAIT,
        _send(Ack(MSGID_TOKEN), connection=2),
    ),
    "receiver-vanishes": (
        *_BOTH, _send(SendMessage(B, b"one")), Step(StepKind.RESET, 1),
        _send(SendMessage(B, b"two")), _login(B, 2), _WAIT, _send(Ack(MSGID_TOKEN), connection=2),
    ),
    "reset-before-ack": (
        _login(), _send(SendMessage(B, b"for later")), _WAIT, _login(B, 1), _WAIT,
        Step(StepKind.RESET, 1), _login(B, 2), _WAIT, _send(Ack(MSGID_TOKEN), connection=2),
    ),
    "status-after-reset": (
        *_BOTH, _send(SendMessage(A, b"bye"), connection=1), _WAIT, Step(StepKind.RESET, 1),
        _send(GetStatus(B)),
    ),
    "group-write-and-leave": (
        *_GROUP, _login(B, 1), _send(GroupCreate(GROUP_TOKEN), connection=1), _WAIT,
        _send(GroupMsg(GROUP_TOKEN, _GROUP_HEADER, b"bye"), GroupLeave(GROUP_TOKEN), connection=1),
        _WAIT,
    ),
    "prekeys-used-up": (
        *_BOTH, _login(C, 2), _send(UploadPrekeys(_BUNDLE)), _WAIT,
        _send(FetchPrekeys(A), FetchPrekeys(A), connection=1), _WAIT,
        _send(FetchPrekeys(A), connection=2),
    ),
    # All that a bucket holds, and one more.
    "batch-burst": (
        *_BOTH, _send(BatchSend(B, (b"",) * RATE_BURST), SendMessage(B, b"too much")), _WAIT,
    ),
    # Half a bucket and more, twice: together it is more than the user has.
    "rate-two-connections": (
        *_BOTH, _login(C, 2), _login(A, 3), _half(B), _half(C, connection=3), _WAIT,
    ),
    "rate-login-again": (
        *_BOTH, _login(C, 2), _half(B), _login(), _half(C), _WAIT,
    ),
    "rate-limit": (*_BOTH, _send(*[SendMessage(B, b"x")] * (RATE_BURST + 10)), _WAIT),
    "one-segment": (
        *_BOTH,
        _send(GetStatus(B), TypingStart(B), SendMessage(B, b"hello"), SendSeq(B, 1, b"again"),
              BatchSend(B, (b"one", b"two")), FetchPrekeys(B), TypingStop(B), Ack(b"unknown")),
        _WAIT,
    ),
    "split-frames": (
        *_BOTH, *(Step(StepKind.SEND, 0, _SPLIT[at:end]) for at, end in pairwise(_CUTS)),
        _WAIT,
    ),
}  # fmt: skip


def _named() -> Mapping[str, Case]:
    seeds = {}
    for opcode, case in _OPCODES.items():
        name = opcode.name.lower().replace("_", "-")
        seeds[f"op-{opcode:02x}-{name}"] = case
    for name, steps in _DIALOGUES.items():
        seeds[f"dialogue-{name}"] = Case(steps)
    return MappingProxyType(seeds)


#: Every seed, by the name of its file.
SEEDS: Mapping[str, Case] = _named()


def main(arguments: Sequence[str]) -> int:
    """Write the seeds into the folder named by the only argument; 2 where that fails."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m fuzz.generate.seeds FOLDER\n")
        return 2
    folder = Path(arguments[0])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, case in SEEDS.items():
            (folder / name).write_bytes(encode_case(case))
    except OSError as error:
        sys.stderr.write(f"{folder}: the seeds cannot be written: {error.strerror}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
