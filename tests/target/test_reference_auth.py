"""Tokens: good ones and every way to make a bad one. PyJWT is the judge of what is good."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.target.reference_support import (
    LOGIN_OK,
    Client,
    ReferenceNode,
    memory_folder,
    n16,
    soon,
)

SECRET = "the secret of the node, long enough for HS256"


@pytest.fixture(scope="module")
def guarded() -> Iterator[ReferenceNode]:
    with memory_folder() as folder:
        arguments = {"auth_enabled": "true", "auth_secret": SECRET}
        node = ReferenceNode(Path(folder), arguments)
        yield node
        node.stop()


def claims(**changes: object) -> dict[str, Any]:
    """Return good claims for ann, with changes; a claim that is None is left out."""
    now = int(time.time())
    good = {"sub": "ann", "exp": now + 60, "iat": now, "iss": "iris", "jti": "one"}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def part(value: object) -> bytes:
    """Return one part of a token: a value as JSON, or bytes, in base64url."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(header: object, payload: object) -> bytes:
    """Return a token with a true signature over whatever header and payload."""
    signed = part(header) + b"." + part(payload)
    algorithm = jwt.get_algorithm_by_name("HS256")
    return signed + b"." + part(algorithm.sign(signed, algorithm.prepare_key(SECRET)))


def good(**changes: object) -> bytes:
    """Return a token that PyJWT made."""
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256").encode()


def login(node: ReferenceNode, token: bytes, user: bytes = b"ann") -> bytes:
    """Return all that a LOGIN with a token is answered with."""
    with Client(node.tcp) as client:
        client.send(b"\x01" + user + b":" + token)
        return client.finish_raw()


HEADER = {"alg": "HS256", "typ": "JWT"}

ACCEPTED: dict[str, Callable[[], bytes]] = {
    "all claims": good,
    "only sub and exp": lambda: good(iat=None, iss=None, jti=None),
    "exp is a fraction": lambda: good(exp=time.time() + 60.5),
    "nbf has passed": lambda: good(nbf=int(time.time()) - 5),
    "other claims": lambda: good(admin=True, nested={"a": [1, 2.5e3, None, "\u00e9\U0001f600"]}),
    "escapes in sub": lambda: sign(
        HEADER, json.dumps(claims()).replace("ann", "\\u0061nn").encode()
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_valid_token_logs_in(guarded: ReferenceNode, case: str) -> None:
    token = ACCEPTED[case]()
    jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_iss": False})
    assert login(guarded, token) == LOGIN_OK


def flipped(token: bytes) -> bytes:
    """Return a token whose last character has another of its unused bits."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + bytes([alphabet[alphabet.index(token[-1]) ^ 1]])


REFUSED: dict[str, Callable[[], bytes]] = {
    "no token": lambda: b"",
    "garbage": lambda: b"a.b.c",
    "alg none": lambda: part({"alg": "none"}) + b"." + part(claims()) + b".",
    "alg none with a signature": lambda: sign({"alg": "none"}, claims()),
    "alg in lower case": lambda: sign({"alg": "hs256"}, claims()),
    "alg twice": lambda: sign(b'{"alg":"none","alg":"HS256"}', claims()),
    "another algorithm": lambda: jwt.encode(claims(), SECRET * 2, algorithm="HS512").encode(),
    "no alg": lambda: sign({"typ": "JWT"}, claims()),
    "a critical extension": lambda: sign({**HEADER, "crit": ["b64"]}, claims()),
    "another secret": lambda: jwt.encode(claims(), SECRET[::-1], algorithm="HS256").encode(),
    "a stripped signature": lambda: good().rsplit(b".", 1)[0] + b".",
    "two parts": lambda: good().rsplit(b".", 1)[0],
    "four parts": lambda: good() + b".",
    "a signature in another spelling": lambda: flipped(good()),
    "padding": lambda: good() + b"=",
    "another payload": lambda: b".".join(
        [good().split(b".")[0], part(claims(sub="ann", admin=1)), good().split(b".")[2]]
    ),
    "sub is another": lambda: good(sub="bob"),
    "no sub": lambda: good(sub=None),
    "sub is a number": lambda: sign(HEADER, claims(sub=7)),
    "expired": lambda: good(exp=int(time.time()) - 1),
    "no exp": lambda: good(exp=None),
    "exp is text": lambda: sign(HEADER, claims(exp="4000000000")),
    "exp twice": lambda: sign(HEADER, json.dumps(claims()).replace('"iss"', '"exp"').encode()),
    "exp overflows": lambda: sign(HEADER, b'{"sub":"ann","exp":1e999}'),
    "nbf to come": lambda: good(nbf=int(time.time()) + 60),
    "iat is text": lambda: sign(HEADER, claims(iat="now")),
    "jti is a number": lambda: sign(HEADER, claims(jti=1)),
    "claims are a list": lambda: sign(HEADER, [claims()]),
    "claims are followed": lambda: sign(HEADER, json.dumps(claims()).encode() + b"{}"),
    "claims are deep": lambda: sign(HEADER, claims(x=json.loads("[" * 40 + "]" * 40))),
    "claims are not JSON": lambda: sign(HEADER, b"\xff\xfe"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_invalid_token_does_not(guarded: ReferenceNode, case: str) -> None:
    assert login(guarded, REFUSED[case]()) == b"AUTH_FAILED"


def test_a_name_without_a_token_does_not_log_in(guarded: ReferenceNode) -> None:
    with Client(guarded.tcp) as client:
        client.send(b"\x01ann")
        assert client.rest() == b"AUTH_FAILED"


def test_a_failed_second_login_ends_the_first(guarded: ReferenceNode) -> None:
    with Client(guarded.tcp, b"ann:" + good()) as client, Client(guarded.tcp) as other:
        client.send(b"\x01ann:x")
        assert client.rest() == b"AUTH_FAILED"
        deadline = soon("ann to be offline: the connection has ended a little before")
        while other.ask(b"\x05" + n16(b"ann"))[2] != 0:
            assert not deadline.expired(), f"waited in vain for {deadline.what}"


def test_a_revoked_token_is_refused_and_its_user_is_not(guarded: ReferenceNode) -> None:
    token = good(jti="stolen")
    assert login(guarded, token) == LOGIN_OK
    assert guarded.eval('iris_ref_auth:revoke(<<"stolen">>)') == "ok"
    assert login(guarded, token) == b"AUTH_FAILED"
    assert login(guarded, good(jti="other")) == LOGIN_OK


def test_the_tokens_named_at_the_start_are_revoked() -> None:
    with memory_folder() as folder:
        arguments = {"auth_enabled": "true", "auth_secret": SECRET, "revoked": "stolen,lost"}
        node = ReferenceNode(Path(folder), arguments)
        try:
            assert login(node, good(jti="stolen")) == b"AUTH_FAILED"
            assert login(node, good(jti="lost")) == b"AUTH_FAILED"
            assert login(node, good(jti="stolen,lost")) == LOGIN_OK
        finally:
            node.stop()


def let_in(node: ReferenceNode, seconds: int, token: bytes) -> bool:
    """Tell whether a token lets in where the clock of the node is off by so many seconds."""
    set_clock = f"application:set_env(iris_ref, clock_offset_ms, {seconds * 1000})"
    assert node.eval(set_clock) == "ok"
    answer = login(node, token)
    assert answer in (LOGIN_OK, b"AUTH_FAILED")
    return answer == LOGIN_OK


def test_a_token_is_looked_at_by_the_clock_of_the_node_and_its_iat_is_not() -> None:
    arguments = {"auth_enabled": "true", "auth_secret": SECRET, "clock_offset_ms": -5000}
    with memory_folder() as folder, ReferenceNode(Path(folder), arguments) as node:
        assert node.number("iris_ref_clock:now(second) - erlang:system_time(second)") == -5
        now = int(time.time())
        tokens = good(exp=now + 60), good(exp=now - 60), good(exp=now + 60, nbf=now + 60)
        verdicts = [[let_in(node, off, token) for token in tokens] for off in (-90, -5, 5, 90)]
    assert verdicts == [
        [True, True, False],
        [True, False, False],
        [True, False, False],
        [False, False, False],
    ]


def test_iat_ahead_refuses_what_was_issued_just_now_where_the_clock_is_behind() -> None:
    arguments = {"auth_secret": SECRET, "plants": "iat_ahead"}
    with memory_folder() as folder, ReferenceNode(Path(folder), arguments) as node:
        verdicts = [let_in(node, off, good()) for off in (0, 5, -5)]
        assert verdicts == [True, True, False]
        assert let_in(node, -5, good(iat=int(time.time()) - 60))


def test_without_auth_a_token_is_not_looked_at(reference: ReferenceNode) -> None:
    with Client(reference.tcp, b"who:ever") as client:
        assert client.ask(b"\x05" + n16(b"who"))[2] == 1


JSON_TEXTS = [
    "{}", "[]", "0", "-0", "-1.5e-3", "1E+5", '""', "null", "true", "false", " [ 1 , 2 ] ",
    '{"a":{"b":[]}}', r'"\"\\\/\b\f\n\r\t"', r'"\ud83d\ude00"', r'"\u00e9"', '"\u00e9"', "1e308",
    "", "{", "[1,]", "[,1]", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "01", "-", "1.", ".5", "1e",
    "1e+", "1e+-5", "+1", "0x10", '"', '"\\x"', r'"\u12"', r'"\uZZZZ"', '"\x01"', "tru", "nul",
    "[1 2]", "1 2", "'a'", "//", "[" * 20,
]  # fmt: skip


@pytest.mark.parametrize("text", JSON_TEXTS)
def test_the_reader_of_json_accepts_what_python_accepts(
    reference: ReferenceNode, text: str
) -> None:
    try:
        json.loads(text)
    except ValueError:
        expected = "error"
    else:
        expected = "ok"
    data = ",".join(str(byte) for byte in text.encode())
    answer = reference.eval(f"iris_ref_json:decode(<<{data}>>)")
    assert answer.startswith(expected) or answer.startswith(f"{{{expected},"), answer


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":2}', b'"\\ud83d"', b'"\\ude00"', b'"\xff"', b"NaN", b"1e999", b"9" * 40],
)
def test_the_reader_of_json_refuses_what_readers_differ_on(
    reference: ReferenceNode, data: bytes
) -> None:
    literal = ",".join(str(byte) for byte in data)
    assert reference.eval(f"iris_ref_json:decode(<<{literal}>>)") == "error"
