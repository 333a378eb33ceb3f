"""What a worker tells last: whether another one may get further."""

from __future__ import annotations

import os
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from fuzz.engines.link import Link, write_seeds
from fuzz.errors import AgentError, HarnessFault, IrisFuzzError, StoreError, TargetError
from fuzz.events import Event, Faulted


class GoneProcess(Exception):
    """The process has ended."""


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> tuple[Connection, Connection]:
    def ends(status: int) -> None:
        raise GoneProcess(status)

    monkeypatch.setattr(os, "_exit", ends)
    ours, theirs = Pipe()
    return ours, theirs


@pytest.mark.parametrize(
    ("error", "starts_target", "fatal"),
    [
        (TargetError("it does not boot"), True, False),
        (TargetError("it serves nobody and is not ours"), False, True),
        (AgentError("the agent was silent"), False, False),
        (HarnessFault("no socket can be had"), True, False),
        (StoreError("the disk is full"), True, True),
        (IrisFuzzError("anything else"), True, True),
    ],
)
def test_another_worker_comes_where_it_may_get_further(
    error: IrisFuzzError, starts_target: bool, fatal: bool, pipe: tuple[Connection, Connection]
) -> None:
    ours, theirs = pipe
    with ours, theirs:
        with pytest.raises(GoneProcess):
            Link(theirs, lambda: None).failed(error, starts_target)
        event: Event = ours.recv()
    assert event == Faulted(str(error), fatal)


def test_what_is_wrong_with_the_disk_at_the_end_is_told_first(
    pipe: tuple[Connection, Connection],
) -> None:
    def full() -> None:
        raise StoreError("the disk is full")

    ours, theirs = pipe
    with ours, theirs:
        with pytest.raises(GoneProcess):
            Link(theirs, full).failed(HarnessFault("a fault"))
        told = [ours.recv(), ours.recv()]
    assert told == [Faulted("the disk is full", fatal=True), Faulted("a fault")]


def test_seeds_that_cannot_be_written_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its folder is gone"):
        write_seeds(tmp_path / "gone", [b"seed"])
