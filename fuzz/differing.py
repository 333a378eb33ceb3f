"""Where two ways to hear a case differ first: two plays, or a play and what was expected.

Only the first difference counts. What comes behind it may be its consequence: a reply that is
missing moves all others up, and a message that is missing gives its number to the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzz.observation import Ending
from fuzz.replies import Heard, Reply
from grammar import ServerOpcode, Status

#: Frames that a server may drop (IRIS_WIRE: best effort).
_BEST_EFFORT = frozenset(op.name for op in ServerOpcode if op.status is Status.BEST_EFFORT)

#: The ending of a connection that the other side has and this one has not.
_UNUSED = Ending.UNUSED.value


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that differs: ``what`` names it without the place, so that it can be grouped.

    ``place`` counts the replies of the right side on that connection, from 0. ``left`` and
    ``right`` are the replies there in one line each, or how the connection ended.
    """

    what: str
    connection: int
    place: int
    left: str
    right: str


def first_difference(left: Sequence[Heard], right: Sequence[Heard]) -> Difference | None:
    """Return where two plays of one case differ first, connection by connection."""
    return _first(left, right, lenient=False)


def first_unexpected(expected: Sequence[Heard], heard: Sequence[Heard]) -> Difference | None:
    """Return the first reply that is not as expected; one that is best effort may be missing.

    A connection of which nothing is expected may hear anything.
    """
    numbers = {one.number for one in expected}
    return _first(expected, [one for one in heard if one.number in numbers], lenient=True)


def _first(left: Sequence[Heard], right: Sequence[Heard], *, lenient: bool) -> Difference | None:
    ours = {one.number: one for one in left}
    theirs = {one.number: one for one in right}
    for number in dict.fromkeys((*ours, *theirs)):
        nothing = Heard(number, ending=_UNUSED)
        pair = ours.get(number, nothing), theirs.get(number, nothing)
        found = _between(*pair, lenient=lenient)
        if found is not None:
            return found
    return None


def _between(left: Heard, right: Heard, *, lenient: bool) -> Difference | None:
    ours, theirs = left.replies, right.replies
    at = place = 0
    while at < len(ours) or place < len(theirs):
        one = ours[at] if at < len(ours) else None
        other = theirs[place] if place < len(theirs) else None
        if _agree(one, other, lenient):
            at, place = at + 1, place + 1
        elif lenient and _may_be_missing(one, other):
            at += 1
        else:
            what = _what(ours[at:], theirs[place:])
            return Difference(what, left.number, place, str(one or "-"), str(other or "-"))
    if left.ended() != right.ended():
        what = f"ending: {right.ended()} in place of {left.ended()}"
        return Difference(what, left.number, place, left.ended(), right.ended())
    return None


def _agree(one: Reply | None, other: Reply | None, lenient: bool) -> bool:
    if one is None or other is None:
        return False
    return one.allows(other) if lenient else one == other


def _may_be_missing(one: Reply | None, other: Reply | None) -> bool:
    if one is None or one.frame not in _BEST_EFFORT:
        return False
    return other is None or other.frame != one.frame


def _what(ours: Sequence[Reply], theirs: Sequence[Reply]) -> str:
    """Return what differs between the first replies of two rests, of which one may be empty."""
    if not theirs or (len(ours) > 1 and ours[1].allows(theirs[0])):
        return f"{ours[0].frame} is missing"
    if not ours or (len(theirs) > 1 and ours[0].allows(theirs[1])):
        return f"{theirs[0].frame} is added"
    one, other = ours[0], theirs[0]
    if one.frame != other.frame:
        return f"{other.frame} in place of {one.frame}"
    ours_of, theirs_of = dict(one.fields), dict(other.fields)
    names = (*ours_of, *theirs_of)
    wrong = next(name for name in names if ours_of.get(name) != theirs_of.get(name))
    return f"{one.frame}.{wrong}"
