"""What a correct server owes its clients, judged from one play of one case.

To add a law: write a function from a dialogue to findings, and add it to LAWS. A law speaks
only where no correct server could have done what was seen; where a case leaves that open (a
frame that is none, a login that was refused, two logins of one user at a time) it is
silent. So a finding of a law needs no second opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Finding
from fuzz.node import EventKind
from fuzz.observation import Ending, Observation
from fuzz.oracles.laws.answers import relays, status, unanswered
from fuzz.oracles.laws.auth import auth
from fuzz.oracles.laws.conformance import conformance
from fuzz.oracles.laws.delivery import (
    duplicated,
    invented,
    lost,
    misrouted,
    reordered,
    returned,
)
from fuzz.oracles.laws.dialogue import Dialogue
from fuzz.oracles.laws.golden import golden
from fuzz.oracles.laws.groups import group_lost, group_readers, group_writers, rosters
from fuzz.oracles.laws.keys import bundles, one_time_keys
from fuzz.oracles.laws.rate import rate
from fuzz.oracles.laws.websocket import websocket
from grammar import (
    BatchSend,
    CborMsg,
    E2eeMsg,
    Frame,
    GroupMsg,
    GroupRosterReply,
    PrekeyResponse,
    RateLimited,
    ReadReceiptRelay,
    ReliableMsg,
    SenderKeyDist,
    SendMessage,
    SendSeq,
    StatusResponse,
    TypingRelay,
)

Law = Callable[[Dialogue], Iterable[Finding]]
#: How connections end that the oracles on the node look at.
_GIVEN_UP = (Ending.DEADLINE, Ending.REFUSED)

#: What those send who send messages.
_MESSAGES = (SendMessage, SendSeq, BatchSend, CborMsg, E2eeMsg)
_ANYTHING: tuple[type[Frame], ...] = ()

#: All laws on a dialogue, the most telling first: a client that has lost its place in the
#: stream misses messages as well, and a message that came to another user is lost to its own.
#: Beside each law stands what it is about: it has nothing to say where no such frame was sent, by
#: a client or the server. Most dialogues are about little, and to judge them takes time.
LAWS: tuple[tuple[Law, tuple[type[Frame], ...]], ...] = (
    (conformance, _ANYTHING),
    (misrouted, (ReliableMsg,)),
    (invented, (ReliableMsg,)),
    (duplicated, (ReliableMsg,)),
    (returned, (ReliableMsg,)),
    (relays, (TypingRelay, ReadReceiptRelay)),
    (group_writers, (ReliableMsg,)),
    (group_readers, (ReliableMsg,)),
    (rosters, (GroupRosterReply,)),
    (one_time_keys, (PrekeyResponse,)),
    (bundles, (PrekeyResponse,)),
    (status, (StatusResponse,)),
    (rate, (RateLimited, *_MESSAGES)),
    (unanswered, _ANYTHING),
    (reordered, (ReliableMsg,)),
    (lost, _MESSAGES),
    (group_lost, (GroupMsg, SenderKeyDist)),
)


#: What holds whatever a server handled first. Who cannot know that more than the reading of a
#: segment came before the next one judges by these alone.
_IN_ANY_ORDER = frozenset({conformance, invented, duplicated, relays, unanswered})
#: What the others tell: the causes that are not judged there.
BY_ORDER = frozenset(
    {
        "bundle",
        "group",
        "lost",
        "misrouted",
        "one-time key",
        "rate",
        "reordered",
        "returned",
        "roster",
        "status",
    }
)


@lru_cache(maxsize=4_096)
def _asked(kinds: frozenset[type[Frame]]) -> tuple[Law, ...]:
    """Return the laws that may have something to say of frames of these classes."""
    return tuple(law for law, about in LAWS if not about or not kinds.isdisjoint(about))


def judge_laws(observation: Observation) -> tuple[Finding, ...]:
    """Return what the laws say of one play: the first of them that is broken speaks.

    A play that was given up, or in which a connection was silent beyond its deadline, is for
    the oracles that look at the node.
    """
    if observation.cut_short or any(trace.ending in _GIVEN_UP for trace in observation.traces):
        return ()
    # The law on tokens reads the bytes of LOGIN.
    accepted = tuple({f.fingerprint: f for f in auth(observation)}.values())
    if accepted:
        return accepted
    # Who cannot read the frames of WebSocket reads nothing within them.
    for finding in websocket(observation):
        return (finding,)
    dialogue = Dialogue(observation)
    for law in _asked(dialogue.heard_kinds | dialogue.kinds):
        if not (observation.exact or law in _IN_ANY_ORDER):
            continue
        for finding in law(dialogue):
            return (finding,)
    return tuple(golden(observation))


def laws(evidence: Evidence) -> Iterable[Finding]:
    """Judge each play, unless something broke: then it says nothing about the laws."""
    broken = (
        evidence.node_exit is not None
        or evidence.node_silent
        or evidence.pulse not in (None, Pulse.WELL)
        or evidence.applications_lost
        or evidence.bystanders_cut
        or any(event.kind is not EventKind.ERROR for event in evidence.events)
    )
    if broken:
        return ()
    return [finding for observed in evidence.observations for finding in judge_laws(observed)]


__all__ = ["LAWS", "Law", "judge_laws", "laws"]
