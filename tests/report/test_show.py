"""``show`` renders every case that there can be, and tells what it knows about it."""

from __future__ import annotations

import io
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from fuzz.case import Case, Step, StepKind, Transport, decode_case, raw_case
from fuzz.errors import CaseFileError
from fuzz.finding import Cause, Kind
from fuzz.report.show import MAX_FIELDS, MAX_HEX_BYTES, MAX_SENDS, hex_lines, render_case
from fuzz.store.sidecar import Sidecar
from grammar import SendMessage, encode

SIDECAR = Sidecar(
    fingerprint="0123456789abcdef",
    kind=Kind.NODE_DOWN,
    title="the node aborted \x1b[31m[bold]",
    cause=Cause("exit", "{badmatch,<binary>}", "iris_conn", ("iris_conn:handle/3", "a:b/1")),
    evidence={"slogan": "no more\natoms", "exit": {"signal": "SIGABRT"}, "log": "x" * 500},
    steps=("connection 0: wait for a reply",),
    target="reference",
    otp="25",
    plants=("node_abort",),
    replay="iris-fuzz replay crash-x --plant node_abort",
    first_seen="2026-02-01T12:00:00+00:00",
    hits=3,
)


def rendered(case: Case, sidecar: Sidecar | None = None, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render_case(case, sidecar))
    return out.getvalue()


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_case_is_shown_step_by_step() -> None:
    data = encode(SendMessage(b"<user:B>", b"hi"))[:-1]
    text = words(
        rendered(
            Case(
                (
                    Step(StepKind.OPEN, 1, b"", Transport.WEBSOCKET),
                    Step(StepKind.LOGIN, 0, b"<user:A>"),
                    Step(StepKind.SEND, 0, data),
                    Step(StepKind.PAUSE, 1, b"", 20),
                )
            )
        )
    )
    assert text[:6] == [
        "4 steps on 2 connections",
        "<user:A> is a user whose name is fresh on each play",
        "<user:B> is a user whose name is fresh on each play",
        "1 connection 1: open over WebSocket",
        '2 connection 0: log in as "<user:A>"',
        "3 connection 0: send 14 bytes in one segment",
    ]
    assert "0 1 SEND_MESSAGE.opcode opcode 02 SEND_MESSAGE" in text
    assert "1 2 SEND_MESSAGE.target.length length 8 counts 8 bytes at 3" in text
    assert '3 8 SEND_MESSAGE.target name "<user:B>"' in text
    assert "11 2 SEND_MESSAGE.message.length length 2 lies: only 1 byte of it there" in text
    assert '13 1 SEND_MESSAGE.message text "h"' in text
    assert "000000 02 00 08 3c 75 73 65 72 3a 42 3e 00 02 68 ...<user:B>..h" in text
    assert text[-1] == "4 connection 1: pause for 20 ms"


def test_a_raw_payload_says_so() -> None:
    text = rendered(raw_case(b"\x99payload"))
    assert "a raw payload, played as one segment on one logged-in connection" in text
    assert "unknown opcode" in text


def test_what_is_known_stands_before_the_case_and_is_escaped() -> None:
    text = rendered(Case((Step(StepKind.WAIT),)), SIDECAR)
    assert "\x1b" not in text
    lines = words(text)
    assert lines[0] == r"finding the node aborted \x1b[31m[bold]"
    assert "kind node_down (critical)" in lines
    assert "cause exit {badmatch,<binary>}" in lines
    assert "frames iris_conn:handle/3 < a:b/1" in lines
    assert r"slogan no more\x0aatoms" in lines
    assert 'exit {"signal": "SIGABRT"}' in lines
    assert "100 more characters" in text
    assert "target reference, OTP 25" in lines
    assert "planted node_abort" in lines
    assert "seen 3 times, first at 2026-02-01T12:00:00+00:00" in lines
    assert "replay: iris-fuzz replay crash-x --plant node_abort" in lines


def test_what_the_node_said_is_shown_in_its_own_lines() -> None:
    said = {"kind": "crash", "text": "** terminating\n** Reason = \x1b[31m\n" + "more\n" * 20}
    log = [f"line {number}" for number in range(20)]
    evidence = {"reports": [said], "log_tail": log, "signal": None, "cut": [], "mixed": ["a", 1]}
    lines = words(rendered(Case((Step(StepKind.WAIT),)), replace(SIDECAR, evidence=evidence)))
    start = lines.index("reports ** terminating")
    assert lines[start + 1] == r"** Reason = \x1b[31m"
    assert lines[start + 12] == "... (10 more lines)"
    assert lines[start + 13 : start + 15] == ["log_tail ... (8 lines before)", "line 8"]
    assert lines[start + 25] == "line 19"
    assert 'mixed ["a", 1]' in lines
    assert [line for line in lines if line.startswith(("signal", "cut"))] == []


def test_long_cases_are_cut_and_say_so() -> None:
    many = Case((Step(StepKind.SEND, 0, b"\x05\x00\x01x"),) * (MAX_SENDS + 2))
    assert f"only the first {MAX_SENDS} segments are shown in full" in rendered(many)
    wide = rendered(raw_case(b"\x05\x00\x00" * 300))
    assert f"{600 - MAX_FIELDS} more fields" in wide
    assert "only the first" not in wide


def test_the_hex_view_is_exact_and_bounded() -> None:
    assert list(hex_lines(b"")) == []
    assert list(hex_lines(bytes(range(0x1E, 0x2F)))) == [
        "000000  1e 1f 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d  .. !\"#$%&'()*+,-",
        f"000010  2e{' ' * 45}  .",
    ]
    lines = list(hex_lines(bytes(MAX_HEX_BYTES + 7)))
    assert lines[-1] == "7 more bytes"
    assert len(lines) == MAX_HEX_BYTES // 16 + 1


@settings(max_examples=80)
@given(st.binary(min_size=1, max_size=80), st.sampled_from([20, 80]))
def test_any_bytes_are_shown(data: bytes, width: int) -> None:
    try:
        case = decode_case(data)
    except CaseFileError:
        case = Case((Step(StepKind.SEND, 0, data),))
    text = rendered(case, width=width)
    assert text
    assert all(character.isprintable() or character == "\n" for character in text)
