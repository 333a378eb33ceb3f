"""Rule 5: LOGIN succeeds with a good token and with no other, where the target asks for tokens.

A token is good that has a valid HS256 signature under the node's secret, says alg HS256, has
the user for its ``sub``, an ``exp`` that has not passed, no ``nbf`` that is still to come (RFC
7519, section 4.1.5) and no ``jti`` that was revoked. The law reads each token as a server might,
and in doubt for the server: it speaks of what no reading can excuse. Where RFC 7519 leaves a
choice (a claim that stands twice counts as its last, or not at all), either is right.

The clocks of a server's nodes may differ by five seconds. So a correct server may let in, or
refuse, a token whose ``exp`` or ``nbf`` is within five seconds of the time of its LOGIN: nothing
is asked there. That time is known from the play: after the LOGIN was sent, and before it was
answered. No clock excuses that a token is refused for its ``iat``: that says when it was issued,
and sets no limit (RFC 7519, section 4.1.6).

What succeeded is told by the replies. The LOGIN that a connection begins with is answered first,
whatever comes after; those behind it are judged where each one on the connection was answered
by LOGIN_OK. That one was refused which must not be is said of the first of a connection only; if
another edge let the very same LOGIN in, it is a defect of its own that they do not agree.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.finding import Cause, Finding, Kind
from fuzz.observation import ConnectionTrace, Guard, Observation
from fuzz.oracles.laws.dialogue import Link
from fuzz.oracles.laws.token import Token, is_number, is_time, key_in, read_token
from grammar import AuthFailed, Login, LoginOk, encode
from grammar.limits import NAME

#: The first word of what is told.
AUTH = "auth"
_LOGIN = b"\x01"
_ACCEPTED = encode(LoginOk())
_REFUSED = encode(AuthFailed())
#: By so much may the clock of a node be off.
SKEW_SECONDS = 5.0
#: The longest tokens in use have some 1,000 bytes; a server may refuse what is longer.
_USUAL_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Attempt:
    """A LOGIN: the ``number`` of it on its connection, from 1, and what it showed.

    The node has looked at it between ``since`` and ``until``, in seconds since 1970.
    """

    number: int
    user: bytes
    token: bytes
    since: float
    until: float


def auth(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for each LOGIN that succeeded, or was refused, and should not have been.

    Silent where the target asks for no tokens, or its secret is not known.
    """
    guard = observation.guard
    if guard is None:
        return
    for trace in observation.traces:
        replies = trace.replies()
        if replies.startswith(_ACCEPTED):
            for attempt in _attempts(trace, observation, guard):
                flaw = flaw_of(attempt, guard)
                if flaw:
                    title = f"LOGIN succeeded with a token that {_FLAWS[flaw]}"
                    yield _finding(title, flaw, trace, attempt, "login")
        elif replies.startswith(_REFUSED):
            for attempt in _attempts(trace, observation, guard)[:1]:
                if attempt.user in observation.users and is_good(attempt, guard):
                    title, reason = "LOGIN was refused though its token is good", "good refused"
                    if _was_let_in_elsewhere(trace, observation):
                        title += ", and another edge let it in"
                        reason += " by one edge"
                    yield _finding(title, reason, trace, attempt, "refused")


def _was_let_in_elsewhere(trace: ConnectionTrace, observation: Observation) -> bool:
    """Tell whether another edge of the cluster let the first LOGIN of a connection in."""
    return any(
        other.edge != trace.edge
        and other.replies().startswith(_ACCEPTED)
        and other.sent[0].data == trace.sent[0].data
        for other in observation.traces
        if other.sent
    )


def _finding(
    title: str, reason: str, trace: ConnectionTrace, attempt: Attempt, look: str
) -> Finding:
    return Finding(
        Kind.SEMANTIC,
        title,
        Cause(AUTH, reason),
        {
            "connection": trace.number,
            "user": repr(attempt.user)[1:],
            "token": repr(attempt.token[:_USUAL_BYTES])[1:],
            "wire": {"check": look, "connection": trace.number, "number": attempt.number},
        },
    )


def _attempts(trace: ConnectionTrace, observation: Observation, guard: Guard) -> list[Attempt]:
    """Return the LOGIN that a connection begins with, and all others if all have succeeded."""
    if not trace.sent or not trace.sent[0].data.startswith(_LOGIN):
        return []
    start, end = guard.now, guard.now + observation.seconds
    if sum(sent.data.startswith(_LOGIN) for sent in trace.sent) > 1:
        link = Link(trace)
        if link.sure:
            logins = [said for said in link.said if isinstance(said.frame, Login)]
            return [
                Attempt(
                    number, said.frame.user, said.frame.token or b"",
                    start + said.at, min(start + said.done, end),
                )
                for number, said in enumerate(logins, 1)
                if isinstance(said.frame, Login)
            ]  # fmt: skip
    first = trace.sent[0]
    user, _, token = first.data[len(_LOGIN) :].partition(b":")
    return [Attempt(1, user, token, start + first.at, min(start + first.done, end))]


#: What can be wrong with a token, in the order in which it is looked at.
_FLAWS = {
    "no token": "is not there",
    "no form": "is no JSON web token",
    "alg none": "says that it is not signed (alg none)",
    "other alg": "is of another algorithm than HS256",
    "no signature": "is not signed",
    "header key": "is signed with a key of its own header",
    "empty key": "is signed with an empty key",
    "signature": "is not signed with the node's secret",
    "padding": "is no base64url (RFC 7515, section 2: without padding)",
    "no sub": "does not say whose it is",
    "sub": "belongs to another user",
    "no exp": "does not say when it expires",
    "expired": "has expired",
    "expired meanwhile": "has expired since it was good",
    "nbf": "is not good yet",
    "revoked": "was revoked",
}


def flaw_of(attempt: Attempt, guard: Guard) -> str:
    """Return the key of what is wrong with a token, empty if it may be good."""
    if not attempt.token:
        return "no token"
    token = read_token(attempt.token)
    if token is None:
        return "no form"
    return _unsigned(token, guard.secret) or _claims(token, attempt, guard)


def _unsigned(token: Token, secret: bytes) -> str:
    alg = token.header.get("alg")
    if alg != "HS256":
        return "alg none" if isinstance(alg, str) and alg.lower() == "none" else "other alg"
    if not token.signature:
        return "no signature"
    if not _fits(token, secret):
        own = key_in(token.header)
        if own and _fits(token, own):
            return "header key"
        return "empty key" if _fits(token, b"") else "signature"
    return "padding" if token.padded else ""


def _fits(token: Token, key: bytes) -> bool:
    return hmac.compare_digest(token.signature, hmac.digest(key, token.signed, "sha256"))


def _claims(token: Token, attempt: Attempt, guard: Guard) -> str:
    claims = token.claims
    if "sub" not in claims:
        return "no sub"
    sub = claims["sub"]
    if not isinstance(sub, str) or sub.encode(errors="surrogatepass") != attempt.user:
        return "sub"
    exp, nbf = claims.get("exp"), claims.get("nbf")
    if not is_number(exp):
        return "no exp"
    if exp < attempt.since - SKEW_SECONDS:
        return "expired" if exp < guard.now else "expired meanwhile"
    if is_number(nbf) and nbf > attempt.until + SKEW_SECONDS:
        return "nbf"
    jti = claims.get("jti")
    return "revoked" if isinstance(jti, str) and jti in guard.revoked else ""


def is_good(attempt: Attempt, guard: Guard) -> bool:
    """Tell whether no server may refuse a token, however strictly it reads it.

    Claims and members of the header that a server does not know it ignores (RFC 7519, section
    4; RFC 7515, section 4), and nobody told it which issuer or key id would be wrong.
    """
    if not (0 < len(attempt.user) <= NAME and len(attempt.token) <= _USUAL_BYTES):
        return False
    token = read_token(attempt.token)
    if token is None or flaw_of(attempt, guard) or not token.plain:
        return False
    claims, soonest, latest = token.claims, attempt.since, attempt.until
    return (
        token.header.keys() <= {"alg", "typ", "kid"}
        and token.header.get("typ", "JWT") == "JWT"
        and isinstance(token.header.get("kid", ""), str)
        and "aud" not in claims
        and all(isinstance(claims.get(name, ""), str) for name in ("iss", "jti"))
        and is_time(claims["exp"]) and claims["exp"] > latest + SKEW_SECONDS
        and _has_come(claims.get("nbf"), soonest - SKEW_SECONDS)
        and _has_come(claims.get("iat"), soonest)
    )  # fmt: skip


def _has_come(claim: object, by: float) -> bool:
    return claim is None or (is_time(claim) and claim <= by)
