"""Cases of one shape, to begin from: mutated by fields and items, they keep it."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from grammar import BatchSend, GetStatus, SendMessage, SendSeq, TypingStart, encode

_NOBODY = b"nobody"
A, B = USER_TOKENS[:2]

#: A frame of each of some sorts, for one who is not there.
FRAMES = tuple(
    map(
        encode,
        (
            SendMessage(_NOBODY, b"hi"),
            SendSeq(_NOBODY, 3, b"x"),
            TypingStart(_NOBODY),
            GetStatus(_NOBODY),
            BatchSend(_NOBODY, (b"a", b"b")),
        ),
    )
)


def _login(user: bytes, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def one_frame() -> list[Case]:
    """Return cases of one login and one frame: what a round of the bare loop is."""
    return [Case((_login(A), Step(StepKind.SEND, 0, frame))) for frame in FRAMES]


def five_frames() -> list[Case]:
    """Return cases of two logins, and five frames in five segments over both connections."""
    both = (_login(A), _login(B, 1))
    turns = [FRAMES[turn:] + FRAMES[:turn] for turn in range(len(FRAMES))]
    return [
        Case((*both, *(Step(StepKind.SEND, place % 2, f) for place, f in enumerate(turn))))
        for turn in turns
    ]


def distinct(count: int) -> Iterator[Case]:
    """Yield so many cases of one login and one frame, each of another content."""
    for number in range(count):
        frame = encode(SendSeq(_NOBODY, number, b"body %d" % number))
        yield Case((_login(A), Step(StepKind.SEND, 0, frame)))
