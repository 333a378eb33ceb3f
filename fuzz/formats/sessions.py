"""Cases out of captured connections: what their clients did, in the order of time.

A segment is what a client has sent at once: packets up to one that is pushed (PSH), since a kernel
cuts a long write in several; where no packet of a connection is, each is a segment. What is not on
the wire is not in the case either: how long a client waited, and for what.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from fuzz.case import (
    GROUP_TOKEN,
    MAX_CONNECTIONS,
    MAX_FILE_BYTES,
    MAX_STEPS,
    MSGID_TOKEN,
    Case,
    Step,
    StepKind,
    Transport,
    opening,
)
from fuzz.formats.capture import Event, Flow, What
from fuzz.formats.logins import with_login_steps
from fuzz.formats.names import Taught
from fuzz.formats.websocket import Replies, is_upgrade, messages_of
from grammar import (
    Ack,
    Direction,
    GroupJoin,
    GroupLeave,
    GroupMsg,
    GroupRoster,
    ReadReceipt,
    ReliableMsg,
    SenderKeyDist,
    Stream,
)
from grammar.errors import GrammarError

#: What a step takes in a file beside its data, and the head of a case: a little more than it is.
_STEP_BYTES, _HEAD_BYTES = 8, 16
#: How a client begins that speaks TLS: a handshake record of version 3.
_TLS = b"\x16\x03"
#: What clients send that names an id of the server's.
_NAMING = Ack | GroupLeave | GroupMsg | GroupRoster | SenderKeyDist | ReadReceipt
_ENDS = {What.ENDED: StepKind.HALF_CLOSE, What.CUT: StepKind.RESET}


@dataclass(frozen=True, slots=True)
class Session:
    """Connections that fit into one case, with what the server taught; ``notes`` are sentences."""

    case: Case
    taught: tuple[Taught, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Client:
    """A connection as it will be in a case: its events are segments and messages by now."""

    flow: Flow
    transport: Transport
    events: list[Event] = field(default_factory=list)
    #: How many steps it takes, and how many bytes of a file.
    steps: int = 0
    size: int = 0
    notes: list[str] = field(default_factory=list)
    said: Stream = field(default_factory=lambda: Stream(Direction.CLIENT))

    def fill(self, events: Iterable[Event]) -> bool:
        """Take ``events`` as long as they fit into one case; tell whether all did."""
        for event in events:
            if event.what is not What.HEARD:
                steps = 1 + self._waits(event)
                size = steps * _STEP_BYTES + len(event.data)
                too_many = self.steps + steps > MAX_STEPS
                if too_many or _HEAD_BYTES + self.size + size > MAX_FILE_BYTES:
                    return False
                self.steps += steps
                self.size += size
            self.events.append(event)
        return True

    def _waits(self, event: Event) -> int:
        """Return how many steps come before that of ``event``: one to wait for an id it may name.

        See :func:`fuzz.formats.names.tokenised`. A part of a frame may be the one with the id.
        """
        if event.what is not What.SENT or self.said.fault is not None:
            return 0
        try:
            frames = self.said.feed(event.data)
        except GrammarError:
            return 0
        return int(self.said.pending > 0 or any(isinstance(frame, _NAMING) for frame in frames))


def sessions(flows: Iterable[Flow]) -> Iterator[Session]:
    """Yield the sessions of ``flows``, which are in the order of their beginnings.

    Connections become one case, as many as fit into it; those that do not, become the next.
    """
    group: list[_Client] = []
    for client in map(_client, flows):
        if group and not _fits([*group, client]):
            yield _session(group)
            group = []
        group.append(client)
    if group:
        yield _session(group)


def _fits(group: Sequence[_Client]) -> bool:
    return (
        len(group) <= MAX_CONNECTIONS
        and sum(client.steps for client in group) <= MAX_STEPS
        and _HEAD_BYTES + sum(client.size for client in group) <= MAX_FILE_BYTES
    )


def _client(flow: Flow) -> _Client:
    """Return a connection in segments or messages, and no more of it than a case can hold."""
    events = list(_segments(flow.events))
    sent = [event.data for event in events if event.what is What.SENT]
    transport = Transport.WEBSOCKET_RAW if flow.beside else Transport.TCP
    if sent and is_upgrade(sent[0]):
        heard = b"".join(event.data for event in events if event.what is What.HEARD)
        messages = messages_of(sent, heard)
        transport = Transport.WEBSOCKET_RAW if messages is None else Transport.WEBSOCKET
        if messages is not None:
            events = list(_in_messages(events, messages))
    client = _Client(flow, transport)
    if not client.fill(events):
        client.notes.append(f"{flow.client}: it is longer than a case, and cut short")
    if sent and sent[0].startswith(_TLS):
        client.notes.append(f"{flow.client}: it speaks TLS, and no case can be read out of that")
    if flow.late:
        client.notes.append(f"{flow.client}: its beginning was not captured")
    if flow.missing:
        client.notes.append(f"{flow.client}: it ends where bytes were not captured")
    return client


def _segments(events: Sequence[Event]) -> Iterator[Event]:
    """Yield ``events`` with packets that were sent at once as one; see the top of the module."""
    pushes = any(event.pushed for event in events)
    parts: list[Event] = []
    for event in events:
        if event.what is What.SENT and pushes:
            parts.append(event)
            if event.pushed:
                yield _joined(parts)
                parts = []
        elif event.what in _ENDS and parts:
            yield _joined(parts)
            parts = []
            yield event
        else:
            yield event
    if parts:
        yield _joined(parts)


def _joined(parts: Sequence[Event]) -> Event:
    return Event(parts[-1].order, What.SENT, b"".join(part.data for part in parts))


def _in_messages(events: Sequence[Event], messages: Sequence[Sequence[bytes]]) -> Iterator[Event]:
    """Yield ``events`` with messages in the place of the segments that brought them."""
    of_each, replies = iter(messages), Replies()
    for event in events:
        if event.what is What.SENT:
            yield from (Event(event.order, What.SENT, message) for message in next(of_each))
        elif event.what is What.HEARD:
            yield Event(event.order, What.HEARD, replies.feed(event.data))
        else:
            yield event


def _session(group: Sequence[_Client]) -> Session:
    """Return the case of connections, each numbered in the order of their beginnings."""
    happened = sorted(
        ((event, number) for number, client in enumerate(group) for event in client.events),
        key=lambda pair: pair[0].order,
    )
    steps: list[Step] = []
    # Of what one client is told between two steps, the last counts.
    taught: dict[tuple[int, int, bytes], bytes] = {}
    streams = {
        number: Stream(Direction.SERVER)
        for number, client in enumerate(group)
        if client.transport is not Transport.WEBSOCKET_RAW
    }
    for event, number in happened:
        if event.what is What.HEARD:
            stream = streams.get(number)
            if stream is not None:
                for token, value in _given(stream, event.data):
                    taught[len(steps), number, token] = value
        elif event.what is What.OPENED:
            steps.append(opening(number, group[number].transport, group[number].flow.edge))
        elif event.what is What.SENT:
            steps.append(Step(StepKind.SEND, number, event.data))
        else:
            steps.append(Step(_ENDS[event.what], number))
    notes = tuple(note for client in group for note in client.notes)
    told = [Taught(*where, value) for where, value in taught.items()]
    return _tidied(with_login_steps(steps), told, notes)


def _given(stream: Stream, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the ids that the server has given in ``data``, each behind its token."""
    try:
        frames = stream.feed(data) if stream.fault is None else []
    except GrammarError:
        return
    for frame in frames:
        if isinstance(frame, GroupJoin):
            yield GROUP_TOKEN, frame.group_id
        elif isinstance(frame, ReliableMsg):
            yield MSGID_TOKEN, frame.msg_id


def _tidied(steps: Sequence[Step], taught: Sequence[Taught], notes: tuple[str, ...]) -> Session:
    """Leave out what a case does anyway: open when first used, half-close at the end in order."""
    end = len(steps)
    while end and steps[end - 1].kind is StepKind.HALF_CLOSE:
        end -= 1
    closed = [step.connection for step in steps[end:]]
    if closed != sorted(closed):
        end = len(steps)
    kept: list[Step] = []
    places: list[int] = []
    for at, step in enumerate(steps[:end]):
        places.append(len(kept))
        following = steps[at + 1] if at + 1 < end else None
        used_next = following is not None and following.connection == step.connection
        if step == opening(step.connection) and used_next:
            continue
        kept.append(step)
    places += [len(kept)] * (len(steps) + 1 - end)
    moved = tuple(replace(one, before=places[one.before]) for one in taught)
    return Session(Case(tuple(kept)), moved, notes)
