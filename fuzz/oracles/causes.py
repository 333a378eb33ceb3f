"""From the many reports of one crash to its first cause.

One crash speaks several times: the ``gen_statem`` reports its termination, ``proc_lib``
its crash, the emulator an error line, the supervisor a lost child, and every linked
process its own end with the same reason. The first report of the first process that
crashed, with a stack if any of its reports has one, names the cause. One that ended in a
call, for the reason of the process that it called, or since a child did not start, counts only
if that one is not heard of. A supervisor's report counts only when no process spoke for itself: it
often knows no more than ``killed``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fuzz.finding import CRASH, Cause
from fuzz.node import Event, EventKind

#: The exit reason of a process whose call failed: ``{Reason, {gen_server, call, Arguments}}``.
_CALL = re.compile(r"\{gen(_server|_statem|_event)?,\s*call\b")
#: The same of a process that starts others: an application's master, or whoever calls a supervisor.
_START = "failed_to_start_child"
#: What a target's code calls into, and is called from: never the place of its own mistake.
_PLUMBING = frozenset(
    {"gen", "gen_event", "gen_server", "gen_statem", "proc_lib", "supervisor", "sys"}
    | {"binary", "dict", "ets", "lists", "maps", "prim_inet", "sets", "string", "unicode"}
    | {"erlang", "gen_tcp", "inet", "init"}
)
#: What the agent puts into the target's modules to count what is run (iris_fuzz_forms): a node that
#: ends at any moment may end in it.
_COUNTING = ":'-iris_fuzz_hit-'/"


def crash_causes(events: Iterable[Event]) -> tuple[tuple[Cause, tuple[Event, ...]], ...]:
    """Return each cause with the reports that speak of it, the first cause first."""
    by_process: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if event.kind is EventKind.CRASH:
            by_process.setdefault((event.node, event.pid), []).append(event)
    best = {
        pid: max(reports, key=lambda report: len(report.stack))
        for pid, reports in by_process.items()
    }
    own = {pid for pid, event in best.items() if not _was_let_down(event)}
    causes: dict[Cause, tuple[Event, ...]] = {}
    reasons: set[str] = set()
    for pid, event in best.items():
        if own and pid not in own:
            continue
        if event.reason in reasons and (not event.stack or event.class_name == "exit"):
            continue  # the end of a linked process, for the reason of the first
        reasons.update(report.reason for report in by_process[pid])
        causes.setdefault(_cause(event), tuple(by_process[pid]))
    if causes:
        return tuple(causes.items())
    return tuple((_cause(event), (event,)) for event in events if _lost_child(event))


def _was_let_down(event: Event) -> bool:
    """Tell whether a process ended because the one that it had called, or started, did."""
    if event.class_name != "exit":
        return False
    return _START in event.reason or _CALL.search(event.reason) is not None


def own_frames(stack: Iterable[str]) -> tuple[str, ...]:
    """Return the frames of ``stack`` that are the target's, and neither OTP's nor ours."""
    return tuple(
        frame
        for frame in stack
        if frame.partition(":")[0] not in _PLUMBING and _COUNTING not in frame
    )


def first_cause(events: Iterable[Event], otherwise: str) -> Cause:
    """Return the first cause among ``events``, or a cause that says only ``otherwise``."""
    causes = crash_causes(tuple(events))
    return causes[0][0] if causes else Cause(otherwise)


def _cause(event: Event) -> Cause:
    return Cause(
        what=CRASH,
        reason=f"{event.class_name}:{event.reason}",
        origin=event.process,
        frames=tuple(event.stack),
    )


def _lost_child(event: Event) -> bool:
    return event.kind is EventKind.SUPERVISOR


def told(events: Iterable[Event]) -> list[dict[str, object]]:
    """Return events as JSON values, for a finding's evidence."""
    return [
        {
            "kind": event.kind.value,
            "class": event.class_name,
            "reason": event.reason,
            "process": event.process,
            "behaviour": event.behaviour,
            "supervisor": event.supervisor,
            "stack": list(event.stack),
            "text": event.text,
            **({"node": event.node} if event.node else {}),
        }
        for event in events
    ]
