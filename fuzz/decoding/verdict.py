"""What a decoder says of bytes, held against what the grammar says.

The grammar knows three answers: a frame of so many bytes, more is needed, or an error. Where the
protocol leaves a decoder its freedom, the others are right too:

- bytes whose opcode no client may send are an error, or a frame that is left to whoever reads it;
  but not the beginning of something, for nothing can complete them;
- what is over a published limit may be an error, as soon as the length is there; so may a frame
  that is larger than the buffer of a connection;
- what is wrong inside a frame (a batch, a CBOR map) may be an error now or later;
- LOGIN and ACK take all that there is; without a byte behind the opcode they may be anything.

A decoder that raises crashes the process that calls it, unless it is told that this is how
it says error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fuzz.decoding.meaning import Meaning, patterns
from fuzz.decoding.outcome import Ended, Shape
from fuzz.decoding.terms import Term, first_atom, match, parse
from fuzz.errors import SettingsError
from grammar import ClientOpcode, Direction, cbor, decode_one, limits
from grammar.errors import GrammarError
from grammar.layout import Field, Inside, Plan, measure, plan_at
from grammar.layout import Shape as FieldShape

#: What stands for the opcode where no client frame has it.
UNKNOWN = "an unknown opcode"
_OPCODES = {opcode.name: int(opcode) for opcode in ClientOpcode}
_NAMES = {number: name for name, number in _OPCODES.items()}
_CLIENT = Direction.CLIENT


class Said(StrEnum):
    """What a decoder may say; the last three are no answers."""

    FRAME = "a frame"
    MORE = "more is needed"
    ERROR = "an error"
    RAISED = "raised"
    KILLED = "killed"
    LOOPED = "looped"


@dataclass(frozen=True, slots=True)
class Saying:
    """What a shape means. ``opcode`` is that of the frame, None where the term does not tell.

    ``rest`` and ``size`` are the slots (of :attr:`fuzz.decoding.outcome.Outcome.values`) that hold
    the bytes behind the frame and those of it, -1 where the term does not tell.
    """

    said: Said
    opcode: int | None = None
    rest: int = -1
    size: int = -1

    def consumed(self, given: int, values: Sequence[int]) -> int | None:
        """Return how many bytes the frame has, of those ``given``; None where that is not told."""
        if self.rest >= 0:
            return given - values[self.rest]
        return values[self.size] if self.size >= 0 else None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The grammar says ``expected`` and the decoder ``said``, of a frame that is called ``where``.

    ``detail`` is all that there is to tell of these bytes.
    """

    expected: str
    said: str
    where: str
    detail: str


_SAID = {Ended.RAISED: Said.RAISED, Ended.KILLED: Said.KILLED, Ended.LOOPED: Said.LOOPED}


def said(shape: Shape, meaning: Meaning) -> Saying:
    """Return what ``shape`` means; raise :class:`SettingsError` where no pattern fits it."""
    if shape.ended is Ended.RAISED and meaning.raises == "error":
        return Saying(Said.ERROR)
    if shape.ended is not Ended.RETURNED:
        return Saying(_SAID[shape.ended])
    try:
        term = parse(shape.text)
    except SettingsError:
        raise _unmapped(shape) from None
    if any(match(pattern, term) is not None for pattern in patterns(meaning.need_more)):
        return Saying(Said.MORE)
    if any(match(pattern, term) is not None for pattern in patterns(meaning.error)):
        return Saying(Said.ERROR)
    for pattern in patterns(meaning.frame):
        bound = match(pattern, term)
        if bound is not None:
            return _frame(bound, meaning)
    raise _unmapped(shape)


def _frame(bound: dict[str, Term], meaning: Meaning) -> Saying:
    name = first_atom(bound["Frame"]) if "Frame" in bound else ""
    opcode = _OPCODES.get(dict(meaning.names).get(name, name.upper()))
    slots = (bound[key].slot if key in bound else -1 for key in ("Rest", "Size"))
    return Saying(Said.FRAME, opcode, *slots)


def _unmapped(shape: Shape) -> SettingsError:
    return SettingsError(
        f"the decoder returned {shape.text}, and no pattern fits that; say in the"
        ' table [decoder] of iris-fuzz.toml what it means, such as frame = "{ok, Frame, Rest}"'
    )


def disagreement(data: bytes, saying: Saying, consumed: int | None) -> Disagreement | None:
    """Return where the grammar disagrees about ``data``, at least one byte; None if it does not."""
    plan = plan_at(data, 0, _CLIENT)
    if plan is None:
        if saying.said is Said.ERROR or saying.said is Said.FRAME:
            return None
        return Disagreement(
            Said.ERROR, saying.said, UNKNOWN, f"no client sends opcode {data[0]:02X}"
        )
    end, missing = measure(plan, data, 0)
    if missing is not None:
        if saying.said is Said.MORE:
            return None
    elif (
        saying.said is Said.FRAME
        and (consumed is None or consumed == end)
        and (saying.opcode is None or saying.opcode == data[0])
    ):
        return None
    return _disagreement(data, plan, end, missing, saying, consumed)


def _disagreement(
    data: bytes,
    plan: Plan,
    end: int,
    missing: Field | None,
    saying: Saying,
    consumed: int | None,
) -> Disagreement | None:
    """Return the disagreement that is left when each freedom of a decoder is granted."""
    if saying.said is Said.ERROR and (
        is_over_a_limit(plan, data) or (missing is None and _wrong_inside(plan, data, end))
    ):
        return None
    if missing is not None:
        detail = f"{len(data)} bytes end within {missing.path}"
        return Disagreement(Said.MORE, saying.said, plan.name, detail)
    whole = f"a whole {plan.name} of {end} bytes, in {len(data)}"
    open_ended = plan.fields[-1].shape is FieldShape.REST
    if open_ended and len(data) == 1 and saying.said in (Said.MORE, Said.ERROR):
        return None
    if saying.said is not Said.FRAME:
        return Disagreement(Said.FRAME, saying.said, plan.name, whole)
    if saying.opcode is not None and saying.opcode != data[0]:
        other = _NAMES[saying.opcode]
        return Disagreement(Said.FRAME, f"a frame {other}", plan.name, whole)
    assert consumed is not None  # it would agree
    how = "fewer" if consumed < end else "more"
    detail = f"{whole}, of which it takes {consumed}"
    return Disagreement(Said.FRAME, f"a frame of {how} bytes", plan.name, detail)


def is_over_a_limit(plan: Plan, data: bytes) -> bool:
    """Tell whether a length that is there is over its limit, or the frame over the buffer's."""
    offset = 0
    for field in plan.fields:
        end = offset + field.width
        path = field.path
        if field.inside is Inside.CREDENTIALS:
            path, size, end = "LOGIN.user", len(data[1:].partition(b":")[0]), len(data)
        elif field.shape is FieldShape.REST:
            size, end = len(data) - offset, len(data)
        elif end > len(data):
            return False
        elif field.shape is FieldShape.COUNTED:
            size = int.from_bytes(data[offset:end], "big")
            end += size
        else:
            size = 0
        limit = limits.field_limit(path)
        if end > limits.BUFFER or (limit is not None and size > limit):
            return True
        if end > len(data):
            return False
        offset = end
    return False


def _wrong_inside(plan: Plan, data: bytes, end: int) -> bool:
    """Tell whether a whole frame holds what may be refused at once: no batch, or no CBOR map."""
    try:
        decoded = decode_one(data[:end], _CLIENT)
        assert isinstance(decoded, tuple)  # it is whole
        frame = decoded[0]
        for field in plan.fields:
            if field.inside is Inside.CBOR and not isinstance(
                cbor.loads(getattr(frame, field.name)), dict
            ):
                return True
    except GrammarError:
        return True
    messages = getattr(frame, "messages", (b"",))
    return not 0 < len(messages) <= limits.BATCH_MESSAGES
