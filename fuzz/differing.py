"""Where two ways to hear a case differ: two plays, or a play and what was expected.

The first difference is sure. What comes behind it may be its consequence: a message that is
missing gives its number to the next one, so numbers are not compared any more from there on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fuzz.observation import Ending
from fuzz.replies import Heard, Reply
from grammar import ServerOpcode, Status

#: Frames that a server may drop (IRIS_WIRE: best effort).
_BEST_EFFORT = frozenset(op.name for op in ServerOpcode if op.status is Status.BEST_EFFORT)

#: Which side has one reply more at a difference.
_ADDED, _MISSING = "added", "missing"
#: An id by its number.
_NUMBER = re.compile(r"<(msgid|group):\d+>")
#: The ending of a connection that the other side has and this one has not.
_UNUSED = Ending.UNUSED.value


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: ``what`` names it without the place, so that it can be grouped.

    What has an identity beside its name says so in ``key``.
    ``places`` count the replies of that connection on the left and on the right side, from 0.
    ``left`` and ``right`` are the replies there in one line each, or how the connection ended.
    """

    what: str
    connection: int
    places: tuple[int, int]
    left: str
    right: str
    key: str = ""

    @property
    def identity(self) -> str:
        """Return what is equal where the same thing differs."""
        return self.key or self.what


def differences(left: Sequence[Heard], right: Sequence[Heard]) -> Iterator[Difference]:
    """Yield what differs between two plays of one case, connection by connection."""
    sure = True
    for one, other in _pairs(left, right):
        for found in _between(one, other, strict=True, numbers=sure):
            yield found
            sure = False


def first_unexpected(expected: Sequence[Heard], heard: Sequence[Heard]) -> Difference | None:
    """Return the first reply that is not as expected; one that is best effort may be missing.

    A connection of which nothing is expected may hear anything.
    """
    numbers = {one.number for one in expected}
    for one, came in _pairs(expected, [other for other in heard if other.number in numbers]):
        for found in _between(one, came, strict=False, numbers=True):
            return found
    return None


def _pairs(left: Sequence[Heard], right: Sequence[Heard]) -> Iterator[tuple[Heard, Heard]]:
    ours = {one.number: one for one in left}
    theirs = {one.number: one for one in right}
    for number in dict.fromkeys((*ours, *theirs)):
        nothing = Heard(number, ending=_UNUSED)
        yield ours.get(number, nothing), theirs.get(number, nothing)


def _between(left: Heard, right: Heard, strict: bool, numbers: bool) -> Iterator[Difference]:
    """Yield what differs on one connection; ``numbers`` of ids count up to the first of it."""
    ours, theirs = left.replies, right.replies
    at = place = 0
    while at < len(ours) or place < len(theirs):
        one = ours[at] if at < len(ours) else None
        other = theirs[place] if place < len(theirs) else None
        if one is not None and other is not None and _agree(one, other, strict, numbers):
            at, place = at + 1, place + 1
            continue
        if not strict and _may_be_missing(one, other):
            at += 1
            continue
        what, step = _what(ours[at:], theirs[place:], numbers)
        yield Difference(what, left.number, (at, place), str(one or "-"), str(other or "-"))
        at, place, numbers = at + (step is not _ADDED), place + (step is not _MISSING), False
    if left.ended() != right.ended():
        what = f"ending: {right.ended()} in place of {left.ended()}"
        yield Difference(what, left.number, (at, place), left.ended(), right.ended())


def _agree(one: Reply, other: Reply, strict: bool, numbers: bool) -> bool:
    if not numbers:
        one, other = _unnumbered(one), _unnumbered(other)
    return one == other if strict else one.allows(other)


def _unnumbered(reply: Reply) -> Reply:
    """Return a reply without the numbers of the ids in it."""
    fields = tuple((name, _NUMBER.sub(r"<\1>", text)) for name, text in reply.fields)
    return Reply(reply.frame, fields)


def _may_be_missing(one: Reply | None, other: Reply | None) -> bool:
    if one is None or one.frame not in _BEST_EFFORT:
        return False
    return other is None or other.frame != one.frame


def _what(ours: Sequence[Reply], theirs: Sequence[Reply], numbers: bool) -> tuple[str, str]:
    """Return what differs at the start of two rests, and which side is one reply ahead there."""
    if not theirs:
        return f"{ours[0].frame} is missing", _MISSING
    if not ours:
        return f"{theirs[0].frame} is added", _ADDED
    one, other = ours[0], theirs[0]
    if one.frame == other.frame and not (_follows(one, theirs) or _follows(other, ours)):
        return f"{one.frame}.{_field(one, other, numbers)}", ""
    ours_later = other.frame in {reply.frame for reply in ours[1:]}
    theirs_later = one.frame in {reply.frame for reply in theirs[1:]}
    if _follows(one, theirs) or (theirs_later and not ours_later):
        return f"{other.frame} is added", _ADDED
    if _follows(other, ours) or (ours_later and not theirs_later):
        return f"{one.frame} is missing", _MISSING
    return f"{other.frame} in place of {one.frame}", ""


def _follows(reply: Reply, replies: Sequence[Reply]) -> bool:
    """Tell whether ``reply`` is the second of ``replies``: one was put in, or left out.

    That changes the numbers of all that are behind it.
    """
    return len(replies) > 1 and _unnumbered(reply).allows(_unnumbered(replies[1]))


def _field(one: Reply, other: Reply, numbers: bool) -> str:
    """Return the first field that differs; ``one`` is asked first, which may leave some open."""
    if not numbers:
        one, other = _unnumbered(one), _unnumbered(other)
    ours, theirs = dict(one.fields), dict(other.fields)
    return next(name for name in (*ours, *theirs) if ours.get(name) != theirs.get(name))
