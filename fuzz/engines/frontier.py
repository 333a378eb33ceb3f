"""The frontier: branches that were never taken, beside code that is run, and what would open them.

Coverage tells which case came close to a branch, and the branch tells what it compares with
(:class:`fuzz.node.Gate`). So a part of the mutations are *errands*: a case that came close, and
the constants to be said in it. Without that, a word that a server waits for and nobody published
would have to be guessed: the search would stop before the first of them.

A gate is *in view* once a case has run the body around it, or, if it is a clause of a function,
another clause of that; it is done with when a case has passed it. Errands go to the gate that had
the fewest so far: a new one gets all of them until it is passed, or has had its share. When a gate
is passed, those beside it are new again, from there: it may be the next of a sequence that one of
them waits for.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from fuzz.engines.feedback import Features
from fuzz.node import Constant, Gate, Point

#: Errands to a gate within which it is *fresh*: with one constant and a few fields to put it in,
#: what can be had at all is mostly had by then. One that comes late is as many ahead of the rest.
FRESH = 256
#: The share of mutations that are errands, while there is a gate that is fresh, and later. What
#: they can find, others cannot; what others find, the order of events among clients above all,
#: they cannot.
SHARE, LATER_SHARE = 0.25, 0.05
#: Cases that are remembered as having come close: short ones, since little in them is of no use,
#: and the latest.
_SHORT, _LATEST = 2, 4
#: What an errand counts for to a gate without constants of its own: little is to be hoped for.
_FAINT = 4
#: The share of errands with the constants of the gate itself, where it has any.
_OWN = 0.75
#: The share of errands from the case that led on to the gate: of a sequence, it has said the most.
_LED = 0.5


@dataclass(frozen=True, slots=True)
class Errand:
    """A case that came close to a gate, in its file form, and what may open it: some constants.

    ``beside`` are words of the branches beside it: where one of them stands, the server looks.
    ``passed`` are those of branches of its module that were taken: it looks on behind one of them.
    """

    case: bytes
    constants: tuple[Constant, ...]
    beside: tuple[bytes, ...] = ()
    passed: tuple[bytes, ...] = ()


@dataclass(slots=True)
class _Closed:
    """A gate that no case has passed yet, and what was done about it."""

    gate: Gate
    #: The cases that came close, the latest last; none while it is not in view.
    close: list[bytes] = field(default_factory=list)
    #: The last of them that led on to it: where it was new from.
    lead: bytes = b""
    #: Errands, and those that count: it is not made to wait for what it missed.
    errands: int = 0
    counted: int = 0


class Frontier:
    """What is beside the code that was run; all chance comes from ``chance``."""

    def __init__(self, points: Sequence[Point], gates: Iterable[Gate], chance: Random) -> None:
        self._random = chance
        self._closed = {gate.point: _Closed(gate) for gate in gates}
        known = [closed.gate for closed in self._closed.values()]
        groups = _groups(points, known)
        self._beside = _beside(points, groups)
        self._words = _words(groups)
        self._modules = {gate.point: points[gate.point].module for gate in known}
        #: The words of gates that were passed, by module, in the order in which they were.
        self._passed: defaultdict[str, dict[bytes, None]] = defaultdict(dict)
        #: The gates in view: errands that counted by then, a tie-break, the number of the point.
        self._due: list[tuple[int, float, int]] = []
        #: The most errands that the gate with the fewest ever had.
        self._level = 0

    def __len__(self) -> int:
        """Return how many gates are in view and were not passed."""
        return sum(bool(closed.close) for closed in self._closed.values())

    def learn(self, case: bytes, features: Features) -> bool:
        """Take in what a case, in its file form, has hit by itself; tell whether it leads on.

        It does if there are gates to which it came close as the first, or from where none did.
        """
        passed = [index for index, _ in features if self._pass(index)]
        leads = False
        for index, _ in features:
            for closed in self._closed_beside(index):
                if not closed.close or index in passed:
                    self._renew(closed, case)
                    leads = True
                _remember(closed.close, case)
        return leads

    def errand(self) -> Errand | None:
        """Return an errand for the gate that had the fewest; None mostly, or if there is none."""
        while self._due:
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
            led = self._random.random() < _LED
            case = closed.lead if led else self._random.choice(closed.close)
            passed = self._passed[self._modules[number]]
            return Errand(case, self._said_for(closed.gate), self._words[number], tuple(passed))
        return None

    def _said_for(self, gate: Gate) -> tuple[Constant, ...]:
        own = gate.constants
        return own if own and self._random.random() < _OWN else gate.context or own

    def _pass(self, index: int) -> bool:
        """Note that a point was hit; tell whether it stands in a gate that was closed until now."""
        closed = self._closed.pop(index, None)
        if closed is None:
            return False
        words = (word for word in closed.gate.constants if isinstance(word, bytes))
        self._passed[self._modules[index]].update(dict.fromkeys(words))
        return True

    def _closed_beside(self, index: int) -> Iterator[_Closed]:
        for number in self._beside.get(index, ()):
            closed = self._closed.get(number)
            if closed is not None:
                yield closed

    def _renew(self, closed: _Closed, lead: bytes) -> None:
        """Let a gate have errands from ``lead``, and before those that had many."""
        closed.lead = lead
        closed.errands, closed.counted = 0, max(0, self._level - FRESH)
        entry = (closed.counted, self._random.random(), closed.gate.point)
        heapq.heappush(self._due, entry)


#: What gates have in common that stand beside one another: the body around them, or the function
#: that they are clauses of.
_Around = int | tuple[str, str, int]


def _groups(points: Sequence[Point], gates: Iterable[Gate]) -> Mapping[_Around, Sequence[Gate]]:
    groups: defaultdict[_Around, list[Gate]] = defaultdict(list)
    for gate in gates:
        groups[_function(points[gate.point]) if gate.around is None else gate.around].append(gate)
    return groups


def _function(point: Point) -> tuple[str, str, int]:
    return point.module, point.function, point.arity


def _beside(
    points: Sequence[Point], groups: Mapping[_Around, Sequence[Gate]]
) -> Mapping[int, Sequence[int]]:
    """Return the gates that come into view with each point, both by number."""
    beside: defaultdict[int, list[int]] = defaultdict(list)
    for around, gates in groups.items():
        if isinstance(around, int):
            beside[around] += [gate.point for gate in gates]
    for number, point in enumerate(points):
        if point.kind == "function":
            clauses = groups.get(_function(point), ())
            beside[number] += [gate.point for gate in clauses if gate.point != number]
    return beside


def _words(groups: Mapping[_Around, Sequence[Gate]]) -> Mapping[int, tuple[bytes, ...]]:
    """Return the bytes that the gates beside each one compare with."""
    return {
        gate.point: tuple(
            constant
            for other in gates
            for constant in other.constants
            if other is not gate and isinstance(constant, bytes)
        )
        for gates in groups.values()
        for gate in gates
    }


def _remember(close: list[bytes], case: bytes) -> None:
    """Put ``case`` behind the others; of more than can be kept, one that is long and old goes."""
    if case in close:
        close.remove(case)
    close.append(case)
    if len(close) > _SHORT + _LATEST:
        close.remove(max(close[:-_LATEST], key=len))
