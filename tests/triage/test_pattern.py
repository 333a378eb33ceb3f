"""Patterns as filters: what they match, how they are kept, and when they go too far."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from fuzz.case import Case
from fuzz.errors import StoreError
from fuzz.generate.seeds import SEEDS
from fuzz.triage.pattern import FrameRule, Login, Part, Pattern, Place, Sieve
from fuzz.triage.pattern_fields import Aspect, Condition, Relation, field_name
from fuzz.triage.pattern_frames import frames_of
from grammar import GetStatus, SendSeq, TypingStart, encode
from tests.triage.judges import A, B, login, opened, send

LONG = Condition("target", Aspect.SIZE, 257)
RULE = FrameRule((0x70,), (LONG,), login=Login.FREE)
PATTERN = Pattern((RULE,), (Part("any TYPING_START", 28, 0, Place.FRAME),))


def typing(size: int) -> bytes:
    return encode(TypingStart(b"x" * size))


def test_a_frame_is_found_wherever_it_stands() -> None:
    frame = typing(300)
    for steps in (
        (send(frame),),
        (login(), send(encode(GetStatus(B)) + frame + b"\x05\x00")),
        (send(frame[:1]), send(frame[1:2]), send(frame[2:])),
        (send(encode(GetStatus(A)) + frame[:9]), login(B, 1), send(frame[9:])),
    ):
        assert PATTERN.matches(Case(steps))
    assert not PATTERN.matches(Case((send(typing(256)),)))
    assert not PATTERN.matches(Case((send(encode(GetStatus(frame))),)))


def test_frames_across_segments_know_where_their_bytes_come_from() -> None:
    first, second = frames_of(Case((send(b"\x05\0\0\x70\0"), login(B, 1), send(b"\x01a"))))
    assert (first.data, first.pieces, first.cut) == (b"\x05\0\0", ((0, 0, 3),), False)
    assert (second.data, second.pieces) == (b"\x70\0\x01a", ((0, 3, 2), (2, 0, 2)))
    assert second.cut


def test_what_is_never_whole_is_a_frame_as_far_as_it_goes() -> None:
    (frame,) = frames_of(Case((send(b"\x70\xff"), send(b"\xffab"))))
    assert frame.data == b"\x70\xff\xffab"


def test_frames_know_who_is_logged_in_and_over_what() -> None:
    case = Case((send(b"\x05\0\0"), login(A), send(b"\x05\0\0"), opened(1), send(b"\x34", 1)))
    assert [frame.user for frame in frames_of(case)] == [None, A, None]
    assert [frame.websocket for frame in frames_of(case)] == [False, False, True]
    named = frames_of(Case((send(b"\x01alice:token"), send(b"\x05\0\0"))))
    assert named[1].user == b"alice"


@pytest.mark.parametrize("aspect", [Aspect.SIZE, Aspect.SAID])
def test_a_length_is_asked_for_as_it_is_or_as_it_says(aspect: Aspect) -> None:
    rule = FrameRule((0x70,), (Condition("target", aspect, 257),))
    lie = Case((send(b"\x70\x01\x01abc"),))
    assert Pattern((rule,), ()).matches(lie) is (aspect is Aspect.SAID)


def test_rules_of_one_connection_are_met_on_one() -> None:
    first, second = FrameRule((0x70,)), FrameRule((0x71,))
    together = Pattern((first, second), ())
    apart = Pattern((first, replace(second, connection=1)), ())
    one = Case((send(b"\x70\0\0\x71\0\0"),))
    two = Case((send(b"\x70\0\0"), send(b"\x71\0\0", 1)))
    assert (together.matches(one), together.matches(two)) == (True, False)
    assert (apart.matches(one), apart.matches(two)) == (False, True)


def test_a_connection_that_fits_is_looked_for_among_all() -> None:
    rules = (FrameRule((0x70,)), FrameRule((0x71,)), FrameRule((0x05,), connection=1))
    case = Case((send(b"\x70\0\0"), send(b"\x70\0\0", 1), send(b"\x71\0\0", 1), send(b"\x05\0\0")))
    assert Pattern(rules, ()).matches(case)
    assert not Pattern(rules, ()).matches(Case(case.steps[:3]))


def test_several_patterns_are_one_sieve() -> None:
    status = Pattern((FrameRule((0x05,)),), ())
    sieve = Sieve((PATTERN, status, Pattern((), ())))
    assert sieve.catch(Case((send(typing(300)),))) == 0
    assert sieve.catch(SEEDS["op-05-get-status"]) == 1
    assert sieve.catch(SEEDS["op-07-send-seq"]) is None


def test_seeds_are_not_matched_by_a_usable_filter() -> None:
    seeds = list(SEEDS.values())
    assert PATTERN.usable(seeds)
    assert not Pattern((FrameRule((0x70,)),), ()).usable(seeds)
    assert not Pattern((), ()).usable(seeds)


def test_a_pattern_is_the_same_after_json() -> None:
    rules = (
        replace(RULE, cut=True, times=3, websocket=True, login=Login.NEEDED, unknown=True),
        FrameRule(
            (0x07, 0x02),
            (
                Condition("target", Aspect.OTHER, content=Relation.OWN.value),
                Condition("message", Aspect.START, content="bf..00"),
                Condition("seq", Aspect.NUMBER, 3, 2**64 - 1),
            ),
            connection=1,
        ),
    )
    parts = (Part("target length is 257 or more", 5, 4, Place.CONDITION, 1),)
    pattern = Pattern(rules, parts, ordered=False, complete=False)
    document = json.loads(json.dumps(pattern.to_json()))
    assert Pattern.from_json(document) == pattern
    assert document["sentence"] == pattern.sentence()


@pytest.mark.parametrize(
    "damage",
    [
        {"frames": None},
        {"frames": [{}]},
        {"parts": [{"text": "x"}]},
        {"needs": ["nothing"]},
        {"needs": 3},
    ],
)
def test_damaged_json_is_refused_with_one_sentence(damage: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="holds a pattern that cannot be read"):
        Pattern.from_json({**PATTERN.to_json(), **damage})
    with pytest.raises(StoreError, match="cannot be read"):
        Pattern.from_json([])


@pytest.mark.parametrize(
    ("name", "value"), [("opcodes", [256]), ("times", 0), ("login", "never"), ("conditions", 1)]
)
def test_a_rule_that_cannot_be_is_refused(name: str, value: object) -> None:
    document = json.loads(json.dumps(PATTERN.to_json()))
    document["frames"][0][name] = value
    with pytest.raises(StoreError):
        Pattern.from_json(document)


@pytest.mark.parametrize(("name", "value"), [("content", "xy"), ("content", "b"), ("aspect", "")])
def test_a_condition_that_cannot_be_is_refused(name: str, value: object) -> None:
    document = json.loads(json.dumps(PATTERN.to_json()))
    document["frames"][0]["conditions"][0][name] = value
    with pytest.raises(StoreError):
        Pattern.from_json(document)


def test_fields_are_named_by_the_first_opcode_where_layouts_are_the_same() -> None:
    assert field_name("TYPING_STOP.target", 0x70) == "target"
    assert field_name("GET_STATUS.user", 0x70) == "target"
    assert field_name("SEND_SEQ.message", 0x70) == "SEND_SEQ.message"
    assert field_name("BATCH_SEND.messages[12]", 0x04) == "messages[]"


def test_a_filter_costs_little_for_a_case_of_many_frames() -> None:
    """A play takes some 500 microseconds; this is allowed four times that on a busy machine."""
    frames = b"".join(encode(SendSeq(B, number, b"hello")) for number in range(12))
    rule = replace(RULE, opcodes=(0x07,), conditions=(Condition("seq", Aspect.NUMBER, 99),))
    pattern, case = Pattern((rule,), ()), Case((login(), send(frames), send(frames)))
    assert not pattern.matches(case)
    start = time.process_time()
    for _ in range(200):
        pattern.matches(case)
    assert (time.process_time() - start) / 200 < 0.002
