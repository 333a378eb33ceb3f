"""The embedded target itself: how its end is told, and where its folder is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.errors import TargetError
from fuzz.target import EmbeddedTarget, embedded
from fuzz.target.base import Target
from fuzz.target.cluster import ClusterTarget
from fuzz.target.embedded import node_folder

#: A signal of real time: it has no name.
NAMELESS = 40
SECONDS = 30.0
#: Nobody can make a folder there.
NOWHERE = "/proc"


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


def test_where_memory_cannot_be_written_the_temporary_folder_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "scratch_folder", lambda: NOWHERE)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert node_folder().parent == tmp_path


@pytest.mark.parametrize("memory", [None, NOWHERE])
def test_where_nothing_can_be_written_it_is_told(
    monkeypatch: pytest.MonkeyPatch, memory: str | None
) -> None:
    monkeypatch.setattr(embedded, "scratch_folder", lambda: memory)
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    with pytest.raises(TargetError, match=r"no folder .* can be made .* in the variable TMPDIR"):
        EmbeddedTarget(0).start({})
