"""Patterns as filters: what they match, how they are kept, and when they go too far."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from fuzz.case import MSGID_TOKEN, Case, Step
from fuzz.generate.seeds import SEEDS
from fuzz.triage.pattern import Cut, FrameRule, Login, Part, Pattern, Place, Sieve
from fuzz.triage.pattern_fields import Aspect, Condition, Relation, field_name, template_of
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


def test_one_frame_does_not_meet_two_rules() -> None:
    """One frame would be enough else for what needs two, if the order is free."""
    wide, narrow = FrameRule((0x70, 0x05)), FrameRule((0x70,))
    pattern = Pattern((wide, narrow), (), ordered=False)
    one, other = b"\x70\0\0", b"\x05\0\0"
    assert not pattern.matches(Case((send(one),)))
    assert pattern.matches(Case((send(one + one),)))
    # The frame that only one rule speaks of is left to that, wherever it stands.
    assert pattern.matches(Case((send(one + other),)))
    assert pattern.matches(Case((send(other + one),)))
    twice = Pattern((replace(wide, times=2), narrow), (), ordered=False)
    assert not twice.matches(Case((send(one + other),)))
    assert twice.matches(Case((send(one + other + other),)))


def test_a_cut_is_asked_for_where_it_matters() -> None:
    frame = typing(3)
    within = Pattern((FrameRule((0x70,), cut=Cut("target.length", 1, 1)),), ())
    anywhere = Pattern((FrameRule((0x70,), cut=Cut()),), ())
    whole = Pattern((FrameRule((0x70,), whole=True),), ())
    for place in range(1, len(frame)):
        case = Case((send(frame[:place]), send(frame[place:])))
        assert within.matches(case) is (place == 2)
        assert anywhere.matches(case)
        assert not whole.matches(case)
    assert whole.matches(Case((send(frame),)))
    assert not within.matches(Case((send(frame),)))
    thrice = Case((send(frame[:1]), send(frame[1:2]), send(frame[2:])))
    assert not anywhere.matches(thrice)


def test_a_transport_and_a_number_of_logins_are_asked_for_where_they_matter() -> None:
    case = Case((login(), login(B), send(typing(3))))
    for rule, matches in (
        (FrameRule((0x70,)), True),
        (FrameRule((0x70,), logins=2), True),
        (FrameRule((0x70,), logins=1), False),
        (FrameRule((0x70,), logins=3), False),
        (FrameRule((0x70,), websocket=False), True),
        (FrameRule((0x70,), websocket=True), False),
    ):
        assert Pattern((rule,), ()).matches(case) is matches
    upgraded = Case((opened(), *case.steps))
    assert Pattern((FrameRule((0x70,), websocket=True),), ()).matches(upgraded)


def test_whose_connection_is_another_s_since_is_a_former_user() -> None:
    rules = {
        relation: Pattern(
            (FrameRule((0x70,), (Condition("target", Aspect.RELATION, content=relation.value),)),),
            (),
        )
        for relation in (Relation.FORMER, Relation.PEER, Relation.OWN)
    }

    def told(*steps: Step) -> list[Relation]:
        case = Case((*steps, send(encode(TypingStart(A)))))
        return [relation for relation, pattern in rules.items() if pattern.matches(case)]

    assert told(login(A), login(B)) == [Relation.FORMER]
    assert told(login(B), login(A, 1)) == [Relation.PEER]
    assert told(login(A)) == [Relation.OWN]
    assert told(login(A), login(B), login(A)) == [Relation.OWN]
    assert told(login(A), login(A)) == [Relation.OWN]
    assert told(login(A, 1), login(B, 1), login(B), login(A, 1)) == [Relation.PEER]


def test_a_sentence_is_not_longer_than_a_person_reads() -> None:
    parts = [Part("any BATCH_SEND", 1, 1, Place.FRAME, number) for number in range(9)]
    about = [Part(f"field {n} is 3", 1, 1, Place.CONDITION, n // 9) for n in range(81)]
    notes = [Part(f"the field {n} of them all is free", 1, 1) for n in range(40)]
    sentence = Pattern((), (*parts, *about, *notes), complete=False).sentence()
    assert len(sentence) <= 400
    # What is left out is counted, not dropped in silence.
    assert "more frames" in sentence
    assert "more conditions hold" in sentence
    assert "more parts" in sentence
    assert sentence.endswith("; the budget ended before all was tried")


def test_what_was_not_tried_is_told_apart() -> None:
    parts = (
        Part("any BATCH_SEND", 1, 1, Place.FRAME),
        Part("target", 0, 0, Place.KEPT),
        Part("messages", 0, 0, Place.KEPT),
        Part("seq is 3", 1, 0, Place.CONDITION),
        Part("login", 0, 0, Place.SETTING),
        Part("cuts", 0, 0, Place.SETTING),
    )
    assert Pattern((), parts).sentence() == (
        "any BATCH_SEND with its target and messages as in this case and whose seq is 3, "
        "login and cuts as in this case"
    )


def test_tokens_are_shown_as_text() -> None:
    condition = Condition("msg_id", Aspect.CONTENT, content=template_of(b"x" + MSGID_TOKEN))
    assert condition.words() == "msg_id is 78 <msgid:1>"


def test_a_pattern_is_told_in_json() -> None:
    rule = replace(RULE, cut=Cut("target.length", 1, 1), login=Login.NEEDED, unknown=True)
    pattern = Pattern((rule,), PATTERN.parts, ordered=False, complete=False)
    document = json.loads(json.dumps(pattern.to_json()))
    assert document["sentence"] == pattern.sentence()
    assert (document["complete"], document["ordered"]) == (False, False)
    (frame,) = document["frames"]
    assert frame["cut"] == {"span": "target.length", "least": 1, "most": 1}
    assert (frame["opcodes"], frame["login"]) == ([0x70], "after login")
    assert frame["conditions"] == [
        {"field": "target", "aspect": "size", "least": 257, "most": None, "content": ""}
    ]
    assert document["parts"][0]["text"] == "any TYPING_START"


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
