"""Trimming: a case that earned its place, without what had no part in it.

What is mutated later starts from what is kept now, so every idle step of a kept case would
be played again thousands of times. This is the trim stage of AFL, on steps: ever smaller
runs of steps are left out, and stay out if the case still earns what it earned. Of a case that
leads on to something, the segments are cut short as well: what is to be said next goes behind
them. Both are bounded, for they spend plays; the minimiser of findings is another thing, and
thorough.
"""

from __future__ import annotations

from collections.abc import Callable

from fuzz.case import Case, StepKind
from fuzz.generate.draft import replace_data

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


def cut_short(case: Case, earns: Callable[[Case], bool], plays: int = MAX_PLAYS) -> Case:
    """Return ``case`` with segments that end where ``earns`` misses nothing; see :func:`trim`."""
    steps = list(case.steps)
    for index in reversed(range(len(steps))):
        whole = steps[index]
        run = len(whole.data) // 2 if whole.kind is StepKind.SEND else 0
        while run:
            if plays == 0:
                return Case(tuple(steps))
            plays -= 1
            before, steps[index] = steps[index], replace_data(whole, steps[index].data[:-run])
            if not earns(Case(tuple(steps))):
                steps[index] = before
                run //= 2
            run = min(run, len(steps[index].data) - 1)
    return Case(tuple(steps))
