"""The case file: whatever is written reads back, whatever else is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from construct import ConstructError
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.case import (
    _CASE,
    GROUP_TOKEN,
    MAGIC,
    MAX_CONNECTIONS,
    MAX_EDGES,
    MAX_FILE_BYTES,
    MAX_PAUSE_MS,
    MAX_RESTARTS,
    MAX_STEPS,
    MSGID_TOKEN,
    USER_TOKENS,
    Case,
    Step,
    StepKind,
    Transport,
    _found,
    bind,
    decode_case,
    encode_case,
    opening,
    raw_case,
    read_case,
)
from fuzz.errors import CaseFileError

quick = settings(max_examples=200)

steps = st.builds(
    Step,
    st.sampled_from(sorted(set(StepKind) - {StepKind.OPEN, StepKind.PAUSE, StepKind.RESTART})),
    st.integers(0, MAX_CONNECTIONS - 1),
    st.binary(max_size=40),
    st.integers(0, 0xFFFF),
)
opens = st.builds(
    Step, st.just(StepKind.OPEN), st.integers(0, 7), st.just(b""), st.sampled_from(Transport)
)
pauses = st.builds(
    Step, st.just(StepKind.PAUSE), st.integers(0, 7), st.just(b""), st.integers(0, MAX_PAUSE_MS)
)
#: With one restart at most: more of them are refused sooner than more of the others.
cases = st.builds(
    lambda made, restart: Case((*made, *restart)),
    st.lists(steps | opens | pauses, min_size=1, max_size=8),
    st.sampled_from([(), (Step(StepKind.RESTART),)]),
)

#: One of each kind, as a person reads the bytes.
EVERY_KIND = Case(
    (
        Step(StepKind.OPEN, 1, b"", Transport.WEBSOCKET),
        Step(StepKind.LOGIN, 1, b"<user:B>"),
        Step(StepKind.SEND, 1, b"\x05"),
        Step(StepKind.WAIT, 1),
        Step(StepKind.HALF_CLOSE, 1),
        Step(StepKind.RESET, 1),
        Step(StepKind.PAUSE, 1, b"", 500),
        Step(StepKind.RESTART),
    )
)


def test_the_layout_is_frozen() -> None:
    assert encode_case(EVERY_KIND) == (
        b"IRISCASE\x01\x00\x08"
        b"\x00\x01\x00\x01\x00\x00\x00\x00"
        b"\x01\x01\x00\x00\x00\x00\x00\x08<user:B>"
        b"\x02\x01\x00\x00\x00\x00\x00\x01\x05"
        b"\x03\x01\x00\x00\x00\x00\x00\x00"
        b"\x04\x01\x00\x00\x00\x00\x00\x00"
        b"\x05\x01\x00\x00\x00\x00\x00\x00"
        b"\x06\x01\x01\xf4\x00\x00\x00\x00"
        b"\x07\x00\x00\x00\x00\x00\x00\x00"
    )


@quick
@given(cases)
def test_round_trip(case: Case) -> None:
    assert decode_case(encode_case(case)) == case


def test_what_is_written_out_reads_what_the_declaration_reads() -> None:
    whole = bytearray(encode_case(EVERY_KIND))
    for place in range(len(MAGIC) + 1, len(whole)):
        for byte in (0, 1, 2, 8, 255):
            changed = bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                parsed = _CASE.parse(changed)
            except ConstructError:
                assert _found(changed) is None
            else:
                told = [(s.kind, s.connection, s.value, s.data) for s in parsed.steps]
                assert _found(changed) == told


@quick
@given(cases)
def test_every_truncation_is_refused(case: Case) -> None:
    whole = encode_case(case)
    for end in range(len(whole)):
        with pytest.raises(CaseFileError):
            decode_case(whole[:end])


@quick
@given(st.binary(max_size=80), st.sampled_from([b"", MAGIC, MAGIC + b"\x01\x00\x01"]))
def test_any_bytes_are_a_case_or_one_sentence(tail: bytes, start: bytes) -> None:
    data = start + tail
    case, sentence = None, ""
    try:
        case = decode_case(data)
    except CaseFileError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert bool(sentence) == (case is None)
    if case is not None:
        assert case.raw == (not data.startswith(MAGIC))
        assert decode_case(encode_case(case)).steps == case.steps


@quick
@given(st.binary(min_size=1, max_size=20).filter(lambda data: not MAGIC.startswith(data[:8])))
def test_other_bytes_are_a_raw_payload(payload: bytes) -> None:
    case = decode_case(payload)
    assert case == raw_case(payload)
    assert case.raw
    assert [(step.kind, step.data) for step in case.steps] == [
        (StepKind.LOGIN, b"<user:A>"),
        (StepKind.SEND, payload),
    ]


def one(step: Step) -> bytes:
    return encode_case(Case((step,)))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the case is empty"),
        (b"IRIS", "ends inside its first bytes"),
        (MAGIC + b"\x02\x00\x00", "format version 2; this harness reads 1"),
        (MAGIC + b"\x01\x00\x00", "holds no step"),
        (one(Step(StepKind.WAIT)) + b"x", "damaged or cut short"),
        (one(Step(StepKind.WAIT, MAX_CONNECTIONS)), f"the highest is {MAX_CONNECTIONS - 1}"),
        (one(Step(StepKind.PAUSE, value=MAX_PAUSE_MS + 1)), f"pauses {MAX_PAUSE_MS + 1} ms"),
        (one(Step(StepKind.OPEN, value=3)), "unknown transport 3"),
        (one(Step(StepKind.OPEN, value=0x0103)), "unknown transport 3"),
        (one(opening(0, edge=MAX_EDGES)), f"edge {MAX_EDGES}; the highest is {MAX_EDGES - 1}"),
        (
            encode_case(Case((Step(StepKind.WAIT),) * (MAX_STEPS + 1))),
            f"steps; at most {MAX_STEPS}",
        ),
        (
            encode_case(Case((Step(StepKind.RESTART),) * (MAX_RESTARTS + 1))),
            f"restarts the server {MAX_RESTARTS + 1} times; at most {MAX_RESTARTS}",
        ),
        (MAGIC + b"\x01\x00\x01\x08" + b"\x00" * 7, "unknown kind 8"),
        (b"x" * (MAX_FILE_BYTES + 1), f"at most {MAX_FILE_BYTES}"),
    ],
)
def test_each_refusal_names_its_reason(data: bytes, sentence: str) -> None:
    with pytest.raises(CaseFileError, match=sentence):
        decode_case(data)


def test_a_file_is_named_in_every_refusal(tmp_path: Path) -> None:
    path = tmp_path / "case"
    with pytest.raises(CaseFileError, match=rf"^{path}: cannot be read: No such file"):
        read_case(path)
    with pytest.raises(CaseFileError, match="Is a directory"):
        read_case(tmp_path)
    path.write_bytes(b"IR")
    with pytest.raises(CaseFileError, match=rf"^{path}: the case is cut short"):
        read_case(path)
    path.write_bytes(encode_case(EVERY_KIND))
    assert read_case(path) == EVERY_KIND


def test_connections_are_in_order_of_first_use() -> None:
    case = Case(tuple(Step(StepKind.WAIT, number) for number in (3, 0, 3, 1)))
    assert case.connections() == (3, 0, 1)


def test_a_restart_is_on_no_connection() -> None:
    case = Case((Step(StepKind.RESTART), Step(StepKind.WAIT, 2), Step(StepKind.RESTART)))
    assert (case.connections(), case.restarts()) == ((2,), 2)


values = {token: b"u%07d" % index for index, token in enumerate(USER_TOKENS)}
values |= {GROUP_TOKEN: b"0123456789abcdef", MSGID_TOKEN: b"m1"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\x00\x09<group:1>", b"\x00\x100123456789abcdef"),
        (b"\x00\x09<msgid:1>", b"\x00\x02m1"),
        (b"\x00\x08<user:A>", b"\x00\x08u0000000"),
        (b"\x00\x08<group:1>", b"\x00\x080123456789abcdef"),
        (b"\x00\x0a<group:1>x", b"\x00\x0a0123456789abcdefx"),
        (b"\xff\xff<group:1>", b"\xff\xff0123456789abcdef"),
        (b"\x09<group:1>", b"\x090123456789abcdef"),
        (b"<group:1><msgid:1>", b"0123456789abcdefm1"),
        (b"\x03<msgid:1>", b"\x03m1"),
        (b"<user:A><user:H><user:I>", b"u0000000u0000007<user:I>"),
        (b"<group:2> < <user:", b"<group:2> < <user:"),
    ],
)
def test_binding_keeps_lies_and_puts_right_what_was_true(before: bytes, after: bytes) -> None:
    assert bind(before, values) == after


@quick
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from([GROUP_TOKEN, MSGID_TOKEN, *USER_TOKENS]),
            st.binary(max_size=4).filter(lambda data: b"<" not in data and b"\0" not in data),
        ),
        max_size=5,
    )
)
def test_binding_is_right_for_each_field_alone(fields: list[tuple[int, bytes, bytes]]) -> None:
    before = b"".join(n.to_bytes(2, "big") + token + tail for n, token, tail in fields)
    after = b"".join(
        (len(values[token]) if n == len(token) else n).to_bytes(2, "big") + values[token] + tail
        for n, token, tail in fields
    )
    assert bind(before, values) == after


def test_a_value_that_holds_a_token_is_not_bound_again() -> None:
    group = b"grp-<group:1>-<msgid:1>"
    assert (
        bind(b"\x00\x09<group:1>", {GROUP_TOKEN: group, MSGID_TOKEN: b"m"}) == b"\x00\x17" + group
    )


def test_nothing_to_bind_changes_nothing() -> None:
    assert bind(b"a<b", values) == b"a<b"
    assert bind(b"<user:A>", {}) == b"<user:A>"


def test_an_open_names_transport_and_edge_and_the_first_edge_is_what_it_was() -> None:
    assert opening(1, Transport.WEBSOCKET) == Step(StepKind.OPEN, 1, value=1)
    step = opening(2, Transport.WEBSOCKET_RAW, 3)
    assert (step.value, step.transport, step.edge) == (0x0302, Transport.WEBSOCKET_RAW, 3)
    case = Case((opening(0), step, Step(StepKind.PAUSE, value=2_000)))
    assert decode_case(encode_case(case)) == case
    assert (case.edges(), Case((opening(0),)).edges(), raw_case(b"x").edges()) == (4, 1, 1)
