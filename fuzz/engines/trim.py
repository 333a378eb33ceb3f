"""Trimming: a case that earned its place, without the steps that had no part in it.

What is mutated later starts from what is kept now, so every idle step of a kept case would
be played again thousands of times. This is the trim stage of AFL, on steps: ever smaller
runs of steps are left out, and stay out if the case still earns what it earned. It is
bounded, for it spends plays; the minimiser of findings is another thing, and thorough.
"""

from __future__ import annotations

from collections.abc import Callable

from fuzz.case import Case

#: Plays spent on one case: enough to halve a dialogue of thirty steps down to a few.
MAX_PLAYS = 16
#: Cases this short are not worth the plays.
SHORT = 3


def trim(case: Case, earns: Callable[[Case], bool], plays: int = MAX_PLAYS) -> Case:
    """Return ``case`` without the steps that ``earns`` does not miss.

    ``earns`` is called at most ``plays`` times, and never for an empty case.
    """
    steps = case.steps
    run = len(steps) // 2
    while run and len(steps) > SHORT:
        start = 0
        while start < len(steps) > SHORT:
            rest = steps[:start] + steps[start + run :]
            if plays == 0:
                return Case(steps)
            plays -= 1
            if rest and earns(Case(rest)):
                steps = rest
            else:
                start += run
        run //= 2
    return Case(steps)
