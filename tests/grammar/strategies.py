"""What the tests of the grammar draw: frames with any content, and any bytes at all."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fuzz.generate import strategies
from grammar import (
    BARE_TEXTS,
    CLIENT_OPCODES,
    SERVER_OPCODES,
    ClientFrame,
    Direction,
    Frame,
    ServerFrame,
)

quick = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

FRAMES: tuple[type[ClientFrame] | type[ServerFrame], ...] = (
    *CLIENT_OPCODES.values(),
    *SERVER_OPCODES.values(),
    *BARE_TEXTS.values(),
)


def frames_of(kind: type[ClientFrame] | type[ServerFrame]) -> SearchStrategy[Frame]:
    """Return frames of one class with any content that the wire can say."""
    return strategies.frames_of(kind, plain=False)


def frames(direction: Direction, delimited: bool = False) -> SearchStrategy[Frame]:
    """Return frames of one direction with any content that the wire can say."""
    return strategies.frames(direction, delimited, plain=False)


near_frames = strategies.directions.flatmap(strategies.near_frames)

any_bytes = st.one_of(
    st.binary(max_size=200),
    near_frames,
    st.binary(max_size=60).map(lambda tail: b"\x10\x00\x01b\x00\x00\x00\x40" + tail),
    st.tuples(
        st.sampled_from([b"AUTH_FAIL", b"AUTH_FAILED", b"RATE_LIMITEE", b"\x03LOGIN", b"\x32O"]),
        st.binary(max_size=8),
    ).map(b"".join),
)
