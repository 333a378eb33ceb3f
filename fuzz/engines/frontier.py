"""The frontier: branches that were never taken, beside code that is run, and what would open them.

Coverage tells which case came close to a branch, and the branch tells what it compares with
(:class:`fuzz.node.Gate`): magic values, the words of a protocol, limits. So a part of the mutations
are *errands*: a case that came close, and the constants to be said in it. It is what others do with
a dictionary read off the program, or with the operands of comparisons; but a word goes only to the
cases that it may help, and only until it has.

Gates stand in *groups*: the branches of one body, or the clauses of one function. A gate is *in
view* once a case has run the body around it, or another clause of its function; it is done with
when a case has passed it. Errands go to the gate that had the fewest so far, so that one that comes
into view goes ahead of the rest for a while. When a gate is passed, so do the others of its group,
from there: one of them may wait for the next word of a sequence.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from random import Random

from fuzz.engines.feedback import Features
from fuzz.generate.constants import Saying
from fuzz.node import Gate, Point

#: Errands to a gate within which it is *fresh*: with one constant and a few fields to put it in,
#: what can be had at all is mostly had by then.
FRESH = 64
#: By so many errands the gates of a group go ahead of others together, and each of them at least:
#: else a table of a hundred words, of which now and then one is found, would have all of them.
_AHEAD, _LEAST = 512, 8
#: The share of mutations that are errands, while there is a gate that is fresh, and later. What
#: they can find, others cannot; what others find, the order of events among clients above all,
#: they cannot.
SHARE, LATER_SHARE = 0.25, 0.05
#: Batches without news before there are errands: while the search gets on by itself, they would
#: only be in its way.
CALM = 12
#: Cases that are remembered as having come close: short ones, since little in them is of no use,
#: and the latest.
_SHORT, _LATEST = 2, 4
#: What an errand counts for to a gate without constants of its own: little is to be hoped for.
_FAINT = 4
#: The share of errands with the constants of the gate itself, where it has any.
_OWN = 0.75
#: The share of errands from the case that led on to the gate: of a sequence, it has said the most.
_LED = 0.5
#: Words that were passed, of which an errand is told: those of a frame's head, or of a sequence.
_TOLD = 8


@dataclass(frozen=True, slots=True)
class Errand:
    """A case that came close to a gate, in its file form, and what may open it."""

    case: bytes
    saying: Saying


@dataclass(slots=True)
class _Closed:
    """A gate that no case has passed yet, and what was done about it."""

    gate: Gate
    #: The cases that came close, the latest last; none while it is not in view.
    close: list[bytes] = field(default_factory=list)
    #: The last of them that led on to it: where it was new from.
    lead: bytes = b""
    #: How many errands it had since it was new, and its place among others.
    errands: int = 0
    counted: int = 0


class Frontier:
    """What is beside the code that was run; all chance comes from ``chance``."""

    def __init__(self, points: Sequence[Point], gates: Iterable[Gate], chance: Random) -> None:
        #: Batches since the last one that had news.
        self._calm = CALM
        self._random = chance
        self._modules = [point.module for point in points]
        self._closed = {gate.point: _Closed(gate) for gate in _united(gates)}
        known = [closed.gate for closed in self._closed.values()]
        self._groups = _groups(points, known)
        self._words = {name: _words(group) for name, group in self._groups.items()}
        #: The group that comes into view with each point, and that which each point stands in.
        self._around, self._within = _places(points, known, self._groups)
        #: The gates in view: their places, a tie-break, the number of the point.
        self._due: list[tuple[int, float, int]] = []
        #: The place of the gate that had the fewest errands. What the seeds come close to begins
        #: there, and so a little behind what the search discovers.
        self._level = 2 * _LEAST
        #: The words of gates that were passed, by module, the latest last.
        self._passed: defaultdict[str, dict[bytes, None]] = defaultdict(dict)

    def learn(self, case: bytes, features: Features, seed: bool = False) -> bool:
        """Take in what a case, in its file form, has hit by itself; tell whether it leads on.

        It does if there are gates to which it came close as the first, or from where none did. A
        ``seed`` leads nowhere: what is beside it was there before the search.
        """
        new = {self._within[index] for index, _ in features if self._pass(index, case)}
        leads = False
        for name in self._in_view(features):
            group = list(self._closed_of(name))
            for closed in group:
                if name in new or not closed.close:
                    leads = not seed
                    self._renew(closed, case, 0 if seed else max(_LEAST, _AHEAD // len(group)))
                _remember(closed.close, case)
        return leads

    def note(self, news: bool) -> None:
        """Take in whether a batch had news."""
        self._calm = 0 if news else self._calm + 1

    def errand(self) -> Errand | None:
        """Return an errand for the gate that had the fewest; None mostly, or if there is none."""
        while self._due and self._calm >= CALM:
            counted, _, number = self._due[0]
            closed = self._closed.get(number)
            if closed is None or closed.counted != counted:
                heapq.heappop(self._due)
                continue
            self._level = max(self._level, counted)
            if self._random.random() >= (SHARE if closed.errands < FRESH else LATER_SHARE):
                return None
            closed.errands += 1
            closed.counted += 1 if closed.gate.constants else _FAINT
            heapq.heapreplace(self._due, (closed.counted, self._random.random(), number))
            return self._errand_to(closed)
        return None

    def _errand_to(self, closed: _Closed) -> Errand:
        gate, chance = closed.gate, self._random
        own = gate.constants and (not gate.context or chance.random() < _OWN)
        case = closed.lead if chance.random() < _LED else chance.choice(closed.close)
        passed = tuple(self._passed[self._modules[gate.point]])[-_TOLD:]
        constants = gate.constants if own else gate.context
        beside = self._words[self._within[gate.point]]
        return Errand(case, Saying(constants, beside, passed))

    def _pass(self, index: int, case: bytes) -> bool:
        """Note that a point was hit; tell whether it stands in a gate that was closed until now."""
        closed = self._closed.pop(index, None)
        if closed is None:
            return False
        words = self._passed[self._modules[index]]
        for word in closed.gate.constants:
            # A byte is in every case, and the word that a branch asks *not* to be there in few.
            if isinstance(word, bytes) and len(word) > 1 and word in case:
                words.pop(word, None)
                words[word] = None
        return True

    def _in_view(self, features: Features) -> Iterable[_Name]:
        """Return the groups that a case which hit ``features`` has come close to, each once."""
        found = chain.from_iterable(self._around.get(index, ()) for index, _ in features)
        return dict.fromkeys(found)

    def _closed_of(self, name: _Name) -> Iterator[_Closed]:
        for gate in self._groups[name]:
            closed = self._closed.get(gate.point)
            if closed is not None:
                yield closed

    def _renew(self, closed: _Closed, lead: bytes, ahead: int) -> None:
        """Let a gate have errands from ``lead``, so many ``ahead`` of the gates that had them."""
        closed.lead, closed.errands = lead, 0
        closed.counted = max(0, self._level - min(FRESH, ahead))
        entry = (closed.counted, self._random.random(), closed.gate.point)
        heapq.heappush(self._due, entry)


#: What the gates of a group have in common: the number of the body around, or their function.
_Name = int | tuple[str, str, int]


def _united(gates: Iterable[Gate]) -> Iterable[Gate]:
    """Return one gate for each point: branches of one line may share a point in a cluster."""
    united: dict[int, Gate] = {}
    for gate in gates:
        other = united.setdefault(gate.point, gate)
        if other is not gate:
            own = tuple(dict.fromkeys((*other.constants, *gate.constants)))
            context = tuple(dict.fromkeys((*other.context, *gate.context)))
            united[gate.point] = replace(other, constants=own, context=context)
    return united.values()


def _name(gate: Gate, points: Sequence[Point]) -> _Name:
    return _function(points[gate.point]) if gate.around is None else gate.around


def _function(point: Point) -> _Name:
    return point.module, point.function, point.arity


def _groups(points: Sequence[Point], gates: Iterable[Gate]) -> Mapping[_Name, Sequence[Gate]]:
    groups: defaultdict[_Name, list[Gate]] = defaultdict(list)
    for gate in gates:
        groups[_name(gate, points)].append(gate)
    return groups


def _places(
    points: Sequence[Point], gates: Iterable[Gate], groups: Mapping[_Name, Sequence[Gate]]
) -> tuple[Mapping[int, Sequence[_Name]], Mapping[int, _Name]]:
    """Return the groups that come into view with each point, and the group of each gate's point."""
    around: dict[int, tuple[_Name, ...]] = {}
    for number, point in enumerate(points):
        clauses = (_function(point),) if point.kind == "function" else ()
        names = tuple(name for name in (number, *clauses) if name in groups)
        if names:
            around[number] = names
    return around, {gate.point: _name(gate, points) for gate in gates}


def _words(group: Iterable[Gate]) -> tuple[bytes, ...]:
    words = (word for gate in group for word in gate.constants if isinstance(word, bytes))
    return tuple(dict.fromkeys(words))


def _remember(close: list[bytes], case: bytes) -> None:
    """Put ``case`` behind the others; of more than can be kept, one that is long and old goes."""
    if case in close:
        close.remove(case)
    close.append(case)
    if len(close) > _SHORT + _LATEST:
        close.remove(max(close[:-_LATEST], key=len))
