"""Two versions of a server: what differs in what they show, and what only seems to.

Nothing here plays anything. :class:`Shown` is what one play of a case showed on one side; a case
that showed different things was played again on both, and :func:`weigh` tells from all plays of it
what became of the comparison. What a side does not show in each of its own plays is chance (a
timer, a race, a bucket that refills), and says nothing of the other side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fuzz.differing import Difference, differences
from fuzz.replies import Heard


class Verdict(StrEnum):
    """What became of the comparison of one case."""

    SAME = "same"
    DIFFERENT = "different"
    BY_CHANCE = "by chance"  # they differed, and not in each play
    LEFT_OUT = "left out"  # one side has no known WebSocket port, or is not ours to restart


@dataclass(frozen=True, slots=True)
class Shown:
    """What one play showed: what each connection heard, and findings by their fingerprints."""

    heard: tuple[Heard, ...]
    findings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """A case that was played on both sides: ``name`` is that of its file, ``size`` in bytes.

    ``differences`` are in order, and only the first is sure: the others may be its consequences.
    There are none where nothing differed. ``wavers`` names the sides that did not show the same
    in each of their plays. ``left`` and ``right`` are what was heard in the first play.
    """

    name: str
    size: int
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    wavers: tuple[str, ...] = ()
    left: tuple[Heard, ...] = ()
    right: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """What differs in one way: cases, each with the place; the smallest case comes first.

    ``behind`` tells that each of the cases differs before that in another way, which this may
    come of.
    """

    what: str
    cases: tuple[tuple[Compared, Difference], ...]
    behind: bool = False


def differ(left: Shown, right: Shown) -> bool:
    """Tell whether two plays showed different things."""
    return _fingerprints(left) != _fingerprints(right) or left.heard != right.heard


def weigh(name: str, size: int, left: Sequence[Shown], right: Sequence[Shown]) -> Compared:
    """Return what became of a case, given all its plays on both sides, of which there are some."""
    if not differ(left[0], right[0]):
        return Compared(name, size, Verdict.SAME)
    verdict, found = Verdict.DIFFERENT, _all(left, right)
    if not found:
        verdict, found = Verdict.BY_CHANCE, _all(left[:1], right[:1])
    wavers = tuple(side for side, plays in (("A", left), ("B", right)) if _wavers(plays))
    return Compared(name, size, verdict, found, wavers, left[0].heard, right[0].heard)


def grouped(compared: Iterable[Compared]) -> tuple[Group, ...]:
    """Return the cases that differ by what differs in them, the largest group first.

    A case is in the group of the first thing that differs. What is never the first makes groups
    of its own, at the end. A case that differs by chance is in none.
    """
    cases = sorted(
        (one for one in compared if one.verdict is Verdict.DIFFERENT),
        key=lambda one: (one.size, one.name),
    )
    first: dict[str, list[tuple[Compared, Difference]]] = {}
    for one in cases:
        first.setdefault(one.differences[0].identity, []).append((one, one.differences[0]))
    behind: dict[str, list[tuple[Compared, Difference]]] = {}
    for one in cases:
        for found in {found.identity: found for found in reversed(one.differences)}.values():
            if found.identity not in first:
                behind.setdefault(found.identity, []).append((one, found))
    return (*_sorted(first, behind=False), *_sorted(behind, behind=True))


def _sorted(
    groups: Mapping[str, Sequence[tuple[Compared, Difference]]], behind: bool
) -> Iterator[Group]:
    for cases in sorted(groups.values(), key=lambda cases: (-len(cases), cases[0][1].what)):
        yield Group(cases[0][1].what, tuple(cases), behind)


def _all(left: Sequence[Shown], right: Sequence[Shown]) -> tuple[Difference, ...]:
    """Return what each play of one side shows, and none of the other's.

    What else is heard where there is a finding comes of that.
    """
    found = _finding(left, right)
    return (found,) if found is not None else tuple(_differences(left, right))


def _finding(left: Sequence[Shown], right: Sequence[Shown]) -> Difference | None:
    """Return a finding that all plays of one side showed and no play of the other one."""
    for side, plays, others in (("A", left, right), ("B", right, left)):
        elsewhere = {found for play in others for found in _fingerprints(play)}
        always = [
            one for one in plays[0].findings if all(one[0] in _fingerprints(p) for p in plays)
        ]
        for fingerprint, title in always:
            if fingerprint not in elsewhere:
                what = f"a finding on {side} only: {title}"
                texts = (title, "-") if side == "A" else ("-", title)
                key = f"{side} {fingerprint}"  # a title may hold numbers, which differ
                return Difference(what, *_where(left[0], right[0]), *texts, key)
    return None


def _differences(left: Sequence[Shown], right: Sequence[Shown]) -> Iterator[Difference]:
    """Yield where both sides differ, on connections that neither of them wavers on."""
    ours, theirs = _steady(left), _steady(right)
    both = ours.keys() & theirs.keys()
    return differences(
        [heard for number, heard in ours.items() if number in both],
        [heard for number, heard in theirs.items() if number in both],
    )


def _steady(plays: Sequence[Shown]) -> dict[int, Heard]:
    """Return the connections that heard the same in each play of a side."""
    first = plays[0].heard
    return {one.number: one for one in first if all(one in play.heard for play in plays)}


def _where(left: Shown, right: Shown) -> tuple[int, tuple[int, int]]:
    """Return the place at which to look for a finding: where the replies differ, if they do."""
    for found in differences(left.heard, right.heard):
        return found.connection, found.places
    return (left.heard[0].number if left.heard else 0), (0, 0)


def _wavers(plays: Sequence[Shown]) -> bool:
    return any(differ(plays[0], play) for play in plays)


def _fingerprints(play: Shown) -> frozenset[str]:
    return frozenset(fingerprint for fingerprint, _ in play.findings)
