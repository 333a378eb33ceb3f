"""A client that did nothing wrong lost its connection."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Finding, Kind
from fuzz.oracles.causes import first_cause, told


def listener_restart(evidence: Evidence) -> Iterable[Finding]:
    """Judge the bystanders: what others send must never cut them off (rule 1).

    A restart is one that came back: where the server serves nobody, that says it all.
    """
    gone = evidence.node_exit is not None or evidence.node_silent or evidence.node_restarted
    down = evidence.pulse not in (None, Pulse.WELL) or evidence.applications_lost
    if gone or down or not evidence.bystanders_cut:
        return
    yield Finding(
        Kind.LISTENER_RESTART,
        f"clients that did nothing were cut off ({', '.join(evidence.bystanders_cut)})",
        first_cause(evidence.events, "bystanders cut off"),
        {"bystanders_cut": list(evidence.bystanders_cut), "reports": told(evidence.events)},
    )
