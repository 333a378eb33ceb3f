"""The smallest case, written by hand, for each planted defect that crashes, hangs or leaks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, USER_TOKENS, Case, Step, StepKind, Transport
from grammar import (
    Ack,
    BatchSend,
    CborMsg,
    ClientFrame,
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
from grammar.limits import NAME

A, B, C = USER_TOKENS[:3]

_WAIT = Step(StepKind.WAIT)
_EMPTY_MAP = cbor.dumps({})
#: One below the deepest that is read: a map, 64 arrays in it, and what they hold.
_DEEP = b"\xa1\x00" + b"\x81" * 64 + b"\x00"
#: Good keys, and none of them for one time.
_BUNDLE = cbor.dumps(
    {
        "identity_key": bytes(32),
        "signed_prekey": bytes(32),
        "signed_prekey_signature": bytes(64),
        "one_time_prekeys": [],
    }
)
#: RFC 6455, section 4.1; the key is the example of section 1.3.
_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_OPEN_PING = encode_envelope(Envelope(b"", MessageKind.PING, fin=False, key=bytes(4)))


def _login(user: bytes = A, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def _send(*frames: ClientFrame | bytes, connection: int = 0) -> Step:
    """Return a segment of frames, and of bytes that are none."""
    parts = (frame if isinstance(frame, bytes) else encode(frame) for frame in frames)
    return Step(StepKind.SEND, connection, b"".join(parts))


def _pause(milliseconds: int) -> Step:
    return Step(StepKind.PAUSE, value=milliseconds)


#: A message from the second user to the first, delivered, its id known.
_DELIVERED = (_login(), _login(B, 1), _send(SendMessage(A, b""), connection=1), _WAIT)

_STEPS: Mapping[str, tuple[str, tuple[Step, ...]]] = {
    # The node.
    "node_abort": (
        "batch-inner-length-past-blob",
        # The blob of four bytes is a length of one, and no byte.
        (_login(), _send(encode(BatchSend(B, (b"",)))[:-1] + b"\x01")),
    ),
    "node_dump": ("send-seq-largest-number", (_login(), _send(SendSeq(B, 2**64 - 1, b"")))),
    "node_halt": ("read-receipt-msg-id-too-long", (_send(b"\x74\x00\x41"),)),
    "node_memory": (
        "cbor-map-of-four-billion",
        (_login(), _send(CborMsg(B, b"\xba\xff\xff\xff\xff"))),
    ),
    "node_atoms": ("send-seq-number-beyond-u32", (_login(), _send(SendSeq(B, 2**32, b"")))),
    "node_restart": ("sender-key-empty", (_login(), _send(SenderKeyDist(B, b"")))),
    "node_silent": ("upload-prekeys-empty", (_login(), _send(UploadPrekeys(b"")))),
    # The application.
    "app_gives_up": ("get-status-name-too-long", (_send(GetStatus(b"u" * (NAME + 1))),)),
    "app_mute": ("group-create-without-name", (_login(), _send(GroupCreate(b"")))),
    "app_intensity": (
        "typing-stop-empty-target-three-times",
        (_login(), _send(*[TypingStop(b"")] * 3)),
    ),
    "listener_closed": ("login-without-name", (_send(b"\x01"),)),
    # The clients.
    "crash_cascades": ("typing-start-empty-target", (_login(), _send(TypingStart(b"")))),
    "shallow": ("get-status-name-not-utf8", (_login(), _send(GetStatus(b"\xff")))),
    "links_spread": ("unknown-opcode-logged-in", (_login(), _send(b"\x00"))),
    "ws_listener": (
        "websocket-ping-in-fragments",
        (Step(StepKind.OPEN, value=int(Transport.WEBSOCKET_RAW)), _send(_UPGRADE, _OPEN_PING)),
    ),
    # One process.
    "crash_alone": ("reserved-opcode-34", (_login(), _send(b"\x34"))),
    "server_opcode": ("opcode-75-of-the-server", (_send(b"\x75"),)),
    "partial_header": ("get-status-cut-within-length", (_send(b"\x05\x00"),)),
    "limit_exact": ("typing-start-longest-name", (_login(), _send(TypingStart(b"u" * NAME)))),
    "deep_cbor": ("cbor-nested-65-deep", (_login(), _send(CborMsg(B, _DEEP)))),
    "heap_killed": ("sender-key-of-1024-bytes", (_login(), _send(SenderKeyDist(B, bytes(1024))))),
    "plain_spawn": ("typing-start-to-oneself", (_login(), _send(TypingStart(A)))),
    "keys_later": (
        "upload-prekeys-without-one-time-keys",
        (_login(), _send(UploadPrekeys(_BUNDLE)), _pause(1_600)),
    ),
    "limiter_far": (
        "message-from-a-name-not-utf8",
        (_login(b"\xff"), _send(SendMessage(B, b"")), _pause(1_200)),
    ),
    "login_switch": (
        "get-status-after-three-logins",
        (_login(), _login(B), _login(C), _send(GetStatus(A))),
    ),
    "group_after_leave": (
        "group-message-after-group-leave",
        (
            _login(),
            _send(GroupCreate(b"g")),
            _WAIT,
            _send(GroupLeave(GROUP_TOKEN), GroupMsg(GROUP_TOKEN, _EMPTY_MAP, b"")),
        ),
    ),
    "receipt_known": (
        "read-receipt-after-ack",
        (*_DELIVERED, _send(Ack(MSGID_TOKEN)), _WAIT, _send(ReadReceipt(MSGID_TOKEN, B))),
    ),
    "build_up": (
        "fetch-prekeys-without-name-41-times",
        (_login(), _send(*[FetchPrekeys(b"")] * 41)),
    ),
    "restart_refuses": (
        "empty-message-stored-over-a-restart",
        (_login(), _send(SendMessage(B, b"")), Step(StepKind.RESTART)),
    ),
    # What only a later version of the protocol says.
    "later_position": (
        "position-of-scale-zero",
        (_login(), _send(b"\x40\x03\x9ckm\x80\x00")),
    ),
    "later_call": (
        "call-held-twice",
        (_login(), *(_send(b"\x50" + verb) for verb in (b"OFFER", b"ACCEPT", b"HOLD", b"HOLD"))),
    ),
    "later_header": (
        "e2ee-header-kept-for-six-weeks",
        (_login(), _send(E2eeMsg(B, cbor.dumps({"ttl": 6 * 604_800}), b""))),
    ),
    # What hangs, grows, or takes too long.
    "hang": ("cbor-map-without-break", (_login(), _send(CborMsg(B, b"\xbf")))),
    "call_cycle": ("send-seq-to-oneself", (_login(), _send(SendSeq(A, 0, b"")))),
    "unanswered": ("get-status-of-a-zero-byte", (_send(GetStatus(b"\x00")),)),
    "served_late": (
        "group-message-unknown-id",
        (_login(), _send(GroupMsg(A, _EMPTY_MAP, b""))),
    ),
    "mailbox_storm": ("batch-to-oneself", (_login(), _send(BatchSend(A, (b"",))))),
    "atom_leak": ("group-roster-unknown-id", (_login(), _send(GroupRoster(A)))),
    "mailbox_stuck": ("read-receipt-to-nobody", (_login(), _send(ReadReceipt(b"m", B)))),
    "ets_leak": ("typing-stop-to-nobody", (_login(), _send(TypingStop(B)))),
    "ets_bytes": ("group-leave-unknown-id", (_login(), _send(GroupLeave(A)))),
    "process_leak": ("typing-start-to-nobody", (_login(), _send(TypingStart(B)))),
    "port_leak": ("e2ee-message-empty", (_login(), _send(E2eeMsg(B, _EMPTY_MAP, b"")))),
    "binary_leak": ("sender-key-of-one-byte", (_login(), _send(SenderKeyDist(B, b"k")))),
    "stuck_frame": (
        "message-of-1025-bytes-cut-short",
        (_login(), _send(encode(SendMessage(B, bytes(1025)))[:-1025])),
    ),
    "slow_decode": (
        "cbor-followed-by-1023-maps",
        (_login(), _send(CborMsg(B, _EMPTY_MAP * 1024))),
    ),
}

#: For each defect, the name of its file in ``corpus/regressions`` and the case in it.
CRASH_CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {name: (file, Case(steps)) for name, (file, steps) in _STEPS.items()}
)
