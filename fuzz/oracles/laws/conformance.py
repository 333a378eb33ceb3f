"""What the server says is made of frames that a server may send, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue
from grammar import Frame, UnknownFrame


def conformance(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge the bytes of each connection as a client's decoder would.

    A decoder that has lost its place says nothing of use, so the cause names the last frame
    that was in order: the one whose length is likely wrong.
    """
    for link in dialogue.links:
        if not link.readable:
            continue
        if UnknownFrame in link.kinds:
            unknown = next(f for f in link.heard if isinstance(f, UnknownFrame))
            behind = _name(link.heard[: link.heard.index(unknown)])
            words = "sent something that is no frame of a server's"
        elif link.fault is not None:
            behind, words = _name(link.heard), "sent a frame that cannot be decoded"
        elif link.rest and link.read_to_the_last_byte:
            behind, words = _name(link.heard), "ended a connection in the middle of a frame"
        else:
            continue
        yield Finding(
            Kind.CONFORMANCE,
            f"the server {words}, behind {behind}",
            Cause("conformance", behind),
            {
                "connection": link.number,
                "fault": str(link.fault or ""),
                "rest": link.rest[:64].hex(),
                **wire.check("in_place", link),
            },
        )
        return


def _name(frames: tuple[Frame, ...]) -> str:
    return type(frames[-1]).__name__ if frames else "nothing"
