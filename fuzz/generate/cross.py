"""Ways to make one case of two: one after the other, one inside the other, side by side."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.case import USER_TOKENS, Step, StepKind
from fuzz.generate.anatomy import bounds_of
from fuzz.generate.draft import MAX_CONNECTIONS, Draft, on_connection, replace_data
from fuzz.generate.frames import put_frame


def splice_steps(draft: Draft, other: list[Step]) -> None:
    """Go on with the end of ``other`` after the beginning of the draft."""
    draft.steps[1 + draft.below(len(draft.steps)) :] = other[draft.below(len(other)) :]


def insert_steps(draft: Draft, other: list[Step]) -> None:
    """Insert some steps of ``other`` that follow one another."""
    start = draft.below(len(other))
    end = start + 1 + draft.below(len(other) - start)
    at = draft.below(len(draft.steps) + 1)
    draft.steps[at:at] = other[start:end]


def insert_frame(draft: Draft, other: list[Step]) -> None:
    """Put one frame of ``other`` between the frames of the draft."""
    segments = [step.data for step in other if step.kind is StepKind.SEND and step.data]
    if segments:
        data = draft.pick(segments)
        offset, length, _ = draft.pick(bounds_of(data))
        put_frame(draft, data[offset : offset + length])


def side_by_side(draft: Draft, other: list[Step]) -> None:
    """Play ``other`` on connections of its own, its steps strewn among those of the draft.

    Its first user is mostly given a name that the draft does not use; else both log in as
    the same one.
    """
    taken = set(draft.connections())
    free = [number for number in range(MAX_CONNECTIONS) if number not in taken]
    if not free:
        return
    renumbered = {step.connection: free[step.connection % len(free)] for step in other}
    user = draft.fresh_user() if draft.chance(0.7) else USER_TOKENS[0]
    at = draft.below(len(draft.steps) + 1)
    for step in other:
        moved = on_connection(step, renumbered[step.connection])
        moved = replace_data(moved, moved.data.replace(USER_TOKENS[0], user))
        draft.steps.insert(at, moved)
        at += 1 + draft.below(min(3, len(draft.steps) - at))


CROSSINGS: tuple[Callable[[Draft, list[Step]], None], ...] = (
    splice_steps,
    insert_steps,
    insert_frame,
    side_by_side,
)
