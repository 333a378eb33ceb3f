"""Where a constant of the node goes: each way to say it, and what it leaves true."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import Case, Step
from fuzz.generate.constants import Saying, say
from fuzz.node import Constant
from grammar import CborMsg, Direction, GetStatus, SendMessage, SendSeq, cbor, decode, encode
from grammar.errors import GrammarError
from tests.generate.support import B, draft_of, login, send

TRIES = 6_000


def said(
    constant: Constant,
    *steps: Step,
    beside: tuple[bytes, ...] = (),
    passed: tuple[bytes, ...] = (),
) -> list[list[bytes]]:
    """Return the segments of all that comes of saying ``constant`` in a case."""
    made = []
    for seed in range(TRIES):
        draft = draft_of(login(), *steps, seed=seed)
        if say(draft, Saying((constant,), beside, passed)):
            made.append([step.data for step in Case(tuple(draft.steps)).steps[1:]])
    return made


def values(segments: list[list[bytes]]) -> list[dict[object, object]]:
    """Return the maps of those segments that are CBOR_MSG with a map of plain keys."""
    maps = []
    for (data,) in (one for one in segments if len(one) == 1):
        try:
            (frame,) = decode(data, Direction.CLIENT)
            value = cbor.loads(frame.payload) if isinstance(frame, CborMsg) else None
        except (GrammarError, ValueError):
            continue
        if isinstance(value, dict):
            maps.append(value)
    return maps


@pytest.mark.parametrize(
    ("constant", "data", "expected"),
    [
        (b"GP", b"\x40\x03", b"\x40\x03GP"),  # behind what is known of it
        (b"GP", b"\x40zz", b"\x40GP"),  # at the head, over what is there
        (b"GP", b"\x40zz", b"\x40GPzz"),  # before it
        (b"GP", b"\x40zzz", b"\x40GP"),  # and what follows goes
        (0x50, b"\x40zz", b"\x50zz"),  # an opcode
        (0x8000, b"\x40zz", b"\x40\x80\x00"),
        (0x8000, b"\x40zz", b"\x40\x80\x01"),  # the far side of a comparison
        (b"ann", encode(GetStatus(b"bob")), encode(GetStatus(b"ann"))),
        (b"ann", encode(GetStatus(b"bob")), encode(GetStatus(b"bobann"))),
        (300, encode(SendSeq(B, 1, b"")), encode(SendSeq(B, 300, b""))),
        (7, encode(SendMessage(B, b"ab")), encode(SendMessage(B, b"abababa"))),  # as a size
    ],
)
def test_a_constant_is_put_where_a_server_may_look(
    constant: Constant, data: bytes, expected: bytes
) -> None:
    assert [expected] in said(constant, send(data))


def test_a_number_is_said_in_more_bytes_than_it_needs_too() -> None:
    made = [data for one in said(3, send(b"\x40zz")) for data in one]
    for width in (1, 2, 4, 8):
        number = (3).to_bytes(width, "big")
        assert any(number in data for data in made), width


def test_a_word_becomes_a_key_of_cbor_and_a_number_a_value() -> None:
    message = send(encode(CborMsg(B, cbor.dumps({"n": 1}))))
    keys = values(said(b"ttl", message))
    assert any(set(one) == {"n", "ttl"} for one in keys)
    assert any(set(one) == {"ttl"} for one in keys)
    assert {"n": 604_801} in values(said(604_800, message))
    assert any(b"\xff" in one for one in values(said(b"\xff", message)))  # no text


@pytest.mark.parametrize(
    ("head", "is_whole"),
    [
        (0x1A, lambda value: isinstance(value, int) and value >= 0),
        (0x39, lambda value: isinstance(value, int) and value < 0),
        (0x43, lambda value: value == b"AAA"),
        (0x62, lambda value: value == "AA"),
        (0x83, lambda value: value == [0, 1, 2]),
        (0xA1, lambda value: value == {0: 1}),
        (0x9F, lambda value: value == []),
        (0xFB, lambda value: isinstance(value, float)),
    ],
)
def test_a_byte_becomes_a_whole_item_of_cbor_that_begins_with_it(
    head: int, is_whole: Callable[[object], bool]
) -> None:
    message = send(encode(CborMsg(B, cbor.dumps({"n": "other"}))))
    for constant in (bytes([head]), head):
        assert any(is_whole(one.get("n")) for one in values(said(constant, message)))


def test_where_a_word_of_a_branch_beside_stands_the_server_looks() -> None:
    frame = send(b"\x50" + b"z" * 40 + b"OFFER;")
    made = said(b"ACCEPT", frame, beside=(b"BYE", b"OFFER"))
    there = [b"\x50" + b"z" * 40 + b"ACCEPT;"] in made
    assert there
    assert made.count([b"\x50" + b"z" * 40 + b"ACCEPT;"]) > TRIES / 8
    # As a sequence too: first the one, then the other.
    assert [frame.data, b"\x50" + b"z" * 40 + b"ACCEPT;"] in made


def test_behind_a_word_that_was_passed_the_server_looks_on() -> None:
    start = b"\x40" + b"z" * 40 + b"km"
    made = said(0x8000, send(start + b"--;"), passed=(b"z", b"km"))
    behind = [[start + b"\x80\x00;"], [start + b"\x80\x00--;"], [start + b"\x80\x00"]]
    assert sum(map(made.count, behind)) > TRIES / 30
    assert all(one in made for one in behind)


def test_a_key_that_was_passed_gets_the_value_that_is_asked_for() -> None:
    message = send(encode(CborMsg(B, cbor.dumps({"n": "z", "ttl": 0, "ik": b"k"}))))
    made = values(said(604_800, message, passed=(b"ttl",)))
    assert made.count({"n": "z", "ttl": 604_800, "ik": b"k"}) > TRIES / 30
    heads = values(said(b"\x1a", message, passed=(b"ttl",)))
    assert sum(isinstance(one.get("ttl"), int) and one["ttl"] != 0 for one in heads) > TRIES / 60


def test_the_length_around_the_word_stays_true() -> None:
    made = said(b"ACCEPT", send(encode(SendMessage(B, b"OFFER"))), beside=(b"OFFER",))
    assert [encode(SendMessage(B, b"ACCEPT"))] in made


def test_in_a_case_that_sends_nothing_nothing_is_said() -> None:
    assert said(b"GP") == []
