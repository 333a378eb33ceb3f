"""Golden vectors: one frame of every opcode, typed by hand from the protocol's tables.

No vector was made by the code under test. Each string is the layout of the Iris Protocol
v1.0 freeze, section 4, written out: a space between fields, and between a length and what
it counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from grammar import frames as f


@dataclass(frozen=True, slots=True)
class Vector:
    """A frame and its bytes, as hexadecimal digits with spaces."""

    frame: f.ClientFrame | f.ServerFrame
    hexadecimal: str

    @property
    def data(self) -> bytes:
        return bytes.fromhex(self.hexadecimal)


# Two small CBOR maps (RFC 8949): {"n": 1} and {"ik": h'AA', "n": 0}.
N1 = bytes.fromhex("a1 61 6e 01")
IK = bytes.fromhex("a2 62 69 6b 41 aa 61 6e 00")

CLIENT_VECTORS = (
    # 01 LOGIN: user to the end of the segment: "alice"
    Vector(f.Login(b"alice"), "01 616c696365"),
    # 01 LOGIN: user:token: "bob:e.y.s"
    Vector(f.Login(b"bob", b"e.y.s"), "01 626f62 3a 652e792e73"),
    # 01 LOGIN: the token is there and empty: "bob:"
    Vector(f.Login(b"bob", b""), "01 626f62 3a"),
    # 01 LOGIN: the first colon parts, later ones belong to the token: "b:c:d"
    Vector(f.Login(b"b", b"c:d"), "01 62 3a 633a64"),
    # 01 LOGIN: nothing behind the opcode is an empty user
    Vector(f.Login(b""), "01"),
    # 02 SEND_MESSAGE: target len16 "bob", msg len16 "hi"
    Vector(f.SendMessage(b"bob", b"hi"), "02 0003 626f62 0002 6869"),
    # 03 ACK: msg_id to the end of the segment: "m1"
    Vector(f.Ack(b"m1"), "03 6d31"),
    # 04 BATCH_SEND: target len16 "bob", blob len32 of 7 bytes = "a" len16 and "bc" len16
    Vector(
        f.BatchSend(b"bob", (b"a", b"bc")),
        "04 0003 626f62 00000007 0001 61 0002 6263",
    ),
    # 04 BATCH_SEND: an empty blob holds no message; one of two bytes holds an empty message
    Vector(f.BatchSend(b"b", ()), "04 0001 62 00000000"),
    Vector(f.BatchSend(b"b", (b"",)), "04 0001 62 00000002 0000"),
    # 05 GET_STATUS: user len16 "bob"
    Vector(f.GetStatus(b"bob"), "05 0003 626f62"),
    # 07 SEND_SEQ: target len16 "bob", seq u64 258, msg len16 "x"
    Vector(f.SendSeq(b"bob", 258, b"x"), "07 0003 626f62 0000000000000102 0001 78"),
    # 07 SEND_SEQ: the highest seq of 64 bits
    Vector(f.SendSeq(b"b", 2**64 - 1, b""), "07 0001 62 ffffffffffffffff 0000"),
    # 10 CBOR_MSG: target len16 "bob", payload len32 = {"n": 1}
    Vector(f.CborMsg(b"bob", N1), "10 0003 626f62 00000004 a1616e01"),
    # 10 CBOR_MSG: the same map, 1 in two bytes (not canonical, but well-formed)
    Vector(
        f.CborMsg(b"b", bytes.fromhex("a1616e1801")),
        "10 0001 62 00000005 a1 616e 1801",
    ),
    # 20 UPLOAD_PREKEYS: bundle len32 = {"n": 1}
    Vector(f.UploadPrekeys(N1), "20 00000004 a1616e01"),
    # 21 FETCH_PREKEYS: user len16 "bob"
    Vector(f.FetchPrekeys(b"bob"), "21 0003 626f62"),
    # 23 E2EE_MSG: recipient len16 "bob", header len16 = {"ik": h'AA', "n": 0}, ciphertext len32
    Vector(
        f.E2eeMsg(b"bob", IK, b"\xde\xad"),
        "23 0003 626f62 0009 a262696b41aa616e00 00000002 dead",
    ),
    # 30 GROUP_CREATE: name len16 "team"
    Vector(f.GroupCreate(b"team"), "30 0004 7465616d"),
    # 32 GROUP_LEAVE: group_id len16 "g1"
    Vector(f.GroupLeave(b"g1"), "32 0002 6731"),
    # 33 GROUP_MSG: group_id len16 "g1", header len16 = {"n": 1}, ciphertext len32
    Vector(
        f.GroupMsg(b"g1", N1, b"\xca\xfe\xff"),
        "33 0002 6731 0004 a1616e01 00000003 cafeff",
    ),
    # 35 GROUP_ROSTER: group_id len16 "g1"
    Vector(f.GroupRoster(b"g1"), "35 0002 6731"),
    # 36 SENDER_KEY_DIST: group_id len16 "g1", key_data len32
    Vector(f.SenderKeyDist(b"g1", b"\x01\x02"), "36 0002 6731 00000002 0102"),
    # 70 TYPING_START: target len16 "bob"
    Vector(f.TypingStart(b"bob"), "70 0003 626f62"),
    # 71 TYPING_STOP: target len16, empty
    Vector(f.TypingStop(b""), "71 0000"),
    # 74 READ_RECEIPT: msg_id len16 "m1", sender len16 "bob"
    Vector(f.ReadReceipt(b"m1", b"bob"), "74 0002 6d31 0003 626f62"),
)

SERVER_VECTORS = (
    # 03 LOGIN_OK: the literal "LOGIN_OK"
    Vector(f.LoginOk(), "03 4c4f47494e5f4f4b"),
    # the bare text "AUTH_FAILED", no opcode
    Vector(f.AuthFailed(), "415554485f4641494c4544"),
    # the bare text "RATE_LIMITED", no opcode
    Vector(f.LoginRateLimited(), "524154455f4c494d49544544"),
    # 06 STATUS_RESPONSE: user len16 "bob", state u8 1, last_seen u64 seconds
    Vector(
        f.StatusResponse(b"bob", 1, 0x65000000),
        "06 0003 626f62 01 0000000065000000",
    ),
    # 10 RELIABLE_MSG: msg_id len16 "m1", msg len32 "hi"
    Vector(f.ReliableMsg(b"m1", b"hi"), "10 0002 6d31 00000002 6869"),
    # 22 PREKEY_RESPONSE: bundle len32 = {"n": 1}
    Vector(f.PrekeyResponse(N1), "22 00000004 a1616e01"),
    # 22 PREKEY_RESPONSE: length 0, the key service refused
    Vector(f.PrekeyResponse(b""), "22 00000000"),
    # 24 E2EE_DELIVERY: sender len16 "al", header len16 = {"n": 1}, ciphertext len32
    Vector(f.E2eeDelivery(b"al", N1, b"\x99"), "24 0002 616c 0004 a1616e01 00000001 99"),
    # 31 GROUP_JOIN: group_id len16 "g1", user len16 "al"
    Vector(f.GroupJoin(b"g1", b"al"), "31 0002 6731 0002 616c"),
    # 32 GROUP_LEFT: the literal "OK"
    Vector(f.GroupLeft(), "32 4f4b"),
    # 33 GROUP_DELIVERY: group_id len16 "g1", header len16 = {"n": 1}, ciphertext len32
    Vector(f.GroupDelivery(b"g1", N1, b"\x98"), "33 0002 6731 0004 a1616e01 00000001 98"),
    # 35 GROUP_ROSTER: group_id len16 "g1", roster len32 = ["al", "bob"]
    Vector(
        f.GroupRosterReply(b"g1", bytes.fromhex("82 62 616c 63 626f62")),
        "35 0002 6731 00000008 82 62616c 63626f62",
    ),
    # 36 SENDER_KEY_DIST: group_id len16 "g1", key_data len32
    Vector(f.SenderKeyDelivery(b"g1", b"\x97\x96"), "36 0002 6731 00000002 9796"),
    # 72 TYPING_RELAY: sender len16 "al", status u8 1
    Vector(f.TypingRelay(b"al", 1), "72 0002 616c 01"),
    # 75 READ_RECEIPT_RELAY: msg_id len16 "m1", reader len16 "al", timestamp u64
    Vector(
        f.ReadReceiptRelay(b"m1", b"al", 0x0102030405060708),
        "75 0002 6d31 0002 616c 0102030405060708",
    ),
    # FE ERROR: reason len16 "no"
    Vector(f.Error(b"no"), "fe 0002 6e6f"),
    # FF RATE_LIMITED: retry_after u32, 1500 milliseconds
    Vector(f.RateLimited(1500), "ff 000005dc"),
)

VECTORS = CLIENT_VECTORS + SERVER_VECTORS
