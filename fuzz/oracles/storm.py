"""A crowd that came at once was not served, or others had to suffer for it."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import STORED_MESSAGE, Evidence, Pulse, Rush
from fuzz.finding import STORM, Cause, Finding, Kind
from fuzz.oracles.causes import first_cause


def storm(evidence: Evidence) -> Iterable[Finding]:
    """Judge each rush: all are served in bounded time (rule 3), and get what is theirs (rule 6).

    Nobody is cut off by it (rule 1). Where the server serves nobody any more, that says it all.
    """
    gone = evidence.node_exit is not None or evidence.node_silent or evidence.node_restarted
    if gone or evidence.pulse not in (None, Pulse.WELL) or evidence.applications_lost:
        return
    for rush in evidence.rushes:
        if rush.cut:
            said = f"{rush.cut:,} of {_crowd(rush)} were cut off after they had been served"
            cause = first_cause(evidence.events, STORM)
            own = Cause(STORM, "cut off") if cause.what == STORM else cause
            yield _finding(Kind.LISTENER_RESTART, said, own, rush)
        yield from _late(rush)
        yield from _wrong(rush)


def _late(rush: Rush) -> Iterable[Finding]:
    unserved = {what: count for what, count in rush.waits.items() if what != STORED_MESSAGE}
    if unserved:
        # What most of them waited for: the others may only have been next to it.
        what = max(unserved, key=lambda one: (unserved[one], one))
        count = sum(unserved.values())
        said = (
            f"{count:,} of {_crowd(rush)} were not served within {rush.limit:.0f} s: "
            f"{what} did not come"
        )
        yield _finding(Kind.HANG, said, Cause(STORM, what), rush)
    if rush.bystanders:
        said = f"{', '.join(rush.bystanders)} was not answered while {_crowd(rush)} were served"
        yield _finding(Kind.HANG, said, Cause(STORM, "bystanders"), rush)


def _wrong(rush: Rush) -> Iterable[Finding]:
    lost = rush.waits.get(STORED_MESSAGE, 0)
    if lost:
        said = f"{lost:,} of {_crowd(rush)} did not get the message that was stored for them"
        yield _finding(Kind.SEMANTIC, said, Cause(STORM, STORED_MESSAGE), rush)
    if rush.misled:
        said = f"{rush.misled:,} of {_crowd(rush)} got a message that was for another user"
        yield _finding(Kind.SEMANTIC, said, Cause(STORM, "a message for another user"), rush)


def _crowd(rush: Rush) -> str:
    return f"{rush.clients:,} clients that {rush.what} at once"


def _finding(kind: Kind, title: str, cause: Cause, rush: Rush) -> Finding:
    return Finding(kind, title, cause, {"rush": rush.told()})
