"""The numbers with which a case fails: from which one on, and up to which."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fuzz.triage.reduce import lowest


def upward(
    number: int, probes: Sequence[int], holds: Callable[[int], bool], top: int | None = None
) -> int | None:
    """Return the largest number that holds, from one that does; None where all above do.

    ``top`` is the largest that can be said.
    """
    if number == top:
        return top
    if not holds(number + 1):
        return number
    last = number + 1
    for probe in (probe for probe in probes if last < probe and (top is None or probe <= top)):
        if not holds(probe):
            return lowest(last + 1, probe, lambda middle: not holds(middle)) - 1
        last = probe
    return None


def downward(number: int, least: int, holds: Callable[[int], bool]) -> int:
    """Return the smallest number that holds, from one that does, not below ``least``."""
    if number <= least or not holds(number - 1):
        return number
    return least if holds(least) else lowest(least + 1, number - 1, holds)
