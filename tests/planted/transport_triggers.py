"""The smallest case for each planted defect of how bytes travel: TLS, and frames of WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fuzz.case import USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.generate.envelopes import UPGRADE
from grammar import Envelope, GetStatus, MessageKind, encode, encode_envelope

A = USER_TOKENS[0]

#: A mask of zeros leaves what it masks readable.
_KEY = bytes(4)
_ASK = encode(GetStatus(A))
#: A binary frame and its masking key; in between stands a length of 2**40 bytes in 64 bits.
_TEBIBYTE = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + _KEY


def _said(payload: bytes, kind: MessageKind = MessageKind.BINARY, fin: bool = True) -> bytes:
    return encode_envelope(Envelope(payload, kind, fin, key=_KEY))


def _session(*frames: bytes) -> Case:
    return Case(
        (
            Step(StepKind.OPEN, value=int(Transport.WEBSOCKET_RAW)),
            Step(StepKind.SEND, 0, UPGRADE + b"".join(frames)),
        )
    )


#: For each planted defect, the name of its file and the case in it.
TRANSPORT_CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {
        "tls_goodbye": ("get-status-cut-short", Case((Step(StepKind.SEND, 0, _ASK[:5]),))),
        "ws_interleaved": (
            "websocket-ping-between-fragments",
            _session(
                _said(_ASK[:5], fin=False),
                _said(b"", MessageKind.PING),
                _said(_ASK[5:], MessageKind.CONTINUATION),
            ),
        ),
        "ws_length": ("websocket-length-of-a-tebibyte", _session(_TEBIBYTE)),
        "ws_unmasked": (
            "websocket-get-status-unmasked",
            _session(encode_envelope(Envelope(_ASK))),
        ),
        "ws_pong": (
            "websocket-ping-of-eight-bytes",
            _session(_said(b"12345678", MessageKind.PING)),
        ),
        "ws_close": (
            "websocket-close-with-a-reason",
            _session(_said(b"\x03\xe8bye", MessageKind.CLOSE)),
        ),
        "ws_wide": (
            "websocket-get-status-of-128-bytes",
            _session(_said(encode(GetStatus(b"u" * 128)))),
        ),
    }
)
