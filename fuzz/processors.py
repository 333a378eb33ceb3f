"""Which processors a worker and its node run on, where there are several workers.

Harness and node wake one another dozens of times for a case. From one processor to another that is
an interrupt, which costs more than what is woken for, most of all in a virtual machine; on the same
one it is a switch. So the processors are dealt out among the workers, and each stays with what it
was given, as its node does, which it starts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def dealt(number: int, workers: int, processors: Sequence[int]) -> frozenset[int]:
    """Return those of the ``processors`` that worker ``number`` of so many is given: one at least.

    The first worker has the number 0. All are given to somebody, and as evenly as can be.
    """
    count = len(processors)
    first, end = number * count // workers, (number + 1) * count // workers
    return frozenset(processors[first : max(end, first + 1)])


def stay(number: int, workers: int) -> None:
    """Keep this process, and all that it starts from now on, to what it is given."""
    os.sched_setaffinity(0, dealt(number, workers, sorted(os.sched_getaffinity(0))))
