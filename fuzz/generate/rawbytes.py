"""Operations on bytes without regard to what they mean: the engine's own mutators."""

from __future__ import annotations

from fuzz.case import Step, StepKind
from fuzz.generate.draft import Draft, Operation

#: Bytes that the engine's mutators may add in one go: they insert, copy and repeat.
GROWTH = 64


def mutate_segment(draft: Draft) -> bool:
    """Mutate the bytes of one segment; make one up in a case that sends nothing."""
    index = draft.pick_send()
    if index is None:
        data = _mutated(draft, b"")
        connection = draft.pick(draft.connections())
        return bool(data) and draft.insert(len(draft.steps), Step(StepKind.SEND, connection, data))
    return draft.set_data(index, _mutated(draft, draft.steps[index].data))


def mutate_frame(draft: Draft) -> bool:
    """Mutate the bytes of one frame."""
    place = draft.pick_frame()
    return place is not None and draft.set_frame(place, _mutated(draft, place.data))


def mutate_field(draft: Draft) -> bool:
    """Mutate the content of one field, the lengths around it kept true."""
    place = draft.pick_frame()
    if place is None or not place.anatomy.parts:
        return False
    part = draft.pick(place.anatomy.parts)
    new = _mutated(draft, place.anatomy.content(part))
    return draft.set_frame(place, place.anatomy.replace(part, new))


def _mutated(draft: Draft, data: bytes) -> bytes:
    """Return ``data`` as the engine changes it; the bound holds whatever the engine does."""
    most = len(data) + min(GROWTH, draft.room())
    return draft.byte_mutate(data, most)[:most] if most else data


#: Of a whole segment: what needs to know nothing of the protocol.
SEGMENT_OPERATIONS = (Operation("bytes-segment", 40, mutate_segment),)
#: Of what the grammar finds in it.
PART_OPERATIONS = (
    Operation("bytes-frame", 30, mutate_frame),
    Operation("bytes-field", 60, mutate_field),
)
OPERATIONS = (*SEGMENT_OPERATIONS, *PART_OPERATIONS)
