"""Rule 5: LOGIN succeeds only with a good token, where the target asks for tokens.

A token is good that has a valid HS256 signature under the node's secret, says alg HS256, has
the user for its ``sub`` and an ``exp`` that has not passed. The law reads each token as a
server might, and in doubt for the server: it speaks of what no reading can excuse. Which
``jti`` were revoked, nobody outside can know.

It speaks of the LOGIN that a connection begins with. That one is answered first, whatever
comes after, so what the connection received begins with LOGIN_OK if and only if it succeeded.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator

from fuzz.finding import Cause, Finding, Kind
from fuzz.observation import Guard, Observation

_LOGIN = b"\x01"
_ACCEPTED = b"\x03LOGIN_OK"
#: What has expired by less may not have when the server looked, or by the server's clock.
_CLOCKS_DIFFER_SECONDS = 60


def auth(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for each LOGIN that succeeded with a token that is not good.

    Silent where the target asks for no tokens, or its secret is not known.
    """
    if observation.guard is None:
        return
    for trace in observation.traces:
        if not trace.sent or not trace.replies().startswith(_ACCEPTED):
            continue
        segment = trace.sent[0].data
        if not segment.startswith(_LOGIN):
            continue
        user, _, token = segment[len(_LOGIN) :].partition(b":")
        flaw = flaw_of(user, token, observation.guard)
        if flaw:
            yield Finding(
                Kind.SEMANTIC,
                f"LOGIN succeeded with a token that {_FLAWS[flaw]}",
                Cause("auth", flaw),
                {
                    "connection": trace.number,
                    "user": repr(user)[1:],
                    "token": repr(token)[1:],
                    "wire": {"check": "login", "connection": trace.number},
                },
            )


#: What can be wrong with a token, in the order in which it is looked at.
_FLAWS = {
    "no token": "is not there",
    "no form": "is no JSON web token",
    "alg none": "says that it is not signed (alg none)",
    "other alg": "is of another algorithm than HS256",
    "signature": "is not signed with the node's secret",
    "sub": "belongs to another user",
    "no exp": "does not say when it expires",
    "expired": "has expired",
}


def flaw_of(user: bytes, token: bytes, guard: Guard) -> str:
    """Return the key of what is wrong with a token, empty if it may be good."""
    if not token:
        return "no token"
    signed, _, signature = token.rpartition(b".")
    parts = signed.split(b".")
    header, claims = (_object(part) for part in parts) if len(parts) == 2 else (None, None)
    if header is None or claims is None:
        return "no form"
    alg = header.get("alg")
    if alg != "HS256":
        return "alg none" if isinstance(alg, str) and alg.lower() == "none" else "other alg"
    mac = _bytes(signature)
    if mac is None or not hmac.compare_digest(mac, hmac.digest(guard.secret, signed, "sha256")):
        return "signature"
    sub = claims.get("sub")
    if not isinstance(sub, str) or sub.encode(errors="surrogatepass") != user:
        return "sub"
    exp = claims.get("exp")
    if not isinstance(exp, int | float):
        return "no exp"
    return "expired" if exp < guard.now - _CLOCKS_DIFFER_SECONDS else ""


def _object(part: bytes) -> dict[str, object] | None:
    """Return the JSON object that a part of a token holds, or None."""
    data = _bytes(part)
    try:
        value = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _bytes(part: bytes) -> bytes | None:
    """Return what base64url stands for, padded or not, with other letters passed over."""
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        return None
