"""The node's operating system process ended, or it runs and no longer answers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from fuzz.evidence import Evidence
from fuzz.finding import Cause, Finding, Kind, stable
from fuzz.observation import NodeExit
from fuzz.oracles.causes import first_cause, own_frames

#: What the emulator says when it gives up for want of something, and what that is: the words
#: name an allocator, or a table, and differ from run to run of one defect.
_WANT = (
    ("Cannot allocate", "out of memory"),
    ("Cannot reallocate", "out of memory"),
    ("no more index entries in atom_tab", "atom table full"),
)
#: What the emulator says when its last supervisor has given up.
_LAST_WORDS = ("Kernel pid terminated", "init terminating")


def node_down(evidence: Evidence) -> Iterable[Finding]:
    """Judge the end of the node: by signal, by status, by what its dump says."""
    end = evidence.node_exit
    if end is not None:
        how = end.signal or (f"exit status {end.status}" if end.status is not None else "")
        # One that somebody else has started is only known to be gone.
        said = f" by {how}" if how else ", and nobody saw how"
        yield Finding(
            Kind.NODE_DOWN,
            f"{_the_node(end.node)} ended{said}" + (f": {end.slogan}" if end.slogan else ""),
            _cause(evidence, end, how),
            {
                **_told(end.node),
                "status": end.status,
                "signal": end.signal,
                "slogan": end.slogan,
                "crash_dump": end.dump,
                "log_tail": list(end.log_tail),
            },
        )
    elif evidence.node_restarted:
        on_it = " on it" if evidence.node else ""
        yield Finding(
            Kind.NODE_DOWN,
            f"{_the_node(evidence.node)} restarted by itself: everybody{on_it} was cut off",
            Cause("node restarted"),
            {**_told(evidence.node), "bystanders_cut": list(evidence.bystanders_cut)},
        )
    elif evidence.node_silent:
        yield Finding(
            Kind.NODE_DOWN,
            f"{_the_node(evidence.node)}'s process runs, but nothing in it answers",
            Cause("node silent"),
            _told(evidence.node),
        )


def _the_node(name: str) -> str:
    return f"the node {name}" if name else "the node"


def _told(name: str) -> dict[str, object]:
    return {"node": name} if name else {}


def _cause(evidence: Evidence, end: NodeExit, how: str) -> Cause:
    """Name the end by what was wanting, else by what was said, else by signal or status.

    Who wanted is told by the frames of the process that ran: the dump has them. Its name is
    left out, since a dump that was cut short has no names. Where only the end of everything is
    said, it is named by what crashed first.
    """
    slogan = end.slogan or ""
    if slogan.startswith(_LAST_WORDS):
        return first_cause(evidence.events, stable(slogan))
    want = next((reason for words, reason in _WANT if words in slogan), None)
    if want is None:
        return Cause("node ended", slogan or how or "unseen")
    stack = end.dump.get("stack")
    frames = own_frames(map(str, stack)) if isinstance(stack, list) else ()
    # How deep a recursion was just then is chance.
    return Cause("node ended", want, frames=tuple(frame for frame, _ in groupby(frames)))
