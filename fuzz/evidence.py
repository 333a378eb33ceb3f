"""What the watchdog lays before the oracles: all that was seen of one play, or of a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from fuzz.case import Case
from fuzz.decoding import Decoder, Meaning, Outcome
from fuzz.node import Event, Suspect
from fuzz.observation import NodeExit, Observation


class Pulse(StrEnum):
    """What the canary met: a new client that logs in and asks for a status."""

    WELL = "well"
    REFUSED = "refused"  # nothing accepts connections
    MUTE = "mute"  # accepted, and then silence


@dataclass(frozen=True, slots=True)
class Growth:
    """A resource that grew in ``grew`` of ``plays`` plays of one case, and stayed."""

    what: str
    plays: int
    grew: int
    amount: int

    def steady(self) -> bool:
        """Tell whether it grows with each play: what is made once does not leak."""
        return self.plays > 1 and self.grew >= 0.8 * self.plays

    @property
    def confidence(self) -> float:
        """Return the share of plays in which it grows at least, in 95 of 100 measurements.

        This is the lower end of Wilson's interval: 0.72 where ten of ten plays showed it.
        """
        if self.plays == 0:
            return 0.0
        share, normal = self.grew / self.plays, 1.96
        spread = normal * math.sqrt(
            share * (1 - share) / self.plays + (normal / (2 * self.plays)) ** 2
        )
        middle = share + normal**2 / (2 * self.plays)
        return (middle - spread) / (1 + normal**2 / self.plays)


#: Five times what a correct server spends on a case of a few clients and frames.
FREE_REDUCTIONS = 1_000_000
#: Six times what five hundred messages in one segment cost for each of their bytes.
REDUCTIONS_A_BYTE = 500


@dataclass(frozen=True, slots=True)
class Cost:
    """What ``plays`` plays cost: reductions of the node, and the bytes that were sent.

    ``where`` is the function that ran most often meanwhile, as ``module:function/arity``;
    empty where no coverage is read. ``seconds`` is how long the answers took, None if nobody
    knows: only reductions judge, since a busy machine makes times longer.
    """

    reductions: int
    bytes: int
    plays: int = 1
    where: str = ""
    seconds: float | None = None

    def excessive(self) -> bool:
        """Tell whether no sensible server works so hard for so little."""
        return self.reductions > FREE_REDUCTIONS * self.plays + REDUCTIONS_A_BYTE * self.bytes


#: What a client of a rush waits for that is served, and to whom a message was written before.
STORED_MESSAGE = "a message that was stored"


@dataclass(frozen=True, slots=True)
class Rush:
    """How a crowd was served that came at once: ``clients`` of them, ``what`` they did.

    For ``written`` of them a message was stored. ``seconds`` passed until the last of them was
    served, or until the ``limit`` was reached. ``waits`` counts those who were not served, by what
    they waited for; ``again`` how often one was turned away or cut off before it was served, and
    tried again. ``cut`` of them were cut off when they had been served, ``misled`` got a message
    that was for another. ``bystanders`` names those who were not answered in time while all this
    went on.
    """

    what: str
    clients: int
    seconds: float
    limit: float
    written: int = 0
    waits: Mapping[str, int] = field(default_factory=dict)
    again: int = 0
    cut: int = 0
    misled: int = 0
    bystanders: tuple[str, ...] = ()

    def told(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {**asdict(self), "seconds": round(self.seconds, 2)}


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two plays to be heard alike, by a relation of :mod:`fuzz.generate.relations`.

    ``claim`` says what must make no difference, ``how`` in what the other case is other.
    ``compared`` are the connections that are compared, ``apart`` those of the other play that may
    hear other things. In ``shown`` of ``plays`` pairs of plays they differed in the same way.
    """

    relation: str
    claim: str
    how: str
    base: Case
    other: Case
    heard: Observation
    heard_other: Observation
    compared: frozenset[int]
    apart: frozenset[int] = frozenset()
    shown: int = 1
    plays: int = 1


@dataclass(frozen=True, slots=True)
class Decoding:
    """What ``decoder`` did with ``data``, called directly; ``meaning`` says what that means."""

    decoder: Decoder
    meaning: Meaning
    data: bytes
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts of one judgement.

    ``bystanders_cut`` names the bystanders that lost their connection though they did
    nothing; ``pulse`` is None when nobody looked; ``applications_lost`` names target
    applications that no longer run; ``node_restarted`` that it is not the node that was
    started, though it serves; ``node_silent`` means that the node's process lives
    while its agent does not answer, ``node_answers`` that it does. ``slow_seconds`` is how
    long the canary waited, if that was longer than a healthy server lets anybody wait.
    ``contrasts`` are plays that were not heard alike, ``decodings`` direct calls of a decoder.

    Where there are several nodes, ``node`` names the one that is silent or was started anew, and
    ``edge`` the one at which the canary was not well.
    """

    observations: tuple[Observation, ...] = ()
    events: tuple[Event, ...] = ()
    node_exit: NodeExit | None = None
    node_silent: bool = False
    bystanders_cut: tuple[str, ...] = ()
    pulse: Pulse | None = None
    applications_lost: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    growth: tuple[Growth, ...] = ()
    cost: Cost | None = None
    node_restarted: bool = False
    slow_seconds: float = 0.0
    node_answers: bool = False
    rushes: tuple[Rush, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    decodings: tuple[Decoding, ...] = ()
    node: str = ""
    edge: str = ""
