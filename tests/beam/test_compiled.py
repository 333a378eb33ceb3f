"""What one node has compiled is there for the next, and is no worse than none when it is broken."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from fuzz.beam import AgentClient, AgentFiles, Point
from fuzz.beam import compiled as module
from fuzz.beam.compiled import compiled_folder
from fuzz.errors import TargetError
from tests.beam.nodes import AgentNode, FixtureNode, soon
from tests.beam.ways import start_ways

INCLUDE = ("fixture*",)
EXCLUDE = ("fixture_ctl", "fixture_snapshot")


class Nodes:
    """Starts nodes whose agents compile into one folder; they end with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.compiled = folder / "compiled"
        self.compiled.mkdir()
        self._folder = folder
        self._stack = stack
        self._count = 0

    def start(self) -> tuple[FixtureNode, AgentClient]:
        self._count += 1
        agents = self._folder / f"agents{self._count}"
        agents.mkdir()
        files = AgentFiles(agents, compiled=self.compiled)
        node = FixtureNode(files.environment({}))
        self._stack.callback(node.stop)
        agent = AgentClient.connect(files.wait(soon("the agent")), files.token)
        self._stack.callback(agent.close)
        return node, agent

    def kept(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.compiled.iterdir()}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(tmp_path, stack)


def points_of(agent: AgentClient) -> tuple[Point, ...]:
    found = agent.instrument(INCLUDE, EXCLUDE)
    assert found.failures == ()
    return found.points


def has_compiled(node: FixtureNode) -> bool:
    """Tell whether a pass of the compiler was needed in the node."""
    return node.eval("erlang:module_loaded(v3_core)") == "true"


def has_read(node: FixtureNode) -> bool:
    """Tell whether the node has looked at the abstract code of modules."""
    return node.eval("erlang:module_loaded(compile)") == "true"


def hits(node: FixtureNode, agent: AgentClient) -> list[tuple[int, int]]:
    agent.read()
    node.eval("fixture_clauses:loop(10, 0)")
    assert agent.quiet(5)
    return list(agent.read().hits())


def test_the_next_node_compiles_nothing_and_counts_the_same(nodes: Nodes) -> None:
    first, agent = nodes.start()
    points, counted = points_of(agent), hits(first, agent)
    kept = nodes.kept()
    assert has_compiled(first)
    modules = {point.module for point in points}
    # The code of each, and what came of all.
    assert Counter(Path(name).suffix for name in kept) == {".beam": len(modules), ".term": 1}
    second, agent = nodes.start()
    assert (points_of(agent), hits(second, agent)) == (points, counted)
    assert counted
    assert not has_compiled(second)
    assert not has_read(second)
    assert nodes.kept() == kept


def test_the_next_node_tells_the_same_gates(nodes: Nodes) -> None:
    _, agent = nodes.start()
    gates = agent.instrument(INCLUDE, EXCLUDE).gates
    _, agent = nodes.start()
    assert agent.instrument(INCLUDE, EXCLUDE).gates == gates
    assert gates


def test_what_was_kept_for_another_selection_is_not_taken(nodes: Nodes) -> None:
    _, agent = nodes.start()
    points = points_of(agent)
    one = points[-1].module
    second, agent = nodes.start()
    assert agent.instrument([one]).points == tuple(p for p in points if p.module == one)
    assert has_read(second)


def test_what_follows_from_a_source_is_not_remembered(nodes: Nodes, tmp_path: Path) -> None:
    """A comment more in it moves all lines, and the checksum of the code stays."""
    node, agent = nodes.start()
    start_ways(cast(AgentNode, node), tmp_path / "ways")
    assert {point.module for point in agent.instrument(["ways_source"]).points} == {"ways_source"}
    assert {Path(name).suffix for name in nodes.kept()} == {".beam"}


def test_code_that_is_gone_is_made_again(nodes: Nodes) -> None:
    _, agent = nodes.start()
    points, kept = points_of(agent), nodes.kept()
    gone = max(name for name in kept if name.endswith(".beam"))
    (nodes.compiled / gone).unlink()
    second, agent = nodes.start()
    assert points_of(agent) == points
    assert has_compiled(second)
    assert nodes.kept() == kept


def test_what_was_cut_short_is_compiled_again(nodes: Nodes) -> None:
    _, agent = nodes.start()
    points, kept = points_of(agent), nodes.kept()
    for number, (name, data) in enumerate(kept.items()):
        os.truncate(nodes.compiled / name, (0, 7, len(data) - 1)[number % 3])
    second, agent = nodes.start()
    assert points_of(agent) == points
    assert has_compiled(second)
    assert nodes.kept() == kept


def test_a_folder_that_is_gone_costs_time_and_nothing_else(nodes: Nodes) -> None:
    node, agent = nodes.start()
    shutil.rmtree(nodes.compiled)
    assert points_of(agent) != ()
    assert hits(node, agent) != []


def test_of_too_many_files_the_latest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    folder = compiled_folder(tmp_path)
    for number in range(10):
        (folder / str(number)).touch()
        os.utime(folder / str(number), (number, number))
    assert len(list(compiled_folder(tmp_path).iterdir())) == 10
    (folder / "latest").touch()
    assert {path.name for path in compiled_folder(tmp_path).iterdir()} == {*"6789", "latest"}


def test_a_folder_that_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "instrumented").write_text("in the way")
    with pytest.raises(TargetError, match="cannot keep compiled Erlang code in"):
        compiled_folder(tmp_path)
