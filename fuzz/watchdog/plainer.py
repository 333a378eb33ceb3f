"""The plainest way to show a defect: does it take what the case that came first happened to have?

Laws judge one play, and can name only what was so in that play: the message that was lost went to
a user who was away, or in a batch, or its frame was cut by TCP. Whether any of that matters shows
only in another play of the case, without it. One defect would else have a finding for each way in
which it came up, and two defects could share the one that both came up in.

So what may be said in several ways is tried in all of them, the plainest first: a lost message, by
itself and in one piece to users who are there all the time, then with one of these after the other.
The first that shows such a finding is the case, and its finding the finding. Where a case shows
nothing in a plainer way, it does take what it has. What else is in a case may hide that, so one
that shows nothing plainer is made small, and asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from fuzz.case import Case, Step, StepKind
from fuzz.errors import IrisFuzzError
from fuzz.finding import Finding
from fuzz.watchdog.attributed import Attributed
from grammar import (
    BatchSend,
    CborMsg,
    ClientOpcode,
    Direction,
    Frame,
    GrammarError,
    SendMessage,
    SendSeq,
    Stream,
    decode,
    encode,
    frame_bounds,
)

#: What ends a connection.
_CLOSES = frozenset({StepKind.HALF_CLOSE, StepKind.RESET})
#: Plays of a batch: a long case is seldom plain in its last frames alone.
_MOST = 16
_Steps = tuple[Step, ...]


class Ways:
    """Brings findings down to their plainest way, and remembers what came down to what.

    ``findings_of`` plays a case and returns what it shows; ``known`` tells what was told before;
    ``smaller`` returns a case that shows a finding with less beside it, if there is one.
    """

    def __init__(
        self,
        findings_of: Callable[[Case], Sequence[Finding]],
        known: Callable[[Finding], bool] = lambda _: False,
        smaller: Callable[[Case, Finding], Case] = lambda case, _: case,
    ) -> None:
        self._findings_of = findings_of
        self._known = known
        self._smaller = smaller
        self._plain: dict[tuple[str, str], Finding] = {}

    def told_as(self, finding: Finding) -> Finding:
        """Return the finding that one like ``finding`` came down to, else ``finding``.

        The title is part of what is alike: it says in which frame a message was lost, and another
        frame may be another defect. Where a title tells less, nothing is remembered.
        """
        return self._plain.get((finding.fingerprint, finding.title), finding)

    def settled(
        self, case: Case, finding: Finding
    ) -> Generator[Attributed, None, tuple[Case, Finding] | None]:
        """Yield the plainest way to show ``finding``, which ``case`` shows, and return it.

        None is returned where it is known in that way. Where the target is lost meanwhile, the
        finding is yielded as it is.
        """
        try:
            plain_case, plain = self.plainest(case, finding)
            if plain is finding:
                plain_case, plain = self.plainest(self._smaller(case, finding), finding)
        except IrisFuzzError:
            yield Attributed(finding, case, 1, 1)
            raise
        if self._known(plain):
            yield Attributed(plain, None)
            return None
        yield Attributed(plain, plain_case, 1, 1)
        return plain_case, plain

    def plainest(self, case: Case, finding: Finding) -> tuple[Case, Finding]:
        """Return the plainest case that shows the defect of ``finding``, and its finding there.

        ``case`` shows ``finding``. Some cases are played, :data:`_MOST` at most.
        """
        way = _WAYS.get(finding.cause.what)
        if way is None:
            return case, finding
        for each in _unlike(case.steps, way.plainer(case.steps)):
            for found in self._findings_of(each):
                if found.cause.what == way.what:
                    if way.remembered:
                        self._plain[finding.fingerprint, finding.title] = found
                    return each, found
        return case, finding


def _unlike(steps: _Steps, plainer: Iterable[_Steps]) -> Iterator[Case]:
    """Yield the first ``plainer`` cases that are not one another, nor ``steps``."""
    seen = {steps}
    for each in islice(plainer, _MOST):
        if each not in seen:
            seen.add(each)
            yield Case(each)


def _whole_and_there(steps: _Steps) -> Iterator[_Steps]:
    there = _all_there(_once(steps))
    yield from (_one_by_one(_uncut(there)), _uncut(there), _uncut(steps), there)


def _one_user_each(steps: _Steps) -> Iterator[_Steps]:
    """Yield ``steps`` with only the last login of each connection."""
    last = {step.connection: place for place, step in enumerate(steps) if _logs_in(step)}
    yield tuple(
        step
        for place, step in enumerate(steps)
        if not _logs_in(step) or last[step.connection] == place
    )


def _frame_by_frame(steps: _Steps) -> Iterator[_Steps]:
    """Yield each frame, well formed or not, by itself behind what begins its connection."""
    # The last first: what is known of a reply that is no frame is that others came before it.
    for place, step in reversed(tuple(enumerate(steps))):
        if step.kind is not StepKind.SEND or _logs_in(step):
            continue
        begun = tuple(
            other
            for at, other in enumerate(steps[:place])
            if other.connection == step.connection and _begins(steps, at, other)
        )
        for offset, length, _ in reversed(frame_bounds(step.data, Direction.CLIENT)):
            yield (*begun, replace(step, data=step.data[offset : offset + length]))


def _all_there(steps: _Steps) -> _Steps:
    """Return ``steps`` with all connections there from before the first message to the end.

    Each is opened and logs in first, and ends when the case does. Behind a restart nobody is there
    any more.
    """
    if any(step.kind is StepKind.RESTART for step in steps):
        return steps
    begins = [place for place, step in enumerate(steps) if _begins(steps, place, step)]
    behind = sorted(set(range(len(steps))).difference(begins))
    ordered = (steps[place] for place in (*begins, *behind))
    return tuple(step for step in ordered if step.kind not in _CLOSES)


def _once(steps: _Steps) -> _Steps:
    """Return ``steps`` without connections that only listen, of users who have another one.

    That is one that says something, else the last.
    """
    logins = [step for step in steps if step.kind is StepKind.LOGIN]
    busy = {step.connection for step in steps if step.kind is StepKind.SEND}
    kept = {step.data: step.connection for step in logins}
    kept |= {step.data: step.connection for step in logins if step.connection in busy}
    gone = {step.connection for step in logins if kept[step.data] != step.connection}
    return tuple(step for step in steps if step.connection not in gone - busy)


def _begins(steps: _Steps, place: int, step: Step) -> bool:
    """Tell whether a step opens its connection, or is the first there and logs in."""
    before = {s.kind for s in steps[:place] if s.connection == step.connection}
    if step.kind is StepKind.OPEN:
        return not before
    return _logs_in(step) and before <= {StepKind.OPEN, StepKind.WAIT}


def _logs_in(step: Step) -> bool:
    raw = step.kind is StepKind.SEND and step.data[:1] == bytes([ClientOpcode.LOGIN])
    return step.kind is StepKind.LOGIN or raw


def _uncut(steps: _Steps) -> _Steps:
    """Return ``steps`` with each frame in one segment: the one that brought its last byte.

    Segments that end with a frame are left as they are, for LOGIN and ACK end with theirs.
    """
    streams: dict[int, Stream] = {}
    held: dict[int, bytes] = {}
    whole: list[Step] = []
    for step in steps:
        if step.kind is not StepKind.SEND:
            whole.append(step)
            continue
        stream = streams.setdefault(step.connection, Stream(Direction.CLIENT))
        data = held.pop(step.connection, b"") + step.data
        if _ends_within(stream, step.data):
            held[step.connection] = data
        else:
            whole.append(replace(step, data=data))
    whole.extend(Step(StepKind.SEND, number, data) for number, data in held.items())
    return tuple(whole)


def _one_by_one(steps: _Steps) -> _Steps:
    """Return ``steps`` with each message in a SEND_MESSAGE of its own, where frames are whole."""
    return tuple(
        replace(step, data=b"".join(map(_as_messages, frames)))
        if step.kind is StepKind.SEND and (frames := _frames(step.data))
        else step
        for step in steps
    )


def _frames(data: bytes) -> tuple[Frame, ...]:
    try:
        return decode(data, Direction.CLIENT)
    except GrammarError:
        return ()


def _as_messages(frame: Frame) -> bytes:
    """Return the bytes that say to the same user, in SEND_MESSAGE, what ``frame`` says."""
    if isinstance(frame, SendSeq):
        frames: Iterable[Frame] = (SendMessage(frame.target, frame.message),)
    elif isinstance(frame, BatchSend):
        frames = (SendMessage(frame.target, message) for message in frame.messages)
    elif isinstance(frame, CborMsg):
        frames = (SendMessage(frame.target, frame.payload),)
    else:
        frames = (frame,)
    return b"".join(map(encode, frames))


def _ends_within(stream: Stream, data: bytes) -> bool:
    """Tell whether ``data`` ends within a frame of ``stream``."""
    try:
        stream.feed(data)
    except GrammarError:
        return False
    return stream.fault is None and stream.pending > 0


@dataclass(frozen=True, slots=True)
class _Way:
    """The ``plainer`` ways to show a cause, and what that is then.

    ``remembered`` tells that the title says enough of it to know the next one by.
    """

    plainer: Callable[[_Steps], Iterator[_Steps]]
    what: str
    remembered: bool = False


#: By what a cause says. A lost message may be lost in any way, one to who has logged out of a
#: connection may be one to anybody, and what stands before a reply that is no frame may be chance.
_WAYS: Mapping[str, _Way] = {
    "lost": _Way(_whole_and_there, "lost", remembered=True),
    "misrouted": _Way(_one_user_each, "invented"),
    "conformance": _Way(_frame_by_frame, "conformance"),
}


def shown_in_another_way(finding: Finding, shown: Iterable[Finding]) -> bool:
    """Tell whether one of ``shown`` may be ``finding``, as a case has shown it by itself.

    Replies to several clients come in one order or another, and so does what they are named by.
    """
    return told_in_ways(finding) and any(one.cause.what == finding.cause.what for one in shown)


def told_in_ways(finding: Finding) -> bool:
    """Tell whether ``finding`` may be one that a plainer case shows under another fingerprint."""
    return finding.cause.what in _WAYS
