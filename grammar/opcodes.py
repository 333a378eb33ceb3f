"""The opcodes of both directions (Iris Protocol v1.0 freeze, section 2).

The two directions are two enums since they share numbers: 10 is CBOR_MSG from a client
and RELIABLE_MSG from the server.
"""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum


class Direction(Enum):
    """Who sent the bytes."""

    CLIENT = "client"
    SERVER = "server"


class Status(StrEnum):
    """How the protocol stands to an opcode."""

    STABLE = "stable"
    DEPRECATED = "deprecated"
    RESERVED = "reserved"
    BEST_EFFORT = "best effort"


class ClientOpcode(IntEnum):
    """First byte of a frame to the server; ``needs_login`` if it has no effect before LOGIN."""

    status: Status
    needs_login: bool

    LOGIN = 0x01, Status.STABLE, False
    SEND_MESSAGE = 0x02, Status.DEPRECATED, True
    ACK = 0x03, Status.STABLE, True
    BATCH_SEND = 0x04, Status.STABLE, True
    GET_STATUS = 0x05, Status.STABLE, False
    SEND_SEQ = 0x07, Status.STABLE, True
    CBOR_MSG = 0x10, Status.STABLE, True
    UPLOAD_PREKEYS = 0x20, Status.STABLE, True
    FETCH_PREKEYS = 0x21, Status.STABLE, True
    E2EE_MSG = 0x23, Status.STABLE, True
    GROUP_CREATE = 0x30, Status.RESERVED, True
    GROUP_LEAVE = 0x32, Status.RESERVED, True
    GROUP_MSG = 0x33, Status.RESERVED, True
    GROUP_ROSTER = 0x35, Status.RESERVED, True
    SENDER_KEY_DIST = 0x36, Status.RESERVED, True
    TYPING_START = 0x70, Status.BEST_EFFORT, True
    TYPING_STOP = 0x71, Status.BEST_EFFORT, True
    READ_RECEIPT = 0x74, Status.BEST_EFFORT, True

    def __new__(cls, value: int, status: Status, needs_login: bool) -> ClientOpcode:
        """Make the member ``value`` and hang its attributes on it."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.status = status
        member.needs_login = needs_login
        return member


class ServerOpcode(IntEnum):
    """First byte of a frame to the client; its status is that of the client frame it serves."""

    status: Status

    LOGIN_OK = 0x03, Status.STABLE
    STATUS_RESPONSE = 0x06, Status.STABLE
    RELIABLE_MSG = 0x10, Status.STABLE
    PREKEY_RESPONSE = 0x22, Status.STABLE
    E2EE_DELIVERY = 0x24, Status.STABLE
    GROUP_JOIN = 0x31, Status.RESERVED
    GROUP_LEFT = 0x32, Status.RESERVED
    GROUP_DELIVERY = 0x33, Status.RESERVED
    GROUP_ROSTER = 0x35, Status.RESERVED
    SENDER_KEY_DIST = 0x36, Status.RESERVED
    TYPING_RELAY = 0x72, Status.BEST_EFFORT
    READ_RECEIPT_RELAY = 0x75, Status.BEST_EFFORT
    ERROR = 0xFE, Status.STABLE
    RATE_LIMITED = 0xFF, Status.STABLE

    def __new__(cls, value: int, status: Status) -> ServerOpcode:
        """Make the member ``value`` and hang its status on it."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.status = status
        return member


#: Reserved by the freeze and used by neither side.
RESERVED_OPCODE = 0x34

#: The server's own opcodes, and the reserved one: from a client they are malformed.
MALFORMED_FROM_CLIENT = frozenset({0x06, 0x22, 0x24, 0x31, 0x34, 0x72, 0x75, 0xFE, 0xFF})
