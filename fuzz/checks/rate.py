"""Rule 7: a bucket of 500 messages for each user, refilled with 100 a second.

Each case sends a burst and then more, in one of the ways in which a server may lose count. Who
sends more than a bucket sends the rest to another user, since no receiver has to hold more
than some hundred messages that it does not acknowledge. What must have passed, and what cannot
have, is for the law to say (:mod:`fuzz.oracles.laws.rate`), from the times of the play itself:
on a machine that is busy it may be no more than that somebody was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fuzz.case import USER_TOKENS, Case, Step, StepKind, opening
from fuzz.checks.base import Check, Ground, Trial
from grammar import (
    BatchSend,
    CborMsg,
    ClientFrame,
    E2eeMsg,
    SendMessage,
    SendSeq,
    cbor,
    encode,
)
from grammar.limits import RATE_BURST

_A, _B, _C, _D = USER_TOKENS[:4]
#: More than comes in while a burst is handled, on a machine that takes two seconds for it.
_MORE = 200
#: Lets 200 tokens in: well below a bucket, well above what a clock's grain makes of it.
_REST_MS = 2_000
#: Far less than comes in during a rest.
_FEW = 10

_EMPTY = cbor.dumps({})


def _run(ground: Ground) -> Iterator[Trial]:
    edges = len(ground.rig.endpoint.edges())
    for name, steps in (*(questions_of_edges() if edges > 1 else ()), *_questions()):
        yield ground.ask(name, Case(steps))


def _questions() -> Iterator[tuple[str, tuple[Step, ...]]]:
    burst, rest = _send(*_singles(RATE_BURST, _B)), Step(StepKind.PAUSE, value=_REST_MS)
    more, few = _send(*_singles(RATE_BURST, _C)), _send(*_singles(_FEW, _D))
    yield "a burst passes", (*_ALL, burst)
    yield "a burst passes, and no more", (*_ALL, burst, _send(*_singles(_MORE, _C)))
    mixed = _mixed(RATE_BURST // 2, _B), _mixed(RATE_BURST // 2, _B), _mixed(_MORE, _C)
    yield "messages of all kinds are counted", (*_ALL, *(_send(*frames) for frames in mixed))
    yield "a burst in one batch passes", (*_ALL, _send(_batch(RATE_BURST, _B)))
    yield "a batch beyond the burst", (*_ALL, _send(_batch(RATE_BURST + 1, _B)))
    batches = _send(_batch(RATE_BURST, _B), _batch(_MORE, _C))
    yield "each message of a batch is counted", (*_ALL, batches)
    yield "the bucket is refilled", (*_ALL, burst, rest, more)
    yield "what is refused is not counted", (*_ALL, burst, more, rest, few)
    second = _send(*_singles(RATE_BURST, _C), connection=4)
    yield "two connections share a bucket", (*_ALL, _login(_A, 4), burst, second)
    most = _send(*_singles(RATE_BURST - _MORE, _B))
    yield "a second LOGIN does not fill the bucket", (*_ALL, most, _login(_A, 0), more)
    leaves = Step(StepKind.HALF_CLOSE)
    yield "coming back does not fill the bucket", (*_ALL, most, leaves, _login(_A, 4), second)
    other = _send(*_singles(RATE_BURST // 2, _C), connection=1)
    yield "two users do not share a bucket", (*_ALL, burst, other)


def questions_of_edges() -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Yield what is asked where clients can connect to another edge."""
    there = opening(4, edge=1), _login(_A, 4)
    most, more = _send(*_singles(RATE_BURST - _MORE, _B)), _singles(RATE_BURST, _C)
    yield "two edges share a bucket", (*_ALL, *there, most, _send(*more, connection=4))
    leaves = Step(StepKind.HALF_CLOSE)
    moves = *_ALL, most, leaves, *there, _send(*more, connection=4)
    yield "coming back to another edge does not fill the bucket", moves


def _login(user: bytes, connection: int) -> Step:
    return Step(StepKind.LOGIN, connection, user)


#: The sender, and those it sends to.
_ALL = tuple(_login(user, number) for number, user in enumerate((_A, _B, _C, _D)))


def _send(*frames: ClientFrame, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, b"".join(map(encode, frames)))


def _batch(count: int, target: bytes) -> BatchSend:
    return BatchSend(target, (b"",) * count)


def _singles(count: int, target: bytes) -> Sequence[ClientFrame]:
    return [SendMessage(target, b"")] * count


def _mixed(count: int, target: bytes) -> Sequence[ClientFrame]:
    """Return messages of all kinds in turn."""
    kinds: tuple[Callable[[int], ClientFrame], ...] = (
        lambda _: SendMessage(target, b""),
        lambda number: SendSeq(target, number, b"seq"),
        lambda _: CborMsg(target, _EMPTY),
        lambda _: E2eeMsg(target, _EMPTY, b""),
    )
    return [kinds[number % len(kinds)](number) for number in range(count)]


RATE = Check("rate", "the rate limit, to the message", _run)
