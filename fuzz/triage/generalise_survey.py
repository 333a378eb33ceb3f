"""The minimal case as a thing to vary, and the counting of what variants show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fuzz.case import MAX_STEPS, Case
from fuzz.generate.anatomy import Anatomy, anatomy_of
from fuzz.generate.anatomy import Part as Field
from fuzz.triage.pattern import Part, Place
from fuzz.triage.pattern_fields import Condition, field_name
from fuzz.triage.pattern_frames import Seen, frames_of
from fuzz.triage.reduce import Trials
from grammar import Direction, Role
from grammar.layout import PLANS


class Tally:
    """Counts the variants that were tried for one part of a pattern, and those that showed."""

    def __init__(self, ask: Trials) -> None:
        self._ask = ask
        self.trials = 0
        self.shown = 0

    def shows(self, case: Case) -> bool:
        """Tell whether ``case`` shows the finding; what can be no case is not tried."""
        if not 0 < len(case.steps) <= MAX_STEPS:
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


@dataclass(frozen=True, slots=True)
class Twin:
    """A field of another frame that holds the same name or id: its frame, and where it is."""

    number: int
    anatomy: Anatomy
    field: Field

    def words(self) -> str:
        """Return what it is, as in "the target of the GET_STATUS"."""
        opcode = self.anatomy.data[0]
        frame = PLANS[Direction.CLIENT][opcode].name
        return f"the {field_name(self.field.path, opcode)} of the {frame}"


class Look:
    """One field of one frame (or of a run of equal frames) under examination."""

    #: How often the content stands in the frame.
    many = 1

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

    @property
    def said(self) -> int:
        """Return what the length says; of a field that ends with its segment, what is there."""
        counter = self.field.counter
        return self.field.length if counter is None else self.anatomy.value(counter)

    @property
    def top(self) -> int:
        """Return the largest number that the length can say."""
        counter = self.field.counter
        return (1 << 8 * (2 if counter is None else counter.length)) - 1

    def filled(self, content: bytes) -> Case:
        """Return the case with another content, all lengths repaired."""
        return self.survey.with_frames(self.run, self._data(content))

    def together(self, content: bytes) -> Case:
        """Return the case with another content here and in all twins."""
        instead = dict.fromkeys(self.run, self._data(content))
        for twin in self.twins():
            instead[twin.number] = twin.anatomy.replace(twin.field, content)
        return self.survey.with_each(instead)

    def twins(self) -> list[Twin]:
        """Return the names in other frames, one of each, that are the same."""
        found = {
            number: Twin(number, anatomy, field)
            for number, frame in enumerate(self.survey.frames)
            for anatomy in (anatomy_of(frame.data),)
            for field in anatomy.parts
            if number not in self.run
            and not frame.unknown
            and field.role is Role.NAME
            and anatomy.content(field) == self.content != b""
        }
        return list(found.values())

    def _data(self, content: bytes) -> bytes:
        return self.anatomy.replace(self.field, content)

    def saying(self, number: int, content: bytes | None = None) -> Case:
        """Return the case with another number in the length, or content, and nothing else."""
        field, counter = self.field, self.field.counter
        assert counter is not None
        content = self.content if content is None else content
        data = self.anatomy.overwrite(field.offset, field.length, content)
        said = number.to_bytes(counter.length, "big")
        data = data[: counter.offset] + said + data[counter.offset + counter.length :]
        return self.survey.with_frames(self.run, data)

    def told(self, condition: Condition, tally: Tally, words: str = "") -> Condition:
        """Return ``condition``, which is told, in its words or others, with its trials."""
        text = words or condition.words()
        self._parts.append(tally.part(text, Place.CONDITION, self.run[0]))
        return condition

    def kept(self) -> None:
        """Tell that the field is as in the minimal case, since it was not tried to the end."""
        self._parts.append(Part(self.name, 0, 0, Place.KEPT, self.run[0]))

    def note(self, text: str, tally: Tally) -> None:
        """Tell something that is no condition."""
        self._parts.append(tally.part(text))


class MessagesLook(Look):
    """The messages of a batch that hold the same, which are varied together."""

    def __init__(
        self,
        survey: Survey,
        run: Sequence[int],
        anatomy: Anatomy,
        fields: Sequence[Field],
        parts: list[Part],
    ) -> None:
        super().__init__(survey, run, anatomy, fields[0], parts)
        self.many = len(fields)
        self._offsets = frozenset(field.offset for field in fields)

    def _data(self, content: bytes) -> bytes:
        """Return the frame with its blob written anew: one splice for all of the messages."""
        blob = b""
        for field in messages_of(self.anatomy):
            each = content if field.offset in self._offsets else self.anatomy.content(field)
            blob += min(len(each), 0xFFFF).to_bytes(2, "big") + each
        path = self.field.path.partition("[")[0]
        outer = next(field for field in self.anatomy.parts if field.path == path)
        return self.anatomy.replace(outer, blob)


def messages_of(anatomy: Anatomy) -> list[Field]:
    """Return the messages of a batch, in their order."""
    return [field for field in anatomy.parts if ".messages[" in field.path]


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
