"""How many answers a client still waits for, by the published protocol.

Where no agent tells that a node is at rest, an answer that must come is what says that a request
was handled: a server may answer one client while it still writes to the disc for another.
"""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.observation import Sent
from grammar import (
    ClientFrame,
    Direction,
    Login,
    State,
    Stream,
    always_answered,
    frame_bounds,
)
from grammar.dialogue import RULES
from grammar.errors import GrammarError

#: First bytes of what can be an answer; a message from somebody else is none.
_ANSWERS = frozenset(
    frame.opcode
    for rule in RULES.values()
    for frame in (*rule.replies, *rule.refusals)
)  # fmt: skip


def owed(sent: Sequence[Sent], received: bytes) -> int:
    """Return how many answers must still come to a client that sent and received this.

    None, 0, where that can't be told: what was sent is not all frames.
    """
    stream, state, asked = Stream(Direction.CLIENT), State.CONNECTED, 0
    for segment in sent:
        try:
            frames = stream.feed(segment.data)
        except GrammarError:
            return 0
        for frame in frames:
            if not isinstance(frame, ClientFrame):
                return 0
            # A LOGIN behind the first may be more of what came before it; to wait in vain for its
            # answer takes time, and not to wait lets the next segment be read as a part of it.
            asked += isinstance(frame, Login) or always_answered(frame.opcode, state)
            if isinstance(frame, Login):
                state = State.LOGGED_IN
    answers = sum(op in _ANSWERS for _, _, op in frame_bounds(received, Direction.SERVER))
    return max(0, asked - answers)
