"""A few bytes that keep the node busy out of all proportion."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence
from fuzz.finding import Cause, Finding, Kind


def cost(evidence: Evidence) -> Iterable[Finding]:
    """Judge what a play cost for each byte of it; a play without an end is a hang."""
    spent = evidence.cost
    if spent is None or not spent.excessive() or evidence.suspects:
        return
    yield Finding(
        Kind.COST,
        f"{spent.bytes} bytes cost {spent.reductions:,} reductions",
        Cause("cost"),
        {"reductions": spent.reductions, "bytes": spent.bytes},
    )
