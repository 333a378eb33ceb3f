"""One node of the reference server for all tests that do not harm it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.target.reference_support import ReferenceNode, memory_folder

_users = count(1)


@pytest.fixture(scope="session")
def reference() -> Iterator[ReferenceNode]:
    with memory_folder() as folder:
        node = ReferenceNode(Path(folder), {"ack_scan_ms": 200})
        yield node
        node.stop()


@pytest.fixture
def name() -> Callable[[], bytes]:
    """Return a maker of names that no other test has."""
    return lambda: b"user%d" % next(_users)
