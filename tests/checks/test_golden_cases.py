"""The golden cases that are shipped: what their names promise, and what they may expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.case import Case, StepKind
from fuzz.heard import REST
from fuzz.store.golden import read_expecting
from fuzz.triage.replay import case_files
from grammar import CLIENT_OPCODES, SERVER_OPCODES, ClientOpcode, Direction, Stream

FOLDER = Path(__file__).parents[2] / "corpus" / "golden"
GOLDEN = {path.name: read_expecting(path)[0] for path in case_files([FOLDER])}
OLD = {name: case for name, case in GOLDEN.items() if name.startswith("v0-")}

#: The opcodes of a client of protocol v0.x: see :mod:`fuzz.checks.golden`.
OLD_OPCODES = frozenset(op for op in ClientOpcode if op <= 0x07 or op == ClientOpcode.CBOR_MSG)


def _opcodes(case: Case) -> set[ClientOpcode]:
    """Return what its clients send; the bytes of a connection are frames and nothing else."""
    streams: dict[int, Stream] = {}
    opcodes = set()
    for step in case.steps:
        if step.kind is StepKind.LOGIN:
            opcodes.add(ClientOpcode.LOGIN)
        if step.kind is StepKind.SEND:
            stream = streams.setdefault(step.connection, Stream(Direction.CLIENT))
            for frame in stream.feed(step.data):
                assert isinstance(frame, tuple(CLIENT_OPCODES.values()))
                opcodes.add(ClientOpcode(frame.opcode))
    assert all(stream.pending == 0 for stream in streams.values())
    return opcodes


def test_each_is_of_a_version() -> None:
    assert all(name.startswith(("v0-", "v1-")) for name in GOLDEN)


@pytest.mark.parametrize("name", sorted(OLD))
def test_an_old_client_keeps_to_old_opcodes_and_has_no_token(name: str) -> None:
    assert _opcodes(OLD[name]) <= OLD_OPCODES
    logins = [step.data for step in OLD[name].steps if step.kind is StepKind.LOGIN]
    assert all(b":" not in login.replace(b"<user:", b"<user.") for login in logins)


def test_each_opcode_of_a_client_is_in_one() -> None:
    assert set().union(*map(_opcodes, OLD.values())) == OLD_OPCODES
    assert set().union(*map(_opcodes, GOLDEN.values())) == set(ClientOpcode)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_each_expects_something_of_each_connection(name: str) -> None:
    case = GOLDEN[name]
    assert case.expects is not None
    assert case.expects.name == name
    assert {heard.number for heard in case.expects.heard} == set(case.connections())


def test_each_frame_of_a_server_that_an_ordinary_client_gets_is_expected_in_one() -> None:
    frames = {
        text
        for case in GOLDEN.values()
        if case.expects is not None
        for heard in case.expects.heard
        for reply in heard.replies
        for text in (reply.frame, dict(reply.fields).get("message", ""))
    }
    # A refusal is a server's own affair, a burst depends on time, and how others come into a
    # group is not published.
    left_out = {"ERROR", "RATE_LIMITED", "GROUP_DELIVERY", "SENDER_KEY_DIST"}
    names = {frame.opcode.name for frame in SERVER_OPCODES.values() if frame.opcode is not None}
    assert names - frames == left_out
    assert REST not in frames


def test_no_expectation_holds_a_time() -> None:
    fields = {
        name
        for case in GOLDEN.values()
        if case.expects is not None
        for heard in case.expects.heard
        for reply in heard.replies
        for name, _ in reply.fields
    }
    assert not fields & {"last_seen", "timestamp", "retry_after", "reason"}
