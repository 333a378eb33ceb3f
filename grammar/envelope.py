"""The WebSocket data frame (RFC 6455, section 5.2) around one Iris frame.

On the WebSocket port each Iris frame travels as one binary message. Clients mask, servers
do not. The envelope is a thing to fuzz as well, so an :class:`Envelope` can say what the
RFC forbids: reserved bits, an unmasked client, a length in a wider field than it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from construct import (
    BitsInteger,
    BitStruct,
    Bytes,
    Computed,
    ConstructError,
    Flag,
    If,
    Int16ub,
    Int64ub,
    Struct,
    Switch,
    this,
)

from grammar.codec import NEED_DATA, NeedData
from grammar.errors import DecodeError, EncodeError
from grammar.layout import Role
from grammar.opcodes import Direction
from grammar.spans import Span, spans

#: Masking hides bytes from caches between client and server; there are none here, and one key
#: for all keeps a case the same on each play. No byte of it is zero, so all bytes change.
MASKING_KEY = b"\x37\xfa\x21\x3d"

#: The header of a frame: what comes before its payload. A case that does its own framing is looked
#: through in each mutation, so that it is read and written by hand, in a tenth of the time; what it
#: cannot say, this is asked about.
_HEADER = Struct(
    "bits"
    / BitStruct(
        "fin" / Flag,
        "reserved" / BitsInteger(3),
        "opcode" / BitsInteger(4),
        "masked" / Flag,
        "size" / BitsInteger(7),
    ),
    "size" / Switch(this.bits.size, {126: Int16ub, 127: Int64ub}, default=Computed(this.bits.size)),
    "key" / If(this.bits.masked, Bytes(4)),
)
#: The width of a length in bits, to what the seven bits of the first length say; and from those
#: to the bytes of it that follow.
_MARKS = {16: 126, 64: 127}
_MORE = {126: 2, 127: 8}


class MessageKind(IntEnum):
    """The opcodes of RFC 6455; Iris frames are BINARY."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_KINDS = {int(kind): kind for kind in MessageKind}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One WebSocket frame with its ``payload`` unmasked.

    ``kind`` is a :class:`MessageKind` or any other number of four bits, ``reserved`` has
    three bits. ``key`` is None for an unmasked frame and four bytes otherwise. ``width`` is
    that of the length in bits: 7, 16 or 64; None is the least that will do. ``told`` is a length
    that the payload does not have, and None tells its own; it is lost when a frame is decoded.
    """

    payload: bytes
    kind: int = MessageKind.BINARY
    fin: bool = True
    reserved: int = 0
    key: bytes | None = None
    width: int | None = None
    told: int | None = None


def wrap(frame: bytes, direction: Direction) -> bytes:
    """Return the encoded ``frame`` as one binary message, masked if a client sends it."""
    key = MASKING_KEY if direction is Direction.CLIENT else None
    return encode_envelope(Envelope(frame, key=key))


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the bytes of ``envelope``; raise :class:`EncodeError` where a field cannot hold."""
    size = len(envelope.payload) if envelope.told is None else envelope.told
    width = _least_width(size) if envelope.width is None else envelope.width
    if width not in (7, 16, 64) or _least_width(size) > width:
        raise EncodeError("envelope.size", f"{size} bytes have no length of {width} bits")
    mark, key = _MARKS.get(width, size), envelope.key
    fits = 0 <= envelope.kind < 16 and 0 <= envelope.reserved < 8 and 0 <= size < 1 << 64
    if not fits or (key is not None and len(key) != 4):
        raise _encode_error(envelope, size, mark)
    first = envelope.fin << 7 | envelope.reserved << 4 | envelope.kind
    length = size.to_bytes(width // 8, "big") if width > 7 else b""
    if key is None:
        return bytes((first, mark)) + length + envelope.payload
    return bytes((first, 128 | mark)) + length + key + _masked(envelope.payload, key)


def _encode_error(envelope: Envelope, size: int, mark: int) -> EncodeError:
    """Return what construct says of a header that has no form on the wire."""
    bits = {
        "fin": envelope.fin,
        "reserved": envelope.reserved,
        "opcode": envelope.kind,
        "masked": envelope.key is not None,
        "size": mark,
    }
    try:
        _HEADER.build({"bits": bits, "size": size, "key": envelope.key})
    except ConstructError as error:
        return EncodeError("envelope", str(error).splitlines()[-1])
    return EncodeError("envelope", "the header has no form on the wire")


def envelope_spans(data: bytes) -> tuple[Span, ...]:
    """Cut what a client sends on a connection with its own framing into its spans.

    Like :func:`grammar.spans.spans` it is total, and its spans tile the bytes. A request of HTTP
    is one LITERAL. A frame is its first byte, its length with the bit of the mask, the key, and the
    payload: the frames of Iris in it where the mask leaves it readable, one TEXT where it does not.
    """
    out: list[Span] = []
    offset = _request_end(data)
    _leaf(out, "HTTP.request", 0, offset, Role.LITERAL)
    while offset < len(data):
        offset = _envelope(out, data, offset)
    return tuple(out)


def _request_end(data: bytes) -> int:
    if not data.startswith(b"GET "):
        return 0
    end = data.find(b"\r\n\r\n")
    return len(data) if end < 0 else end + 4


def _envelope(out: list[Span], data: bytes, offset: int) -> int:
    """Append the spans of the frame at ``offset``; return its end, or that of the data."""
    stop = len(data)
    _leaf(out, "WEBSOCKET.opcode", offset, offset + 1, Role.OPCODE)
    second = data[offset + 1] if offset + 1 < stop else 0
    start = min(offset + 2 + _MORE.get(second & 127, 0), stop)
    key_end = min(start + (4 if second & 128 else 0), stop)
    end = min(key_end + told_size(data[offset + 1 : start]), stop)
    counts = (key_end, end - key_end)
    _leaf(out, "WEBSOCKET.length", offset + 1, start, Role.LENGTH, counts)
    _leaf(out, "WEBSOCKET.key", start, key_end, Role.KEY)
    readable = not any(data[start:key_end])
    if readable and data[offset] & 15 == MessageKind.BINARY:
        for span in spans(data[key_end:end], Direction.CLIENT):
            inside = span.counts
            inside = None if inside is None else (inside[0] + key_end, inside[1])
            out.append(span._replace(offset=span.offset + key_end, counts=inside))
    else:
        _leaf(out, "WEBSOCKET.payload", key_end, end, Role.TEXT)
    return end


def told_size(length: bytes) -> int:
    """Return the number in the length of a frame: the bytes from the second one on, all of them."""
    first = length[0] & 127 if length else 0
    return first if first < 126 else int.from_bytes(length[1:], "big")


def _leaf(
    out: list[Span],
    path: str,
    offset: int,
    end: int,
    role: Role,
    counts: tuple[int, int] | None = None,
) -> None:
    if end > offset:
        out.append(Span(path, offset, end - offset, role, counts))


def decode_envelope(
    data: bytes, offset: int = 0
) -> tuple[Envelope, int] | Literal[NeedData.NEED_DATA]:
    """Return the envelope at ``offset`` and its end, or NEED_DATA.

    Raise :class:`DecodeError` for a length with its highest bit set, the one thing in a
    header that has no meaning at all.
    """
    stop = len(data)
    if offset + 2 > stop:
        return NEED_DATA
    first, second = data[offset], data[offset + 1]
    more = _MORE.get(second & 127, 0)
    start = offset + 2 + more
    key_end = start + 4 if second & 128 else start
    if key_end > stop:
        return NEED_DATA
    size = told_size(data[offset + 1 : start])
    if size >= 1 << 63:
        raise DecodeError(offset + 2, "envelope.size", f"a length of {size} bytes")
    end = key_end + size
    if end > stop:
        return NEED_DATA  # as most bytes are, in which a mutation looks for a frame
    key = data[start:key_end] if second & 128 else None
    width = 8 * more or 7
    envelope = Envelope(
        payload=_masked(data[key_end:end], key),
        kind=_KINDS.get(first & 15, first & 15),
        fin=first >= 128,
        reserved=first >> 4 & 7,
        key=key,
        width=None if width == _least_width(size) else width,
    )
    return envelope, end


def _least_width(size: int) -> int:
    return 7 if size < 126 else 16 if size < 1 << 16 else 64


def _masked(payload: bytes, key: bytes | None) -> bytes:
    """Return ``payload`` under ``key``, which also takes the mask off again."""
    if key is None:
        return payload
    pad = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return mixed.to_bytes(len(payload), "big")
