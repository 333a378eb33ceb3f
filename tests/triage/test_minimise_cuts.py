"""Minimising a frame that TCP cuts in two, and that must stay cut."""

from __future__ import annotations

from itertools import accumulate

from fuzz.case import Case, StepKind
from fuzz.triage.minimise import minimise
from grammar import CborMsg, Direction, GrammarError, SendMessage, cbor, decode, encode
from tests.triage.judges import PLENTY, A, B, FakeJudge, login, send

FRAME = encode(CborMsg(B, cbor.dumps({"type": "text", "body": "how are you?"})))
#: Behind the opcode, the counted target, and one of the four bytes of the payload's length.
WITHIN_LENGTH = 1 + 2 + len(B) + 1
SMALLEST = encode(CborMsg(b"", cbor.dumps({})))


def cut_within_the_payload_length(case: Case) -> bool:
    """Tell whether a CBOR_MSG with a map, whole in the end, is cut within its payload's length."""
    sent = [step.data for step in case.steps if step.kind is StepKind.SEND]
    cuts = set(accumulate(map(len, sent)))
    offset = 0
    try:
        frames = decode(b"".join(sent), Direction.CLIENT)
    except GrammarError:
        return False
    for frame in frames:
        if isinstance(frame, CborMsg) and frame.payload[:1] in (b"\xa0", b"\xa1", b"\xa2"):
            length = offset + 1 + 2 + len(frame.target)
            if cuts.intersection(range(length + 1, length + 4)):
                return True
        offset += len(encode(frame))
    return False


def smallest(*steps: bytes) -> list[bytes]:
    judge = FakeJudge(cut_within_the_payload_length)
    found = minimise(Case((login(A), *map(send, steps))), judge, PLENTY, judge.clock)
    return [step.data for step in found.case.steps if step.data]


def test_the_fields_of_a_frame_that_is_cut_are_emptied_on_either_side_of_the_cut() -> None:
    left = smallest(FRAME[:WITHIN_LENGTH], FRAME[WITHIN_LENGTH:])
    assert b"".join(left) == SMALLEST
    assert len(left) == 2


def test_what_stands_around_the_frame_that_is_cut_goes() -> None:
    other = encode(SendMessage(B, b"hello"))
    left = smallest(other + FRAME[:WITHIN_LENGTH], FRAME[WITHIN_LENGTH:] + other, other)
    assert b"".join(left) == SMALLEST


def test_of_several_cuts_the_one_that_is_needed_stays() -> None:
    left = smallest(FRAME[:4], FRAME[4:WITHIN_LENGTH], FRAME[WITHIN_LENGTH:-3], FRAME[-3:])
    assert b"".join(left) == SMALLEST
    assert len(left) == 2
