"""Random values for the fields of frames, and whole fresh frames made of them.

A fresh frame is valid and small: it is there to get a dialogue one step further, and the
other operations then bend it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN
from fuzz.generate.dictionary import LOGIN_WORDS
from fuzz.generate.draft import Draft
from fuzz.recipes import RECIPES
from grammar import cbor, encode
from grammar.frames import CLIENT_OPCODES, SERVER_OPCODES, ClientFrame, Login, ServerFrame
from grammar.limits import KEY_BUNDLE, NAME, boundaries
from grammar.opcodes import ClientOpcode

#: Sizes in bytes of the keys of RFC-001 Amendment 001: X25519 and its Ed25519 signature.
KEY_BYTES, SIGNATURE_BYTES = 32, 64
#: Texts of fresh messages, in bytes: short, for size is what the field operations are for.
MAX_TEXT = 24

#: Names that no fresh user has: none, one that nobody took, the longest and one too long;
#: separators, a path, bytes that are not UTF-8, words of the server's own language.
ODD_NAMES = (
    b"", b"nobody", b"u" * NAME, b"u" * (NAME + 1), b"\x00", b":", b"a:b", b" ", b"\xff\xfe",
    b"../x", b"'\"", b"\xc3\xa9", b"undefined", b"iris_core",
)  # fmt: skip

#: Client opcodes whose frame ends with its segment: what follows there would be theirs.
OPEN_ENDED = frozenset({int(ClientOpcode.LOGIN), int(ClientOpcode.ACK)})

#: The kinds of token, without the one of 1 MiB: it takes as long as a hundred others.
_TOKEN_KINDS = tuple(kind for kind in RECIPES if kind != b"huge")
_CLIENT_FRAMES = tuple(CLIENT_OPCODES.values())
_SERVER_FRAMES = tuple(SERVER_OPCODES.values())
_U32, _U64 = boundaries(None, 4), boundaries(None, 8)
#: Sizes next to the limits of what may be long, and the share of fresh fields that get one. What
#: is longer than a key bundle would fill a campaign with floods.
_SIZES = tuple(size for size in boundaries(NAME, 2) if NAME - 1 <= size <= KEY_BUNDLE + 1)
_LIMIT_ODDS = 0.1
#: The share of what is empty where that means something of its own: no key, no name.
_EMPTY_ODDS = 0.1


def fresh_frame(draft: Draft) -> bytes:
    """Return a small valid client frame, each opcode as likely as any other."""
    frame = draft.pick(_CLIENT_FRAMES)
    if frame is Login:
        return login_frame(draft.someone())
    return encode(_build(draft, frame, {}))


def login_frame(text: bytes) -> bytes:
    """Return LOGIN with ``text`` as it is: the colon in a user's token parts nothing."""
    return bytes([ClientOpcode.LOGIN]) + text


def fresh_frame_to(draft: Draft, user: bytes) -> bytes:
    """Return a small valid client frame that names ``user``."""
    frame, field = draft.pick(_ADDRESSED)
    return encode(_build(draft, frame, {field: user}))


def frame_with(draft: Draft, frame: type[ClientFrame], given: Mapping[str, object]) -> bytes:
    """Return a small valid client frame with those of the fields ``given`` that it has."""
    return encode(_build(draft, frame, {n: v for n, v in given.items() if n in _FIELDS[frame]}))


def server_frame(draft: Draft) -> bytes:
    """Return a small valid frame of the server, which a client has no business to send."""
    return encode(_build(draft, draft.pick(_SERVER_FRAMES), {}))


def odd_name(draft: Draft) -> bytes:
    """Return a name that a server has to refuse or to bear, the empty one more often."""
    return b"" if draft.chance(_EMPTY_ODDS) else draft.pick(ODD_NAMES)


def bad_login(draft: Draft) -> bytes:
    """Return the text of a LOGIN: an odd name, a user with an odd token, or neither."""
    kind = draft.below(10)
    if kind >= 6:
        user = draft.someone()
        return user + b":<jwt:%b:%b>" % (draft.pick(_TOKEN_KINDS), user)
    if kind >= 3:
        # It goes with all that its user does from then on.
        return odd_name(draft) if draft.chance(0.6) else draft.rng.randbytes(1 + draft.below(8))
    word = draft.pick(tuple(LOGIN_WORDS.values()))
    if kind == 0:
        return word
    token = word if kind == 1 else word + b"." + draft.pick(tuple(LOGIN_WORDS.values()))
    return draft.someone() + b":" + token


def group_or_odd(draft: Draft) -> bytes:
    """Return the group of this case, and now and then something that is no group."""
    return GROUP_TOKEN if draft.chance(0.9) else odd_name(draft)


def message_id(draft: Draft) -> bytes:
    """Return the message delivered last in this case, or rarely an unknown one."""
    return MSGID_TOKEN if draft.chance(0.9) else draft.rng.randbytes(draft.below(20))


def text(draft: Draft) -> bytes:
    """Return the bytes of a message: short or empty, and now and then as long as some limit."""
    return _at_a_limit(draft) or draft.rng.randbytes(draft.below(MAX_TEXT))


def key_data(draft: Draft) -> bytes:
    """Return a sender's group key, or one that is empty, shorter, longer, or at some limit."""
    if draft.chance(_EMPTY_ODDS):
        return b""
    if draft.chance(0.3):
        return draft.rng.randbytes(draft.below(2 * KEY_BYTES))
    return _at_a_limit(draft) or _key(draft)


def header(draft: Draft) -> bytes:
    """Return the CBOR map that heads an end-to-end or group message."""
    values: dict[str, object] = {"ik": _key(draft), "ek": _key(draft)}
    if draft.chance(0.5):
        values["opk_id"] = draft.below(100)
    return cbor.dumps({**values, "pn": draft.below(3), "n": draft.below(30)})


def bundle(draft: Draft) -> bytes:
    """Return a key bundle with up to three one-time keys."""
    return cbor.dumps(
        {
            "identity_key": _key(draft),
            "signed_prekey": _key(draft),
            "signed_prekey_signature": draft.rng.randbytes(SIGNATURE_BYTES),
            "one_time_prekeys": [_key(draft) for _ in range(draft.below(4))],
        }
    )


def payload(draft: Draft) -> bytes:
    """Return a small CBOR map such as an application might send."""
    return cbor.dumps({"type": "text", "body": text(draft), "ts": draft.pick(_U32)})


def _at_a_limit(draft: Draft) -> bytes:
    """Return bytes of a size that is next to a limit, for few of those who ask."""
    if not draft.chance(_LIMIT_ODDS):
        return b""
    most = draft.growth()
    return b"A" * draft.pick([size for size in _SIZES if size <= most] or [0])


def _key(draft: Draft) -> bytes:
    return draft.rng.randbytes(KEY_BYTES)


def _someone(draft: Draft) -> bytes:
    return draft.someone()


def _sequence(draft: Draft) -> int:
    return draft.below(8) if draft.chance(0.8) else draft.pick(_U64)


def _flag(draft: Draft) -> int:
    return draft.below(2)


def _texts(draft: Draft) -> tuple[bytes, ...]:
    return tuple(text(draft) for _ in range(1 + draft.below(4)))


def _roster(draft: Draft) -> bytes:
    return cbor.dumps([draft.someone()])


#: What makes the value of a field, by the field's name in :mod:`grammar.frames`.
_MAKERS: Mapping[str, Callable[[Draft], object]] = {
    "user": _someone, "target": _someone, "recipient": _someone, "sender": _someone,
    "reader": _someone, "name": text, "message": text, "messages": _texts,
    "reason": text, "ciphertext": text, "key_data": key_data, "msg_id": message_id,
    "group_id": group_or_odd, "header": header, "bundle": bundle, "payload": payload,
    "roster": _roster, "seq": _sequence, "last_seen": _sequence, "timestamp": _sequence,
    "state": _flag, "status": _flag, "retry_after": _flag,
}  # fmt: skip

_Built = type[ClientFrame] | type[ServerFrame]


def _names(frame: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(frame))


_FIELDS = {frame: _names(frame) for frame in (*_CLIENT_FRAMES, *_SERVER_FRAMES)}
#: Client frames that name a user, with the field that does.
_ADDRESSED = tuple(
    (frame, name)
    for frame in _CLIENT_FRAMES
    for name in _FIELDS[frame]
    if name in ("target", "recipient", "sender")
)


def _build(draft: Draft, frame: _Built, given: dict[str, object]) -> Any:
    """Return a frame of the class ``frame`` with the fields ``given`` and fresh others."""
    made = {name: _MAKERS[name](draft) for name in _FIELDS[frame] if name not in given}
    return frame(**made, **given)
