"""A few bytes that keep the node busy out of all proportion."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import EventKind


def cost(evidence: Evidence) -> Iterable[Finding]:
    """Judge what a play cost for each byte of it; a play without an end is a hang.

    The report of a crash is long, and to write it costs more than most cases do.
    """
    spent = evidence.cost
    reported = any(event.kind is EventKind.CRASH for event in evidence.events)
    if spent is None or not spent.excessive() or evidence.suspects or reported:
        return
    where = f", and {spent.where} ran most often" if spent.where else ""
    # By its module: which function of a loop runs most often depends on the input.
    frames = (spent.where.partition(":")[0],) if spent.where else ()
    told: dict[str, object] = {
        "reductions": spent.reductions,
        "bytes": spent.bytes,
        "where": spent.where,
    }
    if spent.seconds is not None:
        told["answered_after_seconds"] = round(spent.seconds, 3)
    yield Finding(
        Kind.COST,
        f"{spent.bytes:,} bytes cost {spent.reductions:,} reductions{where}",
        Cause("cost", frames=frames),
        told,
    )
