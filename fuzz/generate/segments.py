"""Operations on segments: the same bytes, cut otherwise.

TCP may cut a stream anywhere and a frame must mean the same (LOGIN and ACK aside, whose
end *is* the cut), so these leave the bytes alone and change only where one write ends
and the next begins. A token is never cut: it gets its value segment by segment, so that
its halves would be a name that nobody has.
"""

from __future__ import annotations

import re
from itertools import pairwise

from fuzz.case import ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN, Step, StepKind
from fuzz.generate.anatomy import bounds_of
from fuzz.generate.draft import MAX_STEPS, Draft, Operation, replace_data

_TOKEN = re.compile(b"|".join((*ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN)))

#: A segment up to this long may be sent byte by byte: more would be all the steps a case has.
MAX_BYTEWISE = 64


def split_random(draft: Draft) -> bool:
    """Cut a segment at up to four random places."""
    index = draft.pick_send()
    if index is None:
        return False
    size = len(draft.steps[index].data)
    return _cut(draft, index, [1 + draft.below(size) for _ in range(1 + draft.below(4))])


def split_at_field(draft: Draft) -> bool:
    """Cut a segment at the border of a field, or of every field of one frame."""
    place = draft.pick_frame()
    if place is None:
        return False
    borders = [place.offset + span.offset for span in place.anatomy.spans]
    if not borders:
        return False
    cuts = borders if draft.chance(0.2) else [draft.pick(borders)]
    return _cut(draft, place.step, cuts)


def split_in_length(draft: Draft) -> bool:
    """Cut a segment in the middle of a length, where a reader has half of a number."""
    place = draft.pick_frame()
    if place is None:
        return False
    wide = [span for span in place.anatomy.lengths if span.length > 1]
    if not wide:
        return False
    span = draft.pick(wide)
    return _cut(draft, place.step, [place.offset + span.offset + 1 + draft.below(span.length - 1)])


def split_bytewise(draft: Draft) -> bool:
    """Send a segment, or its first bytes, one byte at a time."""
    index = draft.pick_send()
    if index is None:
        return False
    return _cut(draft, index, list(range(1, min(len(draft.steps[index].data), MAX_BYTEWISE))))


def split_frames(draft: Draft) -> bool:
    """Send each frame of a segment as a segment of its own."""
    index = draft.pick_send()
    if index is None:
        return False
    return _cut(draft, index, [offset for offset, _, _ in bounds_of(draft.steps[index].data)])


def merge_two(draft: Draft) -> bool:
    """Join two segments of one connection that follow one another."""
    pairs = [index for index in range(len(draft.steps) - 1) if _joins(draft, index)]
    if not pairs:
        return False
    index = draft.pick(pairs)
    joined = draft.steps[index].data + draft.steps[index + 1].data
    draft.steps[index : index + 2] = [replace_data(draft.steps[index], joined)]
    return True


def merge_all(draft: Draft) -> bool:
    """Join every run of segments of one connection into one segment."""
    merged: list[Step] = []
    for step in draft.steps:
        last = merged[-1] if merged else None
        if (
            last is not None
            and step.kind is last.kind is StepKind.SEND
            and step.connection == last.connection
        ):
            merged[-1] = replace_data(last, last.data + step.data)
        else:
            merged.append(step)
    changed = len(merged) != len(draft.steps)
    draft.steps[:] = merged
    return changed


def _joins(draft: Draft, index: int) -> bool:
    first, second = draft.steps[index], draft.steps[index + 1]
    return first.kind is second.kind is StepKind.SEND and first.connection == second.connection


def _cut(draft: Draft, index: int, cuts: list[int]) -> bool:
    """Replace the segment at ``index`` by its parts, as far as the steps reach."""
    step = draft.steps[index]
    inner = sorted({cut for cut in cuts if 0 < cut < len(step.data)} - within_tokens(step.data))
    inner = inner[: MAX_STEPS - len(draft.steps)]
    if not inner:
        return False
    edges = [0, *inner, len(step.data)]
    draft.steps[index : index + 1] = [
        replace_data(step, step.data[start:end]) for start, end in pairwise(edges)
    ]
    return True


def within_tokens(data: bytes) -> set[int]:
    """Return the offsets at which a cut would part a token."""
    if b"<" not in data:
        return set()
    return {at for token in _TOKEN.finditer(data) for at in range(token.start() + 1, token.end())}


OPERATIONS = (
    Operation("segment-split-random", 16, split_random),
    Operation("segment-split-field", 14, split_at_field),
    Operation("segment-split-length", 10, split_in_length),
    Operation("segment-split-bytewise", 3, split_bytewise),
    Operation("segment-split-frames", 10, split_frames),
    Operation("segment-merge-two", 14, merge_two),
    Operation("segment-merge-all", 5, merge_all),
)
