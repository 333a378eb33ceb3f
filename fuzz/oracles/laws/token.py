"""A JSON web token (RFC 7519) as the law on them reads it: leniently, and noting what is odd."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TypeGuard

#: Integers beyond are not the same number to all readers of JSON, and a reader may set limits of
#: its own to the size of a number (RFC 8259, section 6).
_EXACT = 2**53
#: No number that a double holds needs a longer spelling.
_USUAL_LETTERS = 24
#: With a larger exponent it may be no number to a reader.
_USUAL_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Token:
    """The parts of a token. Of members that stand twice, the last is kept.

    ``signed`` are the bytes that the signature is for. ``padded`` tells that a part has the
    ``=`` of base64, ``plain`` that all readers read the same: each part is spelt as it must be, in
    UTF-8, no member stands twice, and each is text, true, false or a number of usual size and
    spelling.
    """

    header: dict[str, object]
    claims: dict[str, object]
    signature: bytes
    signed: bytes
    padded: bool
    plain: bool


def read_token(text: bytes) -> Token | None:
    """Return the token in ``text``; None where it is not three parts, the first two objects."""
    parts = text.split(b".")
    if len(parts) != 3:
        return None
    header, claims = _read(parts[0]), _read(parts[1])
    signature = _bytes(parts[2])
    if header is None or claims is None or signature is None:
        return None
    spelt = all(urlsafe_b64encode(_bytes(part) or b"").rstrip(b"=") == part for part in parts)
    return Token(
        header,
        claims,
        signature,
        text.rpartition(b".")[0],
        any(part.endswith(b"=") for part in parts),
        spelt and _plain(header) and _plain(claims),
    )


def key_in(header: dict[str, object]) -> bytes:
    """Return the key that a header brings along (RFC 7515, section 4.1.3), empty without any."""
    jwk = header.get("jwk")
    key = jwk.get("k") if isinstance(jwk, dict) else None
    return (_bytes(key.encode(errors="replace")) or b"") if isinstance(key, str) else b""


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a number of JSON, whose true and false Python takes for some."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_time(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a NumericDate that all readers of JSON agree on, to the second.

    It need not be whole (RFC 7519, section 2: "non-integer values can be represented").
    """
    return is_number(value) and abs(value) < _EXACT


class _Object(dict[str, object]):
    """A JSON object; ``twice`` tells that a member stands twice in it.

    ``usual`` tells that it is in UTF-8 and that its numbers are spelt as usual.
    """

    twice = False
    usual = False


def _object(members: list[tuple[str, object]]) -> _Object:
    made = _Object(members)
    made.twice = len(made) < len(members)
    return made


class _Numbers:
    """Reads numbers; ``usual`` tells that all of them were spelt as usual."""

    usual = True

    def integer(self, text: str) -> int | float:
        # As an integer, one of thousands of digits is refused by Python.
        return int(text) if self._is_usual(text) else float(text)

    def fraction(self, text: str) -> float:
        self._is_usual(text)
        return float(text)

    def _is_usual(self, text: str) -> bool:
        usual = len(text) <= _USUAL_LETTERS and _USUAL_NUMBER.fullmatch(text) is not None
        self.usual = self.usual and usual
        return usual


def _read(part: bytes) -> _Object | None:
    """Return the JSON object that a part of a token holds, or None.

    It must be in UTF-8, and not begin with a mark of the byte order (RFC 8259, section 8.1);
    some readers take that, and UTF-16, all the same.
    """
    data = _bytes(part) or b""
    try:
        return _parsed(data.decode())
    except (ValueError, RecursionError):
        pass
    try:
        value = _parsed(data)
    except (ValueError, RecursionError):
        return None
    if value is not None:
        value.usual = False
    return value


def _parsed(text: str | bytes) -> _Object | None:
    numbers = _Numbers()
    value = json.loads(
        text,
        object_pairs_hook=_object,
        parse_int=numbers.integer,
        parse_float=numbers.fraction,
    )
    if not isinstance(value, _Object):
        return None
    value.usual = numbers.usual
    return value


def _plain(value: _Object) -> bool:
    return (
        value.usual
        and not value.twice
        and all(map(_is_text, value))
        and all(
            isinstance(one, bool) or is_time(one) or (isinstance(one, str) and _is_text(one))
            for one in value.values()
        )
    )


def _is_text(text: str) -> bool:
    """Tell whether a text has no half of a surrogate pair, which is no character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _bytes(part: bytes) -> bytes | None:
    """Return what base64url stands for, padded or not, with other letters passed over."""
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        return None
