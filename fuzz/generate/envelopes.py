"""Operations on WebSocket frames and on the upgrade, where a case does its own framing.

On such a connection a segment holds envelopes (RFC 6455, section 5.2) and the frames of Iris are
within them, so that operations on frames see only noise. These take a segment apart into its
envelopes and put it together again: mostly whole, with one thing about them that is odd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from fuzz.case import Step, StepKind, Transport
from fuzz.generate.draft import Draft, Operation
from fuzz.generate.values import fresh_frame, login_frame
from grammar import NEED_DATA
from grammar.envelope import Envelope, MessageKind, decode_envelope, encode_envelope
from grammar.errors import DecodeError

#: An upgrade to WebSocket, RFC 6455 section 4.1; the key is the example of section 1.3.
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
#: A key of zeros leaves the payload readable, so that tokens in it get their values.
_KEY = bytes(4)
_OTHER_KEY = b"\x37\xfa\x21\x3d"
_CONTROL = (MessageKind.PING, MessageKind.PONG, MessageKind.CLOSE)
#: The most that a control frame may hold (RFC 6455, section 5.5), the most that the two shorter
#: forms of a length can say, and what is next to them.
_SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 65_535, 65_536)
#: Codes of CLOSE: in use, never to be sent, of nobody (RFC 6455, section 7.4).
_CODES = (1000, 1001, 1002, 1005, 1006, 1015, 999, 0, 4999, 65_535)
#: What a CLOSE holds behind its code (it is to be UTF-8), the last of them one byte too long.
_REASONS = (b"", b"bye", "grüße".encode(), b"\xff\xfe", b"\xf0\x9f\x98", b"r" * 123, b"r" * 124)
#: What a PING or a PONG holds.
_ECHOES = (b"", b"12345678", b"e" * 125, b"e" * 126)
#: Texts: UTF-8, and what is not: cut short, too long for what it says, half of a pair, too large
#: (RFC 3629).
_TEXTS = (
    b"text", "grüße".encode(), b"", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
)  # fmt: skip
#: Lengths that no payload here has, by the width that can say them: next to where one form ends
#: and where numbers turn over.
_TOLD: dict[int, tuple[int, ...]] = {
    7: (0, 1, 124, 125),
    16: (0, 125, 126, 127, 65_534, 65_535),
    64: (0, 125, 65_535, 65_536, 65_537, (1 << 64) - 1,
         *((1 << bits) + by for bits in (31, 32, 40, 63) for by in (-1, 0))),
}  # fmt: skip
#: Other lines of an upgrade, each in the place of the one that begins like it.
_LINES = (
    b"GET / HTTP/1.0", b"GET /\xff HTTP/1.1", b"POST / HTTP/1.1", b"GET / HTTP/1.1\r\n ",
    b"Host: ", b"Host: a\r\nHost: b",
    b"Upgrade: h2c", b"Upgrade: WebSocket", b"Upgrade: h2c, websocket",
    b"Connection: close", b"Connection: keep-alive, Upgrade", b"Connection: Upgrade\r\n\tmore",
    b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: short", b"Sec-WebSocket-Key: " + b"k" * 24,
    b"Sec-WebSocket-Key: " + b"k" * 8_192,
    b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Version: thirteen", b"Sec-WebSocket-Version: 013",
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: iris, chat",
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate",
    b"Sec-WebSocket-Version: 13\r\nContent-Length: 5",
)  # fmt: skip
_HEAD_END = b"\r\n\r\n"
#: Fragments of one message at most; most of them are empty then.
_FRAGMENTS = 16

#: Returns an envelope in the place of another.
_Change = Callable[[Draft, Envelope], Envelope]


def change_header(draft: Draft) -> bool:
    """Change one thing in the header of an envelope: FIN, opcode, reserved bits, mask, width."""
    return _replace(draft, draft.pick(_HEADER_CHANGES))


def resize_payload(draft: Draft) -> bool:
    """Give the payload of an envelope a length that is next to some limit."""
    size = draft.pick(_SIZES)
    if size > draft.growth():
        return False

    def resized(_: Draft, one: Envelope) -> Envelope:
        return replace(one, payload=one.payload.ljust(size, b"w")[:size], width=None)

    return _replace(draft, resized)


def lie_in_length(draft: Draft) -> bool:
    """Cut an envelope short, or leave bytes behind it, so that its length is not true."""
    found = _pick(draft)
    if found is None:
        return False
    step, envelopes, at = found
    parts = [encode_envelope(one) for one in envelopes]
    cut = draft.below(len(parts[at]))
    parts[at] = parts[at][:cut] if draft.chance(0.5) else parts[at] + parts[at][cut:]
    return draft.set_data(step, b"".join(parts))


def lie_in_number(draft: Draft) -> bool:
    """Let the length of an envelope be a number next to a limit, in any of its three forms."""
    return _replace(draft, _other_number)


def say_text(draft: Draft) -> bool:
    """Let an envelope be text: UTF-8, or what is not."""
    text = draft.pick(_TEXTS)
    return _replace(
        draft, lambda _, one: replace(one, kind=MessageKind.TEXT, payload=text, width=None)
    )


def change_upgrade(draft: Draft) -> bool:
    """Change the request for the upgrade: another line, one less, one twice, or where it is cut."""
    raw = _raw_connections(draft)
    asking = [
        index
        for index, step in enumerate(draft.steps)
        if step.connection in raw and step.data.startswith(b"GET ") and _HEAD_END in step.data
    ]
    if not asking:
        return False
    index = draft.pick(asking)
    head, _, behind = draft.steps[index].data.partition(_HEAD_END)
    lines = head.split(b"\r\n")
    at = draft.below(len(lines))
    if draft.chance(0.5):
        new = draft.pick(_LINES)
        same = [n for n, line in enumerate(lines) if line[:4] == new[:4]]
        lines[same[-1] if same else at] = new
    elif draft.chance(0.5):
        lines[at:at] = [lines[at]]
    elif draft.chance(0.5):
        del lines[at]
    else:
        return _cut_head(draft, index)
    return draft.set_data(index, b"\r\n".join(lines) + _HEAD_END + behind)


def _cut_head(draft: Draft, index: int) -> bool:
    """Let a request come in two segments, or one with what is said next."""
    step = draft.steps[index]
    following = draft.steps[index + 1] if index + 1 < len(draft.steps) else step
    if following.connection == step.connection and following.kind is StepKind.WAIT:
        del draft.steps[index + 1]
        return True
    cut = 1 + draft.below(len(step.data) - 1)
    rest = Step(StepKind.SEND, step.connection, step.data[cut:])
    return draft.insert(index + 1, rest) and draft.set_data(index, step.data[:cut])


def fragment(draft: Draft) -> bool:
    """Send the payload of an envelope in two fragments, perhaps with a control frame between."""
    found = _pick(draft)
    if found is None:
        return False
    step, envelopes, at = found
    whole = envelopes[at]
    cut = draft.below(len(whole.payload) + 1)
    parts = [
        replace(whole, payload=whole.payload[:cut], fin=False),
        replace(whole, payload=whole.payload[cut:], kind=MessageKind.CONTINUATION),
    ]
    if draft.chance(0.3):
        parts.insert(1, _control(draft))
    return _put(draft, step, [*envelopes[:at], *parts, *envelopes[at + 1 :]])


def fragment_much(draft: Draft) -> bool:
    """Send an envelope in many fragments, some empty; perhaps with something else among them.

    That is a control frame, which may be there, or a message of its own, which may not; or the
    first fragment, or the last one, is missing.
    """
    found = _pick(draft)
    if found is None:
        return False
    step, envelopes, at = found
    whole = envelopes[at]
    cuts = sorted(draft.below(len(whole.payload) + 1) for _ in range(1 + draft.below(_FRAGMENTS)))
    pieces = [whole.payload[a:b] for a, b in pairwise((0, *cuts, len(whole.payload)))]
    parts = [
        Envelope(piece, MessageKind.CONTINUATION, fin=False, key=whole.key) for piece in pieces
    ]
    parts[0] = replace(parts[0], kind=whole.kind)
    parts[-1] = replace(parts[-1], fin=True)
    if draft.chance(0.3):
        other = Envelope(fresh_frame(draft), key=_KEY)
        parts.insert(1, _control(draft) if draft.chance(0.7) else other)
    elif draft.chance(0.2):
        del parts[draft.pick((0, -1))]
    return _put(draft, step, [*envelopes[:at], *parts, *envelopes[at + 1 :]])


def insert_envelope(draft: Draft) -> bool:
    """Send a control frame, or a message with a frame of Iris in it, before an envelope."""
    found = _pick(draft)
    if found is None:
        return False
    step, envelopes, at = found
    new = _control(draft) if draft.chance(0.5) else Envelope(fresh_frame(draft), key=_KEY)
    return _put(draft, step, [*envelopes[:at], new, *envelopes[at:]])


def converse(draft: Draft) -> bool:
    """Put a conversation with a framing of its own in the place of the case.

    An upgrade and mostly a login, then some messages and control frames, a few of them odd.
    """
    said = [Envelope(login_frame(draft.someone()), key=_KEY)] if draft.chance(0.7) else []
    for _ in range(1 + draft.below(4)):
        one = _control(draft) if draft.chance(0.5) else Envelope(fresh_frame(draft), key=_KEY)
        said.append(draft.pick(_HEADER_CHANGES)(draft, one) if draft.chance(0.3) else one)
    draft.steps[:] = [
        Step(StepKind.OPEN, 0, value=int(Transport.WEBSOCKET_RAW)),
        Step(StepKind.SEND, 0, UPGRADE),
        Step(StepKind.WAIT),
        *(Step(StepKind.SEND, 0, encode_envelope(one)) for one in said),
    ]
    return True


def drop_envelope(draft: Draft) -> bool:
    """Leave an envelope out."""
    found = _pick(draft)
    if found is None:
        return False
    step, envelopes, at = found
    return _put(draft, step, envelopes[:at] + envelopes[at + 1 :])


def _control(draft: Draft) -> Envelope:
    kind = draft.pick(_CONTROL)
    payload = draft.pick(_ECHOES)
    if kind is MessageKind.CLOSE:
        payload = draft.pick(_CODES).to_bytes(2, "big") + draft.pick(_REASONS)
        payload = payload[: draft.pick((0, 1, 2))] if draft.chance(0.5) else payload
    return Envelope(payload, kind, fin=not draft.chance(0.1), key=_KEY)


def _other_kind(draft: Draft, envelope: Envelope) -> Envelope:
    kinds = tuple(MessageKind) if draft.chance(0.8) else range(16)
    return replace(envelope, kind=draft.pick(kinds))


def _other_width(draft: Draft, envelope: Envelope) -> Envelope:
    widths = (16, 64) if len(envelope.payload) < 1 << 16 else (64,)
    return replace(envelope, width=draft.pick(widths))


def _other_number(draft: Draft, envelope: Envelope) -> Envelope:
    # The widest form can say what no server has room for, and is what few clients ever use.
    width = 64 if draft.chance(0.5) else draft.pick(tuple(_TOLD))
    return replace(envelope, width=width, told=draft.pick(_TOLD[width]))


def _other_mask(draft: Draft, envelope: Envelope) -> Envelope:
    """Return a frame under another key, mostly with its payload masked with the one before."""
    if draft.chance(0.3):
        return replace(envelope, key=_OTHER_KEY)
    pad = (_OTHER_KEY * (len(envelope.payload) // 4 + 1))[: len(envelope.payload)]
    mixed = bytes(a ^ b for a, b in zip(envelope.payload, pad, strict=True))
    return replace(envelope, key=_OTHER_KEY, payload=mixed)


_HEADER_CHANGES: tuple[_Change, ...] = (
    lambda _, one: replace(one, fin=not one.fin),
    _other_kind,
    lambda draft, one: replace(one, reserved=1 + draft.below(7)),
    lambda _, one: replace(one, key=_KEY if one.key is None else None),
    _other_mask,
    _other_width,
    _other_number,
)


def _replace(draft: Draft, change: _Change) -> bool:
    found = _pick(draft)
    if found is None:
        return False
    step, envelopes, at = found
    return _put(draft, step, [*envelopes[:at], change(draft, envelopes[at]), *envelopes[at + 1 :]])


def _put(draft: Draft, step: int, envelopes: list[Envelope]) -> bool:
    return draft.set_data(step, b"".join(map(encode_envelope, envelopes)))


def _pick(draft: Draft) -> tuple[int, list[Envelope], int] | None:
    """Return a step that sends envelopes, those, and the index of one; None if there is none."""
    raw = _raw_connections(draft)
    if not raw:
        return None
    framed = [
        (index, envelopes)
        for index, step in enumerate(draft.steps)
        if step.connection in raw and (envelopes := envelopes_in(step))
    ]
    if not framed:
        return None
    index, envelopes = draft.pick(framed)
    return index, envelopes, draft.below(len(envelopes))


def _raw_connections(draft: Draft) -> set[int]:
    return {
        step.connection
        for step in draft.steps
        if step.kind is StepKind.OPEN and step.transport is Transport.WEBSOCKET_RAW
    }


def envelopes_in(step: Step) -> list[Envelope]:
    """Return the envelopes that fill a segment; empty where it holds anything else."""
    envelopes: list[Envelope] = []
    end = 0
    while step.kind is StepKind.SEND and end < len(step.data):
        try:
            decoded = decode_envelope(step.data, end)
        except DecodeError:
            return []
        if decoded is NEED_DATA:
            return []
        envelope, end = decoded
        envelopes.append(envelope)
    return envelopes


OPERATIONS = (
    # Most cases have no framing of their own, and then another operation is drawn.
    Operation("envelope-header", 90, change_header),
    Operation("envelope-resize", 50, resize_payload),
    Operation("envelope-length", 30, lie_in_length),
    Operation("envelope-number", 60, lie_in_number),
    Operation("envelope-fragment", 40, fragment),
    Operation("envelope-fragments", 20, fragment_much),
    Operation("envelope-text", 10, say_text),
    Operation("envelope-upgrade", 20, change_upgrade),
    Operation("envelope-insert", 50, insert_envelope),
    Operation("envelope-drop", 20, drop_envelope),
    Operation("envelope-dialogue", 20, converse),
)
