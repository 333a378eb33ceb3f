"""A pass that makes a frame smaller which TCP cuts in two, and which stays cut.

A segment shows only a part of such a frame, in which no field can be emptied with the lengths
around it repaired. So the frame is looked at as a whole and cut again: as far behind its beginning
as it was, or as far before its end, since what matters is the field that the cut is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from fuzz.case import Step, StepKind
from fuzz.generate.anatomy import anatomy_of
from fuzz.triage.reduce import Reduction
from fuzz.triage.reduce_bytes import shrink_field
from grammar import Direction, frame_bounds


@dataclass(frozen=True, slots=True)
class _Cut:
    """A frame, of which the step ``first`` sends the beginning and ``second`` the rest.

    The frame lies from ``offset`` to ``end`` in the data of both, and the cut is at ``at``.
    """

    first: int
    second: int
    data: bytes
    offset: int
    end: int
    at: int

    @property
    def frame(self) -> bytes:
        return self.data[self.offset : self.end]


def shrink_cut_frames(reduction: Reduction) -> None:
    """Empty or shorten the content of each field of a frame that is cut, with its lengths."""
    number = 0
    while number < len(_cuts(reduction.steps)):
        field = 0
        while number < len(cuts := _cuts(reduction.steps)):
            cut = cuts[number]
            anatomy = anatomy_of(cut.frame)
            if field >= len(anatomy.parts):
                break
            shrink_field(anatomy, field, partial(_put, reduction, cut))
            field += 1
        number += 1


def _cuts(steps: Sequence[Step]) -> list[_Cut]:
    """Return the frames of which two segments that follow one another send a part each."""
    cuts = []
    last: dict[int, int] = {}
    for second, step in enumerate(steps):
        if step.kind is not StepKind.SEND:
            continue
        first = last.get(step.connection)
        last[step.connection] = second
        if first is not None:
            at, data = len(steps[first].data), steps[first].data + step.data
            cuts += [
                _Cut(first, second, data, offset, offset + length, at)
                for offset, length, _ in frame_bounds(data, Direction.CLIENT)
                if offset < at < offset + length
            ]
    return cuts


def _put(reduction: Reduction, cut: _Cut, frame: bytes) -> bool:
    """Offer the case with ``frame`` in the place of the one that is cut, and cut as that is."""
    data = cut.data[: cut.offset] + frame + cut.data[cut.end :]
    end = cut.offset + len(frame)
    for at in dict.fromkeys((cut.at, end - (cut.end - cut.at))):
        if cut.offset < at < end:
            steps = list(reduction.steps)
            steps[cut.first] = replace(steps[cut.first], data=data[:at])
            steps[cut.second] = replace(steps[cut.second], data=data[at:])
            if reduction.offer(steps):
                return True
    return False
