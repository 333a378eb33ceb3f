"""What happened when a case was played: facts, no judgement."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from fuzz.replies import Expectation


class Ending(StrEnum):
    """How a connection ended, as seen by the client."""

    CLOSED = "closed"  # the peer's end of stream
    RESET = "reset"  # cut by the peer
    REFUSED = "refused"  # nobody accepted it
    DEADLINE = "deadline"  # the peer was silent for longer than the wait allows
    DROPPED = "dropped"  # we reset it: a step of the case
    UNUSED = "unused"  # never opened


@dataclass(frozen=True, slots=True)
class Sent:
    """One segment that was written, or as much of it as the peer took: its tokens are bound.

    ``order`` counts what was sent, and who left, over all connections of the case; ``login``
    tells that it was a LOGIN step. The node has handled it between ``at`` and ``done``, in
    seconds since the play began; infinity where nobody asked.
    """

    order: int
    data: bytes
    login: bool
    at: float = 0.0
    done: float = inf


@dataclass(frozen=True, slots=True)
class ConnectionTrace:
    """One connection of a played case.

    ``received`` holds what came back, in the pieces that the steps waited for;
    ``waited_for`` names the wait that ran out when ``ending`` is DEADLINE; ``sent`` holds the
    segments, before any framing of WebSocket; ``edge`` counts the edges of the target, from 0;
    ``left`` is the order (see :class:`Sent`) at which we half-closed or cut it, or had the server
    restarted, None if the peer was first; ``plain`` tells raw TCP, and ``messages`` a WebSocket
    session in order, in which each segment was a message of its own. ``heard`` has for each piece
    of ``received`` the order after which it was read, 0 for what came with an upgrade.
    """

    number: int
    ending: Ending
    received: tuple[bytes, ...] = ()
    waited_for: str = ""
    #: Ours, and not what was seen: traces that show the same are equal.
    sent: tuple[Sent, ...] = field(default=(), compare=False)
    left: int | None = field(default=None, compare=False)
    plain: bool = field(default=True, compare=False)
    messages: bool = field(default=False, compare=False)
    edge: int = field(default=0, compare=False)
    heard: tuple[int, ...] = field(default=(), compare=False)

    def replies(self) -> bytes:
        """Return all bytes received, joined."""
        return b"".join(self.received)


@dataclass(frozen=True, slots=True)
class Guard:
    """What LOGIN is checked against: the secret of the node's tokens, and the time of the play.

    ``now`` is in seconds since 1970, as the claims of a token are: when the play began.
    ``revoked`` are the values of ``jti`` that the node was told to refuse.
    """

    secret: bytes
    now: float
    revoked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one play of one case showed on the wire.

    ``guard`` is None where LOGIN needs no token, or the secret is not known; ``users`` are the
    names that were made for this play, which nobody else uses; ``expects`` is what the case says
    that its clients are to hear. ``restarts`` are the orders (see :class:`Sent`) at which the case
    had the server restarted. ``exact`` tells that between two segments all that went before had
    been handled; else only that it had been read, and what came of it may have come in any order.
    """

    traces: tuple[ConnectionTrace, ...]
    seconds: float
    #: True when the play was given up before its last step (the target was gone).
    cut_short: bool = False
    guard: Guard | None = None
    users: frozenset[bytes] = field(default=frozenset(), compare=False)
    expects: Expectation | None = field(default=None, compare=False)
    restarts: tuple[int, ...] = ()
    exact: bool = field(default=True, compare=False)

    def endings(self) -> frozenset[Ending]:
        """Return the ways in which connections ended."""
        return frozenset(trace.ending for trace in self.traces)

    def size(self) -> int:
        """Return how many bytes were sent and received."""
        return sum(
            sum(len(sent.data) for sent in trace.sent) + sum(map(len, trace.received))
            for trace in self.traces
        )


@dataclass(frozen=True, slots=True)
class NodeExit:
    """How the operating system process of a node ended; ``node`` is its name, where known."""

    status: int | None
    signal: str | None
    slogan: str | None = None
    dump: dict[str, object] = field(default_factory=dict)
    log_tail: tuple[str, ...] = ()
    node: str = ""
