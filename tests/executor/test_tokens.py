"""Tokens of a case: PyJWT, which made none of them, is the judge of what is good."""

from __future__ import annotations

import time
from math import inf

import jwt
import pytest
from jwt.exceptions import InvalidSubjectError

from fuzz.case import Case, Step, StepKind, bind
from fuzz.clock import SystemClock
from fuzz.executor import Executor, Names
from fuzz.executor.tokens import Tokens
from fuzz.recipes import OTHER_SECRET, RECIPES, Worth
from tests.executor.fake_server import ScriptedServer, polite
from tests.executor.support import AMPLE, login, send

SECRET = b"the secret of a node, long enough for HS512 and all of its 64 bytes"


def read(token: bytes, secret: bytes = SECRET) -> dict[str, object]:
    """Return the claims of a token that is good; raise what PyJWT raises if it is not."""
    require = {"require": ["exp", "sub"]}
    return jwt.decode(token, secret, algorithms=["HS256"], subject="ann", options=require)


def test_a_good_token_is_good() -> None:
    claims = read(Tokens(SECRET).make(b"good", b"ann"))
    assert claims["sub"] == "ann"


ALG, SIGNATURE, FORM = jwt.InvalidAlgorithmError, jwt.InvalidSignatureError, jwt.DecodeError
#: What PyJWT says of each forged token that it refuses.
FORGED: dict[bytes, type[jwt.InvalidTokenError]] = {
    **dict.fromkeys((b"none", b"nonecase", b"noneupper", b"nonemixed", b"nonesigned"), ALG),
    **dict.fromkeys((b"hs512", b"hs384", b"rs256", b"alglower", b"algmissing"), ALG),
    **dict.fromkeys((b"alglist", b"algtwice"), ALG),
    **dict.fromkeys((b"stripped", b"cut", b"swapped", b"secret", b"emptykey"), SIGNATURE),
    **dict.fromkeys((b"kidpath", b"kidsql", b"jwk", b"huge"), SIGNATURE),
    **dict.fromkeys((b"bare", b"fourparts", b"expword"), FORM),
    **dict.fromkeys((b"subject", b"subempty", b"sublist", b"subtwice"), InvalidSubjectError),
    **dict.fromkeys((b"nosubject", b"endless", b"expnull"), jwt.MissingRequiredClaimError),
    **dict.fromkeys((b"expired", b"expfloat", b"expnegative"), jwt.ExpiredSignatureError),
    **dict.fromkeys((b"exptwice", b"exptrue"), jwt.ExpiredSignatureError),
    b"early": jwt.ImmatureSignatureError,
}
#: Forged ones that PyJWT lets in, and why they are.
LET_IN = {
    b"padded": "RFC 7515, section 2: base64url is without padding",
    b"exptext": "RFC 7519, section 4.1.4: exp must be a number",
    b"revoked": "only the server knows what was revoked",
}


def kinds(worth: Worth) -> set[bytes]:
    return {kind for kind, recipe in RECIPES.items() if recipe.worth is worth}


def test_each_forged_kind_is_looked_at() -> None:
    assert FORGED.keys() | LET_IN.keys() == kinds(Worth.FORGED)


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_token_is_refused_for_the_reason_of_its_name(kind: bytes) -> None:
    with pytest.raises(jwt.InvalidTokenError) as refusal:
        read(Tokens(SECRET).make(kind, b"ann"))
    assert type(refusal.value) is FORGED[kind]


@pytest.mark.parametrize("kind", [*sorted(kinds(Worth.GOOD)), *LET_IN])
def test_a_token_that_is_good_or_may_be_taken_for_good(kind: bytes) -> None:
    assert read(Tokens(SECRET).make(kind, b"ann"))["sub"] == "ann"


#: How a forged token would be good: what PyJWT is told, and with which secret.
MENDED: dict[bytes, tuple[bytes, str, str]] = {
    b"hs384": (SECRET, "HS384", "ann"),
    b"hs512": (SECRET, "HS512", "ann"),
    b"secret": (OTHER_SECRET, "HS256", "ann"),
    b"jwk": (OTHER_SECRET, "HS256", "ann"),
    b"huge": (OTHER_SECRET, "HS256", "ann"),
    b"endless": (SECRET, "HS256", "ann"),
    b"subject": (SECRET, "HS256", "annx"),
    b"subtwice": (SECRET, "HS256", "annx"),
}


@pytest.mark.parametrize("kind", MENDED)
def test_a_forged_token_has_one_thing_wrong(kind: bytes) -> None:
    """Else a server could refuse it for the other thing, and its defect would not show."""
    secret, algorithm, subject = MENDED[kind]
    made = Tokens(SECRET).make(kind, b"ann")
    claims = jwt.decode(made, secret, algorithms=[algorithm], subject=subject)
    assert claims["sub"] == subject


@pytest.mark.parametrize(
    ("kind", "seconds"), [(b"expired", -7200), (b"expfloat", -7200), (b"early", 5400)]
)
def test_one_that_is_out_of_its_time_is_good_within_it(kind: bytes, seconds: int) -> None:
    """PyJWT looks at the clock of this machine, so the token is made at another time."""
    made = Tokens(SECRET, lambda: time.time() - seconds)
    assert read(made.make(kind, b"ann"))["sub"] == "ann"


def test_a_huge_token_has_a_mebibyte() -> None:
    assert 2**20 < len(Tokens(SECRET).make(b"huge", b"ann")) < 2**20 + 1000


def test_without_a_secret_logins_stay_bare_and_tokens_are_of_another_secret() -> None:
    tokens = Tokens()
    assert tokens.credentials(b"ann") == b"ann"
    read(tokens.make(b"good", b"ann"), OTHER_SECRET)


def test_with_a_secret_credentials_carry_a_good_token() -> None:
    user, _, token = Tokens(SECRET).credentials(b"ann").partition(b":")
    assert user == b"ann"
    read(token)


def test_what_is_asked_for_is_put_in_its_place() -> None:
    tokens = Tokens(SECRET, lambda: 1_700_000_000.9)
    wanted = b"ann:" + tokens.make(b"none", b"ann")
    assert tokens.bind(b"ann:<jwt:none:ann>", {}) == wanted
    assert tokens.bind(b"<jwt:good:ann><jwt:good:ann>", {}) == 2 * tokens.make(b"good", b"ann")


def test_what_is_asked_for_twice_in_a_play_is_the_same_token() -> None:
    now, made = [1_700_000_000.0], dict[bytes, bytes]()
    tokens = Tokens(SECRET, lambda: now[0])
    first = tokens.bind(b"<jwt:brief:ann>", made)
    now[0] += 9
    assert tokens.bind(b"<jwt:brief:ann>", made) == first
    assert tokens.bind(b"<jwt:brief:ann>", {}) != first
    assert tokens.bind(b"<jwt:brief:bob>", made) != first


@pytest.mark.parametrize(
    "data",
    [b"<jwt:", b"<jwt:better:ann>", b"<jwt:good:>", b"<jwt:good:<user:A>>", b"<jwt:good:\xff>"],
)
def test_what_is_no_request_for_a_token_stays(data: bytes) -> None:
    assert Tokens(SECRET).bind(data, {}) == data


def test_users_are_renamed_within_a_request() -> None:
    """So that cases can be merged, and users exchanged, with tokens like any other bytes."""
    data = b"<user:A>:<jwt:good:<user:A>>"
    assert bind(data, {b"<user:A>": b"<user:K>"}) == b"<user:K>:<jwt:good:<user:K>>"


def played(secret: bytes | None, *steps: Step) -> list[bytes]:
    """Return the segments that a server got in one play on one connection."""
    names = Names(start=0)
    names.tokens = Tokens(secret)
    with ScriptedServer(polite) as server:
        runner = Executor(server.endpoint, server.quiet, names, SystemClock())
        runner.play([Case(steps)], AMPLE)
        return server.ended(0).segments


def subject(segment: bytes) -> object:
    """Return the name that the good token in a LOGIN is for."""
    assert segment[0] == 0x01
    _, _, token = segment[1:].partition(b":")
    return jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]


def test_a_login_of_a_user_alone_gets_a_good_token() -> None:
    (segment,) = played(SECRET, login())
    name = segment[1:].partition(b":")[0]
    assert subject(segment) == name.decode()
    assert len(name) == len(b"<user:A>")


def test_a_login_with_more_than_a_user_is_played_as_it_is() -> None:
    first, second, third, fourth = played(
        SECRET,
        login(user=b"bob"),
        login(user=b"<user:A>:"),
        login(user=b"<user:A>:<jwt:good:<user:B>>"),
        send(b"\x01<user:A>"),
    )
    assert first == b"\x01bob"
    assert second == b"\x01" + fourth[1:] + b":"
    assert subject(third) == "b" + fourth[2:].decode()


def test_without_a_secret_a_login_is_played_as_it_is() -> None:
    (segment,) = played(None, login())
    assert b":" not in segment


def test_a_request_is_bound_in_any_segment() -> None:
    (segment,) = played(None, Step(StepKind.SEND, 0, b"\x01<user:A>:<jwt:none:<user:A>>"))
    assert segment.endswith(b".")
    assert segment.count(b".") == 2


def test_what_was_sent_is_told_with_its_tokens_bound_and_in_its_order() -> None:
    names = Names(start=0)
    names.tokens = Tokens(SECRET)
    case = Case((login(), login(1, b"<user:B>"), send(b"to <user:B>"), send(b"bye", 1)))
    with ScriptedServer(polite) as server:
        runner = Executor(server.endpoint, server.quiet, names, SystemClock())
        first, second = runner.play([case], AMPLE)[0].traces
        segments = [server.ended(number).segments for number in (0, 1)]
    assert [[sent.data for sent in trace.sent] for trace in (first, second)] == segments
    assert [(sent.order, sent.login) for sent in first.sent] == [(1, True), (3, False)]
    assert [(sent.order, sent.login) for sent in second.sent] == [(2, True), (4, False)]


def test_where_a_barrier_tells_less_nobody_knows_when_a_segment_was_handled() -> None:
    case = Case((login(), send(b"one"), Step(StepKind.WAIT), send(b"two")))
    with ScriptedServer(polite) as server:
        runner = Executor(server.endpoint, server.quiet, Names(start=0), SystemClock(), exact=False)
        observation = runner.play([case], AMPLE)[0]
    assert {sent.done for sent in observation.traces[0].sent} == {inf}


def test_what_was_sent_is_told_with_the_time_in_which_it_was_handled() -> None:
    case = Case((login(), send(b"one"), Step(StepKind.PAUSE, value=30), send(b"two")))
    with ScriptedServer(polite) as server:
        runner = Executor(server.endpoint, server.quiet, Names(start=0), SystemClock())
        observation = runner.play([case], AMPLE)[0]
    times = [(sent.at, sent.done) for sent in observation.traces[0].sent]
    (came, known), (one, handled), (two, last) = times
    assert 0 <= came <= known <= one <= handled
    assert handled + 0.03 <= two <= observation.seconds
    # What it ends with needs no barrier: it is handled when the server has closed.
    assert last == inf
