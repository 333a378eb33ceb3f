"""A node that stands by takes the place of the one that is started anew, and is nobody's else."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from fuzz.errors import TargetError
from fuzz.finding import Kind
from fuzz.rig import Rig
from fuzz.target.base import Address
from fuzz.target.embedded import EmbeddedTarget, reference_command
from fuzz.target.process import ChildProcess
from fuzz.target.reference_build import compile_reference
from fuzz.target.spare import Spare
from tests.planted.support import bench
from tests.planted.triggers import CASES
from tests.target.reference_support import Client

SECONDS = 30.0


class Stage:
    """An embedded target, and the processes that it has started by now."""

    def __init__(self) -> None:
        self.target = EmbeddedTarget(0)
        self.environment: dict[str, str] = {}

    def start(self) -> Address:
        """Start it, anew if it runs."""
        self.target.retire()
        return self.target.start(self.environment)

    def node(self) -> int:
        (pid,) = self.target.nodes()
        return pid

    def spare(self) -> int:
        spare = self.target._spare
        assert spare is not None
        return spare.process.pid


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.target.stop()


def folder_of(pid: int) -> Path:
    return Path(os.readlink(f"/proc/{pid}/cwd"))


def serves_clients(address: Address) -> bool:
    with Client(address.port, b"somebody") as client:
        return client.socket.fileno() >= 0  # it was logged in


def test_who_is_started_once_has_no_spare(stage: Stage) -> None:
    stage.start()
    assert stage.target._spare is None


def test_the_spare_serves_at_the_same_port_and_the_next_one_stands_by(stage: Stage) -> None:
    first = stage.start()
    assert stage.start() == first
    spare = stage.spare()
    folder = folder_of(spare)
    assert stage.start() == first
    assert stage.node() == spare
    assert folder_of(spare) == folder
    assert serves_clients(first)
    assert stage.spare() != spare


def test_all_ends_and_nothing_is_left_when_the_target_is_stopped(stage: Stage) -> None:
    stage.start()
    stage.start()
    processes = [stage.node(), stage.spare()]
    folders = list(map(folder_of, processes))
    assert len(set(folders)) == 2
    stage.target.stop()
    assert not any(map(psutil.pid_exists, processes))
    assert not any(folder.exists() for folder in folders)


def test_a_spare_that_has_ended_is_not_waited_for(stage: Stage) -> None:
    first = stage.start()
    stage.start()
    spare, folder = stage.spare(), folder_of(stage.spare())
    os.kill(spare, signal.SIGKILL)
    assert stage.target._spare is not None
    assert stage.target._spare.process.wait(SECONDS) == -signal.SIGKILL
    assert stage.start() == first
    assert stage.node() != spare
    assert serves_clients(first)
    assert not folder.exists()


def test_a_spare_that_ends_when_it_is_told_to_serve_is_no_loss(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stage.start()
    stage.start()
    spare, folder = stage.spare(), folder_of(stage.spare())

    def serves(of: Spare, _environment: Mapping[str, str]) -> bool:
        os.kill(of.process.pid, signal.SIGKILL)
        return True

    monkeypatch.setattr(Spare, "serves", serves)
    assert stage.start() == first
    assert stage.node() != spare
    assert serves_clients(first)
    assert not folder.exists()


@pytest.mark.parametrize(
    "fault", [OSError("no room"), TargetError("erl cannot be started: no room")]
)
def test_where_there_is_no_room_for_a_spare_there_is_none(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    boot, made = EmbeddedTarget._boot, []

    def booted(
        of: EmbeddedTarget, folder: Path, environment: Mapping[str, str], **more: str
    ) -> ChildProcess:
        if more:
            made.append(folder)
            raise fault
        return boot(of, folder, environment)

    monkeypatch.setattr(EmbeddedTarget, "_boot", booted)
    first = stage.start()
    assert stage.start() == first
    assert stage.target._spare is None
    assert made
    assert not any(folder.exists() for folder in made)
    assert stage.start() == first


def test_one_with_another_environment_is_not_taken(stage: Stage) -> None:
    first = stage.start()
    stage.start()
    spare = stage.spare()
    stage.environment = {"IRIS_FUZZ_TOKEN": "another"}
    assert stage.start() == first
    assert stage.node() != spare
    assert not psutil.pid_exists(spare)


def test_a_node_that_comes_back_to_its_own_data_takes_no_spare(stage: Stage) -> None:
    """It was killed, and not retired: what it has stored is to be there again."""
    stage.start()
    stage.start()
    node, spare = stage.node(), stage.spare()
    folder = folder_of(node)
    os.kill(node, signal.SIGKILL)
    assert stage.target.await_exit(SECONDS) is not None
    stage.target.start(stage.environment)
    assert stage.node() != spare
    assert folder_of(stage.node()) == folder


@pytest.mark.parametrize("said", ["", "something else\n"])
def test_a_node_that_stands_by_ends_when_it_is_told_anything_but_to_serve(
    said: str, tmp_path: Path
) -> None:
    arguments = {"stand_by": "true", "port": "0", "data_dir": str(tmp_path / "data")}
    command = reference_command(compile_reference(), arguments)
    ended = subprocess.run(
        command, input=said, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not (tmp_path / "data").exists()


def test_the_agent_is_that_of_the_node_that_serves() -> None:
    with bench() as clean:
        rig: Rig = clean.rig
        assert isinstance(rig.target, EmbeddedTarget)
        points, pids = rig.points, set()
        for _ in range(3):
            rig.recover(fresh_node=True)
            assert rig.agent is not None
            assert (rig.agent.info.os_pid,) == rig.target.nodes()
            pids.add(rig.agent.info.os_pid)
        assert rig.points == points
        assert len(pids) == 3


def test_a_spare_that_serves_may_restart_itself() -> None:
    """It is not told to serve a second time, and does not wait for that."""
    with bench("node_restart") as planted:
        for _ in range(2):
            planted.rig.recover(fresh_node=True)
        (finding,) = planted.judge(CASES["node_restart"][1])
        assert (finding.kind, finding.title.split(":")[0]) == (
            Kind.NODE_DOWN, "the node restarted by itself",
        )  # fmt: skip
