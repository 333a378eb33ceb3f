"""Hypothesis strategies for frames, for bytes that are nearly frames, and for CBOR."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from grammar import (
    BARE_TEXTS,
    CLIENT_OPCODES,
    SERVER_OPCODES,
    Ack,
    ClientFrame,
    Direction,
    Frame,
    Login,
    ServerFrame,
    encode,
)

#: The same examples on each run, and no file left behind.
quick = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

FRAMES: tuple[type[ClientFrame] | type[ServerFrame], ...] = (
    *CLIENT_OPCODES.values(),
    *SERVER_OPCODES.values(),
    *BARE_TEXTS.values(),
)

_INTEGERS = {"seq": 64, "last_seen": 64, "timestamp": 64, "retry_after": 32, "state": 8}
_INTEGERS["status"] = 8

directions = st.sampled_from(Direction)


def _value(name: str) -> SearchStrategy[object]:
    if name in _INTEGERS:
        return st.integers(0, 2 ** _INTEGERS[name] - 1)
    if name == "messages":
        return st.lists(st.binary(max_size=20), max_size=5).map(tuple)
    return st.binary(max_size=300)


def frames_of(kind: type[ClientFrame] | type[ServerFrame]) -> SearchStrategy[Frame]:
    """Return frames of one class with any content that the wire can say."""
    if kind is Login:
        users = st.binary(max_size=40).filter(lambda user: b":" not in user)
        return st.builds(Login, users, st.none() | st.binary(max_size=40))
    assert is_dataclass(kind)
    return st.builds(kind, **{field.name: _value(field.name) for field in fields(kind)})


def frames(direction: Direction, delimited: bool = False) -> SearchStrategy[Frame]:
    """Return frames of one direction; ``delimited`` leaves out those without a length."""
    kinds = [kind for kind in FRAMES if kind.direction is direction]
    return st.sampled_from(
        [kind for kind in kinds if not (delimited and kind in (Login, Ack))]
    ).flatmap(frames_of)


@st.composite
def near_frames(draw: st.DrawFn) -> bytes:
    """Draw bytes that are frames but for a few overwritten, cut or added bytes."""
    direction = draw(directions)
    data = bytearray().join(encode(f) for f in draw(st.lists(frames(direction), max_size=4)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


any_bytes = st.one_of(
    st.binary(max_size=200),
    near_frames(),
    st.binary(max_size=60).map(lambda tail: b"\x10\x00\x01b\x00\x00\x00\x40" + tail),
    st.tuples(
        st.sampled_from([b"AUTH_FAIL", b"AUTH_FAILED", b"RATE_LIMITEE", b"\x03LOGIN", b"\x32O"]),
        st.binary(max_size=8),
    ).map(b"".join),
)


def head(major: int, argument: int, width: int) -> bytes:
    """Return the head of a CBOR item in at least ``width`` bytes (RFC 8949, section 3)."""
    for size, info in ((0, argument), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size >= width and argument < (24 if size == 0 else 1 << 8 * size):
            return bytes([major << 5 | info]) + (argument.to_bytes(size, "big") if size else b"")
    raise AssertionError("an argument has 64 bits")


_widths = st.sampled_from([0, 0, 0, 1, 2, 4, 8])


@st.composite
def _string(draw: st.DrawFn, major: int) -> bytes:
    def chunk() -> bytes:
        text = st.text("aZ9 é", max_size=8).map(str.encode)
        content = draw(text if major == 3 else st.binary(max_size=8))
        return head(major, len(content), draw(_widths)) + content

    if draw(st.booleans()):
        return chunk()
    chunks = [chunk() for _ in range(draw(st.integers(0, 3)))]
    return bytes([major << 5 | 31]) + b"".join(chunks) + b"\xff"


_scalars = st.one_of(
    st.builds(head, st.sampled_from([0, 1]), st.integers(0, 2**64 - 1), _widths),
    _string(2),
    _string(3),
    st.sampled_from([b"\xf4", b"\xf5", b"\xf6", b"\xf7", b"\xe0", b"\xf8\x20", b"\xf8\xff"]),
    st.binary(min_size=2, max_size=2).map(lambda b: b"\xf9" + b),
    st.binary(min_size=8, max_size=8).map(lambda b: b"\xfb" + b),
)


@st.composite
def _array(draw: st.DrawFn, items: SearchStrategy[bytes]) -> bytes:
    members = draw(st.lists(items, max_size=4))
    if draw(st.booleans()):
        return b"\x9f" + b"".join(members) + b"\xff"
    return head(4, len(members), draw(_widths)) + b"".join(members)


@st.composite
def _map(draw: st.DrawFn, items: SearchStrategy[bytes]) -> bytes:
    # Keys are text: cbor2 wants them hashable, which the wire does not.
    pairs = draw(st.lists(st.tuples(_string(3), items).map(b"".join), max_size=4))
    if draw(st.booleans()):
        return b"\xbf" + b"".join(pairs) + b"\xff"
    return head(5, len(pairs), draw(_widths)) + b"".join(pairs)


#: Well-formed items in any form that RFC 8949 allows, canonical or not, without tags.
cbor_items: SearchStrategy[bytes] = st.recursive(
    _scalars, lambda items: _array(items) | _map(items), max_leaves=12
)

#: Bytes that begin like CBOR: heads of all kinds in any order, and what follows them.
cbor_like = st.lists(
    st.one_of(
        st.integers(0, 255).map(lambda byte: bytes([byte])),
        st.sampled_from([b"\x9f", b"\xbf", b"\x5f", b"\x7f", b"\xff", b"\xc1", b"\xa1", b"\x81"]),
        st.builds(head, st.integers(0, 6), st.integers(0, 2**64 - 1), _widths),
        cbor_items,
    ),
    max_size=8,
).map(b"".join)
