"""Metamorphic relations: from a dialogue to others that must be heard in the same way.

No model says here what a server must answer; it is held against itself. A relation makes
variants of a settled dialogue (:mod:`fuzz.generate.settled` says which those are, and so where
all relations are silent), deterministically, and the clients of the dialogue must hear the same
in each. Where a relation leaves more open than that, its function says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fuzz.case import MAX_STEPS, USER_TOKENS, Case, Step, StepKind
from fuzz.errors import HarnessFault
from fuzz.generate.probes import probes, reserved
from fuzz.generate.segments import MAX_BYTEWISE, within_tokens
from fuzz.generate.settled import Settled, settled
from grammar import (
    BatchSend,
    CborMsg,
    ClientFrame,
    ClientOpcode,
    Direction,
    E2eeMsg,
    FetchPrekeys,
    GetStatus,
    ReadReceipt,
    Role,
    SendMessage,
    SendSeq,
    TypingStart,
    TypingStop,
    UploadPrekeys,
    cbor,
    encode,
    frame_bounds,
    spans,
)


@dataclass(frozen=True, slots=True)
class Variant:
    """Another play of a dialogue: ``how`` tells in a few words what is other about it.

    ``apart`` are connections of the dialogue that may hear other things than before.
    """

    how: str
    case: Case
    apart: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation: ``vary`` yields the variants of a dialogue, without what is asked behind it.

    ``claim`` says what must make no difference, behind these words.
    """

    name: str
    claim: str
    vary: Callable[[Settled], Iterator[Variant]]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A dialogue with its probes, the variants that must be heard like it, and who hears."""

    case: Case
    variants: tuple[Variant, ...]
    compared: frozenset[int]


def experiment_of(case: Case, relation: Relation) -> Experiment | None:
    """Return what ``relation`` asks of ``case``; None where it has nothing to ask.

    The same case always gives the same experiment.
    """
    dialogue = settled(case)
    if dialogue is None:
        return None
    behind = probes(dialogue)
    base = Case((*case.steps, *behind))
    variants = [
        replace(variant, case=Case((*variant.case.steps, *behind)))
        for variant in relation.vary(dialogue)
        if len(variant.case.steps) + len(behind) <= MAX_STEPS
    ]
    return Experiment(base, tuple(variants), frozenset(base.connections())) if variants else None


# The same bytes, cut otherwise (rule 2: a frame means the same however TCP cuts it up).


def recut(dialogue: Settled) -> Iterator[Variant]:
    """Vary where TCP cuts what is sent: join segments, or cut frames at places of one kind.

    An ACK ends with its segment, so nothing is joined to it and it is not cut (LOGIN is a step of
    its own). Over a WebSocket a message is a frame, so what goes that way stays as it is. A token
    is not cut, nor from its length where its value has another one.
    """
    whole = _joined(dialogue)
    seen = {dialogue.case.steps}
    for how, places in _CUTS:
        steps = tuple(part for step in whole for part in _cut(step, places, dialogue))
        if steps not in seen:
            seen.add(steps)
            yield Variant(how, Case(steps))


def _joined(dialogue: Settled) -> tuple[Step, ...]:
    joined: list[Step] = []
    closed = True
    for place, step in enumerate(dialogue.case.steps):
        last = joined[-1] if joined else None
        follows = (
            last is not None
            and step.kind is last.kind is StepKind.SEND
            and step.connection == last.connection
        )
        if last is not None and follows and not closed and _is_stream(step, dialogue):
            joined[-1] = replace(last, data=last.data + step.data)
        else:
            joined.append(step)
        closed = place in dialogue.closing
    return tuple(joined)


def _cut(step: Step, places: Callable[[bytes], set[int]], dialogue: Settled) -> Iterator[Step]:
    if step.kind is not StepKind.SEND or not _is_stream(step, dialogue):
        yield step
        return
    inside = places(step.data) - _uncut(step.data)
    edges = [0, *sorted(at for at in inside if 0 < at < len(step.data)), len(step.data)]
    for start, end in pairwise(edges):
        yield replace(step, data=step.data[start:end])


def _is_stream(step: Step, dialogue: Settled) -> bool:
    return step.connection not in dialogue.messages


def _uncut(data: bytes) -> set[int]:
    """Return the offsets at which a cut would change what is said."""
    within = within_tokens(data)
    for found in _IDS.finditer(data):
        within |= {found.start() - 1, found.start()}
    for offset, length, opcode in frame_bounds(data, Direction.CLIENT):
        if opcode == ClientOpcode.ACK:
            within |= set(range(offset + 1, offset + length))
    return within


_IDS = re.compile(b"<group:1>|<msgid:1>")


def _nowhere(_data: bytes) -> set[int]:
    return set()


def _between_frames(data: bytes) -> set[int]:
    return {offset for offset, _, _ in frame_bounds(data, Direction.CLIENT)}


def _behind_opcodes(data: bytes) -> set[int]:
    return {offset + 1 for offset, _, _ in frame_bounds(data, Direction.CLIENT)}


def _within_lengths(data: bytes) -> set[int]:
    found = spans(data, Direction.CLIENT)
    return {s.offset + s.length // 2 for s in found if s.role is Role.LENGTH}


def _before_contents(data: bytes) -> set[int]:
    found = spans(data, Direction.CLIENT)
    return {s.offset + s.length for s in found if s.role is Role.LENGTH}


def _within_contents(data: bytes) -> set[int]:
    others = (Role.LENGTH, Role.OPCODE)
    found = spans(data, Direction.CLIENT)
    return {s.offset + s.length // 2 for s in found if s.role not in others and s.length > 1}


def _before_last_bytes(data: bytes) -> set[int]:
    return {offset + length - 1 for offset, length, _ in frame_bounds(data, Direction.CLIENT)}


def _everywhere(data: bytes) -> set[int]:
    return set(range(len(data))) if len(data) <= MAX_BYTEWISE else set()


_CUTS: tuple[tuple[str, Callable[[bytes], set[int]]], ...] = (
    ("joined", _nowhere),
    ("cut between frames", _between_frames),
    ("cut behind each opcode", _behind_opcodes),
    ("cut within each length", _within_lengths),
    ("cut behind each length", _before_contents),
    ("cut within each content", _within_contents),
    ("cut before each last byte", _before_last_bytes),
    ("cut byte by byte", _everywhere),
)


# A user whom nobody knows.

#: A user who never logs in, and whom no case names.
UNKNOWN = b"<user:u>"
#: Places at which something is put into a dialogue; more would be repetition.
_MOST_PLACES = 8

_MAP = cbor.dumps({"n": 1})
#: What can be said to a user, and asked of one.
_TO_UNKNOWN: tuple[ClientFrame, ...] = (
    SendMessage(UNKNOWN, b"anybody there?"), BatchSend(UNKNOWN, (b"1", b"2")),
    CborMsg(UNKNOWN, _MAP), E2eeMsg(UNKNOWN, _MAP, b"sealed"),
    ReadReceipt(b"no such id", UNKNOWN), GetStatus(UNKNOWN), FetchPrekeys(UNKNOWN),
)  # fmt: skip
#: What a sender may have one of for all whom it writes to: an order of numbers, a place to type in.
_ONE_OF_A_SENDER: tuple[ClientFrame, ...] = (
    SendSeq(UNKNOWN, 1, b"3"), TypingStart(UNKNOWN), TypingStop(UNKNOWN),
)  # fmt: skip


def unknown(dialogue: Settled) -> Iterator[Variant]:
    """Put in frames for a user whom nobody knows: said by each of the clients, and by a stranger.

    Whoever says them may be answered, refused too, so what comes on that connection is not
    compared; if it is closed over that, nothing is (see :mod:`fuzz.oracles.relation`). Only the
    stranger sends a SEND_SEQ, whose number may count for all that its sender sends, and types, for
    a server may know each user to type in one place at a time.
    """
    for number, _ in dialogue.lines:
        places = [place for place, idle in enumerate(dialogue.idle) if number in idle]
        said = _segments(_TO_UNKNOWN, number, number in dialogue.messages)
        steps = _put_in(dialogue.case.steps, dict.fromkeys(places[-_MOST_PLACES:], said))
        yield Variant("a client writes to an unknown user", Case(steps), frozenset((number,)))
    stranger = reserved(dialogue)
    said = _segments((*_TO_UNKNOWN, *_ONE_OF_A_SENDER), stranger)
    steps = _put_in(dialogue.case.steps, dict.fromkeys(_places(dialogue), said))
    yield Variant("a stranger writes to an unknown user", Case((_come(stranger), *steps)))


def _segments(
    frames: Sequence[ClientFrame], connection: int, messages: bool = False
) -> tuple[Step, ...]:
    """Return the steps that say ``frames``: one segment, or one message for each."""
    parts = list(map(encode, frames))
    parts = parts if messages else [b"".join(parts)]
    return tuple(Step(StepKind.SEND, connection, part) for part in parts)


def _put_in(steps: Sequence[Step], at: dict[int, tuple[Step, ...]]) -> tuple[Step, ...]:
    """Return ``steps`` with others put in before those places that ``at`` names."""
    made: list[Step] = []
    for place in range(len(steps) + 1):
        made += [*at.get(place, ()), *steps[place : place + 1]]
    return tuple(made)


def _places(dialogue: Settled) -> list[int]:
    """Return where a stranger speaks: behind each of the last steps, and before all of them."""
    places = range(len(dialogue.case.steps) + 1)
    return sorted({0, *places[-_MOST_PLACES:]})


# A stranger.

#: Who has nothing to do with the case, and whom the stranger writes to, who never comes.
STRANGER, ABSENT = b"<user:s>", b"<user:t>"
#: Longer than a round trip on one machine, so that the delay falls between two steps.
_DELAY_MS = 5
#: Keys of the right sizes (RFC-001 Amendment 001).
_KEYS = cbor.dumps(
    {
        "identity_key": b"i" * 32,
        "signed_prekey": b"s" * 32,
        "signed_prekey_signature": b"s" * 64,
        "one_time_prekeys": [b"1" * 32, b"2" * 32],
    }
)


#: How a stranger says a segment.
_WAYS: tuple[tuple[str, Callable[[Step], tuple[Step, ...]]], ...] = (
    ("interleaved", lambda step: (step,)),
    ("repeated", lambda step: (step, step)),
    ("delayed", lambda step: (step, Step(StepKind.PAUSE, step.connection, value=_DELAY_MS))),
)


def stranger(dialogue: Settled) -> Iterator[Variant]:
    """Let a stranger talk meanwhile, on a connection of its own, to users of its own.

    Its frames come interleaved, each twice, and delayed; and, where no group and no id of the
    server's is in the dialogue, it is the same dialogue of other users, step by step. The
    stranger makes no group, for a server may find the same group by the same name, and it hears
    no message, whose id would take the place of one of the dialogue's.
    """
    number, places = reserved(dialogue), _places(dialogue)
    talk = _talk(dialogue, number)
    for how, spoken in _WAYS:
        said = dict.fromkeys(places, spoken(talk))
        steps = (_come(number), *_put_in(dialogue.case.steps, said))
        yield Variant(f"a stranger's frames are {how}", Case(steps))
    if not (dialogue.grouped or dialogue.bound):
        yield Variant("others lead the same dialogue", Case(_doubled(dialogue, number)))


def _come(number: int) -> Step:
    return Step(StepKind.LOGIN, number, STRANGER)


def _talk(dialogue: Settled, number: int) -> Step:
    """Return what a stranger says."""
    frames: tuple[ClientFrame, ...] = (
        UploadPrekeys(_KEYS), FetchPrekeys(STRANGER), SendSeq(ABSENT, 1, b"1"),
        SendMessage(ABSENT, b"hello"), BatchSend(ABSENT, (b"2", b"3")), CborMsg(ABSENT, _MAP),
        E2eeMsg(ABSENT, _MAP, b"4"), TypingStart(ABSENT), ReadReceipt(b"no such id", ABSENT),
        GetStatus(STRANGER), *map(GetStatus, dialogue.users),
    )  # fmt: skip
    (step,) = _segments(frames, number)
    return step


def _doubled(dialogue: Settled, number: int) -> tuple[Step, ...]:
    """Return the dialogue with each step made once more, by other users elsewhere."""
    return tuple(
        step
        for one in dialogue.case.steps
        for step in (one, replace(one, connection=number + one.connection, data=_others(one.data)))
    )


def _others(data: bytes) -> bytes:
    for user in USER_TOKENS:
        data = data.replace(user, b"<user:%c>" % (user[6] + len(USER_TOKENS)))
    return data


# The same once more.


def again(dialogue: Settled) -> Iterator[Variant]:
    """Play the dialogue once more, as it is: with other names and ids, at another time."""
    yield Variant("played again", dialogue.case)


#: What a play that differs from itself breaks.
AGAIN = Relation("again", "when a dialogue is played", again)

#: All relations, in the order in which they are asked for: who writes to an unknown user may be a
#: stranger too.
RELATIONS: tuple[Relation, ...] = (
    AGAIN,
    Relation("recut", "where TCP cuts what is sent", recut),
    Relation("stranger", "whether a stranger talks", stranger),
    Relation("unknown", "whether somebody writes to an unknown user", unknown),
)


def relation_named(name: str) -> Relation:
    """Return the relation of that name; raise :class:`HarnessFault` if there is none."""
    for relation in RELATIONS:
        if relation.name == name:
            return relation
    raise HarnessFault(f"this harness knows no relation {name!r}")
