"""The clients' streams of a case: where frames begin in them, and which segments are a LOGIN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fuzz.case import Step, StepKind, Transport
from grammar import ClientOpcode, Direction, Stream
from grammar.errors import GrammarError

_LOGIN = bytes([ClientOpcode.LOGIN])
_SENDING = frozenset({StepKind.SEND, StepKind.LOGIN})


def sent_by(step: Step) -> bytes:
    """Return the bytes that a step sends, before any framing of WebSocket."""
    if step.kind is StepKind.LOGIN:
        return _LOGIN + step.data
    return step.data if step.kind is StepKind.SEND else b""


@dataclass(frozen=True, slots=True)
class Run:
    """Segments of one connection that begin with a frame, and of which only the last ends one.

    ``steps`` are their positions among the steps of a case.
    """

    steps: tuple[int, ...]
    data: bytes


def runs(steps: Sequence[Step]) -> Iterator[Run]:
    """Yield the runs in ``steps``, by their ends; from what is no frame on, none of its stream.

    What frames its own WebSocket messages sends no frames of the protocol.
    """
    streams: dict[int, Stream] = {}
    waiting: dict[int, list[int]] = {}
    raw = {
        step.connection
        for step in steps
        if step.kind is StepKind.OPEN and step.transport is Transport.WEBSOCKET_RAW
    }
    for at, step in enumerate(steps):
        if step.kind not in _SENDING or step.connection in raw:
            continue
        stream = streams.setdefault(step.connection, Stream(Direction.CLIENT))
        if stream.fault is not None:
            continue
        waiting.setdefault(step.connection, []).append(at)
        try:
            stream.feed(sent_by(step))
        except GrammarError:
            continue
        if stream.fault is None and not stream.pending:
            yield _run(steps, waiting.pop(step.connection))
    for left in waiting.values():
        yield _run(steps, left)


def with_login_steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return ``steps`` with a LOGIN step for each segment that is a LOGIN and nothing else.

    It has no length, so it is one wherever a frame may begin.
    """
    known = list(steps)
    for run in runs(known):
        first = known[run.steps[0]]
        if len(run.steps) == 1 and first.kind is StepKind.SEND and run.data.startswith(_LOGIN):
            known[run.steps[0]] = replace(first, kind=StepKind.LOGIN, data=run.data[1:])
    return tuple(known)


def _run(steps: Sequence[Step], positions: Iterable[int]) -> Run:
    where = tuple(positions)
    return Run(where, b"".join(sent_by(steps[at]) for at in where))
