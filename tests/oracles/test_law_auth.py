"""The law of authentication: which LOGIN should not have succeeded, and why. No node is needed."""

from __future__ import annotations

import base64
import hmac
import json

import pytest

from fuzz.executor.tokens import RECIPES, Tokens
from fuzz.finding import Kind
from fuzz.observation import ConnectionTrace, Ending, Guard, Observation, Sent
from fuzz.oracles.laws.auth import auth

SECRET = b"the secret of a node, long enough for HS512 and all of its 64 bytes"
NOW = 1_700_000_000.0
GUARD = Guard(SECRET, NOW)
ACCEPTED = b"\x03LOGIN_OK"

TOKENS = Tokens(SECRET, lambda: NOW)


def login(
    text: bytes, reply: bytes = ACCEPTED, guard: Guard | None = GUARD, before: bytes = b"\x01"
) -> Observation:
    """Return what is seen of a connection that begins with a LOGIN."""
    trace = ConnectionTrace(0, Ending.CLOSED, (reply,), sent=(Sent(1, before + text, True),))
    return Observation((trace,), 0.01, guard=guard)


def flaws(observation: Observation) -> list[str]:
    """Return the reasons of the findings, which must be of the law's own kind and cause."""
    findings = list(auth(observation))
    assert {(f.kind, f.cause.what) for f in findings} <= {(Kind.SEMANTIC, "auth")}
    return [finding.cause.reason for finding in findings]


def signed(header: object, claims: object) -> bytes:
    """Return a token of our own with a true signature."""
    text = b".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return text + b"." + base64url(hmac.digest(SECRET, text, "sha256"))


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


REASONS = {
    b"none": "alg none",
    b"stripped": "signature",
    b"algorithm": "other alg",
    b"secret": "signature",
    b"subject": "sub",
    b"expired": "expired",
    b"endless": "no exp",
}


@pytest.mark.parametrize("kind", sorted(RECIPES.keys() - {b"good"}))
def test_a_forged_token_that_lets_in_is_a_finding_for_its_reason(kind: bytes) -> None:
    assert flaws(login(b"ann:" + TOKENS.make(kind, b"ann"))) == [REASONS[kind]]


def test_a_good_token_is_no_finding() -> None:
    assert flaws(login(TOKENS.credentials(b"ann"))) == []


def test_the_good_token_of_another_is_a_finding() -> None:
    assert flaws(login(b"bob:" + TOKENS.make(b"good", b"ann"))) == ["sub"]


@pytest.mark.parametrize("reply", [b"AUTH_FAILED", b"RATE_LIMITED", b"", b"\x03LOGIN"])
def test_a_login_that_was_refused_is_no_finding(reply: bytes) -> None:
    assert flaws(login(b"ann", reply)) == []


def test_what_comes_behind_the_reply_changes_nothing() -> None:
    assert flaws(login(b"ann", ACCEPTED + b"\x10")) == ["no token"]


def test_where_no_token_is_asked_for_the_law_is_silent() -> None:
    assert flaws(login(b"ann", guard=None)) == []


def test_a_connection_that_begins_with_something_else_is_not_judged() -> None:
    assert flaws(login(b"ann", before=b"\x05\x00\x01a\x01")) == []
    unused = ConnectionTrace(0, Ending.REFUSED)
    assert flaws(Observation((unused,), 0.01, guard=GUARD)) == []


GOOD = {"alg": "HS256"}
CLAIMS = {"sub": "ann", "exp": NOW + 60}


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"", "no token"),
        (b"abc", "no form"),
        (b"a.b.c", "no form"),
        (b"e30.e30.e30.", "no form"),
        (b"W10.W10.", "no form"),
        (b"e30.e30.", "other alg"),
        (signed({"alg": "NONE"}, CLAIMS), "alg none"),
        (signed({"alg": 7}, CLAIMS), "other alg"),
        (signed(GOOD, {**CLAIMS, "sub": 7}), "sub"),
        (signed(GOOD, {**CLAIMS, "exp": "late"}), "no exp"),
        (signed(GOOD, {**CLAIMS, "exp": NOW - 3600}), "expired"),
        (signed(GOOD, CLAIMS)[:-1], "signature"),
        (b"\xff" * 9, "no form"),
    ],
)
def test_every_other_flaw_has_a_reason(token: bytes, reason: str) -> None:
    assert flaws(login(b"ann:" + token)) == [reason]


@pytest.mark.parametrize(
    "token",
    [
        signed(GOOD, CLAIMS),
        signed(GOOD, CLAIMS) + b"=",
        signed({**GOOD, "crit": ["b64"]}, CLAIMS),
        signed(GOOD, {**CLAIMS, "exp": NOW - 30}),
        signed(GOOD, {**CLAIMS, "exp": NOW + 0.5, "jti": "revoked"}),
    ],
)
def test_in_doubt_the_law_is_silent(token: bytes) -> None:
    assert flaws(login(b"ann:" + token)) == []


def test_two_ways_in_are_two_defects() -> None:
    findings = [
        *auth(login(b"ann:" + TOKENS.make(b"none", b"ann"))),
        *auth(login(b"ann:" + TOKENS.make(b"expired", b"ann"))),
    ]
    assert len({finding.fingerprint for finding in findings}) == 2


def test_the_same_flaw_on_other_names_is_one_defect() -> None:
    findings = [
        *auth(login(b"ann:" + TOKENS.make(b"none", b"ann"))),
        *auth(login(b"bob:" + TOKENS.make(b"none", b"bob"))),
    ]
    assert len({finding.fingerprint for finding in findings}) == 1
