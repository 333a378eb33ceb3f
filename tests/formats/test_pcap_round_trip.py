"""A case that goes out as a capture comes back as the same case; other programs can read it."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.case import USER_TOKENS, Case, Step, StepKind, Transport, opening
from fuzz.errors import UnplayableError
from fuzz.executor.names import Names
from fuzz.formats import aflnet
from fuzz.formats.exporting import ExportFormat, exported
from fuzz.formats.importing import Format, Importer, Source
from fuzz.formats.pcap import written
from fuzz.formats.spoken import Said, Saying, spoken
from fuzz.generate.seeds import SEEDS
from grammar import GetStatus, SendMessage, encode

A, B = USER_TOKENS[:2]
PORTS = (8085, 8087)
#: Not on the wire: how long a client waits, and forged tokens, which are left to the play.
_SEEDS = sorted(
    name for name in SEEDS if "login-token" not in name and "websocket-" not in name
)  # fmt: skip


def out(case: Case, kind: ExportFormat = ExportFormat.PCAP) -> bytes:
    return exported(case, spoken(case, Names(7)), kind, PORTS, 1_700_000_000.0)


def back(tmp_path: Path, data: bytes) -> Case:
    path = tmp_path / "capture"
    path.write_bytes(data)
    imported = Importer(PORTS).read(Source(path, Format.AUTO))
    assert not imported.why
    ((case,), notes) = (imported.cases, imported.notes)
    assert notes == ()
    return case


def on_the_wire(case: Case) -> tuple[Step, ...]:
    """Return the steps that can be seen, and those that a segment with a LOGIN stands for."""
    return tuple(
        Step(StepKind.LOGIN, step.connection, step.data[1:])
        if step.kind is StepKind.SEND and step.data.startswith(b"\x01")
        else step
        for step in case.steps
        if step.kind not in (StepKind.WAIT, StepKind.PAUSE)
    )


@pytest.mark.parametrize("name", _SEEDS)
def test_the_seeds_come_back(tmp_path: Path, name: str) -> None:
    again = back(tmp_path, out(SEEDS[name]))
    assert on_the_wire(again) == on_the_wire(SEEDS[name])


_DATA = st.sampled_from(
    [encode(GetStatus(A)), encode(SendMessage(B, b"x" * 2_000)), b"\x05", b"\xff" * 1_460, b"\x02"]
)
_STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["send", "cut", "end"]), _DATA), max_size=9
)


@settings(max_examples=100)
@given(st.lists(st.sampled_from([*Transport]), min_size=3, max_size=3), _STEPS)
def test_any_play_of_three_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    transports: list[Transport],
    acts: list[tuple[int, str, bytes]],
) -> None:
    users = (A, B, USER_TOKENS[2])
    steps = [opening(number, transport, number % 2) for number, transport in enumerate(transports)]
    for number, transport in enumerate(transports):
        raw = transport is Transport.WEBSOCKET_RAW
        login = Step(StepKind.LOGIN, number, users[number])
        steps.append(Step(StepKind.SEND, number, b"raw") if raw else login)
    over: set[int] = set()
    for number, act, data in acts:
        if number in over:
            continue
        if act == "send":
            steps.append(Step(StepKind.SEND, number, data))
        else:
            kind = StepKind.RESET if act == "cut" else StepKind.HALF_CLOSE
            steps.append(Step(kind, number))
            over.add(number)
    # A last step that is no end: ends at the end are what a case does anyway.
    steps.append(Step(StepKind.SEND, 3, b"\x05\0\0"))
    case = Case(tuple(steps))

    again = back(tmp_path_factory.mktemp("x"), out(case))

    if Transport.WEBSOCKET_RAW not in transports:
        assert again.steps == case.steps
    assert [step.kind for step in again.steps] == [step.kind for step in case.steps]


def _packets(data: bytes) -> list[dpkt.ip.IP]:
    reader = dpkt.pcap.Reader(io.BytesIO(data))
    return [dpkt.ethernet.Ethernet(packet).data for _, packet in reader]


def test_checksums_numbers_and_handshakes_are_right() -> None:
    said = (
        Said(Saying.OPENED, 0),
        Said(Saying.SENT, 0, b"x" * 3_000),
        Said(Saying.HEARD, 0, b"answer"),
        Said(Saying.ENDED, 0),
        Said(Saying.HEARD, 0, b"last word"),
        Said(Saying.LEFT, 0),
    )
    packets = _packets(written(said, [8085], 0.0))
    nexts: dict[int, int] = {}
    for ip in packets:
        before = bytes(ip)
        ip.sum = ip.data.sum = 0
        assert bytes(ip) == before  # dpkt puts the right sums in the place of none
        tcp = ip.data
        if tcp.sport in nexts:
            assert tcp.seq == nexts[tcp.sport]
        begins_or_ends = bool(tcp.flags & (dpkt.tcp.TH_SYN | dpkt.tcp.TH_FIN))
        nexts[tcp.sport] = tcp.seq + len(tcp.data) + begins_or_ends
        if tcp.flags & dpkt.tcp.TH_ACK:
            assert tcp.ack == nexts[tcp.dport]
    flags = [packet.data.flags for packet in packets]
    assert flags[:3] == [dpkt.tcp.TH_SYN, dpkt.tcp.TH_SYN | dpkt.tcp.TH_ACK, dpkt.tcp.TH_ACK]
    assert sum(bool(flag & dpkt.tcp.TH_FIN) for flag in flags) == 2
    assert sum(bool(flag & dpkt.tcp.TH_PUSH) for flag in flags) == 3


def test_what_nobody_ends_is_ended_by_both() -> None:
    packets = _packets(written((Said(Saying.OPENED, 0), Said(Saying.ENDED, 0)), [8085], 0.0))
    ends = [packet.data.sport for packet in packets if packet.data.flags & dpkt.tcp.TH_FIN]
    assert len(set(ends)) == 2


def test_a_pause_is_time() -> None:
    case = Case((Step(StepKind.SEND, 0, b"a"), Step(StepKind.PAUSE, 0, b"", 1_500)))
    steps = (*case.steps, Step(StepKind.SEND, 0, b"b"))
    times = [at for at, _ in dpkt.pcap.Reader(io.BytesIO(out(Case(steps))))]
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(1.5, abs=0.01)


def test_aflnet_and_raw_hold_one_client() -> None:
    case = Case((Step(StepKind.LOGIN, 0, A), Step(StepKind.SEND, 0, encode(GetStatus(A)))))
    login, status = aflnet.messages(out(case, ExportFormat.AFLNET))
    assert login[:1] == b"\x01"
    assert status == b"\x05\x00\x08" + login[1:]
    assert out(case, ExportFormat.RAW) == status


@pytest.mark.parametrize(
    ("steps", "kind", "why"),
    [
        ((Step(StepKind.LOGIN, 0, A), Step(StepKind.LOGIN, 1, B)), ExportFormat.RAW, "has 2 conn"),
        ((opening(0, Transport.WEBSOCKET),), ExportFormat.AFLNET, "comes over WebSocket"),
        ((Step(StepKind.LOGIN, 0, A),), ExportFormat.RAW, "sends nothing after its login"),
        ((Step(StepKind.RESTART),), ExportFormat.PCAP, "restarts the server"),
    ],
)
def test_what_a_format_cannot_hold_is_told(
    steps: tuple[Step, ...], kind: ExportFormat, why: str
) -> None:
    with pytest.raises(UnplayableError, match=why):
        out(Case(steps), kind)


def test_ids_that_only_a_server_gives_stay_tokens_and_are_told() -> None:
    case = SEEDS["op-33-group-msg"]
    said = spoken(case, Names(7))
    assert said.unbound == ("<group:1>",)
    assert any(b"<group:1>" in one.data for one in said.said)
