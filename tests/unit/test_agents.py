"""Which applications of a cluster run where no coverage is read, if that is not asked for."""

from __future__ import annotations

from fuzz.agents import on_cores_only
from fuzz.beam.fake import FakeAgent
from fuzz.beam.members import Member
from fuzz.node import Application


def member(edge: bool, *applications: str) -> Member:
    otp = Application("kernel", "1", True, ())
    own = [Application(name, "1", False, ()) for name in applications]
    return Member(FakeAgent((), [otp, *own]), edge)


def test_what_no_edge_runs_is_told() -> None:
    core = member(False, "iris_core", "iris_common")
    assert on_cores_only([member(True, "iris_common"), core]) == {"iris_core"}
    assert on_cores_only([member(True, "iris_common", "iris_core"), core]) == set()
    assert on_cores_only([core]) == set()
