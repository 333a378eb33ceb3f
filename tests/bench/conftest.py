"""Campaigns that are made up have no worker whose processor time could be seen."""

from __future__ import annotations

import itertools

import pytest

from fuzz.bench import measured
from fuzz.bench.measured import Used


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at what a campaign uses find a second more, half the node's, and 100 MiB."""
    seconds = itertools.count(1)
    monkeypatch.setattr(measured, "used", lambda: Used(100.0, *[next(seconds) / 2] * 2))
