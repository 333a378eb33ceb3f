"""Making a case smaller: what is asked, what counts as smaller, and how runs are left out.

Theory of operation. A reduction holds a case that shows its finding, and is offered others.
An offer is taken when it is *simpler* and still shows the finding; so the case at hand always
shows it, and nothing ever grows. Simpler is one order over all cases (:func:`weight`):
connections, then steps, then bytes, then smaller things that make a case easier to read. As
each offer goes down in it, and nothing goes down for ever, a fixed point is reached; what
offers are made depends on the case alone, so the same case ends in the same result.

Plays are dear: a stuck process costs seconds of patience, a dead node its restart. So every
answer is remembered, and when the budget is spent each further question is answered by no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol, TypeVar

from fuzz.case import (
    ALL_USER_TOKENS,
    GROUP_TOKEN,
    MSGID_TOKEN,
    Case,
    Step,
    StepKind,
    encode_case,
)
from fuzz.clock import Clock
from grammar import Direction, Role, frame_bounds, spans

T = TypeVar("T")

#: Users, and all else that is bound while playing (a token of authentication may hold a user):
#: a name that is cut in two would be one that nobody has.
USER = re.compile(b"|".join(ALL_USER_TOKENS))
_TOKEN = re.compile(
    rb"<jwt:[0-9a-z]+:(?:<user:[A-Za-z]>|[0-9A-Za-z]+)>|"
    + b"|".join((*ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN))
)


class Judge(Protocol):
    """Who knows whether a case shows the one finding that is looked at."""

    def shows(self, case: Case) -> bool:
        """Play ``case`` on a target that is well; tell whether the same fingerprint shows."""
        ...

    def shows_afresh(self, case: Case) -> bool:
        """The same on a target that has just been started, where that can be had: dearer."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent: plays, and seconds on the clock, until it is ``over`` before that."""

    #: A dialogue of thirty steps takes some hundred questions, one whose keys of hundreds of bytes
    #: are needed some thousand.
    plays: int = 10_000
    #: At six milliseconds for a play that harms nobody, this is enough for them.
    seconds: float = 60.0
    over: Callable[[], bool] = field(default=lambda: False, compare=False)


class Trials:
    """Asks a judge within a budget, and never the same thing twice.

    A finding that shows in only some plays is asked for up to ``plays`` times: a yes in any
    of them counts. ``spent`` counts the plays; ``exhausted`` tells that a question was
    answered by no since nothing was left to spend.

    A target that is well may still remember: a timer of an earlier play, a count that is one
    below its limit. Who is ``careful`` has each yes confirmed on a fresh target.
    """

    def __init__(
        self, judge: Judge, budget: Budget, clock: Clock, plays: int = 1, careful: bool = False
    ) -> None:
        self._judge = judge
        self._budget = budget
        self._clock = clock
        self._plays = plays
        self._answers: dict[bytes, bool] = {}
        self._start = clock.now()
        self.careful = careful
        self.spent = 0
        self.exhausted = False

    def be_careful(self) -> None:
        """Forget all answers, and have each yes confirmed from now on."""
        self._answers.clear()
        self.careful = True

    def shows(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding; no once the budget is spent."""
        key = blake2b(encode_case(case), digest_size=16).digest()
        known = self._answers.get(key)
        if known is None:
            known = self._ask(case)
            if not self.exhausted:
                self._answers[key] = known
        return known

    def confirms(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding on a fresh target, whatever the budget says.

        What is not confirmed is not to be told, so these few plays are made in any case.
        """
        for _ in range(self._plays):
            self.spent += 1
            if self._judge.shows_afresh(case):
                return True
        return False

    def seconds(self) -> float:
        """Return the seconds since the first question could be asked."""
        return self._clock.now() - self._start

    def _ask(self, case: Case) -> bool:
        for _ in range(self._plays):
            budget = self._budget
            if self.spent >= budget.plays or self.seconds() >= budget.seconds or budget.over():
                self.exhausted = True
                return False
            self.spent += 1
            if self._judge.shows(case) and (not self.careful or self.confirms(case)):
                return True
        return False


class Reduction:
    """A case that shows the finding, and the smaller ones that are offered for it."""

    def __init__(self, case: Case, trials: Trials) -> None:
        self.steps = case.steps
        self._trials = trials
        self._weight = weight(case.steps)

    def offer(self, steps: Sequence[Step]) -> bool:
        """Take ``steps`` as the case if they are simpler and still show the finding."""
        if not steps or self._trials.exhausted:
            return False
        offered = weight(steps)
        if any(new > old for new, old in zip(offered[:3], self._weight[:3], strict=True)):
            return False
        if offered >= self._weight or not self._trials.shows(Case(tuple(steps))):
            return False
        self.steps, self._weight = tuple(steps), offered
        return True

    def offer_at(self, index: int, step: Step) -> bool:
        """Offer the case with ``step`` in the place of the one at ``index``."""
        return self.offer([*self.steps[:index], step, *self.steps[index + 1 :]])

    def offer_data(self, index: int, data: bytes) -> bool:
        """Offer the case with ``data``, at least one byte, in the step at ``index``."""
        step = self.steps[index]
        return bool(data) and self.offer_at(
            index, Step(step.kind, step.connection, data, step.value)
        )


Weight = tuple[int, int, int, int, int, tuple[int, ...], tuple[int, ...], bytes]


def weight(steps: Sequence[Step]) -> Weight:
    """Return what makes a case with ``steps`` heavier than another, the gravest first.

    Connections, steps, bytes; users; milliseconds of pause and transports that are not plain
    TCP; the order in which users and connections are named; and the bytes themselves.
    """
    data = b"".join(step.data for step in steps)
    users = tuple(_RANK[user] for user in dict.fromkeys(USER.findall(data)))
    connections = tuple(dict.fromkeys(step.connection for step in steps))
    return (
        len(connections),
        len(steps),
        len(data),
        len(users),
        sum(step.value for step in steps),
        users,
        connections,
        b"".join(map(_plainness, steps)),
    )


_RANK = {token: rank for rank, token in enumerate(ALL_USER_TOKENS)}
#: What a person writes is plainest as a row of the same letter, all else as zeros.
PLAIN_TEXT, PLAIN_BYTE = b"a", b"\0"
_PLAIN_TEXT_FIRST = bytes(
    {ord(PLAIN_TEXT): 0}.get(byte, byte + 1 if byte < ord(PLAIN_TEXT) else byte)
    for byte in range(256)
)
#: What is read by people, or is opaque to all.
TEXTUAL = frozenset({Role.NAME, Role.TEXT, Role.KEY, Role.CBOR_VALUE})


def _plainness(step: Step) -> bytes:
    """Return the bytes of ``step`` so that the smaller is the plainer of two as long."""
    if step.kind is not StepKind.SEND or not step.data:
        return step.data.translate(_PLAIN_TEXT_FIRST)
    return b"".join(
        part.translate(_PLAIN_TEXT_FIRST) if span.role in TEXTUAL else part
        for span in spans(step.data, Direction.CLIENT)
        for part in (step.data[span.offset : span.offset + span.length],)
    )


def sift(items: Sequence[T], holds: Callable[[list[T]], bool], finest: int = 1) -> None:
    """Leave out runs of ``items``, from the longest to those of ``finest``, from the end on.

    ``holds`` is told what would be left, and whether it answers yes decides whether the run
    stays out.
    """
    left = list(items)
    run = len(left)
    while run >= finest and left:
        end = len(left)
        while end > 0:
            start = max(0, end - run)
            rest = left[:start] + left[end:]
            if holds(rest):
                left = rest
            end = start
        run //= 2


def lowest(least: int, most: int, holds: Callable[[int], bool]) -> int:
    """Return the smallest number that ``holds``, by bisection; ``most`` is known to hold.

    Where not all above a number that holds do so too, it is one that holds.
    """
    while least < most:
        middle = (least + most) // 2
        if holds(middle):
            most = middle
        else:
            least = middle + 1
    return most


def units(data: bytes) -> list[bytes]:
    """Return ``data`` in pieces that are not to be cut: its tokens, and each other byte."""
    pieces: list[bytes] = []
    end = 0
    for found in _TOKEN.finditer(data) if b"<" in data else ():
        pieces += (bytes((byte,)) for byte in data[end : found.start()])
        pieces.append(found.group())
        end = found.end()
    return pieces + [bytes((byte,)) for byte in data[end:]]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a case is; ``bytes`` are those of its logins and segments."""

    connections: int
    steps: int
    frames: int
    bytes: int


def size_of(case: Case) -> Size:
    """Return the size of ``case``."""
    sent = [step.data for step in case.steps if step.kind is StepKind.SEND]
    return Size(
        len(case.connections()),
        len(case.steps),
        sum(len(frame_bounds(data, Direction.CLIENT)) for data in sent),
        sum(len(step.data) for step in case.steps),
    )
