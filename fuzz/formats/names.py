"""Names and ids that were true once become tokens, so that what was captured can be played again.

A user that logs in has a history on the server, and a second play of the same bytes would meet
what the first has left. So each name that logs in becomes a user token, in every field that holds
a name; the ids that the server gave to groups and messages, where its replies are known, become
theirs. Lengths are put right. A token of a login is good for its name and its time only: it is
left out of a LOGIN step, which gets a good one where it is played, and is asked for anew in a
segment that holds other frames too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fuzz.case import ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN, Case, Step, StepKind
from fuzz.formats.logins import Run, runs, sent_by
from fuzz.recipes import SURE
from grammar import Direction, Role, Span, spans

_USER, _TOKEN = "LOGIN.user", "LOGIN.token"


@dataclass(frozen=True, slots=True)
class Taught:
    """The server told a client of ``value``, which ``token`` stands for.

    ``before`` is the position of the step that came next, ``connection`` the client's.
    """

    before: int
    connection: int
    token: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class _Edit:
    """Put ``new`` in the place of the bytes from ``start`` to ``end`` of a run."""

    start: int
    end: int
    new: bytes


def tokenised(case: Case, taught: Sequence[Taught] = ()) -> Case:
    """Return ``case`` with tokens for its users, and for the ids that the server ``taught``.

    Users beyond those that a case can name stay as they are. Before an id is sent, there is a wait:
    a play knows of what it has read.
    """
    steps = list(case.steps)
    found = list(runs(steps))
    users = _users(found, b"".join(step.data for step in steps))
    for run in found:
        ids = _known(taught, run.steps[-1])
        login_step = steps[run.steps[0]].kind is StepKind.LOGIN
        edits = sorted(_edits(run, users, ids, login_step), key=lambda edit: edit.start)
        for at, data in zip(run.steps, _edited(steps, run, edits), strict=True):
            login = steps[at].kind is StepKind.LOGIN
            steps[at] = replace(steps[at], data=data[1:] if login else data)
    emptied = {at for run in found for at in run.steps if not sent_by(steps[at])}
    kept = [step for at, step in enumerate(steps) if at not in emptied]
    return replace(case, steps=tuple(_waiting(kept)))


def _waiting(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        if step.kind is StepKind.SEND and (GROUP_TOKEN in step.data or MSGID_TOKEN in step.data):
            yield Step(StepKind.WAIT, step.connection)
        yield step


def _users(found: Iterable[Run], said: bytes) -> dict[bytes, bytes]:
    """Return a token for each name that logs in, in their order; none that is ``said`` already."""
    names = dict.fromkeys(
        run.data[span.offset : span.offset + span.length]
        for run in found
        for span in spans(run.data, Direction.CLIENT)
        if span.path == _USER and not run.data.startswith(ALL_USER_TOKENS, span.offset)
    )
    free = [token for token in ALL_USER_TOKENS if token not in said]
    return dict(zip(names, free, strict=False))


def _known(taught: Iterable[Taught], at: int) -> dict[bytes, bytes]:
    """Return the tokens of the ids that a play would bind at a step.

    Of each kind that is the last one that was told, to the last of the clients that were told any.
    """
    told = [one for one in taught if one.before <= at and one.value]
    last = {one.token: one.value for one in sorted(told, key=lambda one: one.connection)}
    return {value: token for token, value in last.items()}


def _edits(
    run: Run, users: Mapping[bytes, bytes], ids: Mapping[bytes, bytes], login_step: bool
) -> Iterator[_Edit]:
    """Yield what has to change in a run."""
    tokens = {**ids, **users}
    all_spans = spans(run.data, Direction.CLIENT)
    lengths = {s.counts: s for s in all_spans if s.role is Role.LENGTH and s.counts is not None}
    user = b""
    for span in all_spans:
        start, end = span.offset, span.offset + span.length
        value = run.data[start:end]
        if span.path == _USER:
            user = users.get(value, b"")
        if span.path == _TOKEN and user:
            asked = b"<jwt:%b:%b>" % (SURE, user)
            yield _Edit(start - 1, end, b"") if login_step else _Edit(start, end, asked)
        if span.role is not Role.NAME or value not in tokens:
            continue
        counted = lengths.get((span.offset, span.length))
        if counted is not None and not _true(run.data, counted):
            continue
        yield _Edit(start, end, tokens[value])
        if counted is not None and len(tokens[value]) != len(value):
            new = len(tokens[value]).to_bytes(counted.length, "big")
            yield _Edit(counted.offset, counted.offset + counted.length, new)


def _true(data: bytes, length: Span) -> bool:
    """Tell whether a length counts what is there, and no more."""
    assert length.counts is not None
    told = int.from_bytes(data[length.offset : length.offset + length.length], "big")
    return told == length.counts[1]


def _edited(steps: Sequence[Step], run: Run, edits: Sequence[_Edit]) -> list[bytes]:
    """Return the segments of a run after ``edits``, cut where they were cut before.

    A cut within what is replaced stays within it; a segment may become empty all the same.
    """
    ends: list[int] = []
    for at in run.steps:
        size = len(steps[at].data) + (steps[at].kind is StepKind.LOGIN)
        ends.append((ends[-1] if ends else 0) + size)
    pieces: list[bytes] = []
    moved = list(ends)
    done = grown = 0
    for edit in edits:
        pieces += (run.data[done : edit.start], edit.new)
        for number, end in enumerate(ends):
            if end >= edit.end:
                moved[number] = end + grown + len(edit.new) - (edit.end - edit.start)
            elif end > edit.start:
                moved[number] = edit.start + grown + min(end - edit.start, len(edit.new) - 1)
        grown += len(edit.new) - (edit.end - edit.start)
        done = edit.end
    whole = b"".join(pieces) + run.data[done:]
    return [whole[start:end] for start, end in zip([0, *moved], moved, strict=False)]
