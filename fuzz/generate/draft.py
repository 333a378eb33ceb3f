"""A case while it is being changed, and what an operation on it is.

An operation gets a :class:`Draft` and changes it in place. It answers whether it changed
anything: many have nothing to work on in a given case (no CBOR, a single frame), and then
the mutator draws another one. Steps are frozen, so the mutator can keep a copy of the
list and go back when an operation has made the case too big.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypeVar

from fuzz.case import USER_TOKENS, Step, StepKind
from fuzz.generate.anatomy import Anatomy, Part, anatomy_of, bounds_of
from fuzz.generate.dictionary import Dictionary

T = TypeVar("T")

# To ask an enum for its member takes longer than to compare with it.
_SEND = StepKind.SEND

#: Changes the given bytes at random and returns at most the given number of bytes.
ByteMutate = Callable[[bytes, int], bytes]

#: The file form of a case: what stands before its steps, and before the data of each.
CASE_OVERHEAD = 11
STEP_OVERHEAD = 8

#: One in this many growing operations may go to the largest limits of the protocol. A
#: field over 16 KiB costs the target and the wire as much as a hundred ordinary frames.
BIG_ODDS = 48
#: One in this many of the others may go above the 8,192-byte limits.
MIDDLE_ODDS = 8
MIDDLE_GROWTH = 8_300
#: What any other of them may add: above every 1,024-byte limit.
SMALL_GROWTH = 1_100
#: A case may hold 64 connections and 1,024 steps; what is made here stays far below, since
#: each connection costs the campaign a login, and each step a round trip.
MAX_CONNECTIONS = 4
MAX_STEPS = 16

#: Of the operations that change what a field holds, the share that keeps lengths true: a lie
#: is found at once by a server that checks, and then nothing behind it is reached.
TRUTH = 0.85


@dataclass(frozen=True, slots=True)
class Operation:
    """One way to change a case; ``weight`` is its share among all operations."""

    name: str
    weight: int
    apply: Callable[[Draft], bool]


class Place(NamedTuple):
    """A frame within a draft: the step it is in, and its bytes there."""

    step: int
    offset: int
    data: bytes

    @property
    def anatomy(self) -> Anatomy:
        """Return the fields of the frame."""
        return anatomy_of(self.data)


def encoded_size(steps: Sequence[Step]) -> int:
    """Return the length in bytes of the file form of a case with ``steps``."""
    return CASE_OVERHEAD + STEP_OVERHEAD * len(steps) + sum([len(step.data) for step in steps])


@dataclass(slots=True)
class Draft:
    """The steps of a case under change, with the sources of chance and of values.

    ``edges`` is how many edges there are to connect to.
    """

    steps: list[Step]
    rng: Random
    byte_mutate: ByteMutate
    dictionary: Dictionary
    max_bytes: int
    edges: int = 1

    def room(self) -> int:
        """Return the bytes that may still be added, never below zero."""
        return max(0, self.max_bytes - encoded_size(self.steps))

    def growth(self) -> int:
        """Return the bytes that one operation may add: mostly few, rarely all the room."""
        room = self.room()
        if self.chance(1 / BIG_ODDS):
            return room
        return min(room, MIDDLE_GROWTH if self.chance(1 / MIDDLE_ODDS) else SMALL_GROWTH)

    def chance(self, odds: float) -> bool:
        """Return True with the probability ``odds``."""
        return self.rng.random() < odds

    def below(self, bound: int) -> int:
        """Return an integer in ``0..bound-1``; ``bound`` is at least 1."""
        return int(self.rng.random() * bound)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of ``items``, which must not be empty."""
        return items[int(self.rng.random() * len(items))]

    def sends(self) -> list[int]:
        """Return the indices of the steps that send at least one byte."""
        return [index for index, step in enumerate(self.steps) if step.kind is _SEND and step.data]

    def pick_send(self) -> int | None:
        """Return the index of one of the steps that send, or None where none does."""
        sends = self.sends()
        return self.pick(sends) if sends else None

    def pick_frame(self) -> Place | None:
        """Return one frame of one segment, or None where nothing is sent."""
        index = self.pick_send()
        if index is None:
            return None
        data = self.steps[index].data
        offset, length, _ = self.pick(bounds_of(data))
        return Place(index, offset, data[offset : offset + length])

    def set_data(self, index: int, data: bytes) -> bool:
        """Give the step at ``index`` other bytes; tell whether they are other."""
        step = self.steps[index]
        if step.data == data:
            return False
        self.steps[index] = replace_data(step, data)
        return True

    def set_frame(self, place: Place, data: bytes) -> bool:
        """Put ``data`` in the place of a frame; tell whether it is other."""
        if place.data == data:
            return False
        segment = self.steps[place.step].data
        end = place.offset + len(place.data)
        return self.set_data(place.step, segment[: place.offset] + data + segment[end:])

    def set_part(self, place: Place, part: Part, new: bytes) -> bool:
        """Give a field another content, mostly with all lengths kept true; tell if it is other."""
        if self.chance(TRUTH):
            return self.set_frame(place, place.anatomy.replace(part, new))
        return self.set_frame(place, place.anatomy.overwrite(part.offset, part.length, new))

    def insert(self, index: int, *steps: Step) -> bool:
        """Insert ``steps`` before ``index`` where the case may hold that many."""
        if len(self.steps) + len(steps) > MAX_STEPS:
            return False
        self.steps[index:index] = steps
        return True

    def connections(self) -> list[int]:
        """Return the connections in use, in order of first use; never empty."""
        return list(dict.fromkeys(step.connection for step in self.steps)) or [0]

    def fresh_connection(self) -> int | None:
        """Return the lowest connection that is not in use, or None where all are."""
        used = {step.connection for step in self.steps}
        return next((n for n in range(MAX_CONNECTIONS) if n not in used), None)

    def logins(self) -> list[int]:
        """Return the indices of the LOGIN steps."""
        return [i for i, step in enumerate(self.steps) if step.kind is StepKind.LOGIN]

    def fresh_user(self) -> bytes:
        """Return a user token that no LOGIN step names, or any where all are named."""
        used = {step.data for step in self.steps if step.kind is StepKind.LOGIN}
        free = [token for token in USER_TOKENS if token not in used]
        return free[0] if free else self.pick(USER_TOKENS)

    def someone(self) -> bytes:
        """Return a user to address: mostly one who logs in, else one who does not."""
        named = [step.data for step in self.steps if step.kind is StepKind.LOGIN]
        known = [token for token in USER_TOKENS if token in named]
        if known and self.chance(0.7):
            return self.pick(known)
        return self.pick(USER_TOKENS)


def replace_data(step: Step, data: bytes) -> Step:
    """Return ``step`` with other bytes (quicker than :func:`dataclasses.replace`)."""
    return Step(step.kind, step.connection, data, step.value)


def on_connection(step: Step, connection: int) -> Step:
    """Return ``step`` on another connection."""
    return replace(step, connection=connection)
