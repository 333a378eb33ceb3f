"""The law of authentication: which LOGIN should not have succeeded, and why. No node is needed."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace
from math import inf

import pytest

from fuzz.executor.tokens import Tokens
from fuzz.finding import Kind
from fuzz.observation import ConnectionTrace, Ending, Guard, Observation, Sent
from fuzz.oracles.laws.auth import auth
from fuzz.recipes import RECIPES, REVOKED_JTI, Worth

SECRET = b"the secret of a node, long enough for HS512 and all of its 64 bytes"
NOW = 1_700_000_000.0
GUARD = Guard(SECRET, NOW, frozenset({REVOKED_JTI}))
ACCEPTED = b"\x03LOGIN_OK"
REFUSED = b"AUTH_FAILED"

TOKENS = Tokens(SECRET, lambda: NOW)


def login(
    text: bytes, reply: bytes = ACCEPTED, guard: Guard | None = GUARD, before: bytes = b"\x01"
) -> Observation:
    """Return what is seen of a connection that begins with a LOGIN."""
    trace = ConnectionTrace(0, Ending.CLOSED, (reply,), sent=(Sent(1, before + text, True),))
    return Observation((trace,), 0.01, guard=guard, users=frozenset({b"ann", b"bob"}))


def flaws(observation: Observation) -> list[str]:
    """Return the reasons of the findings, which must be of the law's own kind and cause."""
    findings = list(auth(observation))
    assert {(f.kind, f.cause.what) for f in findings} <= {(Kind.SEMANTIC, "auth")}
    return [finding.cause.reason for finding in findings]


def signed(header: object, claims: object) -> bytes:
    """Return a token of our own with a true signature."""
    return signed_text(json.dumps(header).encode(), json.dumps(claims).encode())


def signed_text(header: bytes, claims: bytes) -> bytes:
    """Return a token of our own with a true signature, whose parts are spelt so."""
    text = b".".join(base64url(part) for part in (header, claims))
    return text + b"." + base64url(hmac.digest(SECRET, text, "sha256"))


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


REASONS = {
    **dict.fromkeys((b"none", b"nonecase", b"noneupper", b"nonemixed"), "alg none"),
    **dict.fromkeys((b"nonesigned", b"algtwice"), "alg none"),
    **dict.fromkeys((b"hs512", b"hs384", b"rs256", b"alglower"), "other alg"),
    **dict.fromkeys((b"algmissing", b"alglist"), "other alg"),
    b"stripped": "no signature",
    **dict.fromkeys((b"cut", b"swapped", b"secret", b"huge"), "signature"),
    **dict.fromkeys((b"emptykey", b"kidpath", b"kidsql"), "empty key"),
    b"jwk": "header key",
    **dict.fromkeys((b"bare", b"fourparts"), "no form"),
    b"padded": "padding",
    b"nosubject": "no sub",
    **dict.fromkeys((b"subject", b"subempty", b"sublist", b"subtwice"), "sub"),
    **dict.fromkeys((b"endless", b"exptext", b"expword", b"expnull", b"exptrue"), "no exp"),
    **dict.fromkeys((b"expired", b"expfloat", b"expnegative", b"exptwice"), "expired"),
    b"early": "nbf",
    b"revoked": "revoked",
}


def kinds(worth: Worth) -> list[bytes]:
    return sorted(kind for kind, recipe in RECIPES.items() if recipe.worth is worth)


@pytest.mark.parametrize("jti", [[REVOKED_JTI], {REVOKED_JTI: 1}, 1, None])
def test_a_jti_that_is_no_text_was_not_revoked(jti: object) -> None:
    assert flaws(login(b"ann:" + signed(GOOD, {**CLAIMS, "jti": jti}))) == []


@pytest.mark.parametrize("kind", kinds(Worth.FORGED))
def test_a_forged_token_that_lets_in_is_a_finding_for_its_reason(kind: bytes) -> None:
    shown = b"ann:" + TOKENS.make(kind, b"ann")
    assert flaws(login(shown)) == [REASONS[kind]]
    assert flaws(login(shown, REFUSED)) == []


@pytest.mark.parametrize("kind", kinds(Worth.GOOD))
def test_a_good_token_that_is_refused_is_a_finding(kind: bytes) -> None:
    shown = b"ann:" + TOKENS.make(kind, b"ann")
    assert flaws(login(shown, REFUSED)) == ["good refused"]
    assert flaws(login(shown)) == []


@pytest.mark.parametrize("kind", kinds(Worth.OPEN))
def test_what_a_server_may_take_or_leave_is_no_finding_either_way(kind: bytes) -> None:
    shown = b"ann:" + TOKENS.make(kind, b"ann")
    assert flaws(login(shown)) == flaws(login(shown, REFUSED)) == []


#: When each kind is good that depends on the clock: from, and to, in seconds from now.
TIMES = {
    b"good": (-inf, 3600),
    b"goodnbf": (-60, 3600),
    b"expired": (-inf, -3600),
    b"early": (3600, 7200),
    b"brief": (-inf, 3),
    b"past": (-inf, -2),
    b"soon": (2, 3600),
}


@pytest.mark.parametrize("off", [-5, -1, 0, 1, 5])
@pytest.mark.parametrize("kind", TIMES)
def test_a_server_whose_clock_is_off_by_five_seconds_is_right(kind: bytes, off: int) -> None:
    since, until = TIMES[kind]
    reply = ACCEPTED if since <= off < until else REFUSED
    assert flaws(login(b"ann:" + TOKENS.make(kind, b"ann"), reply)) == []


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        ({"exp": -5.1}, "expired"),
        ({"exp": 60, "nbf": 5.1}, "nbf"),
        ({"exp": 5.1}, "good refused"),
        ({"exp": 60, "nbf": -5.1}, "good refused"),
        ({"exp": 60, "iat": 0}, "good refused"),
    ],
)
def test_what_no_clock_that_is_off_by_five_seconds_excuses(
    seconds: dict[str, float], reason: str
) -> None:
    times = {claim: NOW + more for claim, more in seconds.items()}
    reply = REFUSED if reason == "good refused" else ACCEPTED
    assert flaws(login(b"ann:" + signed(GOOD, {"sub": "ann", **times}), reply)) == [reason]


def test_edges_that_do_not_agree_on_a_good_token_are_a_defect_of_its_own() -> None:
    first, second = TOKENS.make(b"good", b"ann"), TOKENS.make(b"goodkid", b"ann")

    def at(edge: int, token: bytes, reply: bytes) -> ConnectionTrace:
        sent = (Sent(edge, b"\x01ann:" + token, True),)
        return ConnectionTrace(edge, Ending.CLOSED, (reply,), sent=sent, edge=edge)

    def judged(*traces: ConnectionTrace) -> list[str]:
        return flaws(Observation(traces, 0.01, guard=GUARD, users=frozenset({b"ann"})))

    refused = at(1, first, REFUSED)
    assert judged(at(0, first, ACCEPTED), refused) == ["good refused by one edge"]
    assert judged(at(0, first, REFUSED), refused) == 2 * ["good refused"]
    # Another token is another question, and what an edge says twice is not what two edges say.
    assert judged(at(0, second, ACCEPTED), refused) == ["good refused"]
    assert judged(replace(at(0, first, ACCEPTED), edge=1), refused) == ["good refused"]
    assert judged(ConnectionTrace(0, Ending.UNUSED), refused) == ["good refused"]


def test_a_good_token_may_be_refused_to_a_name_that_is_not_of_the_play() -> None:
    """A server may have names that nobody is to have."""
    assert flaws(login(b"eve:" + TOKENS.make(b"good", b"eve"), REFUSED)) == []


def test_a_refusal_for_another_reason_than_the_token_is_not_judged() -> None:
    assert flaws(login(TOKENS.credentials(b"ann"), b"RATE_LIMITED")) == []
    assert flaws(login(TOKENS.credentials(b"ann"), b"\xfe\x00\x02no")) == []


def test_a_long_token_may_be_refused() -> None:
    more = {**CLAIMS, "exp": int(NOW) + 60, "name": "a" * 1024}
    assert flaws(login(b"ann:" + signed(GOOD, more), REFUSED)) == []


def test_a_good_token_is_no_finding() -> None:
    assert flaws(login(TOKENS.credentials(b"ann"))) == []


def test_the_good_token_of_another_is_a_finding() -> None:
    assert flaws(login(b"bob:" + TOKENS.make(b"good", b"ann"))) == ["sub"]


@pytest.mark.parametrize("reply", [REFUSED, b"RATE_LIMITED", b"", b"\x03LOGIN"])
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
        (signed(GOOD, {"exp": NOW + 60}), "no sub"),
        (signed(GOOD, {**CLAIMS, "exp": "late"}), "no exp"),
        (signed(GOOD, {**CLAIMS, "exp": NOW - 5.1}), "expired"),
        (signed(GOOD, {**CLAIMS, "nbf": NOW + 5.1}), "nbf"),
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
        signed({**GOOD, "crit": ["b64"]}, CLAIMS),
        # Clocks may differ by five seconds.
        signed(GOOD, {**CLAIMS, "exp": NOW - 4.9}),
        signed(GOOD, {**CLAIMS, "nbf": NOW + 4.9}),
        signed(GOOD, {**CLAIMS, "nbf": "later"}),
        signed(GOOD, {**CLAIMS, "exp": NOW + 0.5, "jti": "another"}),
    ],
)
def test_in_doubt_the_law_is_silent(token: bytes) -> None:
    assert flaws(login(b"ann:" + token)) == []


@pytest.mark.parametrize(
    "claims",
    [
        b"\xef\xbb\xbf%s" % json.dumps({"sub": "ann", "exp": NOW + 60}).encode(),
        json.dumps({"sub": "ann", "exp": NOW + 60}).encode("utf-16-le"),
        b'{"sub": "ann", "exp": 1700000060.%s}' % (b"0" * 30),
        b'{"sub": "ann", "exp": 1700000060, "x": %s1}' % (b"0." + b"0" * 30),
        b'{"sub": "ann", "exp": 1700000060, "nbf": 1e-400}',
        b'{"sub": "ann", "exp": 1700000060, "x": %s}' % (b"1" * 300),
        b'{"sub": "ann", "exp": 1700000060, "\\ud800": 1}',
    ],
    ids=["bom", "utf-16", "long time", "long number", "tiny", "huge", "half a character"],
)
def test_json_that_not_every_reader_reads_is_no_finding_either_way(claims: bytes) -> None:
    shown = b"ann:" + signed_text(b'{"alg": "HS256"}', claims)
    assert flaws(login(shown)) == flaws(login(shown, REFUSED)) == []


@pytest.mark.parametrize("exp", [b"1700000060", b"1700000060.123456789", b"1.70000006e+9"])
def test_a_time_that_every_reader_reads_is_judged(exp: bytes) -> None:
    shown = b"ann:" + signed_text(b'{"alg": "HS256"}', b'{"sub": "ann", "exp": %s}' % exp)
    assert flaws(login(shown, REFUSED)) == ["good refused"]


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


def again(*logins: tuple[float, bytes], reply: bytes) -> Observation:
    """Return what is seen of a connection that sends LOGINs, each at its time in the play."""
    sent = tuple(
        Sent(order, b"\x01ann:" + token, True, at, at + 0.1)
        for order, (at, token) in enumerate(logins, 1)
    )
    trace = ConnectionTrace(0, Ending.CLOSED, (reply,), sent=sent)
    return Observation((trace,), 10.0, guard=GUARD, users=frozenset({b"ann"}))


BRIEF = TOKENS.make(b"brief", b"ann")


def test_a_token_that_has_expired_during_the_play_is_refused() -> None:
    shown = again((0.0, BRIEF), (9.0, BRIEF), reply=2 * ACCEPTED)
    (finding,) = auth(shown)
    assert finding.cause.reason == "expired meanwhile"
    assert finding.evidence["wire"] == {"check": "login", "connection": 0, "number": 2}
    assert flaws(again((0.0, BRIEF), (9.0, BRIEF), reply=ACCEPTED + REFUSED)) == []


def test_a_token_that_has_just_expired_may_be_let_in() -> None:
    """It lives for three seconds, and clocks may differ by five."""
    assert flaws(again((0.0, BRIEF), (7.9, BRIEF), reply=2 * ACCEPTED)) == []
    assert flaws(again((0.0, BRIEF), (8.1, BRIEF), reply=2 * ACCEPTED)) == ["expired meanwhile"]


def test_a_token_that_has_become_good_during_the_play_may_be_let_in() -> None:
    early = signed(GOOD, {**CLAIMS, "nbf": NOW + 8})
    good = TOKENS.make(b"good", b"ann")
    assert flaws(again((0.0, good), (4.0, early), reply=2 * ACCEPTED)) == []
    assert flaws(again((0.0, good), (2.0, early), reply=2 * ACCEPTED)) == ["nbf"]


def test_a_second_login_is_judged_where_each_was_answered_by_login_ok() -> None:
    good, none = TOKENS.make(b"good", b"ann"), TOKENS.make(b"none", b"ann")
    assert flaws(again((0.0, good), (0.5, none), reply=2 * ACCEPTED)) == ["alg none"]
    # Which of the two was refused cannot be told from one reply; the first is answered first.
    assert flaws(again((0.0, good), (0.5, none), reply=ACCEPTED)) == []
    assert flaws(again((0.0, none), (0.5, good), reply=ACCEPTED)) == ["alg none"]
