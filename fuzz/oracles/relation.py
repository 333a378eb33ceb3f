"""Two plays that must be heard alike, and were not: a server held against itself.

Where timing or a server's freedom decides, this is silent:

- a play that was given up, or in which a connection was refused or silent beyond its deadline, is
  for the oracles that look at the node;
- whoever was refused by the rate limit, or at LOGIN, may be so by chance (rule 7);
- a connection that the peer ended before we did, in the play that the other is held against, may
  be ended at any time; and one that may hear other things may be ended for what it said.

Of what came, each opcode is compared by itself: a reply and what others cause at the same time
may come in any order. Times are left out, and so are the words of an ERROR, which one-time key is
handed out (how many are is compared), and the order of a roster. Best-effort notices are compared
like all else: whether one comes may be up to the server, but not to where TCP cuts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fuzz.describe import describe_steps
from fuzz.evidence import Contrast, Evidence
from fuzz.finding import Cause, Finding, Kind
from fuzz.heard import normalised, tree
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.replies import Heard, Reply
from grammar import (
    AuthFailed,
    Direction,
    Error,
    GroupRosterReply,
    LoginRateLimited,
    PrekeyResponse,
    RateLimited,
    ServerFrame,
    StatusResponse,
    Stream,
    cbor,
    encode,
)
from grammar.errors import GrammarError

#: ``what`` of a cause that is a broken relation; its reason begins with the relation's name.
RELATION = "relation"
#: What is no play to compare with.
_BROKEN = frozenset({Ending.DEADLINE, Ending.REFUSED})
#: Refusals that a moment may decide.
_BY_CHANCE = RateLimited | LoginRateLimited | AuthFailed
#: Frames that are told of each side, and characters of each: what differs is the first.
_SOME, _LONG = 4, 300


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference between two plays: on which connection, and what.

    ``what`` is the same in each play that differs in the same way, whichever of the two lacks
    something; ``heard`` and ``other`` are what came in each of them.
    """

    connection: int
    what: str
    heard: tuple[str, ...]
    other: tuple[str, ...]


def relation(evidence: Evidence) -> Iterable[Finding]:
    """Judge each two plays that were to be heard alike."""
    for contrast in evidence.contrasts:
        found = difference(contrast)
        if found is not None:
            yield _finding(contrast, found)


def _finding(contrast: Contrast, found: Difference) -> Finding:
    rate = f"{contrast.shown} of {contrast.plays}"
    by_chance = f" (in {rate} plays)" if contrast.shown < contrast.plays else ""
    return Finding(
        Kind.SEMANTIC,
        f"it makes a difference {contrast.claim}: {found.what}{by_chance}",
        Cause(RELATION, f"{contrast.relation}: {found.what}"),
        {
            "relation": contrast.relation,
            "variant": contrast.how,
            "connection": found.connection,
            "heard": list(found.heard),
            "heard_in_the_variant": list(found.other),
            "shown": f"{rate} pairs of plays",
            "base": describe_steps(contrast.base),
            "varied": describe_steps(contrast.other),
        },
    )


def difference(contrast: Contrast) -> Difference | None:
    """Return the first difference between two plays; None where there is none, or none is owed."""
    plays = contrast.heard, contrast.heard_other
    if any(play.cut_short or play.endings() & _BROKEN for play in plays):
        return None
    traces = [[_read(trace) for trace in play.traces] for play in plays]
    if any(read.by_chance for some in traces for read in some):
        return None
    heard, varied = (
        _heard(play, [read.trace for read in some if read.trace.number in contrast.compared])
        for play, some in zip(plays, traces, strict=True)
    )
    if any(one.first for one in heard.values()):
        return None
    if any(one.first for number, one in varied.items() if number in contrast.apart):
        return None
    for number, one in heard.items():
        if number not in contrast.apart:
            found = _differs(one, varied.get(number))
            if found is not None:
                return found
    return None


def _heard(play: Observation, traces: Sequence[ConnectionTrace]) -> Mapping[int, Heard]:
    """Return what these connections of a play heard, by their numbers."""
    data = b"".join(trace.replies() for trace in traces)
    users = frozenset(user for user in play.users if user in data)
    return {one.number: one for one in normalised(replace(play, traces=tuple(traces), users=users))}


@dataclass(frozen=True, slots=True)
class _Read:
    """A connection without what a server may say otherwise each time.

    ``by_chance`` tells of a refusal that a moment may have decided.
    """

    trace: ConnectionTrace
    by_chance: bool = False


def _read(trace: ConnectionTrace) -> _Read:
    stream = Stream(Direction.SERVER)
    try:
        frames = stream.feed(trace.replies())
        rest = stream.close()
    except GrammarError:
        return _Read(trace)  # the law on conformance speaks of it
    plain = (encode(_plain(f) if isinstance(f, ServerFrame) else f) for f in frames)
    return _Read(
        replace(trace, received=(*plain, rest)), any(isinstance(f, _BY_CHANCE) for f in frames)
    )


def _plain(frame: ServerFrame) -> ServerFrame:
    """Return ``frame`` without its freedoms."""
    match frame:
        case StatusResponse():
            return replace(frame, last_seen=0)
        case Error():
            return replace(frame, reason=b"")
        case PrekeyResponse():
            return replace(frame, bundle=_without_keys(frame.bundle))
        case GroupRosterReply():
            return replace(frame, roster=_in_order(frame.roster))
        case _:
            return frame


def _without_keys(bundle: bytes) -> bytes:
    """Return ``bundle`` with the number of its one-time keys in their place."""
    try:
        value = tree(bundle)
        keys = value.get("one_time_prekeys") if isinstance(value, dict) else None
        if not (isinstance(value, dict) and isinstance(keys, list)):
            return bundle
        return cbor.dumps({**value, "one_time_prekeys": len(keys)})
    except GrammarError:
        return bundle  # what is no bundle is compared as it is


def _in_order(roster: bytes) -> bytes:
    try:
        value = tree(roster)
        return cbor.dumps(sorted(value, key=str)) if isinstance(value, list) else roster
    except (GrammarError, ValueError, RecursionError):  # a number too long to print; too deep
        return roster


def _differs(heard: Heard, other: Heard | None) -> Difference | None:
    if other is None:
        return Difference(heard.number, "a connection that is not made", (heard.ending,), ())
    mine, theirs = _by_frame(heard.replies), _by_frame(other.replies)
    for frame in sorted(mine.keys() | theirs.keys()):
        here, there = mine.get(frame, ()), theirs.get(frame, ())
        if here != there:
            how = "another number of them" if len(here) != len(there) else "another content"
            told = _told(here, there), _told(there, here)
            return Difference(heard.number, f"{frame}: {how}", *told)
    ends = _end(heard), _end(other)
    if ends[0] != ends[1]:
        return Difference(heard.number, "another end of the connection", (ends[0],), (ends[1],))
    return None


def _by_frame(replies: Iterable[Reply]) -> Mapping[str, tuple[str, ...]]:
    """Return what came by the names of the frames, each in its order."""
    came: dict[str, tuple[str, ...]] = {}
    for reply in replies:
        came[reply.frame] = (*came.get(reply.frame, ()), str(reply))
    return came


def _told(these: tuple[str, ...], those: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``these`` from the first on that is not in the same place among ``those``."""
    same = 0
    while same < min(len(these), len(those)) and these[same] == those[same]:
        same += 1
    return tuple(_short(these[same : same + _SOME]))


def _short(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line if len(line) <= _LONG else f"{line[:_LONG]}..."


def _end(heard: Heard) -> str:
    return f"{heard.ending} by the server" if heard.first else heard.ending


__all__ = ["RELATION", "Difference", "difference", "relation"]
