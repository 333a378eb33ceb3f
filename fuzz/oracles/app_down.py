"""The application stopped, or serves nobody, while the node lives."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import Event, EventKind, on_node
from fuzz.oracles.causes import crash_causes, own_frames, told

#: The reason of a supervisor's last report when it is through with restarting.
_GAVE_UP = "reached_max_restart_intensity"


def app_down(evidence: Evidence) -> Iterable[Finding]:
    """Judge a port that is dead, or accepts and never reads, under a node that runs."""
    if evidence.node_exit is not None or evidence.node_silent or evidence.node_restarted:
        return
    lost = ", ".join(evidence.applications_lost)
    if evidence.pulse is Pulse.REFUSED:
        lives = lost or evidence.node_answers
        seen = "the node lives, but its port" if lives else "no node was seen to end, but the port"
        title, how = f"{seen} refuses connections", "refused"
    elif evidence.pulse is Pulse.MUTE:
        title, how = "connections are accepted, but no new client is answered", "mute"
    elif lost:
        title, how = "an application of the target stopped", "stopped"
    else:
        return
    yield Finding(
        Kind.APP_DOWN,
        on_node(title, evidence.edge)
        + (f" (stopped: {lost})" if lost else "")
        + _gave_up(evidence.events),
        _cause(evidence, how),
        {
            "applications_lost": list(evidence.applications_lost),
            **({"edge": evidence.edge} if evidence.edge else {}),
            "reports": told(evidence.events),
        },
    )


def _gave_up(events: Iterable[Event]) -> str:
    """Tell which supervisor was the first to have restarted its children too often."""
    for event in events:
        if event.kind is EventKind.SUPERVISOR and _GAVE_UP in event.reason:
            who = on_node(event.supervisor or "a supervisor", event.node)
            return f"; {who} gave up after too many restarts"
    return ""


def _cause(evidence: Evidence, how: str) -> Cause:
    """Return what crashed, else who is stuck, else only how it shows."""
    causes = crash_causes(evidence.events)
    if causes:
        return causes[0][0]
    stuck = evidence.suspects[0] if evidence.suspects else None
    if stuck is None:
        return Cause("application down", how)
    return Cause("application down", how, stuck.process, own_frames(stuck.stack)[:1])
