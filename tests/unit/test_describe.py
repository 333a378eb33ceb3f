"""A case in words: exact where the grammar knows, total and printable everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.case import Case, Step, StepKind, Transport, opening
from fuzz.describe import (
    describe_step,
    describe_steps,
    explain,
    explain_tokens,
    printable,
    quoted,
)
from grammar import BatchSend, SendMessage, SendSeq, encode

quick = settings(max_examples=300)

opcodes = st.sampled_from(list(range(0x00, 0x80)))
segments = st.binary(max_size=60) | st.tuples(opcodes, st.binary(max_size=60)).map(
    lambda parts: bytes([parts[0]]) + parts[1]
)


def send(data: bytes) -> str:
    return describe_step(Step(StepKind.SEND, 0, data)).partition(": ")[2]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(StepKind.OPEN, 0, b"", Transport.TCP), "open over TCP"),
        (Step(StepKind.OPEN, 0, b"", Transport.WEBSOCKET), "open over WebSocket"),
        (opening(0, edge=1), "open over TCP, to edge 2 of the cluster"),
        (Step(StepKind.LOGIN, 0, b"<user:A>:a.b.c"), 'log in as "<user:A>:a.b.c"'),
        (Step(StepKind.SEND, 0, b""), "send 0 bytes: nothing"),
        (Step(StepKind.SEND, 0, b"\x05"), "send 1 byte: GET_STATUS()"),
        (Step(StepKind.WAIT), "wait for a reply"),
        (Step(StepKind.HALF_CLOSE), "half-close: send nothing more, read on"),
        (Step(StepKind.RESET), "reset: cut the connection at once"),
        (Step(StepKind.PAUSE, 0, b"", 20), "pause for 20 ms"),
        (
            Step(StepKind.RESTART),
            "restart the server's applications, which ends all connections",
        ),
    ],
)
def test_each_kind_of_step(step: Step, text: str) -> None:
    assert describe_step(step) == text


def test_frames_are_named_with_their_fields() -> None:
    data = encode(SendMessage(b"<user:B>", b'say "hi"\n')) + encode(SendSeq(b"<user:B>", 7, b""))
    assert send(data) == (
        r'SEND_MESSAGE(target="<user:B>", message="say \"hi\"\x0a"); '
        r'SEND_SEQ(target="<user:B>", seq=7, message="")'
    )


def test_the_colon_of_a_token_does_not_end_the_user_of_a_login() -> None:
    assert send(b"\x01<user:A>:abc") == 'LOGIN(user="<user:A>", token="abc")'
    assert send(b"\x01<user:A>:\x00\xff") == 'LOGIN(user="<user:A>", token=00ff)'


def test_many_frames_and_messages_are_counted() -> None:
    assert send(b"\x05\x00\x01x" * 510).endswith('GET_STATUS(user="x"); and 506 frames more')
    batch = encode(BatchSend(b"b", (b"m",) * 6))
    assert send(batch) == 'BATCH_SEND(target="b", messages="m" "m" "m" "m" and 2 more)'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x05\x00\x09abc", 'GET_STATUS(user="abc" [length 9: lies: only 3 bytes of it there])'),
        (b"\x05\x00\x09", 'GET_STATUS(user="" [length 9: lies: only 0 bytes of it there])'),
        (b"\x34ab", "reserved(tail=6162) [not a client's: malformed]"),
        (b"\xfeab", "ERROR(tail=6162) [not a client's: malformed]"),
        (b"\x99", "opcode 99() [unknown opcode]"),
        (b"\x20\x00\x00\x00\x03\xa1\x01\x62", "UPLOAD_PREKEYS(bundle=cbor a10162"),
    ],
)
def test_broken_frames_say_how_they_are_broken(data: bytes, text: str) -> None:
    assert send(data).startswith(text)


def test_a_length_says_what_it_counts_and_whether_it_is_there() -> None:
    fields = {field.span.path: field for field in explain(b"\x02\x00\x01a\x00\x09bc")}
    assert fields["SEND_MESSAGE.target.length"].note == "counts 1 byte at 3"
    assert not fields["SEND_MESSAGE.target.length"].lies
    assert fields["SEND_MESSAGE.message.length"].note == "lies: only 2 bytes of it there"
    assert fields["SEND_MESSAGE.message.length"].lies


def test_cbor_heads_are_read_one_by_one() -> None:
    payload = bytes.fromhex(
        "b9 0008 01 20 42ffff 63616263 9f f4ff bfff c001 fb7ff8000000000000 f8ff"
    )
    data = b"\x10\x00\x01x" + len(payload).to_bytes(4, "big") + payload
    heads = [field.value for field in explain(data) if field.span.path.endswith(".head")]
    assert heads == [
        "map of 8 pairs",
        "integer 1",
        "integer -1",
        "bytes of 2",
        "text of 3",
        "array until a break",
        "false",
        "break",
        "map until a break",
        "break",
        "tag 0",
        "integer 1",
        "float 7ff8000000000000",
        "simple value 255",
    ]


def test_tokens_are_explained_once_and_only_where_they_occur() -> None:
    case = Case(
        (
            Step(StepKind.LOGIN, 0, b"<user:B>"),
            Step(StepKind.SEND, 0, b"\x32\x00\x09<group:1><user:B>"),
            Step(StepKind.SEND, 0, b"\x03<msgid:1>"),
        )
    )
    assert explain_tokens(case) == [
        "<user:B> is a user whose name is fresh on each play",
        "<group:1> is the id of the group that the server made last in this case",
        "<msgid:1> is the id of the message that the server delivered last in this case",
    ]
    assert explain_tokens(Case((Step(StepKind.WAIT),))) == []


def test_steps_are_numbered_by_connection() -> None:
    case = Case((Step(StepKind.WAIT, 2), Step(StepKind.RESTART), Step(StepKind.RESET, 0)))
    assert describe_steps(case) == [
        "connection 2: wait for a reply",
        "restart the server's applications, which ends all connections",
        "connection 0: reset: cut the connection at once",
    ]


@quick
@given(segments)
def test_any_bytes_are_described_in_printable_ascii(data: bytes) -> None:
    (text,) = describe_steps(Case((Step(StepKind.SEND, 0, data),)))
    assert text.isascii()
    assert text.isprintable()
    fields = explain(data)
    assert sum(field.span.length for field in fields) == len(data)
    for field in fields:
        assert printable(field.value + field.note) == field.value + field.note
        assert field.lies == field.note.startswith("lies")


@quick
@given(st.text(st.characters(codec=None), max_size=20))
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert printable(text).isascii()
    assert all(character.isprintable() for character in printable(text))


def test_printable_text_stays_and_the_rest_is_escaped() -> None:
    assert printable("plain [text]") == "plain [text]"
    assert printable("a\x1b[0m\n\xe9\u20ac") == r"a\x1b[0m\x0a\xe9\u{20ac}"


def test_long_values_are_cut_and_counted() -> None:
    assert quoted(b"x" * 33) == f'"{"x" * 32}"... (33 bytes)'
    assert quoted(b"\\") == r'"\\"'


_OWN_FRAMING = Case(
    (
        Step(StepKind.OPEN, value=Transport.WEBSOCKET_RAW),
        Step(StepKind.SEND, data=b"GET "),
        Step(StepKind.SEND, data=b"\x82\x8b\0\0\0\0\x05\x00\x08<user:A>"),
        Step(StepKind.SEND, data=b"\x09\x84\x01\x02\x03\x04\x01\x02\x03\x04"),
        Step(StepKind.SEND, data=b"\xf3\x7f" + (1 << 32).to_bytes(8, "big") + b"ab"),
    )
)


def test_what_does_its_own_framing_is_told_frame_by_frame_with_those_of_iris_within() -> None:
    told = [line.partition(": send ")[2] for line in describe_steps(_OWN_FRAMING)]
    assert told[1:] == [
        "4 bytes: a request of HTTP",
        '17 bytes: BINARY(key=00000000); GET_STATUS(user="<user:A>")',
        '10 bytes: PING(key=01020304, payload="\\x01\\x02\\x03\\x04") [more fragments follow]',
        '12 bytes: opcode f3([length 4294967296: lies: only 2 bytes of it there], payload="ab") '
        "[unknown opcode, reserved bits]",
    ]


def test_spans_of_frames_of_websocket_tile_the_segment_and_tell_where_a_length_lies() -> None:
    data = b"".join(step.data for step in _OWN_FRAMING.steps)
    fields = explain(data[4:], framed=True)
    assert sum(field.span.length for field in fields) == len(data) - 4
    lies = [field for field in fields if field.lies]
    assert [(field.span.path, field.value) for field in lies] == [
        ("WEBSOCKET.length", "4294967296")
    ]
