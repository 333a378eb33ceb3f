r"""Words worth saying to a chat server, and the dictionary file made of them.

``corpus/dictionaries/iris.dict`` is written from here, so that libFuzzer and AFL read the
same words that the mutators use:

    python -m fuzz.generate.dictionary corpus/dictionaries/iris.dict

The syntax is libFuzzer's and AFL's: one ``name="value"`` a line, where ``\\``, ``\"`` and
``\xNN`` are the only escapes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, USER_TOKENS
from fuzz.errors import SettingsError
from grammar import ClientOpcode, ServerOpcode, cbor
from grammar.frames import BARE_TEXTS
from grammar.limits import BATCH, HEADER, KEY_BUNDLE, MSG_ID, NAME, boundaries
from grammar.opcodes import RESERVED_OPCODE

_LINE = re.compile(r'(?P<name>[A-Za-z0-9_]+)="(?P<value>(?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r'\\(?:(?P<quoted>["\\])|x(?P<hex>[0-9A-Fa-f]{2}))')

#: Keys of the maps in key bundles and message headers (RFC-001 Amendment 001).
CBOR_KEYS = (
    "identity_key", "signed_prekey", "signed_prekey_signature", "one_time_prekeys",
    "ik", "ek", "opk_id", "pn", "n", "sender", "status",
)  # fmt: skip

#: CBOR heads and values that decoders are known to stumble over (RFC 8949).
CBOR_ODDITIES = {
    "break": b"\xff",
    "bytes_open": b"\x5f",
    "text_open": b"\x7f",
    "array_open": b"\x9f",
    "map_open": b"\xbf",
    "map_empty": b"\xa0",
    "array_empty": b"\x80",
    "array_huge": b"\x9b" + b"\xff" * 8,
    "map_huge": b"\xbb" + b"\xff" * 8,
    "bytes_huge": b"\x5b" + b"\xff" * 8,
    "bytes_4g": b"\x5a\xff\xff\xff\xff",
    "null": b"\xf6",
    "undefined": b"\xf7",
    "simple_short": b"\xf8\x00",
    "reserved_head": b"\x1c",
    "half_nan": b"\xf9\x7e\x00",
    "half_infinity": b"\xf9\x7c\x00",
    "double_nan": b"\xfb\x7f\xf8" + b"\x00" * 6,
    "double_minus_infinity": b"\xfb\xff\xf0" + b"\x00" * 6,
    "negative_least": b"\x3b" + b"\xff" * 8,
    "bignum": b"\xc2\x49\x01" + b"\x00" * 8,
    "tag_huge": b"\xdb" + b"\xff" * 8,
    "zero_in_nine_bytes": b"\x1b" + b"\x00" * 8,
}

#: Pieces of a login: separators, and tokens (JWT) that no server may accept.
LOGIN_WORDS = {
    "colon": b":",
    "dots": b"..",
    "alg": b'"alg"',
    "none": b'"none"',
    "hs256": b'"HS256"',
    "jwt_header_none": b"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
    "jwt_header_hs256": b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    "jwt_header_hs512": b"eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
    "jwt_claims_empty": b"e30",
    "jwt_unsigned": b"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.",
}


#: The limits whose neighbourhoods are words; those of messages lie at 2**16, which
#: :func:`grammar.limits.boundaries` has anyway.
_LIMITS = (MSG_ID, NAME, HEADER, KEY_BUNDLE, BATCH)


@dataclass(frozen=True, slots=True)
class Word:
    """One entry of the dictionary."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Words in a fixed order."""

    words: tuple[Word, ...]

    def render(self) -> str:
        """Return the dictionary as the text of a libFuzzer or AFL dictionary file."""
        return "".join(f'{word.name}="{_escape(word.data)}"\n' for word in self.words)


def parse_dictionary(text: str) -> Dictionary:
    """Return the dictionary in ``text``; blank lines and lines with ``#`` are passed over.

    Raises :class:`SettingsError` that names the first line that is neither.
    """
    words = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingsError(f'line {number} of the dictionary is not name="value"')
        words.append(Word(match["name"], _unescape(match["value"])))
    return Dictionary(tuple(words))


@cache
def iris_dictionary() -> Dictionary:
    """Return the words of the Iris protocol; bytes that two names have keep the first."""
    words: dict[bytes, Word] = {}
    for word in chain(_tokens(), _opcodes(), _texts(), _cbor(), _lengths()):
        words.setdefault(word.data, word)
    return Dictionary(tuple(words.values()))


def _tokens() -> Iterator[Word]:
    for token in (*USER_TOKENS[:3], GROUP_TOKEN, MSGID_TOKEN):
        yield Word("token_" + re.sub(r"\W+", "_", token.decode()).strip("_"), token)


def _opcodes() -> Iterator[Word]:
    for opcode in ClientOpcode:
        yield Word(f"client_{opcode.name.lower()}", bytes([opcode]))
    for reply in ServerOpcode:
        yield Word(f"server_{reply.name.lower()}", bytes([reply]))
    yield Word("reserved", bytes([RESERVED_OPCODE]))


def _texts() -> Iterator[Word]:
    for text in (b"LOGIN_OK", b"OK", *BARE_TEXTS):
        yield Word(f"text_{text.decode().lower()}", text)
    for name, data in LOGIN_WORDS.items():
        yield Word(f"login_{name}", data)


def _cbor() -> Iterator[Word]:
    for key in CBOR_KEYS:
        yield Word(f"cbor_key_{key}", cbor.dumps(key))
    for name, data in CBOR_ODDITIES.items():
        yield Word(f"cbor_{name}", data)


def _lengths() -> Iterator[Word]:
    for width in (2, 4, 8):
        values = {value for limit in _LIMITS for value in boundaries(limit, width)}
        for value in sorted(values):
            yield Word(f"be{8 * width}_{value}", value.to_bytes(width, "big"))


def _escape(data: bytes) -> str:
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02X}"
        for byte in data
    )


def _unescape(text: str) -> bytes:
    def plain(match: re.Match[str]) -> str:
        return match["quoted"] or chr(int(match["hex"], 16))

    return _ESCAPE.sub(plain, text).encode("latin-1")


def main(arguments: Sequence[str]) -> int:
    """Write the dictionary to the file named by the only argument; 2 where that fails."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m fuzz.generate.dictionary FILE\n")
        return 2
    path = Path(arguments[0])
    try:
        path.write_text(iris_dictionary().render(), encoding="ascii")
    except OSError as error:
        sys.stderr.write(f"{path}: the dictionary cannot be written: {error.strerror}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
