"""The player of a reproducer has its own idea of the protocol: it is that of the harness."""

from __future__ import annotations

import ast
import inspect
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.report.reproducer import _MODULES
from fuzz.report.standalone import play, wire
from fuzz.report.standalone.verdict import CHECKS, Seen, Wire
from grammar import (
    ClientFrame,
    Direction,
    Error,
    GroupDelivery,
    GroupRosterReply,
    LoginOk,
    PrekeyResponse,
    RateLimited,
    ReliableMsg,
    ServerFrame,
    State,
    StatusResponse,
    always_answered,
    encode,
)
from tests.executor.fake_server import Peer, ScriptedServer
from tests.grammar.strategies import frames, quick

OK = encode(LoginOk())
NAMES = {b"<user:A>": b"abcdefgh"}


@quick
@given(frames(Direction.SERVER, delimited=True))
def test_a_frame_of_the_server_is_one_frame_and_nothing_else(frame: ServerFrame) -> None:
    found, rest = wire.frames(encode(frame))
    if frame.opcode is None:
        assert (found, rest) == ([], encode(frame))
        assert rest in wire.REFUSALS
    else:
        assert ([one.opcode for one in found], rest) == ([frame.opcode], b"")


def test_no_two_modules_use_one_name_for_two_things() -> None:
    defined: list[str] = []
    for module in _MODULES:
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.append(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = (n for target in targets for n in ast.walk(target))
                defined += [n.id for n in names if isinstance(n, ast.Name)]
    assert "SHOWN" in defined
    assert len(defined) == len(set(defined))


def message(text: bytes, number: int = 1) -> bytes:
    return encode(ReliableMsg(b"id%d" % number, text))


def told(wanted: Wire, heard: bytes, left: bool = True) -> bool | None:
    """Return what the check says of a play whose connection 0 heard this."""
    link = SimpleNamespace(heard=heard, left=left, ended="closed")
    play = SimpleNamespace(links={0: link}, values=NAMES, seconds=0.0, silent=[])
    seen: Seen = CHECKS[wanted["check"]]({"connection": 0, **wanted}, play)  # type: ignore[arg-type]
    return seen[0]


HELLO = {"check": "delivered", "mark": wire.mark(b"to <user:A>", {})}
NEVER, ONCE = {**HELLO, "most": 0}, {**HELLO, "least": 1}
STATUS = {"check": "status", "reply": 0, "user": b"<user:A>".hex(), "online": False}
GROUP = {"check": "group", "mark": wire.mark(b"sealed", {})}
SEALED = encode(ReliableMsg(b"id1", encode(GroupDelivery(b"g" * 16, b"\xa0", b"sealed"))))
ROSTER = {"check": "roster", "reply": 0, "members": [b"<user:A>".hex(), b"bob".hex()]}
KEYS = {"check": "bundle", "reply": 1, "keys": [(b"k" * 32).hex()]}
BURST = {"check": "burst", "burst": 2, "rate": 100, "others": 1}
SECOND_LOGIN = {"check": "login", "number": 2}
TOO_MANY = encode(RateLimited(10))
PASSED = {"check": "passed", "least": 2}
METERED = {"check": "metered", "sent": 2, "others": 0}
DROPPED = {"check": "metered", "sent": 2, "silent": True}
WAITS = {"check": "waits", "most": 5000}
ANSWERED = {"check": "answered", "opcodes": [0x06, 0xFE], "least": 2}


@pytest.mark.parametrize(
    ("wanted", "heard", "shown"),
    [
        (NEVER, OK + message(b"to abcdefgh"), True),
        (NEVER, OK + message(b"to another"), False),
        (ONCE, OK + message(b"to another"), True),
        (ONCE, OK + message(b"to abcdefgh"), False),
        (STATUS, encode(StatusResponse(b"abcdefgh", 1, 0)), True),
        (STATUS, encode(StatusResponse(b"abcdefgh", 0, 0)), False),
        (STATUS, encode(StatusResponse(b"stranger", 0, 0)), True),
        (STATUS, OK, None),
        ({**STATUS, "online": None}, encode(StatusResponse(b"abcdefgh", 1, 0)), False),
        (GROUP, SEALED, True),
        (GROUP, OK, False),
        ({**GROUP, "least": 1}, SEALED, False),
        ({**GROUP, "least": 1}, OK, True),
        (ROSTER, encode(GroupRosterReply(b"g", b"\x82\x48abcdefgh\x43bob")), False),
        (ROSTER, encode(GroupRosterReply(b"g", b"\x81\x48abcdefgh")), True),
        (ROSTER, encode(GroupRosterReply(b"g", b"\x83\x48abcdefgh\x43bob\x43ann")), True),
        (ROSTER, OK, None),
        (KEYS, encode(PrekeyResponse(b"\xa0")) + encode(PrekeyResponse(b"k" * 32)), False),
        (KEYS, encode(PrekeyResponse(b"k" * 32)) + encode(PrekeyResponse(b"\xa0")), True),
        (KEYS, encode(PrekeyResponse(b"k" * 32)), None),
        ({**KEYS, "reply": 0, "keys": []}, encode(PrekeyResponse(b"\xa1\x6cidentity_key")), True),
        ({**KEYS, "reply": 0, "keys": []}, encode(PrekeyResponse(b"\xa0")), False),
        ({"check": "once"}, message(b"", 1) + message(b"", 1), True),
        ({"check": "once"}, message(b"", 1) + message(b"", 2), False),
        ({"check": "login"}, OK, True),
        ({"check": "login"}, b"AUTH_FAILED", False),
        ({"check": "login"}, b"", None),
        (SECOND_LOGIN, OK + OK, True),
        (SECOND_LOGIN, OK + b"AUTH_FAILED", False),
        (SECOND_LOGIN, OK, None),
        ({"check": "refused"}, b"AUTH_FAILED", True),
        ({"check": "refused"}, OK, False),
        ({"check": "refused"}, b"RATE_LIMITED", None),
        (BURST, b"".join(message(b"", n) for n in range(5)), True),
        (BURST, b"".join(message(b"", n) for n in range(4)), False),
        (PASSED, OK + message(b"", 1), True),
        (PASSED, OK + message(b"", 1) + message(b"", 2), False),
        (METERED, message(b"", 1) + message(b"", 2) + TOO_MANY, True),
        (METERED, message(b"", 1) + TOO_MANY, False),
        (DROPPED, message(b"", 1), True),
        (DROPPED, message(b"", 1) + TOO_MANY, False),
        (DROPPED, message(b"", 1) + message(b"", 2), False),
        (WAITS, TOO_MANY, False),
        (WAITS, TOO_MANY + encode(RateLimited(0)), True),
        (WAITS, encode(RateLimited(5001)), True),
        (ANSWERED, encode(StatusResponse(b"", 0, 0)), True),
        (ANSWERED, encode(StatusResponse(b"", 0, 0)) + encode(Error(b"no")), False),
        ({"check": "in_place"}, OK + b"\x34", True),
        ({"check": "in_place"}, OK + encode(Error(b"no"))[:-1], True),
        ({"check": "in_place"}, b"\x03LOGIN_NO", True),
        ({"check": "in_place"}, OK + encode(Error(b"no")), False),
    ],
)
def test_a_check_tells_what_is_wrong_from_what_is_right(
    wanted: Wire, heard: bytes, shown: bool | None
) -> None:
    assert told(wanted, heard) is shown


def test_a_connection_that_was_cut_proves_no_loss() -> None:
    assert told(ONCE, OK, left=False) is None


@pytest.mark.parametrize(
    ("heard", "left", "shown"),
    [
        (OK, False, True),
        (OK, True, False),
        (encode(Error(b"no")), False, False),
        (b"AUTH_FAILED", False, False),
        (encode(Error(b"no")) + OK, False, True),
    ],
)
def test_a_connection_is_lost_that_the_server_ended_without_a_word(
    heard: bytes, left: bool, shown: bool
) -> None:
    assert told({"check": "closed"}, heard, left) is shown


def test_who_talks_without_end_is_not_listened_to_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def babble(peer: Peer) -> None:
        while True:
            peer.say(OK * 1_000)

    monkeypatch.setattr(play, "PATIENCE", 0.05)
    with ScriptedServer(babble) as server:
        client = play.Client((server.endpoint.host, server.endpoint.port))
        assert client.read_until(lambda: bool(client.heard), 5.0)
        client.drain()
        assert not client.ended
        client.sock.close()


@quick
@given(st.lists(frames(Direction.CLIENT, delimited=True), max_size=4))
def test_a_client_is_owed_an_answer_to_each_request(said: list[ClientFrame]) -> None:
    asked = sum(always_answered(frame.opcode, State.LOGGED_IN) for frame in said)
    sent, answer = b"".join(map(encode, said)), encode(StatusResponse(b"", 0, 0))
    assert wire.owed(sent, OK + answer * asked) is False
    assert wire.owed(sent, OK + answer * (asked - 1)) is (asked > 0)
    assert wire.owed(sent[:-1], OK + answer * asked) is False
