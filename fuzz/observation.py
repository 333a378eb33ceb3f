"""What happened when a case was played: facts, no judgement."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Ending(StrEnum):
    """How a connection ended, as seen by the client."""

    CLOSED = "closed"  # the peer's end of stream
    RESET = "reset"  # cut by the peer
    REFUSED = "refused"  # nobody accepted it
    DEADLINE = "deadline"  # the peer was silent for longer than the wait allows
    DROPPED = "dropped"  # we reset it: a step of the case
    UNUSED = "unused"  # never opened


@dataclass(frozen=True, slots=True)
class ConnectionTrace:
    """One connection of a played case.

    ``received`` holds what came back, in the pieces that the steps waited for;
    ``waited_for`` names the wait that ran out when ``ending`` is DEADLINE.
    """

    number: int
    ending: Ending
    received: tuple[bytes, ...] = ()
    waited_for: str = ""

    def replies(self) -> bytes:
        """Return all bytes received, joined."""
        return b"".join(self.received)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one play of one case showed on the wire."""

    traces: tuple[ConnectionTrace, ...]
    seconds: float
    #: True when the play was given up before its last step (the target was gone).
    cut_short: bool = False

    def endings(self) -> frozenset[Ending]:
        """Return the ways in which connections ended."""
        return frozenset(trace.ending for trace in self.traces)


@dataclass(frozen=True, slots=True)
class NodeExit:
    """How the node's operating system process ended."""

    status: int | None
    signal: str | None
    slogan: str | None = None
    dump: dict[str, object] = field(default_factory=dict)
    log_tail: tuple[str, ...] = ()
