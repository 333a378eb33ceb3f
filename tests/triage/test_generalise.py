"""Generalising, against judges that are predicates: the pattern says what they look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import GROUP_TOKEN, MAX_STEPS, MSGID_TOKEN, Case
from fuzz.generate.seeds import SEEDS
from fuzz.triage.generalise import generalise
from fuzz.triage.pattern import Place
from fuzz.triage.pattern_frames import Seen, frames_of, people_of, users_of
from fuzz.triage.reduce import Budget
from grammar import (
    Ack,
    BatchSend,
    CborMsg,
    GroupCreate,
    GroupLeave,
    GroupRoster,
    ReadReceipt,
    SendSeq,
    TypingStart,
    TypingStop,
    encode,
)
from grammar.cbor import walk
from tests.triage.judges import (
    PLENTY,
    A,
    B,
    FakeJudge,
    by_frame,
    content,
    login,
    opened,
    pattern_of,
    send,
    typing,
)


def test_a_length_that_is_believed_is_told_with_its_exact_bound() -> None:
    judge = typing(lambda frame: int.from_bytes(frame.data[1:3].ljust(2, b"\0"), "big") >= 257)
    pattern = pattern_of(Case((send(b"\x70\x01\x01"),)), judge)
    assert pattern.sentence() == (
        "any TYPING_START whose target length is 257 or more, logged in or not; "
        "the target itself is free; however TCP cuts it; over TCP and WebSocket alike; "
        "3 bytes are enough"
    )
    assert pattern.matches(Case((login(), send(encode(TypingStart(b"x" * 300))))))
    assert not pattern.matches(Case((login(), send(encode(TypingStart(b"x" * 256))))))
    assert not pattern.matches(Case((login(), send(encode(TypingStop(b"x" * 300))))))


def test_each_part_has_its_trials() -> None:
    judge = typing(lambda frame: len(content(frame)) >= 257)
    pattern = pattern_of(Case((send(encode(TypingStart(b"a" * 257))),)), judge)
    parts = {part.text: part for part in pattern.parts}
    opcode = parts["any TYPING_START"]
    assert (opcode.place, opcode.trials, opcode.shown) == (Place.FRAME, 28, 0)
    size = parts["target length is 257 or more"]
    assert (size.place, size.trials, size.shown) == (Place.CONDITION, 5, 4)
    assert (parts["logged in or not"].trials, parts["logged in or not"].shown) == (1, 1)
    assert sum(part.trials for part in pattern.parts) <= len(judge.plays) + len(pattern.parts)


@pytest.mark.parametrize(
    ("holds", "words"),
    [
        (lambda size: size == 256, "target length is exactly 256"),
        (lambda size: 256 <= size <= 271, "target length is 256 to 271"),
        (lambda size: 256 <= size <= 3_000, "target length is 256 to 3000"),
    ],
)
def test_sizes_have_an_upper_bound_where_there_is_one(
    holds: Callable[[int], bool], words: str
) -> None:
    judge = typing(lambda frame: holds(len(content(frame))))
    pattern = pattern_of(Case((send(encode(TypingStart(b"a" * 256))),)), judge)
    assert words in [part.text for part in pattern.parts]


def test_an_empty_field_is_told_as_empty_and_a_free_one_as_free() -> None:
    empty = typing(lambda frame: frame.data[1:3] == b"\0\0")
    case = Case((send(b"\x70\0\0"),))
    assert "whose target is empty" in pattern_of(case, empty).sentence()
    any_target = typing(lambda frame: len(frame.data) >= 3)
    assert "; the target is free;" in pattern_of(case, any_target).sentence()


def test_a_length_that_lies_is_told_as_a_lie() -> None:
    def lies(frame: Seen) -> bool:
        return len(frame.data) >= 3 and int.from_bytes(frame.data[1:3], "big") > len(frame.data) - 3

    pattern = pattern_of(Case((send(b"\x70\0\1"),)), typing(lies))
    assert "whose target length says more than follows," in pattern.sentence()
    assert pattern.matches(Case((send(b"\x70\x00\x09abc"),)))
    assert not pattern.matches(Case((send(b"\x70\x00\x03abc"),)))


def test_an_integer_is_told_with_its_bounds() -> None:
    judge = by_frame(
        lambda frame: (
            frame.opcode == 0x07
            and len(frame.data) > 12
            and int.from_bytes(frame.data[3 + frame.data[2] :][:8], "big") >= 65_537
        )
    )
    pattern = pattern_of(Case((login(), send(encode(SendSeq(b"", 65_537, b""))))), judge)
    assert "any SEND_SEQ whose seq is 65537 or more, " in pattern.sentence()


def test_one_byte_that_a_content_must_not_begin_with_is_told() -> None:
    judge = typing(lambda frame: content(frame)[:1] != b"\0")
    for name in (b"", b"aaaaaaaaa"):
        pattern = pattern_of(Case((send(encode(TypingStart(name))),)), judge)
        assert "whose target does not begin with 00," in pattern.sentence()
        assert pattern.matches(Case((send(encode(TypingStart(b"x\0"))),)))
        assert not pattern.matches(Case((send(encode(TypingStart(b"\0x"))),)))


def test_an_empty_field_is_not_free_on_the_strength_of_its_sizes() -> None:
    letters = typing(lambda frame: frame.data[3:].strip(b"a") == b"")
    pattern = pattern_of(Case((send(b"\x70\0\0"),)), letters)
    assert "is free" not in pattern.sentence()
    assert not pattern.matches(Case((send(encode(TypingStart(b"b"))),)))


def test_ids_that_must_be_the_same_are_told_so_whatever_they_are() -> None:
    def alike(case: Case) -> bool:
        acked = [f.data[1:] for f in frames_of(case) if f.opcode == 0x03]
        return any(f.opcode == 0x74 and content(f) in acked for f in frames_of(case))

    for msg_id in (MSGID_TOKEN, b"m", A):
        frames = (encode(Ack(msg_id)), encode(ReadReceipt(msg_id, b"")))
        pattern = pattern_of(Case((login(), *map(send, frames))), FakeJudge(alike))
        assert "any READ_RECEIPT whose msg_id is the msg_id of the ACK," in pattern.sentence()
        assert "3c" not in pattern.sentence()
        other = (encode(Ack(b"x")), encode(ReadReceipt(b"y", b"")))
        assert not pattern.matches(Case((login(), *map(send, other))))


def test_the_id_of_a_group_that_was_made_is_told_in_words() -> None:
    def made(case: Case) -> bool:
        frames = frames_of(case)
        groups = any(frame.opcode == 0x30 for frame in frames)
        return groups and any(f.opcode == 0x32 and content(f) == GROUP_TOKEN for f in frames)

    case = Case((login(), send(encode(GroupCreate(b"g"))), send(encode(GroupLeave(GROUP_TOKEN)))))
    sentence = pattern_of(case, FakeJudge(made)).sentence()
    assert "group_id is the id of a group that was made in the case" in sentence
    assert "or less" not in sentence


def test_the_former_user_of_a_connection_is_told_as_such() -> None:
    def former(case: Case) -> bool:
        gone = people_of(case).former
        return any(frame.opcode == 0x70 and content(frame) in gone for frame in frames_of(case))

    case = Case((login(), login(B), send(encode(TypingStart(A)))))
    pattern = pattern_of(case, FakeJudge(former))
    words = "target is the name of a user whose connection has logged in as another since"
    assert words in pattern.sentence()
    assert pattern.usable(SEEDS.values())


def test_messages_that_hold_the_same_are_varied_and_told_together() -> None:
    def many(frame: Seen) -> bool:
        return frame.opcode == 0x04 and frame.data[7 + len(content(frame)) :].count(b"\0\1b") >= 50

    judge = by_frame(many)
    pattern = pattern_of(Case((send(encode(BatchSend(b"", (b"b",) * 60))),)), judge)
    assert len(judge.plays) < 150
    assert len(pattern.sentence()) < 400
    assert "message is 62," in pattern.sentence()
    alike = by_frame(lambda frame: frame.opcode == 0x04 and len(frame.data) > 150)
    sentence = pattern_of(Case((send(encode(BatchSend(b"", (b"b",) * 60))),)), alike).sentence()
    assert sentence.count("message") <= 3


def test_bytes_of_a_content_that_matter_are_told_apart() -> None:
    judge = typing(lambda frame: content(frame)[:1] == b"q" and content(frame)[2:3] == b"z")
    pattern = pattern_of(Case((send(encode(TypingStart(b"qaz"))),)), judge)
    assert "target length is 3 or more and target begins with 71 .. 7a" in pattern.sentence()
    assert pattern.matches(Case((send(encode(TypingStart(b"qqzz"))),)))
    assert not pattern.matches(Case((send(encode(TypingStart(b"qqqz"))),)))


def test_bytes_of_which_one_is_enough_are_not_both_free() -> None:
    judge = typing(lambda frame: b"q" in content(frame)[:2])
    pattern = pattern_of(Case((send(encode(TypingStart(b"qq"))),)), judge)
    assert "target begins with .. 71" in pattern.sentence()
    assert not pattern.matches(Case((send(encode(TypingStart(b"xx"))),)))


def test_opcodes_that_fail_alike_are_told_together() -> None:
    judge = by_frame(lambda frame: frame.opcode in (0x70, 0x71) and len(content(frame)) >= 9)
    pattern = pattern_of(Case((send(encode(TypingStart(b"a" * 9))),)), judge)
    assert pattern.sentence().startswith("any TYPING_START or TYPING_STOP whose target length is 9")
    # A field of the one is the field of the other that lies in the same place.
    assert pattern.matches(Case((send(encode(TypingStop(b"x" * 10))),)))
    assert not pattern.matches(Case((send(encode(TypingStop(b"x" * 8))),)))


def test_an_unknown_opcode_stands_for_all_of_them() -> None:
    judge = by_frame(lambda frame: frame.unknown)
    pattern = pattern_of(Case((send(b"\x00"),)), judge)
    assert pattern.sentence().startswith(
        "any frame that only the server may send or frame with an unknown opcode, "
    )
    assert pattern.matches(Case((send(b"\x99 and more"),)))
    assert not pattern.matches(SEEDS["op-05-get-status"])


@pytest.mark.parametrize(
    ("holds", "name", "words"),
    [
        (lambda frame, _: content(frame) == frame.user, A, "target is the sender's own name"),
        (
            lambda frame, users: content(frame) in users - {frame.user},
            B,
            "target is the name of another client that is logged in",
        ),
        (
            lambda frame, users: content(frame) not in users and content(frame) != b"",
            b"a",
            "target is not the sender's own name and "
            "target is not the name of another client that is logged in",
        ),
    ],
)
def test_a_name_is_told_by_whose_it_is(
    holds: Callable[[Seen, frozenset[bytes]], bool], name: bytes, words: str
) -> None:
    def shows(case: Case) -> bool:
        users = users_of(case)
        return any(frame.opcode == 0x70 and holds(frame, users) for frame in frames_of(case))

    case = Case((login(), login(B, 1), send(encode(TypingStart(name)))))
    assert words in pattern_of(case, FakeJudge(shows)).sentence()


def test_a_name_that_must_be_new_on_each_play_is_told_so() -> None:
    judge = by_frame(lambda frame: frame.opcode == 0x35 and b"<user:" in content(frame))
    pattern = pattern_of(Case((login(), send(encode(GroupRoster(A))))), judge)
    assert "group_id is one that is new on each play" in pattern.sentence()
    assert not pattern.matches(SEEDS["op-35-group-roster"])
    assert pattern.usable(SEEDS.values())


def test_messages_of_a_batch_are_counted() -> None:
    def three(frame: Seen) -> bool:
        if frame.opcode != 0x04 or len(frame.data) < 7:
            return False
        blob, count = frame.data[7 + int.from_bytes(frame.data[1:3], "big") :], 0
        while len(blob) >= 2 + int.from_bytes(blob[:2], "big") and blob:
            blob, count = blob[2 + int.from_bytes(blob[:2], "big") :], count + 1
        return count >= 3 and not blob

    case = Case((login(), send(encode(BatchSend(B, (b"", b"", b""))))))
    pattern = pattern_of(case, by_frame(three))
    assert "number of messages is 3 or more" in pattern.sentence()
    assert not pattern.matches(Case((login(), send(encode(BatchSend(B, (b"", b"x")))))))


def test_a_batch_that_ends_inside_a_message_is_told_so() -> None:
    def broken(frame: Seen) -> bool:
        if frame.opcode != 0x04 or len(frame.data) < 8:
            return False
        blob = frame.data[7 + int.from_bytes(frame.data[1:3], "big") :]
        while len(blob) >= 2 + int.from_bytes(blob[:2], "big") and blob:
            blob = blob[2 + int.from_bytes(blob[:2], "big") :]
        return bool(blob)

    pattern = pattern_of(Case((send(b"\x04\0\0\0\0\0\1\0"),)), by_frame(broken))
    assert "whose messages end inside a message" in pattern.sentence()
    assert pattern.usable(SEEDS.values())


def test_cbor_that_is_nested_deep_is_told_by_its_depth() -> None:
    def deep(frame: Seen) -> bool:
        payload = frame.data[7 + int.from_bytes(frame.data[1:3], "big") :]
        items = walk(payload).items
        return frame.opcode == 0x10 and max((item.depth for item in items), default=0) >= 20

    case = Case((send(encode(CborMsg(b"", b"\x81" * 20 + b"\0"))),))
    pattern = pattern_of(case, by_frame(deep))
    assert "payload is CBOR nested 21 or more deep" in pattern.sentence()
    assert pattern.usable(SEEDS.values())


def test_cbor_of_indefinite_length_without_its_end_is_told_so() -> None:
    def endless(frame: Seen) -> bool:
        payload = frame.data[7 + int.from_bytes(frame.data[1:3], "big") :]
        return frame.opcode == 0x10 and payload[:1] == b"\xbf" and b"\xff" not in payload

    pattern = pattern_of(Case((send(encode(CborMsg(b"", b"\xbf"))),)), by_frame(endless))
    assert "payload begins with bf and payload ends inside a CBOR item" in pattern.sentence()


def test_a_case_that_shows_nothing_any_more_has_no_pattern() -> None:
    judge = FakeJudge(lambda _: False)
    pattern = generalise(Case((send(b"\x70"),)), judge, PLENTY, judge.clock)
    assert pattern.sentence() == "the case did not show its finding again"
    assert not pattern.usable([])


@pytest.mark.parametrize("plays", [1, 2, 5, 8, 12, 20, 35])
def test_what_the_budget_left_untried_stays_as_in_the_case(plays: int) -> None:
    judge = typing(lambda frame: len(content(frame)) >= 9)
    case = Case((send(encode(TypingStart(b"a" * 9))),))
    pattern = generalise(case, judge, Budget(plays=plays), judge.clock)
    assert not pattern.complete
    assert len(judge.plays) == plays
    assert pattern.sentence().endswith("; the budget ended before all was tried")
    assert pattern.matches(case)
    # Not one that was never tried: another content, another login, another opcode.
    told = pattern.sentence()
    if plays <= 5:
        assert not pattern.matches(Case((send(encode(TypingStart(b"b" * 10))),)))
        assert "with its target as in this case" in told
        assert "target length" not in told
        assert "is free" not in told
    if plays <= 8:
        assert ", login, cuts and transport as in this case" in told
        assert not pattern.matches(Case((login(), send(encode(TypingStart(b"a" * 9))))))
        assert not pattern.matches(Case((opened(), send(encode(TypingStart(b"a" * 9))))))
    assert not pattern.matches(Case((send(encode(TypingStop(b"a" * 9))),)))


def test_a_bound_that_the_budget_did_not_reach_is_not_told_as_free() -> None:
    """Where the length must be exact, a sentence that leaves it out is untrue."""
    judge = typing(lambda frame: len(content(frame)) == 257)
    case = Case((send(encode(TypingStart(b"a" * 257))),))
    for plays in range(1, 40):
        pattern = generalise(case, judge, Budget(plays=plays), judge.clock)
        told = pattern.sentence()
        assert "target as in this case" in told or "target length is exactly 257" in told
        assert not pattern.matches(Case((send(encode(TypingStart(b"a" * 258))),)))


def test_a_session_that_the_case_frames_itself_is_not_taken_for_frames_of_the_protocol() -> None:
    ping = SEEDS["dialogue-websocket-own-framing"]
    judge = FakeJudge(lambda _: True)
    pattern = generalise(ping, judge)
    assert (judge.plays, pattern.frames) == ([], ())
    assert pattern.sentence().startswith(
        "a WebSocket session that is framed in the case's own bytes"
    )


def test_what_can_be_no_case_is_not_tried() -> None:
    case = Case((login(), *(send(b"\x70\0\0" * 600) for _ in range(2))))
    judge = typing(lambda frame: frame.data == b"\x70\0\0")
    pattern_of(case, judge)
    assert max(len(play.steps) for play in judge.plays) <= MAX_STEPS
