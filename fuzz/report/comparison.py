"""What `iris-fuzz compat` tells of two targets, A and B: for people, and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from fuzz.differing import Difference
from fuzz.replies import Heard
from fuzz.triage.differ import Compared, Group, Verdict, grouped

#: Replies that are shown before the first that differs, and from that one on.
_BEFORE, _FROM = 2, 4
#: Characters of a reply that are shown: a message may be long, and a line stays a line.
_WIDEST = 160
#: Cases of a group that are named beside the smallest; JSON names them all.
_NAMED = 8


def comparison_lines(a: str, b: str, compared: Sequence[Compared], given: int) -> list[Text]:
    """Return the groups, what differs by chance, and the total; ``given`` cases were to be played.

    ``a`` and ``b`` are the targets as they were named.
    """
    groups, chance = grouped(compared), _those(compared, Verdict.BY_CHANCE)
    lines = [Text(f"A is {a}, B is {b}")]
    for number, group in enumerate(groups, 1):
        lines += [Text(), *_group(number, group)]
    if chance:
        lines += [Text(), Text("by chance:", style="dim")]
        lines += [Text(f"    {one.name}: {_why(one)}", style="dim") for one in chance]
    left_out = _those(compared, Verdict.LEFT_OUT)
    if left_out:
        why = "left out, for want of a known WebSocket port, or of the means to restart a server:"
        lines += [Text(), Text(why, style="dim")]
        lines += [Text(f"    {one.name}", style="dim") for one in left_out]
    played = len(compared) - len(left_out)
    return [*lines, Text(), Text(_total(played, given, groups, len(chance)))]


def comparison_json(a: str, b: str, compared: Sequence[Compared], given: int) -> dict[str, object]:
    """Return all of it as JSON values."""
    left_out = [one.name for one in _those(compared, Verdict.LEFT_OUT)]
    return {
        "a": a,
        "b": b,
        "cases": {"given": given, "compared": len(compared) - len(left_out)},
        "groups": [
            {
                "what": group.what,
                "behind_another": group.behind,
                "cases": [one.name for one, _ in group.cases],
                "smallest": _described(*group.cases[0]),
            }
            for group in grouped(compared)
        ],
        "by_chance": [
            {"wavers": list(one.wavers), **_described(one, one.differences[0])}
            for one in _those(compared, Verdict.BY_CHANCE)
        ],
        "left_out": left_out,
    }


def _those(compared: Sequence[Compared], verdict: Verdict) -> list[Compared]:
    return [one for one in compared if one.verdict is verdict]


def _described(one: Compared, found: Difference) -> dict[str, object]:
    return {
        "case": one.name,
        "what": found.what,
        "connection": found.connection,
        "replies": list(found.places),
        "a": _lines(one.left, found),
        "b": _lines(one.right, found),
    }


def _lines(heard: Sequence[Heard], found: Difference) -> list[str]:
    """Return what the connection of a difference heard, and how it ended."""
    lines = (
        [*map(str, h.replies), f"({h.ended()})"] for h in heard if h.number == found.connection
    )
    return next(lines, [])


def _group(number: int, group: Group) -> Iterator[Text]:
    one, found = group.cases[0]
    note = ", each behind another difference" if group.behind else ""
    count = _counted(len(group.cases), "case")
    yield Text(f"{number}. {group.what} ({count}{note})", style="bold")
    yield Text(f"    {one.name}, connection {found.connection}:")
    yield from _heard("A", _lines(one.left, found), found.places[0])
    yield from _heard("B", _lines(one.right, found), found.places[1])
    more = [other.name for other, _ in group.cases[1:]]
    if len(more) > _NAMED:
        more[_NAMED:] = [f"and {len(more) - _NAMED} more"]
    if more:
        yield Text("    also in " + ", ".join(more), style="dim")


def _heard(side: str, lines: Sequence[str], place: int) -> Iterator[Text]:
    """Yield what one side heard about ``place``, and how much there is before and behind."""
    start, end = max(0, place - _BEFORE), place + _FROM
    some = [_short(line) for line in lines[start:end]]
    if start:
        some.insert(0, f"... {_counted(start, 'reply', 'replies')} before")
    if len(lines) > end:
        some.append(f"... {len(lines) - end} more")
    for number, line in enumerate(some or ["nothing"]):
        yield Text(f"      {side if number == 0 else ' '}  {line}")


def _short(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}..."


def _why(one: Compared) -> str:
    """Return why a difference is taken for chance."""
    sides = " and ".join(one.wavers)
    verb = "do" if len(one.wavers) > 1 else "does"
    return f"{one.differences[0].what}; {sides} {verb} not show the same in each play"


def _total(compared: int, given: int, groups: Sequence[Group], chance: int) -> str:
    differ = sum(len(group.cases) for group in groups if not group.behind)
    parts = [f"{compared} of {_counted(given, 'case')} compared"]
    if differ:
        verb = "differs" if differ == 1 else "differ"
        parts.append(f"{differ} {verb}, in {_counted(len(groups), 'group')}")
    else:
        parts.append("no difference")
    if chance:
        parts.append(f"{chance} by chance")
    return "; ".join(parts)


def _counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
