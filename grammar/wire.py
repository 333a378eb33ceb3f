"""The wire layouts of both directions, as construct declarations and nothing else.

Every layout is declared here once (Iris Protocol v1.0 freeze, section 4). The codec
parses and builds with these; :mod:`grammar.layout` reads the same declarations to walk
bytes without building objects. Integers are unsigned and big-endian. What a field *is* is
said by its shape (NAME16, TEXT16, ...), so the shapes are objects of their own even where
two of them lay out alike.
"""

from __future__ import annotations

from construct import (
    Const,
    Construct,
    FocusedSeq,
    GreedyBytes,
    GreedyRange,
    Int8ub,
    Int16ub,
    Int32ub,
    Int64ub,
    Prefixed,
    Struct,
    Terminated,
)

from grammar.opcodes import ClientOpcode, ServerOpcode

#: Users, groups and message ids.
NAME16 = Prefixed(Int16ub, GreedyBytes)
#: What one person writes to another, and reasons.
TEXT16 = Prefixed(Int16ub, GreedyBytes)
TEXT32 = Prefixed(Int32ub, GreedyBytes)
#: Ciphertext and key material.
KEY32 = Prefixed(Int32ub, GreedyBytes)
#: One CBOR item, kept as its bytes.
CBOR16 = Prefixed(Int16ub, GreedyBytes)
CBOR32 = Prefixed(Int32ub, GreedyBytes)
#: Messages that fill a counted blob to its last byte.
BATCH32 = Prefixed(
    Int32ub, FocusedSeq("messages", "messages" / GreedyRange(TEXT16), "end" / Terminated)
)
#: Fields without a length: they end with their segment.
CREDENTIALS = GreedyBytes
REST_NAME = FocusedSeq("name", "name" / GreedyBytes)


def _frame(opcode: ClientOpcode | ServerOpcode, *fields: Construct) -> Construct:
    return Struct("opcode" / Const(int(opcode), Int8ub), *fields)


_C = ClientOpcode
_S = ServerOpcode

CLIENT: dict[int, Construct] = {
    _C.LOGIN: _frame(_C.LOGIN, "credentials" / CREDENTIALS),
    _C.SEND_MESSAGE: _frame(_C.SEND_MESSAGE, "target" / NAME16, "message" / TEXT16),
    _C.ACK: _frame(_C.ACK, "msg_id" / REST_NAME),
    _C.BATCH_SEND: _frame(_C.BATCH_SEND, "target" / NAME16, "messages" / BATCH32),
    _C.GET_STATUS: _frame(_C.GET_STATUS, "user" / NAME16),
    _C.SEND_SEQ: _frame(_C.SEND_SEQ, "target" / NAME16, "seq" / Int64ub, "message" / TEXT16),
    _C.CBOR_MSG: _frame(_C.CBOR_MSG, "target" / NAME16, "payload" / CBOR32),
    _C.UPLOAD_PREKEYS: _frame(_C.UPLOAD_PREKEYS, "bundle" / CBOR32),
    _C.FETCH_PREKEYS: _frame(_C.FETCH_PREKEYS, "user" / NAME16),
    _C.E2EE_MSG: _frame(_C.E2EE_MSG, "recipient" / NAME16, "header" / CBOR16, "ciphertext" / KEY32),
    _C.GROUP_CREATE: _frame(_C.GROUP_CREATE, "name" / NAME16),
    _C.GROUP_LEAVE: _frame(_C.GROUP_LEAVE, "group_id" / NAME16),
    _C.GROUP_MSG: _frame(
        _C.GROUP_MSG, "group_id" / NAME16, "header" / CBOR16, "ciphertext" / KEY32
    ),
    _C.GROUP_ROSTER: _frame(_C.GROUP_ROSTER, "group_id" / NAME16),
    _C.SENDER_KEY_DIST: _frame(_C.SENDER_KEY_DIST, "group_id" / NAME16, "key_data" / KEY32),
    _C.TYPING_START: _frame(_C.TYPING_START, "target" / NAME16),
    _C.TYPING_STOP: _frame(_C.TYPING_STOP, "target" / NAME16),
    _C.READ_RECEIPT: _frame(_C.READ_RECEIPT, "msg_id" / NAME16, "sender" / NAME16),
}

SERVER: dict[int, Construct] = {
    _S.LOGIN_OK: _frame(_S.LOGIN_OK, "text" / Const(b"LOGIN_OK")),
    _S.STATUS_RESPONSE: _frame(
        _S.STATUS_RESPONSE, "user" / NAME16, "state" / Int8ub, "last_seen" / Int64ub
    ),
    _S.RELIABLE_MSG: _frame(_S.RELIABLE_MSG, "msg_id" / NAME16, "message" / TEXT32),
    _S.PREKEY_RESPONSE: _frame(_S.PREKEY_RESPONSE, "bundle" / CBOR32),
    _S.E2EE_DELIVERY: _frame(
        _S.E2EE_DELIVERY, "sender" / NAME16, "header" / CBOR16, "ciphertext" / KEY32
    ),
    _S.GROUP_JOIN: _frame(_S.GROUP_JOIN, "group_id" / NAME16, "user" / NAME16),
    _S.GROUP_LEFT: _frame(_S.GROUP_LEFT, "text" / Const(b"OK")),
    _S.GROUP_DELIVERY: _frame(
        _S.GROUP_DELIVERY, "group_id" / NAME16, "header" / CBOR16, "ciphertext" / KEY32
    ),
    _S.GROUP_ROSTER: _frame(_S.GROUP_ROSTER, "group_id" / NAME16, "roster" / CBOR32),
    _S.SENDER_KEY_DIST: _frame(_S.SENDER_KEY_DIST, "group_id" / NAME16, "key_data" / KEY32),
    _S.TYPING_RELAY: _frame(_S.TYPING_RELAY, "sender" / NAME16, "status" / Int8ub),
    _S.READ_RECEIPT_RELAY: _frame(
        _S.READ_RECEIPT_RELAY, "msg_id" / NAME16, "reader" / NAME16, "timestamp" / Int64ub
    ),
    _S.ERROR: _frame(_S.ERROR, "reason" / TEXT16),
    _S.RATE_LIMITED: _frame(_S.RATE_LIMITED, "retry_after" / Int32ub),
}

#: Replies to LOGIN that no opcode announces, by name.
BARE: dict[str, Construct] = {
    "AUTH_FAILED": Struct("text" / Const(b"AUTH_FAILED")),
    "LOGIN_RATE_LIMITED": Struct("text" / Const(b"RATE_LIMITED")),
}
