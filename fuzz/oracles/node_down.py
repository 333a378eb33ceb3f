"""The node's operating system process ended, or it runs and no longer answers."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence
from fuzz.finding import Cause, Finding, Kind


def node_down(evidence: Evidence) -> Iterable[Finding]:
    """Judge the end of the node: by signal, by status, by what its dump says."""
    end = evidence.node_exit
    if end is not None:
        how = end.signal or f"exit status {end.status}"
        reason = end.slogan or how
        yield Finding(
            Kind.NODE_DOWN,
            f"the node ended by {how}" + (f": {end.slogan}" if end.slogan else ""),
            Cause("node ended", reason),
            {
                "status": end.status,
                "signal": end.signal,
                "slogan": end.slogan,
                "crash_dump": end.dump,
                "log_tail": list(end.log_tail),
            },
        )
    elif evidence.node_restarted:
        yield Finding(
            Kind.NODE_DOWN,
            "the node restarted by itself: everybody was cut off",
            Cause("node restarted"),
            {"bystanders_cut": list(evidence.bystanders_cut)},
        )
    elif evidence.node_silent:
        yield Finding(
            Kind.NODE_DOWN,
            "the node's process runs, but nothing in it answers",
            Cause("node silent"),
        )
