"""WebSocket frames of a case that does its own framing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import Step, StepKind, Transport
from fuzz.generate import envelopes
from fuzz.generate.draft import Draft
from fuzz.generate.seeds import SEEDS
from grammar.envelope import (
    Envelope,
    MessageKind,
    encode_envelope,
    envelope_spans,
    told_size,
)
from tests.generate.support import A, drafts, login, send

KEY = bytes(4)
PING = Envelope(b"ping", MessageKind.PING, key=KEY)
TEXT = Envelope(b"12345678", MessageKind.BINARY, key=KEY)
RAW = Step(StepKind.OPEN, value=int(Transport.WEBSOCKET_RAW))
BOTH = send(encode_envelope(PING) + encode_envelope(TEXT))


def done(operation: Callable[[Draft], bool], count: int = 400) -> list[bytes]:
    """Return what the segment of two envelopes became."""
    outs = [draft.steps[1].data for draft in drafts(RAW, BOTH, count=count) if operation(draft)]
    assert outs
    return outs


def parsed(data: bytes) -> list[Envelope]:
    return envelopes.envelopes_in(send(data))


#: What works on the frames of a session, and not on the session as a whole.
_WHOLE = (envelopes.converse, envelopes.change_upgrade)
WITHIN = [one for one in envelopes.OPERATIONS if one.apply not in _WHOLE]


@pytest.mark.parametrize("operation", WITHIN, ids=lambda one: one.name)
def test_only_connections_with_a_framing_of_their_own_are_touched(operation: object) -> None:
    apply = operation.apply  # type: ignore[attr-defined]
    web = Step(StepKind.OPEN, value=int(Transport.WEBSOCKET))
    assert not any(map(apply, drafts(login(A), BOTH)))
    assert not any(map(apply, drafts(web, BOTH)))
    assert not any(map(apply, drafts(RAW, send(b"GET / HTTP/1.1\r\n\r\n"))))


def test_a_conversation_is_made_up_with_an_upgrade_and_odd_control_frames() -> None:
    odd = whole = lying = 0
    for draft in drafts(login(A)):
        assert envelopes.converse(draft)
        opened, upgrade, wait, *said = draft.steps
        assert (opened, upgrade, wait.kind) == (RAW, send(envelopes.UPGRADE), StepKind.WAIT)
        frames = [one for step in said for one in envelopes.envelopes_in(step)]
        assert len(said) > 0
        lying += len(frames) < len(said)  # one with another length than it has is not told apart
        whole += all(one.fin and one.key is not None and not one.reserved for one in frames)
        odd += any(one.kind == MessageKind.PING and not one.fin for one in frames)
    assert whole > 20
    assert odd > 5
    assert 0 < lying < whole


def test_each_part_of_a_header_is_changed_and_one_at_a_time() -> None:
    seen = set()
    for data in done(envelopes.change_header):
        assert data != BOTH.data
        if data[0] & 0x0F == 0x09 and len(data) == len(BOTH.data):
            seen.add(data[0] >> 4)
    # FIN cleared on a PING, and each reserved bit with FIN.
    assert {0x0, 0x9, 0xA, 0xC} <= seen
    kinds = {one.kind for data in done(envelopes.change_header) for one in parsed(data)}
    assert kinds > set(MessageKind)
    assert any(one.key is None for data in done(envelopes.change_header) for one in parsed(data))
    widths = {one.width for data in done(envelopes.change_header) for one in parsed(data)}
    assert 16 in widths


def test_payloads_reach_the_limits_of_a_control_frame_and_of_a_length() -> None:
    pings = {len(parsed(data)[0].payload) for data in done(envelopes.resize_payload)}
    assert {0, 125, 126} <= pings


def test_a_length_is_made_untrue() -> None:
    outs = done(envelopes.lie_in_length)
    assert any(not parsed(data) for data in outs)
    assert {len(data) < len(BOTH.data) for data in outs} == {True, False}


def test_fragments_hold_the_payload_of_the_whole() -> None:
    between = 0
    for data in done(envelopes.fragment):
        parts = parsed(data)
        (first,) = [one for one in parts if not one.fin and one.kind != MessageKind.CONTINUATION][
            :1
        ]
        (rest,) = [one for one in parts if one.kind == MessageKind.CONTINUATION]
        assert first.payload + rest.payload in (PING.payload, TEXT.payload)
        between += len(parts) == 4
    assert between > 0


def test_envelopes_are_inserted_and_dropped() -> None:
    inserted = [parsed(data) for data in done(envelopes.insert_envelope)]
    assert all(len(parts) == 3 for parts in inserted)
    assert {one.kind for parts in inserted for one in parts} > {MessageKind.CLOSE, MessageKind.PONG}
    assert {tuple(parsed(data)) for data in done(envelopes.drop_envelope)} == {(PING,), (TEXT,)}


def test_the_seed_with_its_own_framing_is_taken_apart() -> None:
    steps = SEEDS["dialogue-websocket-own-framing"].steps
    assert sum(bool(envelopes.envelopes_in(step)) for step in steps) == 6


def test_a_length_says_any_number_in_each_of_its_three_forms() -> None:
    told: dict[int, set[int]] = {7: set(), 16: set(), 64: set()}
    for data in done(envelopes.lie_in_number, 2_000):
        (_, length, *_) = (data[s.offset : s.offset + s.length] for s in envelope_spans(data))
        told[{1: 7, 3: 16, 9: 64}[len(length)]].add(told_size(length))
    assert {0, 125} <= told[7]
    assert {0, 125, 65_535} <= told[16]
    assert {0, 65_536, 1 << 40, 1 << 63, (1 << 64) - 1} <= told[64]


def test_many_fragments_hold_what_the_whole_did_and_a_few_have_something_among_them() -> None:
    alone, kinds = 0, set()
    for data in done(envelopes.fragment_much):
        parts = [one for one in parsed(data) if one not in (PING, TEXT)]
        alone += b"".join(one.payload for one in parts) in (PING.payload, TEXT.payload)
        kinds |= {one.kind for one in parts[1:-1]}
    assert alone > 100
    assert {MessageKind.PING, MessageKind.PONG, MessageKind.CLOSE, MessageKind.BINARY} <= kinds


def test_a_text_is_utf_8_or_is_not() -> None:
    def is_utf_8(data: bytes) -> bool:
        try:
            return bool(data.decode()) or True
        except UnicodeDecodeError:
            return False

    texts = [one for data in done(envelopes.say_text) for one in parsed(data)]
    assert {is_utf_8(one.payload) for one in texts if one.kind == MessageKind.TEXT} == {True, False}


def test_a_payload_is_under_another_mask_than_the_header_says() -> None:
    plain = MessageKind.BINARY
    others = {
        one.payload
        for data in done(envelopes.change_header)
        for one in parsed(data)
        if one.kind == plain and one.key not in (None, KEY)
    }
    assert TEXT.payload in others
    assert len(others) == 2


def test_a_close_has_a_code_and_reasons_of_many_kinds() -> None:
    closes = {
        one.payload
        for data in done(envelopes.insert_envelope, 4_000)
        for one in parsed(data)
        if one.kind == MessageKind.CLOSE
    }
    assert {b"", b"\x03\xe8", b"\x03\xe8bye"} <= closes
    assert any(len(payload) == 1 for payload in closes)
    assert any(len(payload) == 126 for payload in closes)


def test_an_upgrade_is_changed_line_by_line_and_cut() -> None:
    asked = send(envelopes.UPGRADE)
    heads, steps = set(), set()
    for draft in drafts(RAW, asked, Step(StepKind.WAIT), BOTH, count=2_000):
        if envelopes.change_upgrade(draft):
            steps.add(len(draft.steps))
            heads.add(draft.steps[1].data)
    whole = {head for head in heads if head.endswith(b"\r\n\r\n")}
    assert {b"GET / HTTP/1.0" in head for head in whole} == {True, False}
    assert any(head.count(b"Host: localhost") == 2 for head in whole)
    assert any(b"Sec-WebSocket-Key" not in head for head in whole)
    assert any(b"Sec-WebSocket-Extensions" in head for head in whole)
    assert steps == {3, 4}
