"""The tokens of a play: what is known of the target that checks them, and the time.

A target that wants tokens refuses a LOGIN without one. Where its secret is known, a LOGIN that
names a user token and nothing else gets a good one, so that every case means the same there.
Where it is not known, tokens are made with a secret of our own: then all of them are forged.
:mod:`fuzz.recipes` says how a case asks for others.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fuzz.observation import Guard
from fuzz.recipes import SURE, token, with_tokens


class Tokens:
    """Makes the tokens of plays. ``secret`` is the target's, or None where it is not known.

    ``revoked`` are the values of ``jti`` that the target was told to refuse. ``wall`` returns
    the time in seconds since 1970: what ``exp`` counts.
    """

    def __init__(
        self,
        secret: bytes | None = None,
        wall: Callable[[], float] = time.time,
        revoked: frozenset[str] = frozenset(),
    ) -> None:
        self.secret = secret
        self._wall = wall
        self._revoked = revoked

    def credentials(self, user: bytes) -> bytes:
        """Return the text of a LOGIN that is to succeed: ``user``, or ``user:token``."""
        if self.secret is None:
            return user
        return user + b":" + self.make(SURE, user)

    def guard(self) -> Guard | None:
        """Return what the target checks a LOGIN against now, or None where that is not known."""
        if self.secret is None:
            return None
        return Guard(self.secret, self._wall(), self._revoked)

    def make(self, kind: bytes, user: bytes) -> bytes:
        """Return a token of a kind in :data:`fuzz.recipes.RECIPES` for ``user``."""
        return token(kind, user, self.secret, self._wall())

    def bind(self, data: bytes, made: dict[bytes, bytes]) -> bytes:
        """Put tokens in the place of those that ``data`` asks for; ``made`` are those so far."""
        return with_tokens(data, self.secret, self._wall(), made)
