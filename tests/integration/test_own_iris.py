"""A defect in an edge of somebody's own Iris, which its Makefile starts, is told with its node."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fuzz.evidence import Evidence
from fuzz.finding import Kind
from fuzz.generate.seeds import SEEDS
from fuzz.oracles import judge
from fuzz.rig import rig_of
from fuzz.settings import StartSettings, TargetSettings
from fuzz.watchdog.watchdog import calm
from tests.planted.triggers import CASES
from tests.target.layout import free_edge_ports, lay_out
from tests.target.reference_support import memory_folder

#: From the end of a play to that of the node, whose dying may take a busy machine a while.
_END_SECONDS = 20.0


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")
def test_a_node_that_aborts_is_a_finding_and_is_started_again_beside_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", str(free_edge_ports(1)[0]))
    with memory_folder() as folder:
        checkout = lay_out(Path(folder) / "iris", f"_{os.getpid()}", plants="node_abort")
        commands = (checkout.make("start_core"), checkout.make("start_edge1"))
        start = StartSettings(commands, checkout.folder)
        rig = rig_of(TargetSettings(port=checkout.ports[0], start=start))
        try:
            rig.start()
            assert rig.node is not None
            assert rig.node.os_pid == rig.target.nodes()[0]
            tag = f"_{os.getpid()}@localhost"
            assert [node.told() for node in rig.nodes] == [
                f"iris_edge1{tag} (edge, port {checkout.ports[0]})",
                f"iris_core{tag} (core)",
            ]
            rig.play([SEEDS["op-05-get-status"]])
            assert rig.target.poll() is None
            rig.play([CASES["node_abort"][1]])
            end = rig.target.await_exit(_END_SECONDS)
            edge, points = rig.node.os_pid, rig.points
            recovery = rig.revive()
            assert recovery is not None
            assert recovery.how == "one node"
            assert (rig.points, rig.recoveries) == (points, 1)
            assert rig.target.nodes()[0] != edge
            (seen,) = rig.play([SEEDS["op-05-get-status"]])
            assert calm(seen)
            assert rig.agent is not None
            assert rig.agent.settle().hits()
        finally:
            rig.stop()
    assert end is not None
    assert end.node == f"iris_edge1_{os.getpid()}@localhost"
    (finding,) = judge(Evidence(node_exit=end))
    assert finding.kind is Kind.NODE_DOWN
    assert finding.title.endswith("ended by SIGABRT")
