"""Processors are dealt out among workers: all of them, evenly, and one to each at least."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain

import pytest

from fuzz.processors import dealt


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("workers", range(1, 12))
def test_all_are_given_and_nobody_goes_without(workers: int, count: int) -> None:
    processors = [10 + number for number in range(count)]
    shares = [dealt(number, workers, processors) for number in range(workers)]
    assert all(shares)
    assert set(chain.from_iterable(shares)) == set(processors)
    sizes = sorted(map(len, shares))
    assert sizes[-1] - sizes[0] <= 1


@pytest.mark.parametrize(("workers", "count"), [(2, 4), (2, 5), (4, 8), (3, 3)])
def test_no_two_have_the_same_where_there_are_enough(workers: int, count: int) -> None:
    shares = [dealt(number, workers, range(count)) for number in range(workers)]
    assert sum(map(len, shares)) == count


def test_who_stays_keeps_its_children_with_it() -> None:
    code = (
        "import os, subprocess, sys; from fuzz.processors import stay; stay(0, 1000);"
        "sys.exit(subprocess.run([sys.executable, '-c',"
        " 'import os, sys; sys.exit(len(os.sched_getaffinity(0)))']).returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=os.getcwd())
    assert done.returncode == 1
