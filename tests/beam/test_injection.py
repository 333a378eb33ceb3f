"""What nodes are given to have an agent stays the same, from one start to the next."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.beam import EnvironmentInjection
from fuzz.beam.inject import AGENTS_FOLDER
from fuzz.errors import TargetError
from tests.beam.nodes import FixtureNode, soon


@pytest.fixture
def injection() -> Iterator[EnvironmentInjection]:
    injection = EnvironmentInjection()
    yield injection
    injection.leave()


def test_a_node_that_is_started_again_gets_the_same_and_is_the_one_that_is_found(
    injection: EnvironmentInjection,
) -> None:
    environment = dict(injection.environment())
    found = []
    for _ in range(2):
        assert injection.environment() == environment
        assert list(Path(environment[AGENTS_FOLDER]).iterdir()) == []
        node = FixtureNode(environment)
        try:
            (key,) = injection.nodes(())
            found.append(injection.connect(key, soon("the agent")).info.os_pid)
            assert node.eval("os:getpid()") == f'"{found[-1]}"'
        finally:
            node.stop()
    assert found[0] != found[1]


def test_who_has_left_has_another_secret_the_next_time(injection: EnvironmentInjection) -> None:
    first = injection.environment()
    folder = Path(first[AGENTS_FOLDER])
    injection.leave()
    assert not folder.exists()
    assert injection.environment()["IRIS_FUZZ_TOKEN"] != first["IRIS_FUZZ_TOKEN"]


def test_where_no_folder_can_be_made_it_is_told(
    injection: EnvironmentInjection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with pytest.raises(TargetError, match=r"no folder .* can be made"):
        injection.environment()
