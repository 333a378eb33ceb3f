"""The frames: one frozen dataclass for each opcode and direction.

Fields hold what is on the wire. A field that carries CBOR holds its bytes, not its
value, so that a frame survives a round trip even where the CBOR is broken or not
canonical; :func:`grammar.cbor.loads` and :func:`grammar.cbor.walk` look inside.
Limits are not enforced here: a frame over a limit is what a fuzzer must be able to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from grammar.opcodes import ClientOpcode, Direction, ServerOpcode


class ClientFrame:
    """A frame from a client to the server."""

    __slots__ = ()
    direction: ClassVar[Direction] = Direction.CLIENT
    opcode: ClassVar[ClientOpcode]


class ServerFrame:
    """A frame from the server to a client; ``opcode`` is None for the bare texts."""

    __slots__ = ()
    direction: ClassVar[Direction] = Direction.SERVER
    opcode: ClassVar[ServerOpcode | None]


@dataclass(frozen=True, slots=True)
class UnknownFrame:
    """Bytes with an opcode that the direction does not have; runs to the end of its segment.

    Its ``data`` begins with that opcode. Encoding gives ``data`` back, so it also stands
    for any bytes that no other frame can say.
    """

    direction: Direction
    data: bytes


#: What :func:`grammar.encode` takes and :func:`grammar.decode` gives.
Frame = ClientFrame | ServerFrame | UnknownFrame


@dataclass(frozen=True, slots=True)
class Login(ClientFrame):
    """Take ``user`` as this connection's name. Has no length: ends with its segment.

    The first colon on the wire parts user and token, so ``user`` holds none.
    """

    opcode = ClientOpcode.LOGIN
    user: bytes
    token: bytes | None = None


@dataclass(frozen=True, slots=True)
class SendMessage(ClientFrame):
    """Send ``message`` to the user ``target``; deprecated in favour of E2EE_MSG."""

    opcode = ClientOpcode.SEND_MESSAGE
    target: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Ack(ClientFrame):
    """Confirm a RELIABLE_MSG. Has no length: ends with its segment."""

    opcode = ClientOpcode.ACK
    msg_id: bytes


@dataclass(frozen=True, slots=True)
class BatchSend(ClientFrame):
    """Send several messages to the user ``target``, in order."""

    opcode = ClientOpcode.BATCH_SEND
    target: bytes
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GetStatus(ClientFrame):
    """Ask whether ``user`` is online."""

    opcode = ClientOpcode.GET_STATUS
    user: bytes


@dataclass(frozen=True, slots=True)
class SendSeq(ClientFrame):
    """Send ``message`` as the sender's number ``seq`` (64 bits) to the user ``target``."""

    opcode = ClientOpcode.SEND_SEQ
    target: bytes
    seq: int
    message: bytes


@dataclass(frozen=True, slots=True)
class CborMsg(ClientFrame):
    """Send ``payload``, one CBOR map, to the user ``target``."""

    opcode = ClientOpcode.CBOR_MSG
    target: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class UploadPrekeys(ClientFrame):
    """Publish the sender's key ``bundle``, a CBOR map."""

    opcode = ClientOpcode.UPLOAD_PREKEYS
    bundle: bytes


@dataclass(frozen=True, slots=True)
class FetchPrekeys(ClientFrame):
    """Ask for the key bundle of ``user``."""

    opcode = ClientOpcode.FETCH_PREKEYS
    user: bytes


@dataclass(frozen=True, slots=True)
class E2eeMsg(ClientFrame):
    """Send ``ciphertext`` with a CBOR map as ``header`` to the user ``recipient``."""

    opcode = ClientOpcode.E2EE_MSG
    recipient: bytes
    header: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class GroupCreate(ClientFrame):
    """Make a group called ``name``."""

    opcode = ClientOpcode.GROUP_CREATE
    name: bytes


@dataclass(frozen=True, slots=True)
class GroupLeave(ClientFrame):
    """Leave the group."""

    opcode = ClientOpcode.GROUP_LEAVE
    group_id: bytes


@dataclass(frozen=True, slots=True)
class GroupMsg(ClientFrame):
    """Send ``ciphertext`` with a CBOR map as ``header`` to the group."""

    opcode = ClientOpcode.GROUP_MSG
    group_id: bytes
    header: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class GroupRoster(ClientFrame):
    """Ask who is in the group."""

    opcode = ClientOpcode.GROUP_ROSTER
    group_id: bytes


@dataclass(frozen=True, slots=True)
class SenderKeyDist(ClientFrame):
    """Hand the sender's group key to the members."""

    opcode = ClientOpcode.SENDER_KEY_DIST
    group_id: bytes
    key_data: bytes


@dataclass(frozen=True, slots=True)
class TypingStart(ClientFrame):
    """Tell ``target`` that the sender types."""

    opcode = ClientOpcode.TYPING_START
    target: bytes


@dataclass(frozen=True, slots=True)
class TypingStop(ClientFrame):
    """Tell ``target`` that the sender has stopped typing."""

    opcode = ClientOpcode.TYPING_STOP
    target: bytes


@dataclass(frozen=True, slots=True)
class ReadReceipt(ClientFrame):
    """Tell ``sender`` that its message has been read."""

    opcode = ClientOpcode.READ_RECEIPT
    msg_id: bytes
    sender: bytes


@dataclass(frozen=True, slots=True)
class LoginOk(ServerFrame):
    """The login holds; offline messages may follow at once."""

    opcode = ServerOpcode.LOGIN_OK


@dataclass(frozen=True, slots=True)
class AuthFailed(ServerFrame):
    """The bare text AUTH_FAILED, then the connection is closed."""

    opcode = None


@dataclass(frozen=True, slots=True)
class LoginRateLimited(ServerFrame):
    """The bare text RATE_LIMITED in answer to LOGIN, then the connection is closed."""

    opcode = None


@dataclass(frozen=True, slots=True)
class StatusResponse(ServerFrame):
    """Whether ``user`` is online (``state`` 1) or not (0); ``last_seen`` in seconds."""

    opcode = ServerOpcode.STATUS_RESPONSE
    user: bytes
    state: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class ReliableMsg(ServerFrame):
    """A message for this user, to be acknowledged by its ``msg_id``.

    Deliveries of E2EE, group and sender key frames travel inside as ``message``.
    """

    opcode = ServerOpcode.RELIABLE_MSG
    msg_id: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class PrekeyResponse(ServerFrame):
    """A key bundle or a status as a CBOR map; empty when the key service refused."""

    opcode = ServerOpcode.PREKEY_RESPONSE
    bundle: bytes


@dataclass(frozen=True, slots=True)
class E2eeDelivery(ServerFrame):
    """An E2EE_MSG as its recipient gets it, inside a RELIABLE_MSG."""

    opcode = ServerOpcode.E2EE_DELIVERY
    sender: bytes
    header: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class GroupJoin(ServerFrame):
    """``user`` is in the group now; also the answer to GROUP_CREATE."""

    opcode = ServerOpcode.GROUP_JOIN
    group_id: bytes
    user: bytes


@dataclass(frozen=True, slots=True)
class GroupLeft(ServerFrame):
    """The answer to GROUP_LEAVE."""

    opcode = ServerOpcode.GROUP_LEFT


@dataclass(frozen=True, slots=True)
class GroupDelivery(ServerFrame):
    """A GROUP_MSG with ``sender`` added to its header, inside a RELIABLE_MSG."""

    opcode = ServerOpcode.GROUP_DELIVERY
    group_id: bytes
    header: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class GroupRosterReply(ServerFrame):
    """Who is in the group: ``roster`` is a CBOR array of user ids."""

    opcode = ServerOpcode.GROUP_ROSTER
    group_id: bytes
    roster: bytes


@dataclass(frozen=True, slots=True)
class SenderKeyDelivery(ServerFrame):
    """A SENDER_KEY_DIST as a member gets it, inside a RELIABLE_MSG."""

    opcode = ServerOpcode.SENDER_KEY_DIST
    group_id: bytes
    key_data: bytes


@dataclass(frozen=True, slots=True)
class TypingRelay(ServerFrame):
    """``sender`` types (``status`` 1) or has stopped (0)."""

    opcode = ServerOpcode.TYPING_RELAY
    sender: bytes
    status: int


@dataclass(frozen=True, slots=True)
class ReadReceiptRelay(ServerFrame):
    """``reader`` has read the message at ``timestamp`` (64 bits)."""

    opcode = ServerOpcode.READ_RECEIPT_RELAY
    msg_id: bytes
    reader: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Error(ServerFrame):
    """A refusal, with its ``reason`` as text."""

    opcode = ServerOpcode.ERROR
    reason: bytes


@dataclass(frozen=True, slots=True)
class RateLimited(ServerFrame):
    """The message was not taken; try again after ``retry_after`` milliseconds."""

    opcode = ServerOpcode.RATE_LIMITED
    retry_after: int


_CLIENT: tuple[type[ClientFrame], ...] = (
    Login, SendMessage, Ack, BatchSend, GetStatus, SendSeq, CborMsg, UploadPrekeys, FetchPrekeys,
    E2eeMsg, GroupCreate, GroupLeave, GroupMsg, GroupRoster, SenderKeyDist, TypingStart,
    TypingStop, ReadReceipt,
)  # fmt: skip
_SERVER: tuple[type[ServerFrame], ...] = (
    LoginOk, StatusResponse, ReliableMsg, PrekeyResponse, E2eeDelivery, GroupJoin, GroupLeft,
    GroupDelivery, GroupRosterReply, SenderKeyDelivery, TypingRelay, ReadReceiptRelay, Error,
    RateLimited,
)  # fmt: skip

#: Opcode to frame, for what a client sends.
CLIENT_OPCODES: Mapping[int, type[ClientFrame]] = MappingProxyType(
    {int(frame.opcode): frame for frame in _CLIENT}
)
#: Opcode to frame, for what the server sends. The bare texts have no opcode and are not here.
SERVER_OPCODES: Mapping[int, type[ServerFrame]] = MappingProxyType(
    {int(frame.opcode): frame for frame in _SERVER if frame.opcode is not None}
)
#: Bare texts, which the server sends in place of LOGIN_OK and which no opcode announces.
BARE_TEXTS: Mapping[bytes, type[ServerFrame]] = MappingProxyType(
    {b"AUTH_FAILED": AuthFailed, b"RATE_LIMITED": LoginRateLimited}
)
