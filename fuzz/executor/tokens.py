"""JSON web tokens (RFC 7519) for LOGIN: good ones, and one for each way to forge one.

A case cannot hold a good token. The secret is the target's, the name that it is good for is
fresh on each play, and it expires. So a case writes ``<jwt:KIND:NAME>``, mostly with a user
token for the name: ``<user:A>:<jwt:none:<user:A>>`` is the text of a LOGIN with a token that
nobody has signed. It is bound while playing, when the name is known; :data:`RECIPES` lists
the kinds. With a good token for another name, a user comes with somebody else's.

A target that wants tokens refuses a LOGIN without one. Where its secret is known, a LOGIN that
names a user token and nothing else gets a good one, so that every case means the same there.
Where it is not known, tokens are made with a secret of our own: then all of them are forged.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fuzz.observation import Guard

#: Signs for a target whose secret is not known, and what is signed with another secret.
OTHER_SECRET = b"a secret that no server has, long enough for HS512 and all its 64 bytes"
#: A case is played in well under a minute; a clock that is off by less changes nothing.
_LIFE_SECONDS = 3600

_START = b"<jwt:"
#: A name in a token is one that was put in the place of a user token, or as plain as those.
_TOKEN = re.compile(_START + rb"([a-z]+):([0-9A-Za-z]{1,64})>")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a token; the defaults make a good one.

    ``lives`` is the time in seconds until it expires (None: it says nothing of that),
    ``sub`` what follows the name in the claim of that name, ``digest`` the hash function of
    the signature, None where there is no signature.
    """

    alg: str = "HS256"
    digest: str | None = "sha256"
    lives: int | None = _LIFE_SECONDS
    sub: str = ""
    other_secret: bool = False


#: The kinds of token, by their name in a case. All but the first are forged: a server that
#: lets them in breaks rule 5 of the protocol.
RECIPES: Mapping[bytes, Recipe] = MappingProxyType(
    {
        b"good": Recipe(),
        b"none": Recipe(alg="none", digest=None),
        b"stripped": Recipe(digest=None),
        b"algorithm": Recipe(alg="HS512", digest="sha512"),
        b"secret": Recipe(other_secret=True),
        b"subject": Recipe(sub="x"),
        b"expired": Recipe(lives=-_LIFE_SECONDS),
        b"endless": Recipe(lives=None),
    }
)


class Tokens:
    """Makes the tokens of a play. ``secret`` is the target's, or None where it is not known.

    ``wall`` returns the time in seconds since 1970: what ``exp`` counts.
    """

    def __init__(self, secret: bytes | None = None, wall: Callable[[], float] = time.time) -> None:
        self.secret = secret
        self._wall = wall

    def credentials(self, user: bytes) -> bytes:
        """Return the text of a LOGIN that is to succeed: ``user``, or ``user:token``."""
        if self.secret is None:
            return user
        return user + b":" + self.make(b"good", user)

    def guard(self) -> Guard | None:
        """Return what the target checks a LOGIN against now, or None where that is not known."""
        return None if self.secret is None else Guard(self.secret, self._wall())

    def make(self, kind: bytes, user: bytes) -> bytes:
        """Return a token of a kind in :data:`RECIPES` for ``user``, which must be ASCII."""
        recipe = RECIPES[kind]
        now = int(self._wall())
        claims: dict[str, object] = {"sub": user.decode("ascii") + recipe.sub}
        if recipe.lives is not None:
            claims["exp"] = now + recipe.lives
            # One that has expired was issued longer ago: nothing else is odd about it.
            claims["iat"] = now + recipe.lives - _LIFE_SECONDS
        signed = _part({"alg": recipe.alg, "typ": "JWT"}) + b"." + _part(claims)
        if recipe.digest is None:
            return signed + b"."
        secret = OTHER_SECRET if recipe.other_secret or self.secret is None else self.secret
        return signed + b"." + _base64(hmac.digest(secret, signed, recipe.digest))

    def bind(self, data: bytes) -> bytes:
        """Put tokens in the place of those that ``data`` asks for; an unknown kind stays."""
        return _TOKEN.sub(self._made, data) if _START in data else data

    def _made(self, found: re.Match[bytes]) -> bytes:
        kind, user = found.groups()
        return self.make(kind, user) if kind in RECIPES else found.group()


def _part(value: object) -> bytes:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
