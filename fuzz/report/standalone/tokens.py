"""What stands in the bytes of a case for what is known only while it is played."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping

#: Signs what is forged, and all tokens where the secret of the server is not given.
OTHER_SECRET = b"a secret that no server has, long enough for HS512 and all its 64 bytes"
LIFE_SECONDS = 3600
#: JSON web tokens: algorithm, hash of the signature, seconds to live, what follows the name.
RECIPES: dict[bytes, tuple[str, str, int | None, str]] = {
    b"good": ("HS256", "sha256", LIFE_SECONDS, ""),
    b"none": ("none", "", LIFE_SECONDS, ""),
    b"stripped": ("HS256", "", LIFE_SECONDS, ""),
    b"algorithm": ("HS512", "sha512", LIFE_SECONDS, ""),
    b"secret": ("HS256", "sha256", LIFE_SECONDS, ""),  # with OTHER_SECRET
    b"subject": ("HS256", "sha256", LIFE_SECONDS, "x"),
    b"expired": ("HS256", "sha256", -LIFE_SECONDS, ""),
    b"endless": ("HS256", "sha256", None, ""),
}
ASKED = re.compile(rb"<jwt:([a-z]+):([0-9A-Za-z]{1,64})>")


def bound(data: bytes, values: Mapping[bytes, bytes]) -> bytes:
    """Put values in the place of their tokens, and a true length before one right."""
    for token, value in values.items():
        counted = len(token).to_bytes(2, "big") + token
        data = data.replace(counted, len(value).to_bytes(2, "big") + value).replace(token, value)
    return data


def signed_in(data: bytes, secret: bytes | None) -> bytes:
    """Put JSON web tokens in the place of those that are asked for."""

    def made(found: re.Match[bytes]) -> bytes:
        kind, user = found.groups()
        return jwt(kind, user, secret) if kind in RECIPES else found.group()

    return ASKED.sub(made, data)


def jwt(kind: bytes, user: bytes, secret: bytes | None) -> bytes:
    """Return a JSON web token of a kind for ``user``."""
    alg, digest, lives, more = RECIPES[kind]
    claims: dict[str, object] = {"sub": user.decode("ascii") + more}
    if lives is not None:
        now = int(time.time())
        claims.update(exp=now + lives, iat=now + lives - LIFE_SECONDS)
    text = b".".join(map(encoded, ({"alg": alg, "typ": "JWT"}, claims)))
    if not digest:
        return text + b"."
    key = OTHER_SECRET if secret is None or kind == b"secret" else secret
    return text + b"." + base64url(hmac.digest(key, text, digest))


def encoded(value: object) -> bytes:
    """Return a part of a token."""
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def base64url(data: bytes) -> bytes:
    """Return base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")
