"""Keeping the processors awake.

A campaign is a relay: harness, network, emulator and disk threads wake one another for
each step of a case. A processor that went to sleep in between takes from 50 to 500
microseconds to wake, most of all in a virtual machine, and that is most of the time a case
takes. Linux lets a process ask for a wake-up latency while it holds a file open
(Documentation/power/pm_qos_interface). It usually takes root; without it a campaign is as
correct, and slower.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

_LATENCY_FILE = "/dev/cpu_dma_latency"
#: No latency at all, as the 32-bit number of microseconds that the kernel reads.
_NONE = struct.pack("i", 0)


@contextmanager
def awake() -> Iterator[bool]:
    """Ask for processors that do not sleep; yield whether the request was granted."""
    try:
        file = open(_LATENCY_FILE, "wb", buffering=0)  # noqa: SIM115 - held open on purpose
    except OSError:
        yield False
        return
    with file:
        file.write(_NONE)
        yield True
