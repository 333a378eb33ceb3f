"""Strategies for CBOR (RFC 8949), as bytes: its value has fewer forms than the wire allows."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

#: Bytes of an argument at least: an encoder writes the fewest, a decoder must read any.
_widths = st.sampled_from([0, 0, 0, 1, 2, 4, 8])
#: Simple values (true, null, two that are not assigned), and what ends or begins an indefinite
#: item, a tag, a small map, a small array.
_SIMPLE = [b"\xf4", b"\xf5", b"\xf6", b"\xf7", b"\xe0", b"\xf8\x20", b"\xf8\xff"]
_HEADS = [b"\x9f", b"\xbf", b"\x5f", b"\x7f", b"\xff", b"\xc1", b"\xa1", b"\x81"]


def head(major: int, argument: int, width: int = 0) -> bytes:
    """Return the head of an item, its argument in at least ``width`` bytes (section 3)."""
    for size, info in ((0, argument), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size >= width and argument < (24 if size == 0 else 1 << 8 * size):
            return bytes([major << 5 | info]) + (argument.to_bytes(size, "big") if size else b"")
    raise ValueError("an argument has 64 bits")


def cbor_items(max_leaves: int = 12) -> SearchStrategy[bytes]:
    """Return well-formed items in any form that RFC 8949 allows, canonical or not, without tags."""
    return st.recursive(_scalars, lambda items: _array(items) | _map(items), max_leaves=max_leaves)


def cbor_maps(max_leaves: int = 12) -> SearchStrategy[bytes]:
    """Return well-formed maps whose keys are text: what the protocol's fields hold."""
    return _map(cbor_items(max_leaves))


def cbor_like() -> SearchStrategy[bytes]:
    """Return bytes that begin like CBOR: heads of all kinds in any order, and what follows."""
    return st.lists(
        st.one_of(
            st.integers(0, 255).map(lambda byte: bytes([byte])),
            st.sampled_from(_HEADS),
            st.builds(head, st.integers(0, 6), st.integers(0, 2**64 - 1), _widths),
            cbor_items(),
        ),
        max_size=8,
    ).map(b"".join)


@st.composite
def _string(draw: st.DrawFn, major: int) -> bytes:
    """Draw a string of bytes (2) or of text (3), in one piece or in chunks."""

    def chunk() -> bytes:
        text = st.text("aZ9 é", max_size=8).map(str.encode)
        content = draw(text if major == 3 else st.binary(max_size=8))
        return head(major, len(content), draw(_widths)) + content

    if not draw(st.booleans()):
        return chunk()
    chunks = [chunk() for _ in range(draw(st.integers(0, 3)))]
    return bytes([major << 5 | 31]) + b"".join(chunks) + b"\xff"


_scalars = st.one_of(
    st.builds(head, st.sampled_from([0, 1]), st.integers(0, 2**64 - 1), _widths),
    _string(2),
    _string(3),
    st.sampled_from(_SIMPLE),
    st.binary(min_size=2, max_size=2).map(lambda bits: b"\xf9" + bits),
    st.binary(min_size=8, max_size=8).map(lambda bits: b"\xfb" + bits),
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
