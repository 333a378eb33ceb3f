"""Each opcode in both states of a login: what is sent, what the sender and others get."""

from __future__ import annotations

from collections.abc import Callable

import cbor2
import pytest

from tests.target.reference_support import (
    Client,
    Frame,
    ReferenceNode,
    error,
    n16,
    n32,
    u64,
)

Name = Callable[[], bytes]

#: {1: 2} and {"a": 1}.
MAP = bytes.fromhex("a10102")
HEADER = bytes.fromhex("a1616101")

#: One frame of each opcode that needs a login, complete and within the limits.
FRAMES = {
    0x02: b"\x02" + n16(b"bob") + n16(b"hi"),
    0x03: b"\x03id",
    0x04: b"\x04" + n16(b"bob") + n32(n16(b"one") + n16(b"two")),
    0x07: b"\x07" + n16(b"bob") + u64(7) + n16(b"hi"),
    0x10: b"\x10" + n16(b"bob") + n32(MAP),
    0x20: b"\x20" + n32(MAP),
    0x21: b"\x21" + n16(b"bob"),
    0x23: b"\x23" + n16(b"bob") + n16(HEADER) + n32(b"cipher"),
    0x30: b"\x30" + n16(b"team"),
    0x32: b"\x32" + n16(b"0123456789abcdef"),
    0x33: b"\x33" + n16(b"0123456789abcdef") + n16(HEADER) + n32(b"cipher"),
    0x35: b"\x35" + n16(b"0123456789abcdef"),
    0x36: b"\x36" + n16(b"0123456789abcdef") + n32(b"key"),
    0x70: b"\x70" + n16(b"bob"),
    0x71: b"\x71" + n16(b"bob"),
    0x74: b"\x74" + n16(b"id") + n16(b"bob"),
}


def bodies(frames: list[Frame]) -> list[Frame]:
    """Return the opcode and the message of RELIABLE_MSG frames."""
    return [(frame[0], frame[2]) for frame in frames]


@pytest.mark.parametrize("opcode", sorted(FRAMES))
def test_before_login_a_frame_is_refused_and_the_connection_stays(
    reference: ReferenceNode, opcode: int
) -> None:
    with Client(reference.tcp) as client:
        assert client.ask(FRAMES[opcode]) == error("login required")
        client.settle()


def test_before_login_the_status_of_a_user_can_be_asked(
    reference: ReferenceNode, name: Name
) -> None:
    user = name()
    with Client(reference.tcp) as client, Client(reference.tcp, user) as other:
        reply = client.ask(b"\x05" + n16(user))
        assert reply[:3] == (0x06, user, 1)
        now = reply[3]
        assert isinstance(now, int)
        assert now > 1_700_000_000
        assert other.finish() == ()
        offline = client.ask(b"\x05" + n16(user))
        assert offline[:3] == (0x06, user, 0)
        assert isinstance(offline[3], int)
        assert now <= offline[3] <= now + 60
        stranger = name()
        assert client.ask(b"\x05" + n16(stranger)) == (0x06, stranger, 0, 0)


def test_login_takes_the_rest_of_the_segment(reference: ReferenceNode, name: Name) -> None:
    user = name()
    with Client(reference.tcp) as client:
        client.send(b"\x05" + n16(b"nobody") + b"\x01" + user + b"\x05")
        assert client.frame()[0] == 0x06
        assert client.frame() == (0x03, b"LOGIN_OK")
        assert client.ask(b"\x05" + n16(user + b"\x05"))[2] == 1
        assert client.ask(b"\x05" + n16(user))[2] == 0


@pytest.mark.parametrize("bad", [b"", b"u" * 257, b":token", b"user:" + b"t" * 5000])
def test_a_bad_name_may_not_log_in(reference: ReferenceNode, bad: bytes) -> None:
    with Client(reference.tcp) as client:
        client.send(b"\x01" + bad)
        assert client.rest() == b"AUTH_FAILED"


def test_the_longest_name_may_log_in(reference: ReferenceNode) -> None:
    longest = b"n" * 256
    with Client(reference.tcp, longest) as client:
        assert client.ask(b"\x05" + n16(longest))[2] == 1


def test_a_second_login_is_a_logout_and_a_login(reference: ReferenceNode, name: Name) -> None:
    first, second = name(), name()
    with Client(reference.tcp, first) as client, Client(reference.tcp, name()) as other:
        client.send(b"\x01" + second)
        assert client.frame() == (0x03, b"LOGIN_OK")
        assert other.ask(b"\x05" + n16(first))[2] == 0
        assert other.ask(b"\x05" + n16(second))[2] == 1
        other.send(b"\x02" + n16(second) + n16(b"hi"))
        assert client.frame()[2] == b"hi"


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (0x02, [b"hi"]),
        (0x04, [b"one", b"two"]),
        (0x07, [b"hi"]),
        (0x10, [MAP]),
    ],
)
def test_a_message_reaches_an_online_user(
    reference: ReferenceNode, name: Name, frame: int, expected: list[bytes]
) -> None:
    target = name()
    with Client(reference.tcp, target) as receiver, Client(reference.tcp, name()) as sender:
        sender.send(FRAMES[frame].replace(n16(b"bob"), n16(target)))
        frames = [receiver.frame() for _ in expected]
        assert bodies(frames) == [(0x10, body) for body in expected]
        assert len({frame[1] for frame in frames}) == len(expected)
        assert all(isinstance(frame[1], bytes) and 0 < len(frame[1]) <= 64 for frame in frames)
        assert sender.finish() == ()


def test_an_encrypted_message_names_its_sender(reference: ReferenceNode, name: Name) -> None:
    target, source = name(), name()
    with Client(reference.tcp, target) as receiver, Client(reference.tcp, source) as sender:
        sender.send(b"\x23" + n16(target) + n16(HEADER) + n32(b"cipher"))
        inner = b"\x24" + n16(source) + n16(HEADER) + n32(b"cipher")
        assert receiver.frame()[2] == inner
        sender.settle()


@pytest.mark.parametrize(("opcode", "state"), [(0x70, 1), (0x71, 0)])
def test_typing_is_relayed_to_who_is_online(
    reference: ReferenceNode, name: Name, opcode: int, state: int
) -> None:
    target, source = name(), name()
    with Client(reference.tcp, target) as receiver, Client(reference.tcp, source) as sender:
        sender.send(bytes([opcode]) + n16(target))
        assert receiver.frame() == (0x72, source, state)
        sender.send(bytes([opcode]) + n16(b"nobody"))
        sender.settle()


def test_a_read_receipt_is_relayed_to_the_sender(reference: ReferenceNode, name: Name) -> None:
    target, reader = name(), name()
    with Client(reference.tcp, target) as receiver, Client(reference.tcp, reader) as sender:
        sender.send(b"\x74" + n16(b"id-1") + n16(target))
        assert receiver.frame()[:3] == (0x75, b"id-1", reader)


def bundle(*one_time: bytes) -> dict[str, object]:
    return {
        "identity_key": b"i" * 32,
        "signed_prekey": b"s" * 32,
        "signed_prekey_signature": b"g" * 64,
        "one_time_prekeys": list(one_time),
    }


def test_a_one_time_key_is_given_out_once(reference: ReferenceNode, name: Name) -> None:
    owner = name()
    first, second = b"1" * 32, b"2" * 32
    with Client(reference.tcp, owner) as client, Client(reference.tcp, name()) as other:
        reply = client.ask(b"\x20" + n32(cbor2.dumps(bundle(first, second))))
        assert reply == (0x22, cbor2.dumps({"status": "ok"}))
        for expected in ([first], [second], [], []):
            opcode, data = other.ask(b"\x21" + n16(owner))
            assert isinstance(data, bytes)
            assert (opcode, cbor2.loads(data)) == (0x22, bundle(*expected))


def test_a_missing_bundle_is_not_found(reference: ReferenceNode, name: Name) -> None:
    with Client(reference.tcp, name()) as client:
        reply = client.ask(b"\x21" + n16(b"nobody"))
        assert reply == (0x22, cbor2.dumps({"status": "not_found"}))


@pytest.mark.parametrize(
    "change",
    [
        {"identity_key": b"i" * 31},
        {"signed_prekey": "s" * 32},
        {"signed_prekey_signature": b"g" * 32},
        {"one_time_prekeys": [b"1" * 33]},
        {"one_time_prekeys": b"1" * 32},
    ],
)
def test_a_bad_bundle_is_refused(
    reference: ReferenceNode, name: Name, change: dict[str, object]
) -> None:
    with Client(reference.tcp, name()) as client:
        reply = client.ask(b"\x20" + n32(cbor2.dumps({**bundle(), **change})))
        assert reply == (0x22, cbor2.dumps({"status": "error"}))


def test_a_bundle_without_a_key_or_with_one_twice_is_refused(
    reference: ReferenceNode, name: Name
) -> None:
    whole = cbor2.dumps(bundle())
    twice = bytes([whole[0] + 1]) + whole[1:] + cbor2.dumps("signed_prekey") + n16(b"")
    with Client(reference.tcp, name()) as client:
        for data in (twice, cbor2.dumps({}), b"\x80", b"", b"\xa1\x01"):
            reply = client.ask(b"\x20" + n32(data))
            expected = error("name is empty") if not data else None
            assert reply == (expected or (0x22, cbor2.dumps({"status": "error"})))


def create(client: Client, name: bytes) -> bytes:
    """Create or join a group and return its id."""
    opcode, group, _ = client.ask(b"\x30" + n16(name))
    assert opcode == 0x31
    assert isinstance(group, bytes)
    return group


def test_a_group_is_made_joined_written_to_and_left(reference: ReferenceNode, name: Name) -> None:
    ann, bob = name(), name()
    with Client(reference.tcp, ann) as a, Client(reference.tcp, bob) as b:
        group = create(a, b"team")
        assert group != create(a, b"team")
        assert create(b, group) == group
        assert a.frame() == (0x31, group, bob)
        roster = cbor2.dumps([ann.decode(), bob.decode()])
        assert a.ask(b"\x35" + n16(group)) == (0x35, group, roster)
        a.send(b"\x33" + n16(group) + n16(HEADER) + n32(b"cipher"))
        header = cbor2.dumps({"a": 1, "sender": ann.decode()})
        assert b.frame()[2] == b"\x33" + n16(group) + n16(header) + n32(b"cipher")
        b.send(b"\x36" + n16(group) + n32(b"key"))
        assert a.frame()[2] == b"\x36" + n16(group) + n32(b"key")
        assert b.ask(b"\x32" + n16(group)) == (0x32, b"OK")
        for frame in (FRAMES[0x32], FRAMES[0x33], FRAMES[0x35], FRAMES[0x36]):
            reply = b.ask(frame.replace(n16(b"0123456789abcdef"), n16(group)))
            assert reply == error("no such group")
        assert a.ask(b"\x32" + n16(group)) == (0x32, b"OK")
        assert a.ask(b"\x35" + n16(group)) == error("no such group")


def test_a_client_cannot_choose_the_sender_of_a_group_message(
    reference: ReferenceNode, name: Name
) -> None:
    ann, bob = name(), name()
    with Client(reference.tcp, ann) as a, Client(reference.tcp, bob) as b:
        group = create(b, b"team")
        create(a, group)
        header = cbor2.dumps({"sender": "eve", "n": 1})
        b.frame()
        a.send(b"\x33" + n16(group) + n16(header) + n32(b""))
        delivered = cbor2.dumps({"n": 1, "sender": ann.decode()})
        assert b.frame()[2] == b"\x33" + n16(group) + n16(delivered) + n32(b"")


@pytest.mark.parametrize("opcode", sorted(set(FRAMES) - {0x03, 0x20}))
def test_an_empty_name_is_refused_and_the_connection_stays(
    reference: ReferenceNode, name: Name, opcode: int
) -> None:
    frame = FRAMES[opcode]
    length = int.from_bytes(frame[1:3], "big")
    with Client(reference.tcp, name()) as client:
        assert client.ask(frame[:1] + n16(b"") + frame[3 + length :]) == error("name is empty")
        client.settle()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x0f",
        b"\x80",
        *(bytes([op]) for op in (0x06, 0x22, 0x24, 0x31, 0x72, 0x75, 0xFE, 0xFF)),
    ],
)
def test_an_unknown_opcode_ends_its_connection_with_a_reason(
    reference: ReferenceNode, name: Name, data: bytes
) -> None:
    with Client(reference.tcp, name()) as client:
        client.send(data + b"whatever comes behind it")
        assert client.rest() == b"\xfe" + n16(b"unknown opcode")
    with Client(reference.tcp, name()) as client:
        client.send(b"\x34")
        assert client.rest() == b"\xfe" + n16(b"reserved opcode")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x02" + n16(b"b" * 257) + n16(b"hi"), "target is too long"),
        (b"\x05\x01\x01", "user is too long"),
        (b"\x04" + n16(b"bob") + (1 << 20).to_bytes(4, "big"), "frame is larger than the buffer"),
        (b"\x04" + n16(b"bob") + (1 << 21).to_bytes(4, "big"), "batch is too long"),
        (b"\x10" + n16(b"bob") + b"\xff\xff\xff\xff", "payload is too long"),
        (b"\x20\x00\x00\x20\x01", "bundle is too long"),
        (b"\x23" + n16(b"bob") + b"\x04\x01", "header is too long"),
        (b"\x23" + n16(b"bob") + n16(HEADER) + b"\x00\x01\x00\x01", "ciphertext is too long"),
        (b"\x36" + n16(b"g") + b"\x00\x00\x20\x01", "key data is too long"),
        (b"\x74\x00\x41", "msg_id is too long"),
        (b"\x02" + n16(b"bob") + b"\xff\xff", "frame is larger than the buffer"),
    ],
)
def test_a_length_above_its_limit_ends_its_connection_at_once(
    reference: ReferenceNode, name: Name, data: bytes, reason: str
) -> None:
    with Client(reference.tcp, name()) as client:
        client.send(data)
        assert client.rest() == b"\xfe" + n16(reason.encode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x04" + n16(b"bob") + n32(b""), "batch is empty"),
        (b"\x04" + n16(b"bob") + n32(b"\x00\x09short"), "batch message runs past the blob"),
        (b"\x04" + n16(b"bob") + n32(n16(b"") * 1001), "batch has too many messages"),
        (b"\x10" + n16(b"bob") + n32(b"\x80"), "a cbor map is required"),
        (b"\x10" + n16(b"bob") + n32(b"\xa1\x01"), "cbor is malformed"),
        (b"\x10" + n16(b"bob") + n32(b"\xbf\x01\x02"), "cbor is malformed"),
        (b"\x10" + n16(b"bob") + n32(b"\xa0\x00"), "cbor is followed by other bytes"),
        (b"\x10" + n16(b"bob") + n32(b"\xa1\x01" + b"\x81" * 99 + b"\x00"), "cbor is nested"),
        (b"\x23" + n16(b"bob") + n16(b"") + n32(b""), "a cbor map is required"),
        (b"\x03" + b"i" * 65, "msg_id is too long"),
    ],
)
def test_bad_content_is_answered_and_the_connection_stays(
    reference: ReferenceNode, name: Name, data: bytes, reason: str
) -> None:
    with Client(reference.tcp, name()) as client:
        reply = client.ask(data)
        assert reply[0] == 0xFE
        assert isinstance(reply[1], bytes)
        assert reply[1].decode().startswith(reason)
        client.settle()


@pytest.mark.parametrize("opcode", sorted(set(FRAMES) - {0x03}))
def test_a_frame_means_the_same_in_single_bytes(
    reference: ReferenceNode, name: Name, opcode: int
) -> None:
    frame = FRAMES[opcode] + b"\x05" + n16(b"nobody")
    with Client(reference.tcp, name()) as whole, Client(reference.tcp, name()) as parts:
        whole.send(frame)
        for at in range(len(frame)):
            parts.send(frame[at : at + 1])
        mine, theirs = whole.finish(), parts.finish()
        assert [reply[0] for reply in mine] == [reply[0] for reply in theirs]
        assert mine[-1] == theirs[-1] == (0x06, b"nobody", 0, 0)


def test_the_largest_frame_passes_and_one_byte_more_does_not(
    reference: ReferenceNode, name: Name
) -> None:
    target = name()
    room = 65536 - 1 - len(n16(target)) - 2
    with Client(reference.tcp, target) as receiver, Client(reference.tcp, name()) as sender:
        sender.send(b"\x02" + n16(target) + n16(b"m" * room))
        assert receiver.frame()[2] == b"m" * room
        sender.send(b"\x02" + n16(target) + n16(b"m" * (room + 1)))
        assert sender.rest() == b"\xfe" + n16(b"frame is larger than the buffer")


def test_half_close_gets_every_reply_and_then_the_end(reference: ReferenceNode, name: Name) -> None:
    target = name()
    with Client(reference.tcp, target) as client:
        client.send((b"\x05" + n16(target)) * 5000)
        frames = client.finish()
    assert len(frames) == 5000
    assert {frame[:3] for frame in frames} == {(0x06, target, 1)}
