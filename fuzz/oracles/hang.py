"""Something that was sent is never answered, while the rest of the server is well."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import Doing, Suspect, on_node
from fuzz.observation import Ending
from fuzz.oracles.causes import own_frames

#: What a cause of this oracle is.
HANG = "hang"

#: What each way to be stuck is called in a title.
_WAYS = {
    Doing.LOOP: "loops in",
    Doing.MAILBOX: "is behind with its mailbox, in",
    Doing.CALL: "waits for an answer in",
    None: "is in",
}


def hang(evidence: Evidence) -> Iterable[Finding]:
    """Judge connections that stayed silent beyond their deadline (rule 3).

    So is a new client that is served, but much too late, and work that goes on without anybody who
    waits for it. A server that answers nobody is not
    this oracle's: that is an application that is down, or a node that was.
    """
    gone = evidence.node_exit is not None or evidence.node_restarted
    if gone or evidence.pulse is not Pulse.WELL:
        return
    waits = [
        trace.waited_for
        for observation in evidence.observations
        for trace in observation.traces
        if trace.ending is Ending.DEADLINE
    ]
    if waits:
        said = f"{waits[0]} did not come"
    elif evidence.slow_seconds:
        said = f"a new client was served only after {evidence.slow_seconds:.1f} s"
    elif evidence.suspects and evidence.cost is not None and evidence.cost.excessive():
        said = "the work that a client made did not end"
    else:
        return
    stuck = evidence.suspects[0] if evidence.suspects else None
    yield Finding(
        Kind.HANG,
        said + _where(stuck),
        _cause(stuck, waits[0] if waits else "a new client is served late"),
        {
            "waited_for": waits,
            "slow_seconds": round(evidence.slow_seconds, 1),
            "suspects": [_told(suspect) for suspect in evidence.suspects],
        },
    )


def _where(stuck: Suspect | None) -> str:
    if stuck is None or not stuck.stack:
        return ""
    frame = next(iter(own_frames(stuck.stack)), stuck.stack[0])
    who = on_node(stuck.process, stuck.node)
    return f" while {who} {_WAYS[stuck.doing]} {frame}"


def _cause(stuck: Suspect | None, wait: str) -> Cause:
    """Name the loop by its module: the function in it differs with the moment of looking."""
    if stuck is None:
        return Cause(HANG, wait)
    own = next(iter(own_frames(stuck.stack)), "").partition(":")[0]
    return Cause(HANG, stuck.doing or "", stuck.process, (own,) if own else ())


def _told(suspect: Suspect) -> dict[str, object]:
    return {
        "process": on_node(suspect.process, suspect.node),
        "doing": suspect.doing,
        "status": suspect.status,
        "mailbox": suspect.mailbox,
        "stack": list(suspect.stack),
    }
