"""From captured connections to the steps of cases."""

from __future__ import annotations

from pathlib import Path

import dpkt
import pytest

from fuzz.case import (
    GROUP_TOKEN,
    MAX_CONNECTIONS,
    MAX_STEPS,
    Step,
    StepKind,
    Transport,
    decode_case,
    encode_case,
    opening,
)
from fuzz.formats.capture import connections
from fuzz.formats.names import Taught
from fuzz.formats.sessions import Session, sessions
from fuzz.formats.websocket import Pair
from grammar import Ack, GetStatus, GroupJoin, encode
from tests.formats.support import ACK, FIN, PUSH, RST, SYN, captured, tcp, whole

STATUS = encode(GetStatus(b"x"))


def all_of(
    tmp_path: Path, *segments: dpkt.tcp.TCP, ports: tuple[int, ...] = (8085,)
) -> list[Session]:
    return list(sessions(connections(captured(tmp_path, *segments), ports)))


def only(tmp_path: Path, *segments: dpkt.tcp.TCP, ports: tuple[int, ...] = (8085,)) -> Session:
    (session,) = all_of(tmp_path, *segments, ports=ports)
    return session


def told(session: Session) -> list[tuple[str, int, bytes]]:
    return [(step.kind.name, step.connection, step.data) for step in session.case.steps]


def test_clients_take_turns_as_they_did(tmp_path: Path) -> None:
    a, b = whole(b"\x01a", client=1_000), whole(b"\x01b", client=2_000)
    session = only(tmp_path, a[0], b[0], a[1], b[1], b[2], tcp(STATUS, 2, client=1_000))
    assert told(session) == [
        ("OPEN", 0, b""),
        ("OPEN", 1, b""),
        ("LOGIN", 0, b"a"),
        ("LOGIN", 1, b"b"),
        ("HALF_CLOSE", 1, b""),
        ("SEND", 0, STATUS),
    ]


def test_what_a_case_does_anyway_is_no_step(tmp_path: Path) -> None:
    a, b = whole(b"\x01a", client=1_000), whole(b"\x01b", client=2_000)
    assert told(only(tmp_path, *a[:2], *b[:2], a[2], b[2])) == [
        ("LOGIN", 0, b"a"),
        ("LOGIN", 1, b"b"),
    ]
    other_order = told(only(tmp_path, *a[:2], *b[:2], b[2], a[2]))
    assert other_order[2:] == [("HALF_CLOSE", 1, b""), ("HALF_CLOSE", 0, b"")]


def test_a_reset_is_a_step_and_so_is_a_connection_that_says_nothing(tmp_path: Path) -> None:
    session = only(tmp_path, tcp(flags=SYN), tcp(flags=RST | ACK))
    assert session.case.steps == (Step(StepKind.RESET, 0),)
    assert only(tmp_path, tcp(flags=SYN)).case.steps == (opening(0),)


def test_packets_up_to_a_push_are_one_segment(tmp_path: Path) -> None:
    packets = [tcp(flags=SYN), tcp(b"\x05\0", flags=ACK), tcp(b"\x01x", 2), tcp(STATUS, 4)]
    assert [data for _, _, data in told(only(tmp_path, *packets))] == [STATUS, STATUS]


def test_packets_are_segments_where_nobody_pushes(tmp_path: Path) -> None:
    packets = [tcp(flags=SYN), tcp(b"\x05\0", flags=ACK), tcp(b"\x01x", 2, flags=ACK)]
    assert [data for _, _, data in told(only(tmp_path, *packets))] == [b"\x05\0", b"\x01x"]


def test_the_last_packets_are_a_segment_without_a_push(tmp_path: Path) -> None:
    packets = [
        tcp(flags=SYN),
        tcp(STATUS),
        tcp(b"\x05\0", 4, flags=ACK),
        tcp(b"\0", 6, flags=FIN | ACK),
    ]
    assert [data for _, _, data in told(only(tmp_path, *packets))] == [STATUS, b"\x05\0\0"]


def test_edges_are_told_apart(tmp_path: Path) -> None:
    session = only(
        tmp_path, *whole(b"\x01a", 1_000, 8_087), *whole(b"\x01b", 2_000), ports=(8085, 8087)
    )
    assert session.case.steps[0] == opening(0, Transport.TCP, 1)
    assert session.case.edges() == 2


def _web(*messages: bytes, masked: bool = True) -> list[dpkt.tcp.TCP]:
    pair = Pair("localhost")
    at, segments = 0, [tcp(flags=SYN, server=8086)]
    for data in (pair.request, *(pair.said(m) if masked else m for m in messages)):
        segments.append(tcp(data, at, server=8086))
        at += len(data)
    return segments


def test_messages_over_websocket_are_segments(tmp_path: Path) -> None:
    session = only(tmp_path, *_web(b"\x01a", STATUS))
    assert session.case.steps == (
        opening(0, Transport.WEBSOCKET),
        Step(StepKind.LOGIN, 0, b"a"),
        Step(StepKind.SEND, 0, STATUS),
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"\x82\x02\x05\x00",  # not masked
        b"\x81\x82\0\0\0\0hi",  # text
        b"\x02\x81\0\0\0\0\x05",  # the first of fragments
        b"\x89\x80\0\0\0\0",  # a ping
        b"\x82\x84\0\0\0\0\x05",  # cut within the message
        b"\x82",  # cut within its head
        b"no frame at all",
    ],
)
def test_what_is_no_row_of_messages_is_left_as_it_is(tmp_path: Path, frame: bytes) -> None:
    session = only(tmp_path, *_web(frame, b"\x82\x81\0\0\0\0x", masked=False))
    assert session.case.steps[0] == opening(0, Transport.WEBSOCKET_RAW)
    assert [data for _, _, data in told(session)][2] == frame


def test_an_upgrade_that_was_refused_is_left_as_it_is(tmp_path: Path) -> None:
    web = _web(STATUS)
    no = tcp(b"HTTP/1.1 404 Not Found\r\n\r\n", server=8086, down=True)
    session = only(tmp_path, *web[:2], tcp(flags=SYN | ACK, server=8086, down=True), no, *web[2:])
    assert session.case.steps[0] == opening(0, Transport.WEBSOCKET_RAW)


def test_the_last_word_of_a_client_over_websocket_is_its_end(tmp_path: Path) -> None:
    web = _web(b"\x01a")
    size = sum(len(segment.data) for segment in web)
    bye = b"\x88\x82\0\0\0\0\x03\xe8"
    end = tcp(at=size + len(bye), flags=FIN | ACK, server=8086)
    session = only(tmp_path, *web, tcp(bye, size, server=8086), end)
    assert told(session) == [("OPEN", 0, b""), ("LOGIN", 0, b"a")]


def test_what_is_beside_a_port_and_no_upgrade_is_raw(tmp_path: Path) -> None:
    session = only(tmp_path, *whole(b"\x01a", server=8086))
    assert session.case.steps == (
        opening(0, Transport.WEBSOCKET_RAW),
        Step(StepKind.SEND, 0, b"\x01a"),
    )


def test_what_the_server_teaches_comes_with_its_place(tmp_path: Path) -> None:
    joined = encode(GroupJoin(b"g-1", b"a"))
    session = only(
        tmp_path,
        tcp(flags=SYN),
        tcp(flags=SYN | ACK, down=True),
        tcp(b"\x01a"),
        tcp(joined[:3], down=True),
        tcp(joined[3:], 3, down=True),
        tcp(STATUS, 2),
    )
    assert session.taught == (Taught(1, 0, GROUP_TOKEN, b"g-1"),)


def test_what_it_teaches_over_websocket_is_known_too(tmp_path: Path) -> None:
    web, pair = _web(b"\x01a", STATUS), Pair("localhost")
    joined = pair.answered(encode(GroupJoin(b"g-1", b"a")))
    answers = [tcp(flags=SYN | ACK, server=8086, down=True)]
    for data in (pair.answer, joined[:4], joined[4:]):
        at = sum(len(one.data) for one in answers)
        answers.append(tcp(data, at, server=8086, down=True))
    session = only(tmp_path, web[0], answers[0], *web[1:3], *answers[1:], web[3])
    assert session.taught == (Taught(2, 0, GROUP_TOKEN, b"g-1"),)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 101 x\r\n\r\n\xff\xff\xff", b"HTTP/1.1 101 and no end"]
)
def test_what_a_server_says_that_is_no_websocket_teaches_nothing(
    tmp_path: Path, said: bytes
) -> None:
    web = _web(STATUS)
    answers = [tcp(flags=SYN | ACK, server=8086, down=True), tcp(said, server=8086, down=True)]
    session = only(tmp_path, web[0], answers[0], web[1], answers[1], web[2])
    assert (session.taught, session.case.steps[0].transport) == ((), Transport.WEBSOCKET)


def test_more_clients_than_a_case_has_become_more_cases(tmp_path: Path) -> None:
    clients = [s for n in range(MAX_CONNECTIONS + 3) for s in whole(b"\x01a", 1_000 + n)]
    first, second = all_of(tmp_path, *clients)
    assert len(first.case.connections()) == MAX_CONNECTIONS
    assert len(second.case.connections()) == 3
    for session in (first, second):
        assert decode_case(encode_case(session.case)) == session.case


def test_a_client_that_is_longer_than_a_case_is_cut_short_and_told(tmp_path: Path) -> None:
    many = [tcp(flags=SYN), *(tcp(STATUS, 4 * n) for n in range(MAX_STEPS + 9))]
    session = only(tmp_path, *many)
    assert session.notes == ("127.0.0.1:50000: it is longer than a case, and cut short",)
    assert decode_case(encode_case(session.case)) == session.case


def test_waits_for_what_is_named_count_as_steps_too(tmp_path: Path) -> None:
    ack = encode(Ack(b"id"))
    many = [tcp(flags=SYN), *(tcp(ack, len(ack) * n) for n in range(600))]
    session = only(tmp_path, *many)
    assert session.notes == ("127.0.0.1:50000: it is longer than a case, and cut short",)
    assert len(session.case.steps) == MAX_STEPS // 2 - 1


def test_what_was_not_captured_is_told(tmp_path: Path) -> None:
    session = only(tmp_path, tcp(STATUS), tcp(STATUS, 40, flags=ACK | PUSH))
    assert [note.partition(": ")[2] for note in session.notes] == [
        "its beginning was not captured",
        "it ends where bytes were not captured",
    ]


def test_a_client_that_speaks_tls_is_told(tmp_path: Path) -> None:
    session = only(tmp_path, *whole(b"\x16\x03\x01\x00\xf0\x01"))
    assert session.notes == ("127.0.0.1:50000: it speaks TLS, and no case can be read out of that",)
