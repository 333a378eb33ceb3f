"""The published bytes of every opcode, in both directions and both ways."""

from __future__ import annotations

import pytest

import grammar
from grammar import (
    BARE_TEXTS,
    CLIENT_OPCODES,
    SERVER_OPCODES,
    ClientOpcode,
    Direction,
    ServerOpcode,
    decode,
    encode,
    spans,
)
from grammar.opcodes import MALFORMED_FROM_CLIENT, Status
from tests.grammar.vectors import CLIENT_VECTORS, SERVER_VECTORS, VECTORS, Vector

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: repr(v.frame)[:50])


@every_vector
def test_a_frame_is_encoded_as_published(vector: Vector) -> None:
    assert encode(vector.frame).hex() == vector.data.hex()


@every_vector
def test_published_bytes_decode_to_their_frame(vector: Vector) -> None:
    assert decode(vector.data, vector.frame.direction) == (vector.frame,)


@every_vector
def test_the_opcode_is_the_first_byte(vector: Vector) -> None:
    if vector.frame.opcode is not None:
        assert vector.data[0] == vector.frame.opcode
        assert spans(vector.data, vector.frame.direction)[0].role == "opcode"


def test_every_opcode_of_the_tables_has_a_vector() -> None:
    assert {v.data[0] for v in CLIENT_VECTORS} == set(CLIENT_OPCODES)
    assert {v.frame.opcode for v in SERVER_VECTORS} == {*SERVER_OPCODES, None}
    assert {v.data for v in SERVER_VECTORS if v.frame.opcode is None} == set(BARE_TEXTS)


def test_the_package_exports_every_frame() -> None:
    kinds = {*CLIENT_OPCODES.values(), *SERVER_OPCODES.values(), *BARE_TEXTS.values()}
    assert {kind.__name__ for kind in kinds} <= set(grammar.__all__)
    assert all(hasattr(grammar, name) for name in grammar.__all__)


def test_the_tables_hold_every_opcode_with_its_own_frame() -> None:
    assert set(CLIENT_OPCODES) == set(ClientOpcode)
    assert set(SERVER_OPCODES) == set(ServerOpcode)
    assert len(set(CLIENT_OPCODES.values()) | set(SERVER_OPCODES.values())) == 18 + 14


def test_the_direction_decides_what_a_shared_opcode_is() -> None:
    # 10: target "bob" and payload "hi" from a client, msg_id "bob" and message "hi" from the server
    data = bytes.fromhex("10 0003 626f62 00000002 6869")
    names = [type(decode(data, direction)[0]).__name__ for direction in Direction]
    assert names == ["CborMsg", "ReliableMsg"]


def test_login_and_status_need_no_login_and_all_else_does() -> None:
    free = {opcode for opcode in ClientOpcode if not opcode.needs_login}
    assert free == {0x01, 0x05}


def test_each_status_is_as_published() -> None:
    by_status = {status: {o for o in ClientOpcode if o.status is status} for status in Status}
    assert by_status == {
        Status.STABLE: {0x01, 0x03, 0x04, 0x05, 0x07, 0x10, 0x20, 0x21, 0x23},
        Status.DEPRECATED: {0x02},
        Status.RESERVED: {0x30, 0x32, 0x33, 0x35, 0x36},
        Status.BEST_EFFORT: {0x70, 0x71, 0x74},
    }


def test_what_is_malformed_from_a_client_is_no_client_opcode() -> None:
    assert {0x22, 0x24, 0x31, 0x34, 0x06, 0x72, 0x75, 0xFE, 0xFF} == MALFORMED_FROM_CLIENT
    assert not MALFORMED_FROM_CLIENT & set(ClientOpcode)


def test_login_ok_may_be_followed_by_offline_messages_in_its_segment() -> None:
    login_ok, message = SERVER_VECTORS[0], SERVER_VECTORS[4]
    decoded = decode(login_ok.data + message.data * 2, Direction.SERVER)
    assert decoded == (login_ok.frame, message.frame, message.frame)
