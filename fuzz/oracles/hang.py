"""Something that was sent is never answered, while the rest of the server is well."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence, Pulse
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import Suspect
from fuzz.observation import Ending

#: What a target's code calls into, and is called from: never the place of its own loop.
_PLUMBING = frozenset(
    {"gen", "gen_event", "gen_server", "gen_statem", "proc_lib", "supervisor", "sys"}
    | {"binary", "dict", "ets", "lists", "maps", "prim_inet", "sets", "string", "unicode"}
)


def hang(evidence: Evidence) -> Iterable[Finding]:
    """Judge connections that stayed silent beyond their deadline (rule 3).

    A server that answers nobody is not this oracle's: that is an application that is down.
    """
    if evidence.node_exit is not None or evidence.pulse is not Pulse.WELL:
        return
    waits = [
        trace.waited_for
        for observation in evidence.observations
        for trace in observation.traces
        if trace.ending is Ending.DEADLINE
    ]
    if not waits:
        return
    stuck = evidence.suspects[0] if evidence.suspects else None
    where = f" while {stuck.process} is in {stuck.stack[0]}" if stuck and stuck.stack else ""
    yield Finding(
        Kind.HANG,
        f"{waits[0]} did not come{where}",
        _cause(stuck, waits[0]),
        {
            "waited_for": waits,
            "suspects": [
                {"process": s.process, "status": s.status, "stack": list(s.stack)}
                for s in evidence.suspects
            ],
        },
    )


def _cause(stuck: Suspect | None, wait: str) -> Cause:
    """Name the loop by its module: the function in it differs with the moment of looking."""
    if stuck is None:
        return Cause("hang", wait)
    modules = (frame.partition(":")[0] for frame in stuck.stack)
    own = next((module for module in modules if module not in _PLUMBING), "")
    return Cause("hang", own, stuck.process)
