"""Two plays that were not heard alike are told; what is up to the server, or to timing, is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.evidence import Contrast, Evidence
from fuzz.finding import Kind
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.oracles import judge
from fuzz.oracles.relation import difference
from grammar import (
    AuthFailed,
    Error,
    GroupRosterReply,
    LoginOk,
    LoginRateLimited,
    PrekeyResponse,
    RateLimited,
    ReliableMsg,
    ServerFrame,
    StatusResponse,
    TypingRelay,
    cbor,
    encode,
)

A = USER_TOKENS[0]
CASE = Case((Step(StepKind.LOGIN, 0, A),))
TYPING = TypingRelay(b"ann", 1)


def trace(
    *frames: ServerFrame, number: int = 0, ending: Ending = Ending.CLOSED, left: int | None = 9
) -> ConnectionTrace:
    return ConnectionTrace(number, ending, (b"".join(map(encode, frames)),), left=left)


def play(*traces: ConnectionTrace) -> Observation:
    return Observation(traces, 0.01)


def contrast(heard: Observation, other: Observation, apart: Sequence[int] = ()) -> Contrast:
    return Contrast(
        "recut", "where TCP cuts what is sent", "joined", CASE, CASE, heard, other,
        frozenset({0, 1}), frozenset(apart),
    )  # fmt: skip


def differ(these: Sequence[ServerFrame], those: Sequence[ServerFrame]) -> str:
    """Return what differs between two plays of one connection, empty if nothing does."""
    found = difference(contrast(play(trace(*these)), play(trace(*those))))
    return "" if found is None else found.what


def test_a_frame_more_or_less_is_one_difference_whichever_play_lacks_it() -> None:
    assert differ([LoginOk(), TYPING], [LoginOk()]) == "TYPING_RELAY: another number of them"
    assert differ([LoginOk()], [LoginOk(), TYPING]) == "TYPING_RELAY: another number of them"


def test_another_content_is_a_difference() -> None:
    assert differ([TYPING], [TypingRelay(b"ann", 0)]) == "TYPING_RELAY: another content"
    assert differ([StatusResponse(A, 1, 5)], [StatusResponse(A, 0, 5)]) == (
        "STATUS_RESPONSE: another content"
    )


def test_the_order_within_an_opcode_is_kept_and_that_among_opcodes_is_not() -> None:
    one, two = ReliableMsg(b"id-1", b"one"), ReliableMsg(b"id-2", b"two")
    assert differ([one, two], [two, one]) == "RELIABLE_MSG: another content"
    assert differ([one, TYPING], [TYPING, one]) == ""


def bundle(*keys: bytes, signature: bytes = b"s") -> PrekeyResponse:
    return PrekeyResponse(cbor.dumps({"sig": signature, "one_time_prekeys": keys}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (StatusResponse(A, 0, 0), StatusResponse(A, 0, 1_700_000_000)),
        (Error(b"not now"), Error(b"no")),
        (bundle(b"1"), bundle(b"2")),
        (
            GroupRosterReply(b"g", cbor.dumps(["a", "b"])),
            GroupRosterReply(b"g", cbor.dumps(["b", "a"])),
        ),
        (ReliableMsg(b"id-1", b"hello"), ReliableMsg(b"id-77", b"hello")),
    ],
)
def test_what_a_server_is_free_to_choose_is_not_compared(
    one: ServerFrame, other: ServerFrame
) -> None:
    assert differ([one], [other]) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (bundle(b"1"), bundle()),
        (bundle(signature=b"s"), bundle(signature=b"0")),
        (PrekeyResponse(b"\xff"), PrekeyResponse(b"\xfe")),
        (GroupRosterReply(b"g", cbor.dumps(["a"])), GroupRosterReply(b"g", cbor.dumps([]))),
        (GroupRosterReply(b"g", b"\xff"), GroupRosterReply(b"g", b"\xfe")),
    ],
)
def test_what_it_is_not_free_to_choose_is(one: ServerFrame, other: ServerFrame) -> None:
    assert differ([one], [other]).endswith("another content")


@pytest.mark.parametrize(
    "value",
    [
        b"\xc2\x59\x08\x00" + b"\x01" * 2048,  # a number of more digits than Python prints
        b"\xd8\x1c\x81\xd8\x1d\x01",  # a list within itself
        b"\x81" * 250 + b"\x00",
    ],
)
def test_what_cannot_be_written_out_is_compared_as_it_is(value: bytes) -> None:
    for one, other in (
        (GroupRosterReply(b"g", b"\x82" + value + last) for last in (b"\x00", b"\x01")),
        (PrekeyResponse(b"\xa1\x61a\x82" + value + last) for last in (b"\x00", b"\x01")),
    ):
        assert differ([one], [one]) == ""
        assert differ([one], [other]).endswith("another content")


def test_bytes_that_are_no_frame_are_compared_as_they_are() -> None:
    broken = ConnectionTrace(0, Ending.CLOSED, (b"\x99\x00",), left=9)
    found = difference(contrast(play(trace(LoginOk())), play(broken)))
    assert found is not None
    assert found.what == "LOGIN_OK: another number of them"


def test_another_end_of_a_connection_is_a_difference() -> None:
    found = difference(
        contrast(play(trace(TYPING)), play(trace(TYPING, ending=Ending.RESET, left=None)))
    )
    assert found is not None
    assert found.what == "another end of the connection"
    assert (found.heard, found.other) == (("closed",), ("closed by the server",))


def test_a_connection_that_is_not_compared_may_hear_what_it_will() -> None:
    mine, strangers = trace(LoginOk()), trace(TYPING, number=7)
    assert difference(contrast(play(mine), play(strangers, mine))) is None
    other = trace(LoginOk(), TYPING)
    assert difference(contrast(play(mine), play(other), apart=[0])) is None
    assert difference(contrast(play(mine), play(other), apart=[1])) is not None


SILENT = {
    "the first play was given up": (replace(play(trace(TYPING)), cut_short=True), play(trace())),
    "the other play was given up": (play(trace(TYPING)), replace(play(trace()), cut_short=True)),
    "a silence": (play(trace(TYPING)), play(trace(ending=Ending.DEADLINE))),
    "a port that refuses": (play(trace(TYPING)), play(trace(ending=Ending.REFUSED))),
    "the rate limit": (play(trace(TYPING)), play(trace(RateLimited(5)))),
    "the rate limit at login": (play(trace(LoginRateLimited())), play(trace(TYPING))),
    "a login that was refused": (play(trace(AuthFailed())), play(trace(TYPING))),
    "a stranger at the rate limit": (
        play(trace(TYPING)), play(trace(), trace(RateLimited(5), number=7)),
    ),
    "a connection that the peer ends": (play(trace(TYPING, left=None)), play(trace())),
}  # fmt: skip


@pytest.mark.parametrize("why", SILENT)
def test_where_timing_or_freedom_decides_nothing_is_said(why: str) -> None:
    heard, other = SILENT[why]
    assert difference(contrast(heard, other)) is None


def test_who_is_cut_off_for_what_was_put_in_explains_what_others_miss() -> None:
    heard = play(trace(TYPING), trace(number=1))
    other = play(trace(), trace(number=1, ending=Ending.CLOSED, left=None))
    assert difference(contrast(heard, other, apart=[1])) is None
    assert difference(contrast(heard, play(trace(), trace(number=1)), apart=[1])) is not None


def test_a_finding_shows_both_sides_and_how_often_it_was_seen() -> None:
    seen = replace(contrast(play(trace(TYPING)), play(trace())), shown=4, plays=4)
    (finding,) = judge(Evidence(contrasts=(seen,)))
    assert finding.kind is Kind.SEMANTIC
    assert (finding.cause.what, finding.cause.reason) == (
        "relation",
        "recut: TYPING_RELAY: another number of them",
    )
    assert finding.title == (
        "it makes a difference where TCP cuts what is sent: TYPING_RELAY: another number of them"
    )
    assert dict(finding.evidence) == {
        "relation": "recut",
        "variant": "joined",
        "connection": 0,
        "heard": ["TYPING_RELAY sender=ann status=1"],
        "heard_in_the_variant": [],
        "shown": "4 of 4 pairs of plays",
        "base": ['connection 0: log in as "<user:A>"'],
        "varied": ['connection 0: log in as "<user:A>"'],
    }


def test_what_does_not_repeat_is_told_with_its_rate() -> None:
    seen = replace(contrast(play(trace(TYPING)), play(trace())), shown=1, plays=4)
    (finding,) = judge(Evidence(contrasts=(seen,)))
    assert finding.title.endswith("(in 1 of 4 plays)")
    surely = judge(Evidence(contrasts=(replace(seen, shown=4),)))[0]
    assert finding.fingerprint == surely.fingerprint


def test_where_there_is_no_difference_there_is_no_finding() -> None:
    assert judge(Evidence(contrasts=(contrast(play(trace()), play(trace())),))) == ()
