"""Two versions of a server: what differs in what they show, and what only seems to.

Nothing here plays anything. :class:`Shown` is what one play of a case showed on one side; a case
that showed different things was played again on both, and :func:`weigh` tells from all plays of it
what became of the comparison. What a side does not show in each of its own plays is chance (a
timer, a race, a bucket that refills), and says nothing of the other side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from fuzz.differing import Difference, first_difference
from fuzz.replies import Heard


class Verdict(StrEnum):
    """What became of the comparison of one case."""

    SAME = "same"
    DIFFERENT = "different"
    BY_CHANCE = "by chance"  # they differed, and not in each play


@dataclass(frozen=True, slots=True)
class Shown:
    """What one play showed: what each connection heard, and findings by their fingerprints."""

    heard: tuple[Heard, ...]
    findings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """A case that was played on both sides: ``name`` is that of its file, ``size`` in bytes.

    ``difference`` is None where nothing differed. ``wavers`` names the sides that did not show
    the same in each of their plays. ``left`` and ``right`` are what the connection of the
    difference heard, line by line.
    """

    name: str
    size: int
    verdict: Verdict
    difference: Difference | None = None
    wavers: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """What differs in one way, in one case or more; the smallest case comes first."""

    what: str
    cases: tuple[Compared, ...]

    @property
    def smallest(self) -> Compared:
        """Return the case to look at."""
        return self.cases[0]


def differ(left: Shown, right: Shown) -> bool:
    """Tell whether two plays showed different things."""
    return _fingerprints(left) != _fingerprints(right) or left.heard != right.heard


def weigh(name: str, size: int, left: Sequence[Shown], right: Sequence[Shown]) -> Compared:
    """Return what became of a case, given all its plays on both sides, of which there are some."""
    if not differ(left[0], right[0]):
        return Compared(name, size, Verdict.SAME)
    found = _finding(left, right) or _difference(left, right)
    wavers = tuple(side for side, plays in (("A", left), ("B", right)) if _wavers(plays))
    if found is not None:
        return _compared(name, size, Verdict.DIFFERENT, found, wavers, left[0], right[0])
    once = _finding(left[:1], right[:1]) or first_difference(left[0].heard, right[0].heard)
    return _compared(name, size, Verdict.BY_CHANCE, once, wavers, left[0], right[0])


def grouped(compared: Iterable[Compared]) -> tuple[Group, ...]:
    """Return the cases that differ by what differs in them, the largest group first.

    A case is in one group, that of the first thing that differs: what follows may be its
    consequence. One that differs by chance is in none.
    """
    groups: dict[str, list[Compared]] = {}
    for one in compared:
        if one.verdict is Verdict.DIFFERENT and one.difference is not None:
            groups.setdefault(one.difference.what, []).append(one)
    for cases in groups.values():
        cases.sort(key=lambda one: (one.size, one.name))
    made = (Group(what, tuple(cases)) for what, cases in groups.items())
    return tuple(sorted(made, key=lambda group: (-len(group.cases), group.what)))


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
                return Difference(what, _first(plays[0]), 0, *texts)
    return None


def _difference(left: Sequence[Shown], right: Sequence[Shown]) -> Difference | None:
    """Return where both sides differ on a connection that neither of them wavers on."""
    ours, theirs = _steady(left), _steady(right)
    both = ours.keys() & theirs.keys()
    return first_difference(
        [heard for number, heard in ours.items() if number in both],
        [heard for number, heard in theirs.items() if number in both],
    )


def _steady(plays: Sequence[Shown]) -> dict[int, Heard]:
    """Return the connections that heard the same in each play of a side."""
    first = plays[0].heard
    return {one.number: one for one in first if all(one in play.heard for play in plays)}


def _wavers(plays: Sequence[Shown]) -> bool:
    return any(differ(plays[0], play) for play in plays)


def _compared(
    name: str, size: int, verdict: Verdict, found: Difference | None, wavers: tuple[str, ...],
    left: Shown, right: Shown,
) -> Compared:  # fmt: skip
    compared = Compared(name, size, verdict, found, wavers)
    if found is None:
        return compared
    heard = first_difference(left.heard, right.heard)
    number = found.connection if heard is None else heard.connection
    return replace(compared, left=_lines(left, number), right=_lines(right, number))


def _lines(play: Shown, number: int) -> tuple[str, ...]:
    heard = next((one for one in play.heard if one.number == number), None)
    if heard is None:
        return ()
    return (*map(str, heard.replies), f"({heard.ended()})")


def _first(play: Shown) -> int:
    return play.heard[0].number if play.heard else 0


def _fingerprints(play: Shown) -> frozenset[str]:
    return frozenset(fingerprint for fingerprint, _ in play.findings)
