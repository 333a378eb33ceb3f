"""The published limits of the protocol, and the values around them that break servers.

The limits disagree in places: a batch of 1 MiB cannot pass a buffer of 64 KiB, and a
message of 65,536 bytes has no two-byte length. That is kept as published, since a
server's answer to it is worth asking for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

#: Bytes of a user, a target, a recipient, a group's name or id.
NAME = 256
#: Bytes of a message; its length field ends one short of it.
MESSAGE = 65_536
#: Bytes of a batch, and the messages in it.
BATCH = 1_048_576
BATCH_MESSAGES = 1_000
#: Bytes of a message id.
MSG_ID = 64
#: Bytes of the map in CBOR_MSG.
CBOR_PAYLOAD = 262_144
#: Bytes of a key bundle or of a sender's group key.
KEY_BUNDLE = 8_192
#: Bytes of the map that heads an end-to-end or group message.
HEADER = 1_024
#: Bytes of an encrypted message.
CIPHERTEXT = 65_536
#: Unparsed bytes that the server buffers for one connection.
BUFFER = 65_536
#: Unparsed bytes to buffer from a server. The largest delivery is a RELIABLE_MSG around a
#: CBOR payload at its limit, which BUFFER would refuse; the next power of two holds its framing.
SERVER_BUFFER = 2 * CBOR_PAYLOAD
#: Messages of one connection that await their ACK.
UNACKED = 1_000
#: Seconds without ACK until a message is stored as offline again, and between scans for it.
ACK_SECONDS = 10
ACK_SCAN_SECONDS = 5
#: The token bucket of each user: messages a second, and messages at once.
RATE_PER_SECOND = 100
RATE_BURST = 500

#: Path of a field, as in :class:`grammar.spans.Span`, to its limit in bytes.
FIELD_LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "LOGIN.user": NAME,
        "SEND_MESSAGE.target": NAME,
        "SEND_MESSAGE.message": MESSAGE,
        "ACK.msg_id": MSG_ID,
        "BATCH_SEND.target": NAME,
        "BATCH_SEND.messages": BATCH,
        "GET_STATUS.user": NAME,
        "SEND_SEQ.target": NAME,
        "SEND_SEQ.message": MESSAGE,
        "CBOR_MSG.target": NAME,
        "CBOR_MSG.payload": CBOR_PAYLOAD,
        "UPLOAD_PREKEYS.bundle": KEY_BUNDLE,
        "FETCH_PREKEYS.user": NAME,
        "E2EE_MSG.recipient": NAME,
        "E2EE_MSG.header": HEADER,
        "E2EE_MSG.ciphertext": CIPHERTEXT,
        "GROUP_CREATE.name": NAME,
        "GROUP_LEAVE.group_id": NAME,
        "GROUP_MSG.group_id": NAME,
        "GROUP_MSG.header": HEADER,
        "GROUP_MSG.ciphertext": CIPHERTEXT,
        "GROUP_ROSTER.group_id": NAME,
        "SENDER_KEY_DIST.group_id": NAME,
        "SENDER_KEY_DIST.key_data": KEY_BUNDLE,
        "TYPING_START.target": NAME,
        "TYPING_STOP.target": NAME,
        "READ_RECEIPT.msg_id": MSG_ID,
        "READ_RECEIPT.sender": NAME,
        "STATUS_RESPONSE.user": NAME,
        "RELIABLE_MSG.msg_id": MSG_ID,
        "PREKEY_RESPONSE.bundle": KEY_BUNDLE,
        "E2EE_DELIVERY.sender": NAME,
        "E2EE_DELIVERY.header": HEADER,
        "E2EE_DELIVERY.ciphertext": CIPHERTEXT,
        "GROUP_JOIN.group_id": NAME,
        "GROUP_JOIN.user": NAME,
        "GROUP_DELIVERY.group_id": NAME,
        "GROUP_DELIVERY.header": HEADER,
        "GROUP_DELIVERY.ciphertext": CIPHERTEXT,
        "TYPING_RELAY.sender": NAME,
        "READ_RECEIPT_RELAY.msg_id": MSG_ID,
        "READ_RECEIPT_RELAY.reader": NAME,
    }
)

#: Where signed and unsigned fields of 1, 2, 4 and 8 bytes turn over, and where an integer
#: of the BEAM stops fitting into a machine word (60 bits with sign).
_TURNS = (1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 59, 1 << 63, 1 << 64)
#: Every limit on bytes: a server may hold one field to the limit of another.
_SIZES = (*sorted(set(FIELD_LIMITS.values())), BUFFER)


def field_limit(path: str) -> int | None:
    """Return the limit in bytes of the field that ``path`` lies in, or None.

    ``SEND_MESSAGE.target.length`` has the limit of ``SEND_MESSAGE.target``, and a single
    message of a batch that of a message.
    """
    if path.startswith("BATCH_SEND.messages["):
        return MESSAGE
    frame, _, rest = path.partition(".")
    name = rest.partition(".")[0].partition("[")[0]
    return FIELD_LIMITS.get(f"{frame}.{name}")


@cache
def boundaries(limit: int | None, width: int) -> tuple[int, ...]:
    """Return the interesting values of an unsigned integer of ``width`` bytes, ascending.

    Nothing, one, and the neighbourhood of each place where an integer turns over; where there
    is a ``limit``, also of that and of all published ones. All fit into ``width`` bytes.
    """
    values = {0, 1}
    for edge in (*_TURNS, *(() if limit is None else (limit, *_SIZES))):
        values.update((edge - 1, edge, edge + 1))
    return tuple(sorted(value for value in values if value < 1 << 8 * width))


#: Path of a field to the interesting values of its length, whichever width that has.
BOUNDARIES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {path: boundaries(limit, 4) for path, limit in FIELD_LIMITS.items()}
)
