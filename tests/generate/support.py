"""What the tests of generate/ share: drafts over given steps, and a rich case."""

from __future__ import annotations

from random import Random

from fuzz.case import Case, Step, StepKind, Transport
from fuzz.generate.dictionary import iris_dictionary
from fuzz.generate.draft import ByteMutate, Draft
from fuzz.generate.envelopes import UPGRADE
from grammar import (
    BatchSend,
    E2eeMsg,
    ReadReceipt,
    SendMessage,
    SendSeq,
    UploadPrekeys,
    cbor,
    encode,
)
from grammar.envelope import Envelope, MessageKind, encode_envelope

A, B = b"<user:A>", b"<user:B>"

HEADER = cbor.dumps({"ik": b"k" * 32, "ek": b"e" * 32, "list": [1, 2, [3]], "n": 300})


class Truthful(Draft):
    """A draft on which what is likely happens: lengths are kept true, breaks are sent."""

    def chance(self, odds: float) -> bool:
        return odds >= 0.5


def byte_mutator(seed: int) -> ByteMutate:
    """Return a stand-in for the engine's mutators: replaces, inserts or drops one byte."""
    rng = Random(seed)

    def mutate(data: bytes, most: int) -> bytes:
        at = rng.randrange(len(data) + 1)
        byte = bytes([rng.randrange(256)])
        return (data[:at] + byte * rng.randrange(3) + data[at + 1 :])[:most]

    return mutate


def send(data: bytes, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, data)


def login(user: bytes = A, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def draft_of(
    *steps: Step, seed: int = 0, max_bytes: int = 100_000, kind: type[Draft] = Draft
) -> Draft:
    return kind(list(steps), Random(seed), byte_mutator(seed), iris_dictionary(), max_bytes)


def drafts(*steps: Step, kind: type[Draft] = Draft, count: int = 200) -> list[Draft]:
    """Return drafts of the same steps, each with chance of its own."""
    return [draft_of(*steps, seed=seed, kind=kind) for seed in range(count)]


FRAMES = (
    SendMessage(B, b"hello"),
    SendSeq(B, 7, b"world"),
    BatchSend(B, (b"one", b"two")),
    E2eeMsg(B, HEADER, b"sealed"),
    UploadPrekeys(cbor.dumps({"identity_key": b"i" * 32, "one_time_prekeys": [b"o" * 32]})),
    ReadReceipt(b"<msgid:1>", B),
)

#: A case in which every operation finds something to work on.
RICH = Case(
    (
        login(),
        login(B, 1),
        send(b"".join(encode(frame) for frame in FRAMES[:3])),
        send(encode(FRAMES[3])),
        send(encode(FRAMES[4]), 1),
        send(encode(FRAMES[5])),
        Step(StepKind.OPEN, 2, value=int(Transport.WEBSOCKET_RAW)),
        send(UPGRADE, 2),
        send(encode_envelope(Envelope(b"ping", MessageKind.PING, key=bytes(4))) * 3, 2),
        Step(StepKind.WAIT),
    )
)


def on(case: Case, seed: int) -> Draft:
    return draft_of(*case.steps, seed=seed)


def sent(steps: list[Step] | tuple[Step, ...]) -> dict[int, bytes]:
    """Return all bytes that each connection sends."""
    streams: dict[int, bytes] = {}
    for step in steps:
        if step.kind is StepKind.SEND:
            streams[step.connection] = streams.get(step.connection, b"") + step.data
    return streams
