"""Fresh names for the user tokens of a case.

A name that was used before has history on the server (offline messages, a spent token
bucket, a key bundle), so a case would meet what others left. Each play gets names of its
own, as long as their tokens, so that every length around them stays as it was.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from fuzz.case import ALL_USER_TOKENS
from fuzz.executor.tokens import Tokens

#: Seven hex digits follow the letter of the slot: 268 million plays before one recurs.
_SPACE = 1 << 28
#: What a name starts with: the letter of its token, in the other case.
_LETTERS = {token: token[6:7].swapcase() for token in ALL_USER_TOKENS}
#: The digits of a name. None is an opcode, of either side: a case that makes the server lose
#: its place reads a name as frames, and must not do another thing with each name it is given.
_DIGITS = bytes.maketrans(b"0123456789abcdef", b"abcdefghijklmnov")


class Names:
    """Hands out one set of user names for each play; ``tokens`` lets them log in."""

    def __init__(self, start: int | None = None) -> None:
        self.tokens = Tokens()
        self._next = secrets.randbelow(_SPACE) if start is None else start

    def fresh(self, tokens: Iterable[bytes] = ALL_USER_TOKENS) -> dict[bytes, bytes]:
        """Return a name for each of these user ``tokens``, none of them used before."""
        self._next = (self._next + 1) % _SPACE
        tail = (b"%07x" % self._next).translate(_DIGITS)
        return {token: _LETTERS[token] + tail for token in tokens}
