"""Made-up coverage points are as many as were asked for, and in the node like any other."""

from __future__ import annotations

from collections import Counter

import pytest

from fuzz.bench.padding import PaddedTarget, sources
from fuzz.rig import rig_of


@pytest.mark.parametrize("points", [1, 24, 25, 26, 999, 1_000, 1_001, 2_345])
def test_each_clause_is_a_point(points: int) -> None:
    text = "".join(sources(points).values())
    assert text.count(" -> ") == points


def test_the_agent_finds_them() -> None:
    target = PaddedTarget(1_100)
    try:
        rig = rig_of(target.settings)
        rig.start()
        try:
            modules = Counter(point.module for point in rig.points)
        finally:
            rig.stop()
    finally:
        target.close()
    padded = {name: n for name, n in modules.items() if name.startswith("iris_bench_pad_")}
    assert padded == {"iris_bench_pad_0": 1_000, "iris_bench_pad_1": 100}
    assert modules.keys() - padded.keys() == {"iris_ref_session"}
