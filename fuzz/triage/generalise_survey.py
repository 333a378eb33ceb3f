"""The minimal case as a thing to vary, and the counting of what variants show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fuzz.case import Case
from fuzz.generate.anatomy import Anatomy
from fuzz.generate.anatomy import Part as Field
from fuzz.triage.pattern import Part, Place
from fuzz.triage.pattern_fields import Condition, field_name
from fuzz.triage.pattern_frames import Seen, frames_of
from fuzz.triage.reduce import Trials


class Tally:
    """Counts the variants that were tried for one part of a pattern, and those that showed."""

    def __init__(self, ask: Trials) -> None:
        self._ask = ask
        self.trials = 0
        self.shown = 0

    def shows(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding; an empty one does not."""
        if not case.steps:
            return False
        answer = self._ask.shows(case)
        self.trials += 1
        self.shown += answer
        return answer

    def part(self, text: str, place: Place = Place.NOTE, frame: int = 0) -> Part:
        """Return ``text`` with the trials behind it."""
        return Part(text, self.trials, self.shown, place, frame)


class Survey:
    """A minimal case, its frames, and who is asked about variants of it."""

    def __init__(self, case: Case, trials: Trials) -> None:
        self.case = case
        self.frames = frames_of(case)
        self._trials = trials

    @property
    def exhausted(self) -> bool:
        """Tell whether the budget is spent, so that answers tell nothing any more."""
        return self._trials.exhausted

    def shows(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding."""
        return self._trials.shows(case)

    def tally(self) -> Tally:
        """Return a count that begins at zero."""
        return Tally(self._trials)

    def with_frames(self, numbers: Sequence[int], data: bytes) -> Case:
        """Return the case with other bytes in the place of each of some frames."""
        return self.with_each(dict.fromkeys(numbers, data))

    def with_each(self, instead: Mapping[int, bytes]) -> Case:
        """Return the case with other bytes in the place of frames, which are told by number.

        It is cut after as many bytes of each as before, where it is still that long.
        """
        case = self.case
        # From the last on: what stands before it keeps its place.
        for number in sorted(instead, reverse=True):
            case = _exchanged(case, self.frames[number], instead[number])
        return case


class Look:
    """One field of one frame (or of a run of equal frames) under examination."""

    def __init__(
        self, survey: Survey, run: Sequence[int], anatomy: Anatomy, field: Field, parts: list[Part]
    ) -> None:
        self.survey = survey
        self.run = run
        self.frame = survey.frames[run[0]]
        self.anatomy = anatomy
        self.field = field
        self.name = field_name(field.path, self.frame.opcode)
        self.content = anatomy.content(field)
        self._parts = parts

    def filled(self, content: bytes) -> Case:
        """Return the case with another content, all lengths repaired."""
        return self.survey.with_frames(self.run, self.anatomy.replace(self.field, content))

    def saying(self, number: int, content: bytes | None = None) -> Case:
        """Return the case with another number in the length, or content, and nothing else."""
        field, counter = self.field, self.field.counter
        assert counter is not None
        content = self.content if content is None else content
        data = self.anatomy.overwrite(field.offset, field.length, content)
        said = number.to_bytes(counter.length, "big")
        data = data[: counter.offset] + said + data[counter.offset + counter.length :]
        return self.survey.with_frames(self.run, data)

    def told(self, condition: Condition, tally: Tally) -> Condition:
        """Return ``condition``, which is told with the trials behind it."""
        self._parts.append(tally.part(condition.words(), Place.CONDITION, self.run[0]))
        return condition

    def note(self, text: str, tally: Tally) -> None:
        """Tell something that is no condition."""
        self._parts.append(tally.part(text))


def _exchanged(case: Case, frame: Seen, data: bytes) -> Case:
    steps = list(case.steps)
    last = len(frame.pieces) - 1
    for at, (number, offset, length) in enumerate(frame.pieces):
        piece, data = (data, b"") if at == last else (data[:length], data[length:])
        step = steps[number]
        steps[number] = replace(
            step, data=step.data[:offset] + piece + step.data[offset + length :]
        )
    emptied = {number for number, _, _ in frame.pieces if not steps[number].data}
    return Case(tuple(step for number, step in enumerate(steps) if number not in emptied))
