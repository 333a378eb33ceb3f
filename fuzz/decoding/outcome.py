"""What a decoder did with its input, as the agent in the node tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

#: In the place of a size or a value that does not fit into 32 bits, or is no integer.
NO_VALUE = 0xFFFFFFFF


class Ended(StrEnum):
    """How a call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    KILLED = "killed"  # its process ended: for the size of its heap, as a rule
    LOOPED = "looped"  # it was not done in time


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of what came back.

    ``text`` is the term that was returned without its data (``{ok,{login,<binary>},<binary>}``),
    or class and reason of what was raised. ``slots`` is how many sizes and values come with it, in
    the order in which the placeholders stand in the text. ``frames`` are the innermost of a stack.
    """

    ended: Ended
    text: str
    slots: int = 0
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one input. ``values`` are the bytes of each binary, and each integer."""

    shape: Shape
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of some inputs, the first of those that were asked for, in order.

    ``rows`` holds two numbers for each of them: of its shape, and of its coverage (in the form of
    :attr:`fuzz.node.Reading.coverage`). ``values`` are those of all of them, one after the other.
    """

    shapes: tuple[Shape, ...]
    coverages: tuple[bytes, ...]
    rows: tuple[int, ...]
    values: tuple[int, ...]

    def __len__(self) -> int:
        """Return for how many inputs there is an outcome."""
        return len(self.rows) // 2

    def outcomes(self) -> Iterator[tuple[Outcome, bytes]]:
        """Yield the outcome of each input, with its coverage."""
        at = 0
        for row in range(0, len(self.rows), 2):
            shape = self.shapes[self.rows[row]]
            values = self.values[at : at + shape.slots]
            at += shape.slots
            yield Outcome(shape, values), self.coverages[self.rows[row + 1]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a node has by the name of a decoder.

    ``known`` tells whether it has the module, ``arities`` are those of its exported functions of
    that name, ``others`` functions of the target that look like decoders, as ``module:name/1``.
    """

    known: bool
    arities: tuple[int, ...]
    others: tuple[str, ...] = ()
