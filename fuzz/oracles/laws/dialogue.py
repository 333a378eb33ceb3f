"""One play as the laws see it: who said what, as whom, and in which order.

Theory of operation. A connection is *sure* when all that was said on it can be told: every
byte it sent is part of a frame (the last one may be incomplete; over WebSocket each message is
exactly one frame), and every LOGIN that was sent was answered by LOGIN_OK. Only sure
connections owe or are owed anything. One that is not may have said things that nobody can
tell, and may have let something through that looks like nothing; so where one is in the case,
the laws on deliveries are silent. Where no barrier told that a segment was handled, the next may
have been read with it: then nobody can tell where a frame without a length has ended.

``order`` is that of :class:`fuzz.observation.Sent`: between two segments the node has
handled all that went before, whatever the connection.

A case may have the server restarted. All stays end there, as if everybody had left: it is an
orderly stop, in which a server can bring to its disk what it has accepted and was not acknowledged.
So what a client was told is done stays done, and all that is owed is owed behind it as before:
messages, groups, keys. What lives in memory by design does not: who is online, who types, how
full a bucket is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import pairwise
from math import inf
from typing import NamedTuple

from fuzz.observation import ConnectionTrace, Ending, Observation
from grammar import (
    AuthFailed,
    BatchSend,
    CborMsg,
    ClientFrame,
    Direction,
    E2eeDelivery,
    E2eeMsg,
    Error,
    Frame,
    Login,
    LoginOk,
    LoginRateLimited,
    RateLimited,
    ReliableMsg,
    SendMessage,
    SendSeq,
    Stream,
    UnknownFrame,
    encode,
)
from grammar.errors import GrammarError
from grammar.layout import PLANS, Shape

#: A server may give up on a connection that fills its buffer (limits.BUFFER), and need not say
#: so; what comes near that is not judged.
_BIG = 32_768

#: Replies up to this long are likely to come again, byte for byte: they name nobody.
_SHORT = 64

#: What a server says to a LOGIN that it does not accept, and to what else it refuses.
_SHUT_OUT = (AuthFailed, LoginRateLimited)
_REFUSALS = (Error, RateLimited)

# To ask an enum for its member takes longer than to compare with it.
_CLOSED, _UNUSED = Ending.CLOSED, Ending.UNUSED

#: What is said of a frame that came in more than one segment.
CUT = " that was cut by TCP"


#: Frames without a length: they end with their segment.
_OPEN_ENDED = tuple(
    plan.frame
    for plan in PLANS[Direction.CLIENT].values()
    if any(field.shape is Shape.REST for field in plan.fields)
)


class Said(NamedTuple):
    """A frame that a client sent: when, and as which user (None before LOGIN).

    ``place`` counts the frames of its connection. ``cut`` tells that it came in more than one
    segment. The node has handled it between ``at`` and ``done``, in seconds since the play began.
    """

    order: int
    place: int
    user: bytes | None
    frame: ClientFrame
    cut: bool = False
    at: float = 0.0
    done: float = inf

    @property
    def moment(self) -> tuple[int, int]:
        """Return what is less for whatever the server handled before."""
        return self.order, self.place

    @property
    def how(self) -> str:
        """Return how it came: as which frame, and whether that was cut."""
        return self.frame.opcode.name + (CUT if self.cut else "")


class Message(NamedTuple):
    """A message to one user, as it must arrive; ``link`` is the connection that sent it.

    ``how`` names the frame it was in, and tells if that was cut.
    """

    order: int
    link: int
    sender: bytes | None
    target: bytes
    body: bytes
    how: str


class Stay(NamedTuple):
    """A user on a connection: from its LOGIN until the connection, or the user, has gone.

    ``until`` is None for a connection that the peer ended.
    """

    user: bytes
    since: int
    until: int | None


class Link:
    """One connection of a play."""

    def __init__(self, trace: ConnectionTrace, exact: bool = True) -> None:
        self.number = trace.number
        self.edge = trace.edge
        self.ending = trace.ending
        self.left = trace.left
        self.readable = trace.plain or trace.messages
        heard = _heard(trace.replies())
        self.heard, self.fault, self.rest = heard.frames, heard.fault, heard.rest
        self.said, whole, self.pending = _said(trace)
        #: The classes of the frames that were heard.
        self.kinds = heard.kinds
        #: Whether anything that was sent may have been refused.
        self.refused = not self.kinds.isdisjoint(_REFUSALS)
        self.logins = tuple([said.order for said in self.said if isinstance(said.frame, Login)])
        self.sure = (
            self.readable and whole and self.fault is None and len(self.logins) == heard.accepted
            and self.kinds.isdisjoint(_SHUT_OUT) and (exact or not self._may_be_joined())
        )  # fmt: skip

    def _may_be_joined(self) -> bool:
        """Tell whether a segment may have been read as the rest of what was sent before it.

        The first LOGIN is waited for, whatever a barrier tells; nothing answers an ACK.
        """
        last = self.said[-1].order if self.said else 0
        return any(
            isinstance(said.frame, _OPEN_ENDED) and said.order != last for said in self.said[1:]
        )

    @property
    def clean(self) -> bool:
        """Tell whether no server has a reason to have closed it before we left.

        A frame that is refused is one, and so is the start of one that is never completed.
        """
        return self.sure and not self.refused and not self.pending

    @property
    def read_to_the_last_byte(self) -> bool:
        """Tell whether the server ended it in order, after we had."""
        return self.ending is _CLOSED and self.left is not None

    @property
    def read_to_the_end(self) -> bool:
        """Tell whether all that the server had to say on it was read, frame by frame."""
        return self.read_to_the_last_byte and not self.rest

    @cached_property
    def stays(self) -> tuple[Stay, ...]:
        """Return the users that were logged in on it, one after the other."""
        ends = (*self.logins[1:], self.left)
        users = [said.frame.user for said in self.said if isinstance(said.frame, Login)]
        return tuple(map(Stay, users, self.logins, ends))

    @cached_property
    def delivered(self) -> list[ReliableMsg]:
        """Return the messages that came, in their order."""
        return [frame for frame in self.heard if isinstance(frame, ReliableMsg)]


class Dialogue:
    """All connections of one play."""

    def __init__(self, observation: Observation) -> None:
        self.users = observation.users
        self.seconds = observation.seconds
        self.restarts = observation.restarts
        exact = observation.exact
        self.links = [Link(t, exact) for t in observation.traces if t.ending is not _UNUSED]
        self.sure = all(link.sure for link in self.links)
        #: The classes of the frames that were sent, and of those that were heard.
        self.kinds = {type(said.frame) for link in self.links for said in link.said}
        self.heard_kinds = frozenset[type[Frame]]().union(*[link.kinds for link in self.links])

    @cached_property
    def messages(self) -> list[Message]:
        """Return the messages to users that were sent, in the order of sending.

        Those before LOGIN are among them: that they have no effect is for the laws to say.
        """
        sent = [
            Message(said.order, link.number, said.user, target, body, said.how)
            for link in self.links
            for said in link.said
            for target, body in messages_in(said)
        ]
        return sorted(sent, key=lambda message: message.order)

    def over_a_restart(self, since: int, until: int) -> bool:
        """Tell whether the server was restarted between two orders, the first included."""
        return any(since <= order < until for order in self.restarts)

    def stays_of(self, user: bytes) -> list[tuple[Link, Stay]]:
        """Return where ``user`` was logged in, in the order of the logins."""
        return self._stays.get(user, [])

    def one_after_the_other(self, user: bytes) -> bool:
        """Tell whether no two stays of a user overlap: then it is clear which owns a message."""
        return all(
            stay.until is not None and stay.until < following.since
            for (_, stay), (_, following) in pairwise(self.stays_of(user))
        )

    @cached_property
    def _stays(self) -> dict[bytes, list[tuple[Link, Stay]]]:
        stays = [(link, stay) for link in self.links for stay in link.stays]
        by_user: dict[bytes, list[tuple[Link, Stay]]] = {}
        for link, stay in sorted(stays, key=lambda pair: pair[1].since):
            by_user.setdefault(stay.user, []).append((link, stay))
        return by_user


class _Heard(NamedTuple):
    """The server's frames, what ended them too early, and the bytes left over.

    ``kinds`` are the classes of the frames, and ``accepted`` counts those that are LOGIN_OK.
    """

    frames: tuple[Frame, ...]
    fault: GrammarError | None
    rest: bytes
    kinds: frozenset[type[Frame]]
    accepted: int


def _read(replies: bytes) -> _Heard:
    stream, frames, rest = Stream(Direction.SERVER), list[Frame](), b""
    with suppress(GrammarError):  # which the stream keeps
        frames = stream.feed(replies)
    fault = stream.fault
    if fault is None:
        rest = stream.close()
    kinds = [type(frame) for frame in frames]
    return _Heard(tuple(frames), fault, rest, frozenset(kinds), kinds.count(LoginOk))


#: What recurs is few replies; most hold a name or an id that is never seen again.
_read_short = lru_cache(maxsize=512)(_read)


def _heard(replies: bytes) -> _Heard:
    """Return what the server said on a connection: in most plays what it said in others too."""
    return _read_short(replies) if len(replies) <= _SHORT else _read(replies)


def _said(trace: ConnectionTrace) -> tuple[list[Said], bool, int]:
    """Return the frames that a client sent, and whether they are all that can be in its bytes.

    The number is that of the bytes at the end that are the start of a frame.
    """
    stream, user = Stream(Direction.CLIENT), None
    said: list[Said] = []
    for segment in trace.sent:
        cut = stream.pending > 0
        try:
            frames = stream.feed(segment.data)
        except GrammarError:
            return said, False, 0
        for frame in frames:
            if isinstance(frame, UnknownFrame) or not isinstance(frame, ClientFrame):
                return said, False, 0
            if isinstance(frame, Login):
                user = frame.user
            place = len(said)
            said.append(Said(segment.order, place, user, frame, cut, segment.at, segment.done))
            cut = False
        if not trace.plain and (len(frames) != 1 or stream.pending):
            return said, False, 0
        if stream.fault is not None or stream.pending > _BIG or len(segment.data) > _BIG:
            return said, False, 0
    return said, True, stream.pending


def messages_in(said: Said) -> Iterator[tuple[bytes, bytes]]:
    """Yield target and body of each message in a frame."""
    frame = said.frame
    if isinstance(frame, SendMessage | SendSeq):
        yield frame.target, frame.message
    elif isinstance(frame, BatchSend):
        for message in frame.messages:
            yield frame.target, message
    elif isinstance(frame, CborMsg):
        yield frame.target, frame.payload
    elif isinstance(frame, E2eeMsg):
        body = encode(E2eeDelivery(said.user or b"", frame.header, frame.ciphertext))
        yield frame.recipient, body
