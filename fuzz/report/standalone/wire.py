"""What a server says, as far as a reproducer must understand it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

#: Server frames: the lengths of their counted fields, then how many bytes follow.
SERVER_FRAMES: dict[int, tuple[tuple[int, ...], int]] = {
    0x03: ((), 8), 0x06: ((2,), 9), 0x10: ((2, 4), 0), 0x22: ((4,), 0), 0x24: ((2, 2, 4), 0),
    0x31: ((2, 2), 0), 0x32: ((), 2), 0x33: ((2, 2, 4), 0), 0x35: ((2, 4), 0),
    0x36: ((2, 4), 0), 0x72: ((2,), 1), 0x75: ((2, 2), 8), 0xFE: ((2,), 0), 0xFF: ((), 4),
}  # fmt: skip
#: Client frames that have a length: the widths of the lengths of their fields, and, below zero,
#: of what has a fixed size.
CLIENT_FRAMES: dict[int, tuple[int, ...]] = {
    0x02: (2, 2), 0x04: (2, 4), 0x05: (2,), 0x07: (2, -8, 2), 0x10: (2, 4), 0x20: (4,),
    0x21: (2,), 0x23: (2, 2, 4), 0x30: (2,), 0x32: (2,), 0x33: (2, 2, 4), 0x35: (2,),
    0x36: (2, 4), 0x70: (2,), 0x71: (2,), 0x74: (2, 2),
}  # fmt: skip
#: What is answered whenever a user asks for it, and what can be the answer.
REQUESTS = (0x05, 0x20, 0x21, 0x30, 0x32, 0x35)
ANSWERS = (0x06, 0x22, 0x31, 0x32, 0x35, 0xFE, 0xFF)
#: Frames that are one text.
TEXTS = {0x03: b"LOGIN_OK", 0x32: b"OK"}
#: What a LOGIN that is refused is told, in no frame.
REFUSALS = (b"AUTH_FAILED", b"RATE_LIMITED")
LOGIN_OK, STATUS, MESSAGE, GROUP = 0x03, 0x06, 0x10, 0x31
ERROR, REFUSED = 0xFE, 0xFF


class Frame(NamedTuple):
    """A frame of the server: its counted fields, and last what follows them."""

    opcode: int
    fields: tuple[bytes, ...]


def frames(heard: bytes) -> tuple[list[Frame], bytes]:
    """Return the frames in ``heard``, and the bytes behind them that are none."""
    found: list[Frame] = []
    at = 0
    while at < len(heard) and heard[at] in SERVER_FRAMES:
        counted, rest = SERVER_FRAMES[heard[at]]
        fields, end = [], at + 1
        for width in counted:
            size = int.from_bytes(heard[end : end + width], "big")
            fields.append(heard[end + width : end + width + size])
            end += width + size
        fields.append(heard[end : end + rest])
        end += rest
        if end > len(heard) or fields[-1] != TEXTS.get(heard[at], fields[-1]):
            break
        found.append(Frame(heard[at], tuple(fields)))
        at = end
    return found, heard[at:]


def of(heard: bytes, *opcodes: int) -> list[Frame]:
    """Return the frames with one of ``opcodes``."""
    return [frame for frame in frames(heard)[0] if frame.opcode in opcodes]


def owed(sent: bytes, heard: bytes) -> bool:
    """Tell whether a user who has sent this is still to be answered."""
    asked = at = 0
    while at < len(sent) and sent[at] in CLIENT_FRAMES:
        end = at + 1
        for width in CLIENT_FRAMES[sent[at]]:
            size = 0 if width < 0 else int.from_bytes(sent[end : end + width], "big")
            end += abs(width) + size
        if end > len(sent):
            break
        asked += sent[at] in REQUESTS
        at = end
    return asked > len(of(heard, *ANSWERS))


def refused(heard: bytes) -> bool:
    """Tell whether the last thing that was heard is a refusal."""
    found, rest = frames(heard)
    return rest in REFUSALS or (not rest and bool(found) and found[-1].opcode == ERROR)


def learned(heard: bytes) -> dict[bytes, bytes]:
    """Return the id of the last group and of the last message that the server told."""
    names = {GROUP: b"<group:1>", MESSAGE: b"<msgid:1>"}
    return {names[frame.opcode]: frame.fields[0] for frame in of(heard, *names)}


class WebFrame(NamedTuple):
    """A frame of WebSocket (RFC 6455, section 5.2): its first two bytes, and what it holds.

    ``least`` tells that its length has no more bytes than it needs.
    """

    first: int
    second: int
    payload: bytes
    least: bool

    @property
    def in_order(self) -> bool:
        """Tell whether a server may send it."""
        control = self.first & 8
        known = self.first & 15 in (0, 1, 2, 8, 9, 10)
        whole = self.first & 128 and len(self.payload) <= 125
        unmasked = not self.second & 128 and not self.first & 0x70
        return unmasked and known and self.least and bool(not control or whole)


def web_frames(raw: bytes) -> list[WebFrame]:
    """Return the whole frames of WebSocket in ``raw``."""
    found, at = [], 0
    while at + 2 <= len(raw):
        size, head = raw[at + 1] & 127, 2
        if size == 126:
            size, head = int.from_bytes(raw[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(raw[at + 2 : at + 10], "big"), 10
        start, least = at + head + (raw[at + 1] & 128) // 32, {2: 0, 4: 126, 10: 65536}[head]
        if start + size > len(raw):
            break
        payload = raw[start : start + size]
        found.append(WebFrame(raw[at], raw[at + 1], payload, size >= least))
        at = start + size
    return found


def unframed(raw: bytes) -> bytes:
    """Return the payloads of whole WebSocket messages."""
    return b"".join(frame.payload for frame in web_frames(raw) if frame.first & 15 in (0, 1, 2))


def bound(data: bytes, values: Mapping[bytes, bytes]) -> bytes:
    """Put values in the place of their tokens, and a true length before one right."""
    for name, value in values.items():
        counted = len(name).to_bytes(2, "big") + name
        data = data.replace(counted, len(value).to_bytes(2, "big") + value).replace(name, value)
    return data


def unbound(data: bytes, values: Mapping[bytes, bytes]) -> bytes:
    """Put the tokens of users back in the place of their names."""
    for token, name in values.items():
        if token.startswith(b"<user:"):
            data = data.replace(name, token)
    return data


def mark(data: bytes, values: Mapping[bytes, bytes]) -> str:
    """Return what tells one text from another, whatever the users are called."""
    return hashlib.sha1(unbound(data, values)).hexdigest()
