"""Plays, written by hand: what clients sent and heard, and what the laws say of that."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.observation import ConnectionTrace, Ending, Observation, Sent
from fuzz.oracles.laws import judge_laws
from grammar import ClientFrame, Login, LoginOk, ReliableMsg, ServerFrame, encode

A, B, C = b"a0000001", b"b0000001", b"c0000001"
OK = LoginOk()

#: What a client does: segments at their order, each of frames or of bytes.
Sends = dict[int, Sequence[ClientFrame] | bytes]


def link(
    number: int,
    sends: Sends,
    heard: Sequence[ServerFrame] | bytes,
    left: int | None = 90,
    ending: Ending = Ending.CLOSED,
) -> ConnectionTrace:
    """Return a connection that sent and heard this, and that we left at ``left``."""
    sent = tuple(Sent(order, _bytes(data), False) for order, data in sends.items())
    return ConnectionTrace(number, ending, (_bytes(heard),), "", sent, left)


def _bytes(data: Sequence[ClientFrame] | Sequence[ServerFrame] | bytes) -> bytes:
    return data if isinstance(data, bytes) else b"".join(map(encode, data))


def play(*links: ConnectionTrace) -> Observation:
    return Observation(links, 0.001, users=frozenset({A, B, C}))


def reasons(*links: ConnectionTrace) -> list[tuple[str, str]]:
    return [(f.cause.what, f.cause.reason) for f in judge_laws(play(*links))]


def message(text: bytes, number: int = 1) -> ReliableMsg:
    return ReliableMsg(b"id%d" % number, text)


def sender(*frames: ClientFrame, heard: Sequence[ServerFrame] = ()) -> ConnectionTrace:
    """Return a connection of user A, logged in at 1, that sends ``frames`` at 3."""
    return link(0, {1: [Login(A)], 3: frames}, [OK, *heard])


def receiver(*heard: ServerFrame, since: int = 2, left: int | None = 91) -> ConnectionTrace:
    """Return a connection of user B that hears this."""
    return link(1, {since: [Login(B)]}, [OK, *heard], left)
