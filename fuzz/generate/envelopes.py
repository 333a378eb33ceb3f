"""Operations on WebSocket frames, where a case does its own framing.

On such a connection a segment holds envelopes (RFC 6455, section 5.2) and the frames of Iris are
within them, so that operations on frames see only noise. These take a segment apart into its
envelopes and put it together again: mostly whole, with one thing about them that is odd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
_CONTROL = (MessageKind.PING, MessageKind.PONG, MessageKind.CLOSE)
#: The most that a control frame may hold (RFC 6455, section 5.5), the most that the two shorter
#: forms of a length can say, and what is next to them.
_SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 65_535, 65_536)
#: Codes of CLOSE: in use, never to be sent, of nobody (RFC 6455, section 7.4).
_CODES = (1000, 1001, 1002, 1005, 1006, 1015, 999, 0, 4999, 65_535)

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
    code = draft.pick(_CODES).to_bytes(2, "big") if kind is MessageKind.CLOSE else b""
    return Envelope(code, kind, fin=not draft.chance(0.2), key=_KEY)


def _other_kind(draft: Draft, envelope: Envelope) -> Envelope:
    kinds = tuple(MessageKind) if draft.chance(0.8) else range(16)
    return replace(envelope, kind=draft.pick(kinds))


def _other_width(draft: Draft, envelope: Envelope) -> Envelope:
    return replace(envelope, width=16 if len(envelope.payload) < 1 << 16 else 64)


_HEADER_CHANGES: tuple[_Change, ...] = (
    lambda _, one: replace(one, fin=not one.fin),
    _other_kind,
    lambda draft, one: replace(one, reserved=1 + draft.below(7)),
    lambda _, one: replace(one, key=_KEY if one.key is None else None),
    _other_width,
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
    raw = {
        step.connection
        for step in draft.steps
        if step.kind is StepKind.OPEN and step.transport is Transport.WEBSOCKET_RAW
    }
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
    Operation("envelope-fragment", 40, fragment),
    Operation("envelope-insert", 50, insert_envelope),
    Operation("envelope-drop", 20, drop_envelope),
    Operation("envelope-dialogue", 20, converse),
)
