"""libFuzzer's counters, written from outside.

libFuzzer learns of coverage from arrays of 8-bit counters that instrumented code bumps.
Here no code in this process is under test: the counters mirror those of a BEAM node. An
anonymous mapping is registered with the same two entry points that a compiler's
start-up code calls (``__sanitizer_cov_8bit_counters_init`` and
``__sanitizer_cov_pcs_init``, clang's SanitizerCoverage interface), before
``atheris.Setup``, and is written once per case. libFuzzer reads and clears it after each
run. Each counter gets a distinct made-up program counter, as its own table wants.

The first counter fires in every case: an input with no feature at all stalls the search.
"""

from __future__ import annotations

import ctypes
import importlib.util
import mmap
from collections.abc import Iterable

from fuzz.errors import HarnessFault

#: Counters must be a multiple of a word; libFuzzer reads them eight at a time.
_ALIGN = 64
#: Made-up program counters start here, far from zero, which libFuzzer takes for "none".
_PC_BASE = 0x10000000
#: The second word of a program counter's entry: 1 would mark a function, and have it announced.
_PC_FLAG = 0


class Counters:
    """A block of ``size`` counters that libFuzzer reads as its own."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._room = (size + 1 + _ALIGN - 1) // _ALIGN * _ALIGN
        self._map = mmap.mmap(-1, self._room)
        self._pcs = (ctypes.c_size_t * (2 * self._room))()
        for number in range(self._room):
            self._pcs[2 * number] = _PC_BASE + 16 * number
            self._pcs[2 * number + 1] = _PC_FLAG

    def register(self) -> None:
        """Hand the block to libFuzzer; call once, before ``atheris.Setup``."""
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        pcs = ctypes.addressof(self._pcs)
        _hand_over((start, start + self._room), (pcs, pcs + ctypes.sizeof(self._pcs)))

    def write(self, features: Iterable[tuple[int, int]]) -> None:
        """Set counters for the case that is running: ``(index, count)``, counts clamped.

        A count of 256 would wrap to "never hit" in eight bits, hence the clamp.
        """
        block = self._map
        block[0] = 1
        for index, count in features:
            if index < self.size:
                block[index + 1] = count if count < 255 else 255


def _hand_over(counters: tuple[int, int], pcs: tuple[int, int]) -> None:
    """Register both address ranges; a function, since a class would mangle the names.

    libFuzzer looks for a custom mutator only while its library is being loaded, which the
    registration does earlier than Atheris would: the libraries that hold the mutators'
    entry points must be visible before it, or they are never called.
    """
    for name in ("custom_mutator", "custom_crossover"):
        ctypes.CDLL(_library(name), mode=ctypes.RTLD_GLOBAL)
    core = ctypes.CDLL(_library("core_with_libfuzzer"))
    core.__sanitizer_cov_8bit_counters_init(*map(ctypes.c_void_p, counters))
    core.__sanitizer_cov_pcs_init(*map(ctypes.c_void_p, pcs))


def _library(name: str) -> str:
    spec = importlib.util.find_spec(f"atheris.{name}")
    if spec is None or spec.origin is None:
        raise HarnessFault(f"this Atheris has no {name}; reinstall it with the lock file")
    return spec.origin
