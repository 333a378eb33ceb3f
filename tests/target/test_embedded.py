"""The embedded target itself: how its end is told, and where its folder is."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from fuzz.target import EmbeddedTarget
from fuzz.target.base import Target
from fuzz.target.cluster import ClusterTarget

#: A signal of real time: it has no name.
NAMELESS = 40
SECONDS = 30.0


@pytest.mark.parametrize("make", [lambda: EmbeddedTarget(0), lambda: ClusterTarget(1, 0)])
def test_a_node_that_ends_by_a_signal_without_a_name_has_ended_by_its_number(
    make: Callable[[], Target],
) -> None:
    target = make()
    try:
        target.start({})
        os.kill(target.nodes()[0], NAMELESS)
        end = target.await_exit(SECONDS)
    finally:
        target.stop()
    assert end is not None
    assert (end.signal, end.status) == ("signal 40", None)
