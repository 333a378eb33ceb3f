"""Captures of all kinds are read, and hostile ones are told in one sentence."""

from __future__ import annotations

import io
import resource
import tempfile
from pathlib import Path

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.errors import CaseFileError
from fuzz.formats.capture import Flow, What, connections
from tests.formats.support import (
    ACK,
    COOKED,
    COOKED_2,
    ETHERNET,
    FIN,
    NULL,
    PUSH,
    RAW,
    RAW_IPV6,
    RST,
    SYN,
    capture,
    captured,
    over,
    tcp,
    whole,
)

HELLO = b"\x01alice"


def sent(flow: Flow) -> bytes:
    return b"".join(event.data for event in flow.events if event.what is What.SENT)


def said(flow: Flow) -> list[tuple[str, bytes]]:
    return [(event.what.value, event.data) for event in flow.events]


@pytest.mark.parametrize(
    ("link", "six"),
    [
        (ETHERNET, False), (ETHERNET, True), (NULL, False), (NULL, True), (RAW, False),
        (RAW, True), (COOKED, False), (COOKED, True), (COOKED_2, False), (RAW_IPV6, True),
    ],
)  # fmt: skip
def test_links_of_all_kinds_are_read(tmp_path: Path, link: int, six: bool) -> None:
    (flow,) = connections(captured(tmp_path, *whole(HELLO), link=link, six=six), [8085])
    assert said(flow) == [("opened", b""), ("sent", HELLO), ("ended", b"")]
    assert flow.client == ("::1:50000" if six else "127.0.0.1:50000")


def test_a_pcapng_is_read(tmp_path: Path) -> None:
    file = io.BytesIO()
    writer = dpkt.pcapng.Writer(file)
    for second, segment in enumerate(whole(HELLO)):
        writer.writepkt(over(ETHERNET, segment), second)
    path = tmp_path / "capture.pcapng"
    path.write_bytes(file.getvalue())
    (flow,) = connections(path, [8085])
    assert sent(flow) == HELLO


def test_a_tag_of_a_vlan_is_no_hindrance(tmp_path: Path) -> None:
    packets = [over(ETHERNET, segment) for segment in whole(HELLO)]
    path = tmp_path / "capture"
    path.write_bytes(capture([p[:12] + b"\x81\x00\x00\x07" + p[12:] for p in packets]))
    (flow,) = connections(path, [8085])
    assert sent(flow) == HELLO


def test_retransmissions_and_order_make_no_difference(tmp_path: Path) -> None:
    late = [
        tcp(flags=SYN), tcp(flags=SYN), tcp(b"ce", 3), tcp(b"\x01al"), tcp(b"\x01ali"),
        tcp(b"i", 3), tcp(b"ice", 3), tcp(at=6, flags=FIN | ACK),
    ]  # fmt: skip
    # What came early was captured first, and so it stays.
    (flow,) = connections(captured(tmp_path, *late), [8085])
    assert sent(flow) == b"\x01alcee"
    assert not flow.missing


def test_several_connections_are_in_the_order_of_time(tmp_path: Path) -> None:
    a, b = whole(b"a", client=1_000), whole(b"b", client=2_000)
    flows = connections(captured(tmp_path, b[0], a[0], a[1], b[1], a[2], b[2]), [8085])
    assert [(flow.client[-4:], sent(flow)) for flow in flows] == [("2000", b"b"), ("1000", b"a")]
    orders = [event.order for event in (*flows[0].events, *flows[1].events)]
    assert sorted(orders) == sorted(set(orders))


def test_a_port_that_is_used_again_is_another_connection(tmp_path: Path) -> None:
    again = [tcp(flags=SYN), tcp(b"b"), tcp(at=1, flags=RST | ACK)]
    again[0].seq = 777
    again[1].seq = again[2].seq = 778
    again[2].seq = 779
    flows = connections(captured(tmp_path, *whole(b"a"), *again), [8085])
    assert [said(flow)[1:] for flow in flows] == [
        [("sent", b"a"), ("ended", b"")],
        [("sent", b"b"), ("cut", b"")],
    ]


def test_ports_are_edges_and_the_next_of_each_is_beside_it(tmp_path: Path) -> None:
    packets = [
        segment
        for client, server in enumerate((8085, 8087, 8086, 8088, 9999), 1_000)
        for segment in whole(b"x", client, server)
    ]
    flows = connections(captured(tmp_path, *packets), [8085, 8087])
    assert [(flow.edge, flow.beside) for flow in flows] == [
        (0, False), (1, False), (0, True), (1, True),
    ]  # fmt: skip


def test_what_the_server_says_is_heard(tmp_path: Path) -> None:
    down = [tcp(flags=SYN | ACK, down=True), tcp(b"yes", down=True)]
    client = whole(b"x")
    (flow,) = connections(captured(tmp_path, client[0], down[0], client[1], down[1]), [8085])
    assert said(flow) == [("opened", b""), ("sent", b"x"), ("heard", b"yes")]


def test_a_capture_that_begins_late_or_lacks_something_says_so(tmp_path: Path) -> None:
    (late,) = connections(captured(tmp_path, tcp(b"x", 5), tcp(b"y", 6)), [8085])
    assert (late.late, late.missing, sent(late)) == (True, False, b"xy")
    (gap,) = connections(captured(tmp_path, tcp(flags=SYN), tcp(b"x"), tcp(b"z", 2)), [8085])
    assert (gap.late, gap.missing, sent(gap)) == (False, True, b"x")


def test_a_packet_that_was_captured_in_part_leaves_a_gap(tmp_path: Path) -> None:
    packets = [over(ETHERNET, s) for s in (tcp(flags=SYN), tcp(b"x" * 50), tcp(b"y", 50))]
    path = tmp_path / "capture"
    path.write_bytes(capture([packets[0], packets[1][:-20], packets[2]]))
    (flow,) = connections(path, [8085])
    assert (sent(flow), flow.missing) == (b"x" * 30, True)


def test_a_capture_that_was_killed_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = captured(tmp_path, *whole(HELLO))
    path.write_bytes(path.read_bytes()[:-3])
    (flow,) = connections(path, [8085])
    assert said(flow) == [("opened", b""), ("sent", HELLO)]


def test_the_port_that_was_meant_is_guessed(tmp_path: Path) -> None:
    path = captured(tmp_path, *whole(b"x", server=9_000))
    with pytest.raises(
        CaseFileError, match=r"no connection to port 8085, .* there are some to 9000"
    ):
        connections(path, [8085])


def test_a_capture_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fuzz.formats.capture.MAX_KEPT", 2_000)
    many = captured(tmp_path, tcp(flags=SYN), *(tcp(b"x", at) for at in range(20)))
    with pytest.raises(CaseFileError, match="take more than 2000 bytes; cut it into several"):
        connections(many, [8085])
    monkeypatch.setattr("fuzz.formats.capture.MAX_CONNECTIONS", 2)
    many = captured(tmp_path, *(tcp(flags=SYN, client=1_000 + n) for n in range(3)))
    with pytest.raises(CaseFileError, match="more than 2 connections; cut it into several"):
        connections(many, [8085])


_HEADER = capture([])
_BLOCK = b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00" + b"\xff" * 8
_BLOCK += b"\x1c\x00\x00\x00"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no capture"),
        (b"hello, world", "no capture"),
        (_HEADER[:10], "cut short"),
        (_HEADER, "no connection"),
        (capture([], link=9), "no connection"),
        (capture([b"x"], link=9), "link layer"),
        (_HEADER + b"\0" * 8 + b"\xff\xff\xff\xff" * 2, "4294967295 bytes"),
        (_HEADER + b"\0" * 8 + b"\xff\xff\xff\x7f" * 2, "2147483647 bytes"),
        (_BLOCK[:12], "cut short"),
        (_BLOCK[:4] + b"\xff\xff\xff\xff" + _BLOCK[8:], "damaged"),
        (_BLOCK[:4] + b"\0\0\0\0" + _BLOCK[8:], "damaged"),
        (_BLOCK, "damaged"),
        (_BLOCK + b"\x06\x00\x00\x00\x00\x00\x00\x00", "damaged"),
    ],
)
def test_a_hostile_file_is_one_sentence(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(data)
    with pytest.raises(CaseFileError, match=why) as told:
        connections(path, [8085])
    assert "\n" not in str(told.value)


def test_what_is_said_to_be_large_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(_HEADER + b"\0" * 8 + b"\xff\xff\xff\x7f" * 2)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 128 * 2**20, limit[1]))
    try:
        with pytest.raises(CaseFileError):
            connections(path, [8085])
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limit)


_SOUND = {
    link: capture(
        [over(link, s) for s in (*whole(b"\x01alice" * 3), tcp(b"x", down=True, flags=ACK | PUSH))],
        link,
    )
    for link in (ETHERNET, NULL, RAW, COOKED)
}


@settings(max_examples=300)
@given(st.sampled_from(sorted(_SOUND)), st.lists(st.tuples(st.integers(0), st.integers(0, 255))))
def test_damage_of_any_kind_is_a_case_or_a_sentence(
    link: int, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(_SOUND[link])
    for at, value in damage:
        data[at % len(data)] = value
    assert _bytes_told(bytes(data)) <= len(data)


@settings(max_examples=200)
@given(st.integers(0), st.sampled_from(sorted(_SOUND)))
def test_so_is_a_cut(at: int, link: int) -> None:
    data = _SOUND[link][: at % len(_SOUND[link])]
    assert _bytes_told(data) <= len(data)


def _bytes_told(data: bytes) -> int:
    """Return how many bytes were said in a capture, none if it is refused: more are made up."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            flows = connections(Path(file.name), [8085])
        except CaseFileError:
            return 0
    return sum(len(event.data) for flow in flows for event in flow.events)
