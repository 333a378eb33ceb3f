"""Filters of a campaign: what they hold back, and how often."""

from __future__ import annotations

import random

import pytest

from fuzz.case import Case
from fuzz.engines.filters import Filters
from fuzz.triage import pattern as patterns
from fuzz.triage.pattern import FrameRule, Pattern
from tests.triage.judges import send

TYPING, STATUS = Case((send(b"\x70\0\0"),)), Case((send(b"\x05\0\0"),))


def share(filters: Filters, case: Case) -> int:
    return sum(filters.blocks(case) for _ in range(2_000))


def test_each_pattern_counts_from_when_it_is_added() -> None:
    filters = Filters(random.Random(1))
    assert share(filters, TYPING) == 0
    filters.add(Pattern((FrameRule((0x70,)),), ()))
    assert share(filters, STATUS) == 0
    filters.add(Pattern((FrameRule((0x05,)),), ()))
    for case in (TYPING, STATUS):
        # One in a hundred is let through, so that the bug is known to be there still.
        assert 1_950 < share(filters, case) < 2_000


def test_the_frames_of_a_case_are_found_once_for_all_patterns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Case] = []
    found = patterns.frames_of

    def counted(case: Case) -> tuple[patterns.Seen, ...]:
        asked.append(case)
        return found(case)

    monkeypatch.setattr(patterns, "frames_of", counted)
    filters = Filters(random.Random(1))
    for _ in range(9):
        filters.add(Pattern((FrameRule((0x70,), logins=3),), ()))
    assert not filters.blocks(TYPING)
    assert asked == [TYPING]
