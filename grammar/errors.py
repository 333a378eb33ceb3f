"""The only exceptions that leave this package, all below :class:`GrammarError`.

Decode errors say where (``offset`` into the bytes that were given) and what (``path``, in
the notation of :mod:`grammar.spans`, such as ``SEND_MESSAGE.target``).
"""

from __future__ import annotations


class GrammarError(Exception):
    """Root of everything that this package raises."""


class EncodeError(GrammarError):
    """A field cannot be put on the wire; ``path`` names it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class DecodeError(GrammarError):
    """The bytes at ``offset`` can never become the frame, item or envelope they begin."""

    def __init__(self, offset: int, path: str, reason: str) -> None:
        super().__init__(f"{path} at byte {offset}: {reason}")
        self.offset = offset
        self.path = path
        self.reason = reason


class IncompleteError(DecodeError):
    """The bytes end before the frame or item does; more bytes could complete it."""


class CborError(DecodeError):
    """The bytes are not one well-formed and valid CBOR item."""


class StreamError(GrammarError):
    """A stream was fed after it was closed."""


class CeilingError(StreamError):
    """One frame holds more bytes than the stream may buffer."""

    def __init__(self, offset: int, ceiling: int) -> None:
        super().__init__(f"the frame at byte {offset} holds more than {ceiling} bytes")
        self.offset = offset
        self.ceiling = ceiling
