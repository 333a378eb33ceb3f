"""One short round of the real thing: a worker that libFuzzer drives, against real sockets."""

from __future__ import annotations

import re
from dataclasses import replace

from fuzz.bench import QUICK
from fuzz.bench.throughput import Throughput


def test_the_throughput_is_measured_with_cases_that_keep_their_shape() -> None:
    part = Throughput(replace(QUICK, bare=0.3, warm=0.5, rate=0.5), processors=1)
    try:
        part.measure(0)
    finally:
        part.close()
    result = part.result()
    one, five = result.rows
    (note,) = result.notes
    # Where the node got less than a clock's tick of a slice, its share is not told.
    assert re.match(r"the bare loop: [\d,]+/s($|; its node computes \d+%)", note), note
    assert result.rounds == 1
    assert "takes two at least" in one.ratio.refusal()
    # Fields that are changed may hold a frame more, and never a client more or less.
    assert one.what.endswith(" over 1.0 connections")
    assert five.what.endswith(" over 2.0 connections")
    assert float(five.what.split()[2]) >= 4.0 > float(one.what.split()[2])
