"""The frames of a case as the server reads them: streams, not segments.

TCP may cut a frame anywhere, so the frames of a connection are found in the stream that its
segments make together. A frame that does not end is told as what is there of it. LOGIN and
ACK have no length and end with their segment.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuzz.case import ALL_USER_TOKENS, Case, StepKind, Transport
from grammar import ClientOpcode, Direction
from grammar.layout import PLANS, measure, plan_at


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame of a case.

    ``user`` is who is logged in on its connection when it is sent, None for nobody, and
    ``logins`` how many logins there were on it.
    ``pieces`` are the (step, offset, length) that its bytes come from.
    """

    connection: int
    opcode: int
    data: bytes
    user: bytes | None
    websocket: bool
    pieces: tuple[tuple[int, int, int], ...]
    logins: int = 0

    @property
    def cut(self) -> bool:
        """Tell whether it comes in more than one segment."""
        return len(self.pieces) > 1

    @property
    def unknown(self) -> bool:
        """Tell whether no client has a frame with its opcode."""
        return self.opcode not in PLANS[Direction.CLIENT]


@dataclass(frozen=True, slots=True)
class People:
    """The users of a case: all that log in, and those whose connection is another's since."""

    users: frozenset[bytes]
    former: frozenset[bytes]


@dataclass(slots=True)
class _Stream:
    user: bytes | None = None
    logins: int = 0
    websocket: bool = False
    #: The frame that has begun and not ended: its bytes, where they come from, its place.
    begun: bytes = b""
    pieces: tuple[tuple[int, int, int], ...] = ()
    place: int = 0


def frames_of(case: Case) -> tuple[Seen, ...]:
    """Return the frames that ``case`` sends, in the order in which they begin."""
    found: list[Seen] = []
    streams: dict[int, _Stream] = {}
    for number, step in enumerate(case.steps):
        stream = streams.get(step.connection)
        if stream is None:
            stream = streams[step.connection] = _Stream()
        if step.kind is StepKind.SEND:
            _read(found, stream, step.connection, number, step.data)
        elif step.kind is StepKind.LOGIN:
            stream.user = user_in(step.data)
            stream.logins += 1
        elif step.kind is StepKind.OPEN:
            stream.websocket = step.transport is not Transport.TCP
    return tuple(found)


def users_of(case: Case) -> frozenset[bytes]:
    """Return the users that log in by a step of ``case``."""
    logins = (step.data for step in case.steps if step.kind is StepKind.LOGIN)
    return frozenset(map(user_in, logins))


def edges_of(case: Case) -> frozenset[int]:
    """Return the edges that clients of ``case`` connect to; see :attr:`fuzz.case.Step.edge`."""
    used, connected = set[int](), set[int]()
    for step in case.steps:
        if step.kind is StepKind.RESTART:
            continue  # it is on no connection
        if step.kind is StepKind.OPEN:
            used.add(step.edge)
        elif step.connection not in connected:
            used.add(0)
        connected.add(step.connection)
    return frozenset(used)


def people_of(case: Case) -> People:
    """Return the users of ``case``."""
    now: dict[int, bytes] = {}
    former: set[bytes] = set()
    for step in case.steps:
        if step.kind is StepKind.LOGIN:
            user = user_in(step.data)
            before = now.get(step.connection, user)
            former = (former | {before}) - {user}
            now[step.connection] = user
    return People(users_of(case), frozenset(former))


def user_in(credentials: bytes) -> bytes:
    """Return the user of ``user`` or ``user:token``, which may be a token of the case."""
    fresh = next((token for token in ALL_USER_TOKENS if credentials.startswith(token)), b"")
    return fresh + credentials[len(fresh) :].partition(b":")[0]


def _read(found: list[Seen], stream: _Stream, connection: int, number: int, data: bytes) -> None:
    """Append the frames in ``data``, the first of which may have begun in an earlier segment."""
    before = len(stream.begun)
    joined = stream.begun + data
    offset = 0
    while offset < len(joined):
        plan = plan_at(joined, offset, Direction.CLIENT)
        end, missing = (len(joined), None) if plan is None else measure(plan, joined, offset)
        start = max(offset, before)
        piece = (number, start - before, end - start)
        earlier = stream.pieces if offset < before else ()
        frame = joined[offset:end]
        pieces = (*earlier, piece)
        seen = Seen(
            connection, frame[0], frame, stream.user, stream.websocket, pieces, stream.logins
        )
        if earlier:
            found[stream.place] = seen
        else:
            found.append(seen)
        if missing is not None:
            stream.place = stream.place if earlier else len(found) - 1
            stream.begun, stream.pieces = frame, seen.pieces
            return
        if frame[0] == ClientOpcode.LOGIN:
            stream.user = user_in(frame[1:])
            stream.logins += 1
        offset = end
    stream.begun, stream.pieces = b"", ()
