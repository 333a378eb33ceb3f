"""The published limits, and the values around them."""

from __future__ import annotations

import pytest

from grammar import Direction, limits, spans
from grammar.layout import PLANS, Shape
from grammar.limits import BOUNDARIES, FIELD_LIMITS, boundaries, field_limit
from tests.grammar.vectors import VECTORS

#: Fields that the published table of limits does not name.
UNLIMITED = {"RELIABLE_MSG.message", "GROUP_ROSTER.roster", "ERROR.reason"}


def test_every_field_with_a_length_has_its_limit_or_is_known_to_have_none() -> None:
    counted = {
        field.path
        for direction in Direction
        for plan in PLANS[direction].values()
        for field in plan.fields
        if field.shape is Shape.COUNTED
    }
    assert counted | {"LOGIN.user", "ACK.msg_id"} == set(FIELD_LIMITS) | UNLIMITED
    assert not UNLIMITED & set(FIELD_LIMITS)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("GET_STATUS.user", 256),
        ("SEND_MESSAGE.target", 256),
        ("E2EE_MSG.recipient", 256),
        ("GROUP_CREATE.name", 256),
        ("GROUP_LEAVE.group_id", 256),
        ("SEND_MESSAGE.message", 65_536),
        ("BATCH_SEND.messages", 1_048_576),
        ("BATCH_SEND.messages[3]", 65_536),
        ("BATCH_SEND.messages[3].length", 65_536),
        ("BATCH_SEND.messages.length", 1_048_576),
        ("ACK.msg_id", 64),
        ("CBOR_MSG.payload", 262_144),
        ("CBOR_MSG.payload[2].head", 262_144),
        ("UPLOAD_PREKEYS.bundle", 8_192),
        ("SENDER_KEY_DIST.key_data", 8_192),
        ("E2EE_MSG.header.length", 1_024),
        ("GROUP_MSG.ciphertext", 65_536),
        ("SEND_SEQ.seq", None),
        ("SEND_SEQ.opcode", None),
        ("tail", None),
    ],
)
def test_each_path_has_the_published_limit(path: str, limit: int | None) -> None:
    assert field_limit(path) == limit


def test_the_limits_of_a_connection_are_as_published() -> None:
    assert (limits.BUFFER, limits.UNACKED, limits.BATCH_MESSAGES) == (65_536, 1_000, 1_000)
    assert (limits.RATE_PER_SECOND, limits.RATE_BURST) == (100, 500)
    assert (limits.ACK_SECONDS, limits.ACK_SCAN_SECONDS) == (10, 5)


def test_every_path_that_has_a_limit_is_a_span() -> None:
    paths = {s.path for v in VECTORS for s in spans(v.data, v.frame.direction)}
    # A batch and a CBOR field show as their parts; their length is a span of its own.
    assert {p for p in FIELD_LIMITS if not {p, f"{p}.length"} & paths} == set()


@pytest.mark.parametrize(
    ("limit", "width", "among"),
    [
        (256, 2, {0, 1, 127, 128, 255, 256, 257, 32767, 32768, 65535}),
        (1_048_576, 4, {0, 65535, 65536, 65537, 1_048_575, 1_048_576, 1_048_577, 2**32 - 1}),
        (None, 1, {0, 1, 127, 128, 129, 255}),
        (None, 8, {2**59 - 1, 2**59, 2**63 - 1, 2**63, 2**64 - 1}),
    ],
)
def test_boundaries_hold_the_interesting_values(
    limit: int | None, width: int, among: set[int]
) -> None:
    values = boundaries(limit, width)
    assert among <= set(values)
    assert list(values) == sorted(set(values))
    assert 0 <= values[0] <= values[-1] < 256**width


def test_every_field_with_a_limit_has_boundaries_on_both_sides_of_it() -> None:
    assert set(BOUNDARIES) == set(FIELD_LIMITS)
    for path, limit in FIELD_LIMITS.items():
        assert {limit - 1, limit, limit + 1, 0} <= set(BOUNDARIES[path])
