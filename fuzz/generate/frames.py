"""Operations on whole frames: their order, their number, their opcodes."""

from __future__ import annotations

from fuzz.case import Step, StepKind
from fuzz.generate.anatomy import bounds_of
from fuzz.generate.draft import Draft, Operation
from fuzz.generate.values import OPEN_ENDED, fresh_frame, server_frame
from grammar import MALFORMED_FROM_CLIENT, ClientOpcode
from grammar.limits import RATE_BURST

#: Repetitions of a frame, mostly at most; enough for a batch of anything.
REPEATS = 32
#: And now and then: just past the burst that the rate limiter lets through.
MANY_REPEATS = RATE_BURST + 20

_CLIENT = tuple(int(opcode) for opcode in ClientOpcode)
_FOREIGN = tuple(sorted(MALFORMED_FROM_CLIENT))


def swap_frames(draft: Draft) -> bool:
    """Exchange two frames, of one segment or of two."""
    first, second = draft.pick_frame(), draft.pick_frame()
    if first is None or second is None or first.data == second.data:
        return False
    if (first.step, first.offset) > (second.step, second.offset):
        first, second = second, first
    # The later one goes first: what comes before it keeps its offset.
    draft.set_frame(second, first.data)
    return draft.set_frame(first, second.data)


def drop_frame(draft: Draft) -> bool:
    """Leave a frame out."""
    place = draft.pick_frame()
    return place is not None and draft.set_frame(place, b"")


def duplicate_frame(draft: Draft) -> bool:
    """Send a frame twice."""
    place = draft.pick_frame()
    return place is not None and draft.set_frame(place, place.data * 2)


def repeat_frame(draft: Draft) -> bool:
    """Send a frame many times over in one segment."""
    place = draft.pick_frame()
    if place is None:
        return False
    many = draft.chance(0.06)
    times = MANY_REPEATS if many else 2 + draft.below(REPEATS)
    size = len(place.data)
    added = min(times, (draft.room() if many else draft.growth()) // size)
    return added > 0 and draft.set_frame(place, place.data * (1 + added))


def shuffle_frames(draft: Draft) -> bool:
    """Put the frames of a segment in another order."""
    index = draft.pick_send()
    if index is None:
        return False
    data = draft.steps[index].data
    frames = [data[offset : offset + length] for offset, length, _ in bounds_of(data)]
    if len(frames) < 2:
        return False
    draft.rng.shuffle(frames)
    return draft.set_data(index, b"".join(frames))


def move_frame(draft: Draft) -> bool:
    """Move a frame to the front or the end of another segment."""
    place = draft.pick_frame()
    others = [i for i in draft.sends() if place is not None and i != place.step]
    if place is None or not others:
        return False
    target = draft.pick(others)
    data = draft.steps[target].data
    draft.set_data(target, place.data + data if draft.chance(0.5) else data + place.data)
    return draft.set_frame(place, b"")


def insert_frame(draft: Draft) -> bool:
    """Send a fresh valid frame of any opcode somewhere."""
    return put_frame(draft, fresh_frame(draft))


def insert_server_frame(draft: Draft) -> bool:
    """Send a frame that is the server's to send."""
    return put_frame(draft, server_frame(draft))


def change_opcode(draft: Draft) -> bool:
    """Give a frame another opcode: a client's, a server's, the reserved one, an unknown."""
    place = draft.pick_frame()
    if place is None:
        return False
    kind = draft.rng.random()
    opcode = draft.below(256)
    if kind < 0.7:
        opcode = draft.pick(_CLIENT)
    elif kind < 0.9:
        opcode = draft.pick(_FOREIGN)
    return draft.set_frame(place, bytes([opcode]) + place.data[1:])


def truncate_frame(draft: Draft) -> bool:
    """Cut a frame short; what follows it in its segment stays or goes."""
    place = draft.pick_frame()
    if place is None:
        return False
    cut = draft.below(len(place.data))
    if draft.chance(0.5):
        return draft.set_frame(place, place.data[:cut])
    return draft.set_data(place.step, draft.steps[place.step].data[: place.offset + cut])


def put_frame(draft: Draft, frame: bytes) -> bool:
    """Put ``frame`` between two frames, or before or after a step as a segment of its own.

    A frame that ends with its segment gets one of its own; so does one with no segment to
    go to.
    """
    place = draft.pick_frame()
    if place is None or frame[0] in OPEN_ENDED or draft.chance(0.4):
        index = draft.below(len(draft.steps) + 1)
        if draft.chance(0.5):
            index = len(draft.steps)
        connection = draft.pick(draft.connections())
        return draft.insert(index, Step(StepKind.SEND, connection, frame))
    before = draft.chance(0.5) or place.data[0] in OPEN_ENDED
    return draft.set_frame(place, frame + place.data if before else place.data + frame)


OPERATIONS = (
    Operation("frame-swap", 20, swap_frames),
    Operation("frame-drop", 20, drop_frame),
    Operation("frame-duplicate", 20, duplicate_frame),
    Operation("frame-repeat", 12, repeat_frame),
    Operation("frame-shuffle", 8, shuffle_frames),
    Operation("frame-move", 14, move_frame),
    Operation("frame-insert", 60, insert_frame),
    Operation("frame-server", 10, insert_server_frame),
    Operation("frame-opcode", 30, change_opcode),
    Operation("frame-truncate", 20, truncate_frame),
)
