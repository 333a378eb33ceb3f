"""AFLNet's replay files, sound and hostile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.case import MAX_STEPS, StepKind
from fuzz.errors import CaseFileError
from fuzz.formats.aflnet import looks_like, messages, read, written

SOUND = b"\x06\0\0\0\x01alice\x03\0\0\0\x05\0\0"


@given(st.lists(st.binary(max_size=300)))
def test_what_is_written_is_read(segments: list[bytes]) -> None:
    assert messages(written(segments)) == segments


def test_each_message_is_a_segment_and_a_login_is_a_step() -> None:
    case = read(SOUND)
    assert [(step.kind, step.data) for step in case.steps] == [
        (StepKind.LOGIN, b"alice"),
        (StepKind.SEND, b"\x05\0\0"),
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (SOUND[:-1], "message 2 is said to have 3 bytes, and only 2 follow"),
        (SOUND[:12], "it ends within the length of message 2"),
        (b"\xff\xff\xff\xff\x01", "message 1 is said to have 4294967295 bytes, and only 1 follow"),
        (b"\0\0\0\0" * 3, "no message that is not empty"),
        (b"", "no message that is not empty"),
        (b"\x01\0\0\0x" * (MAX_STEPS + 1), f"at most {MAX_STEPS} are played"),
    ],
)
def test_a_hostile_file_is_one_sentence(data: bytes, why: str) -> None:
    with pytest.raises(CaseFileError, match=why):
        read(data)


@pytest.mark.parametrize(
    ("data", "yes"),
    [(SOUND, True), (SOUND[:-1], False), (b"\x01alice", False), (b"", False), (b"\0" * 8, False)],
)
def test_it_is_told_from_a_raw_payload(data: bytes, yes: bool) -> None:
    assert looks_like(data) is yes
