"""Handing the process over to libFuzzer, by way of Atheris.

``Fuzz()`` never returns and can be set up once in a process, so this runs in a child of
the campaign. libFuzzer's own corpus folder, merging, forking and minimising are not used:
they start ``argv[0]`` anew through a shell, and know nothing of a live target.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import atheris

from fuzz.engines.counters import Counters

#: The largest case that is generated: one above the largest buffer and field of the
#: protocol (64 KiB), twice, so that a case can hold a full field and what follows it.
MAX_BYTES = 160 * 1024

_FLAGS = (
    "-len_control=0",  # our mutator decides on sizes
    "-mutate_depth=2",  # our mutator stacks by itself, and short cases are quick ones
    "-rss_limit_mb=0",  # memory is the campaign's to watch
    "-timeout=1000000",  # its alarm knows whole seconds only; every wait here has a deadline
    "-detect_leaks=0",
    "-reload=0",  # no folder to look at again
    "-shuffle=0",  # seeds are played in the order of their list: what was not judged is first
    "-prefer_small=0",
    "-report_slow_units=3600",  # a batch with a recovery is slow, and not a finding
    "-handle_int=0",  # the campaign decides when to stop
    "-handle_term=0",
    "-handle_usr1=0",
    "-handle_usr2=0",
    "-print_funcs=0",
    "-verbosity=0",
)

#: Containers that are made before garbage is looked for: some hundred cases'. Nearly all of it goes
#: by itself; with Python's own 700, looking took an eighth of a worker's time.
_GARBAGE = 50_000


class Fuzzed(Protocol):
    """What libFuzzer drives."""

    counters: Counters

    def test_one(self, data: bytes) -> None:
        """Take one input."""
        ...

    def mutate(self, data: bytes, max_bytes: int) -> bytes:
        """Return a mutation of ``data``."""
        ...

    def cross(self, a: bytes, b: bytes, max_bytes: int) -> bytes:
        """Return a case made of two."""
        ...


def byte_mutate(data: bytes, max_bytes: int) -> bytes:
    """Apply one of libFuzzer's own byte mutators."""
    return bytes(atheris.Mutate(data, max_bytes))


def fuzz(
    engine: Fuzzed,
    seeds: Path,
    dictionary: Path | None,
    failed: Callable[[BaseException], None],
) -> None:
    """Fuzz until the process ends. ``seeds`` lists seed files, separated by commas.

    An exception in a callback would hang or end the process in libFuzzer's own way, so
    each one goes to ``failed``, which does not return.
    """
    engine.counters.register()
    gc.freeze()  # what is there by now stays to the end: there is no use in looking through it
    gc.set_threshold(_GARBAGE)

    def test_one(data: bytes) -> None:
        try:
            engine.test_one(data)
        except BaseException as error:  # noqa: BLE001 - the boundary to libFuzzer
            failed(error)

    def mutate(data: bytes, max_bytes: int, _seed: int) -> bytes:
        try:
            return engine.mutate(data, max_bytes)[:max_bytes]
        except BaseException as error:  # the boundary to libFuzzer
            failed(error)
            raise

    def cross(a: bytes, b: bytes, max_bytes: int, _seed: int) -> bytes:
        try:
            return engine.cross(a, b, max_bytes)[:max_bytes]
        except BaseException as error:  # the boundary to libFuzzer
            failed(error)
            raise

    atheris.Setup(
        _arguments(seeds, dictionary), test_one, custom_mutator=mutate, custom_crossover=cross
    )
    atheris.Fuzz()


def _arguments(seeds: Path, dictionary: Path | None) -> Sequence[str]:
    arguments = ["iris-fuzz", *_FLAGS, f"-max_len={MAX_BYTES}"]
    # What libFuzzer writes when it is ended goes where the seeds are, and away with them.
    arguments.append(f"-artifact_prefix={seeds.parent}/")
    if dictionary is not None:
        arguments.append(f"-dict={dictionary}")
    if seeds.stat().st_size:
        arguments.append(f"-seed_inputs=@{seeds}")
    return arguments
