"""Tokens of a case: PyJWT, which made none of them, is the judge of what is good."""

from __future__ import annotations

import time

import jwt
import pytest
from jwt.exceptions import InvalidSubjectError

from fuzz.case import Case, Step, StepKind, bind
from fuzz.clock import SystemClock
from fuzz.executor import Executor, Names
from fuzz.executor.tokens import OTHER_SECRET, RECIPES, Tokens
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


FORGED = {
    b"none": jwt.InvalidAlgorithmError,
    b"stripped": jwt.InvalidSignatureError,
    b"algorithm": jwt.InvalidAlgorithmError,
    b"secret": jwt.InvalidSignatureError,
    b"subject": InvalidSubjectError,
    b"expired": jwt.ExpiredSignatureError,
    b"endless": jwt.MissingRequiredClaimError,
}


def test_each_other_recipe_is_forged() -> None:
    assert set(FORGED) == RECIPES.keys() - {b"good"}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_token_is_refused_for_the_reason_of_its_name(kind: bytes) -> None:
    with pytest.raises(jwt.InvalidTokenError) as refusal:
        read(Tokens(SECRET).make(kind, b"ann"))
    assert type(refusal.value) is FORGED[kind]


def test_a_forged_token_has_one_thing_wrong() -> None:
    """Else a server could refuse it for the other thing, and its defect would not show."""
    tokens = Tokens(SECRET)
    jwt.decode(tokens.make(b"algorithm", b"ann"), SECRET, algorithms=["HS512"], subject="ann")
    jwt.decode(tokens.make(b"endless", b"ann"), SECRET, algorithms=["HS256"], subject="ann")
    jwt.decode(tokens.make(b"subject", b"ann"), SECRET, algorithms=["HS256"], subject="annx")
    read(tokens.make(b"secret", b"ann"), OTHER_SECRET)
    late = Tokens(SECRET, lambda: time.time() + 7200)
    assert read(late.make(b"expired", b"ann"))["sub"] == "ann"


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
    assert tokens.bind(b"ann:<jwt:none:ann>") == wanted
    assert tokens.bind(b"<jwt:good:ann><jwt:good:ann>") == 2 * tokens.make(b"good", b"ann")


@pytest.mark.parametrize(
    "data",
    [b"<jwt:", b"<jwt:better:ann>", b"<jwt:good:>", b"<jwt:good:<user:A>>", b"<jwt:good:\xff>"],
)
def test_what_is_no_request_for_a_token_stays(data: bytes) -> None:
    assert Tokens(SECRET).bind(data) == data


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
