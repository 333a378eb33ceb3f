"""The application stopped, or serves nobody, while the node lives."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Finding, Kind
from fuzz.oracles.causes import first_cause, told


def app_down(evidence: Evidence) -> Iterable[Finding]:
    """Judge a port that is dead, or accepts and never reads, under a node that runs."""
    if evidence.node_exit is not None or evidence.node_silent:
        return
    lost = ", ".join(evidence.applications_lost)
    if evidence.pulse is Pulse.REFUSED:
        seen = "the node lives, but its port" if lost else "no node was seen to end, but the port"
        title = f"{seen} refuses connections"
    elif evidence.pulse is Pulse.MUTE:
        title = "connections are accepted, but no new client is answered"
    elif lost:
        title = "an application of the target stopped"
    else:
        return
    yield Finding(
        Kind.APP_DOWN,
        title + (f" (stopped: {lost})" if lost else ""),
        first_cause(evidence.events, "application down"),
        {"applications_lost": list(evidence.applications_lost), "reports": told(evidence.events)},
    )
