"""The mutator: one case in, another out, always playable.

Theory of operation. The unit of change is a *case*, not a byte string: operations work on
fields, on CBOR items, on frames, on the WebSocket frames around them, on the cuts between
segments, on the steps of the dialogue, and, least, on bytes. Each is drawn from one table by
its weight and applied to a :class:`~fuzz.generate.draft.Draft`; one to four are stacked. An
operation that has nothing to work on says so and another is drawn; one that makes the case too
large is undone. So a case never leaves the limits of :mod:`fuzz.case`, whatever it started from.

From an empty case the mutator makes a login with one frame, and coverage decides what is kept
and built upon. What coverage does not tell apart, the order of events among several clients, is
what :mod:`fuzz.generate.dialogues` makes up.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from random import Random
from types import MappingProxyType

from fuzz.case import MAX_FILE_BYTES, USER_TOKENS, Case, Step, StepKind
from fuzz.generate import (
    cross,
    dialogues,
    envelopes,
    fields,
    frames,
    items,
    rawbytes,
    segments,
    steps,
)
from fuzz.generate import edges as edge_operations
from fuzz.generate.constants import Saying, say
from fuzz.generate.dictionary import Dictionary, iris_dictionary
from fuzz.generate.draft import (
    CASE_OVERHEAD,
    MAX_STEPS,
    STEP_OVERHEAD,
    ByteMutate,
    Draft,
    Operation,
    encoded_size,
    replace_data,
)
from fuzz.generate.values import fresh_frame

#: Every operation, by family; ``weight`` is its share among them all. The names are those of
#: :data:`fuzz.settings.FAMILIES`; that of making one case of two is :data:`CROSS`, and that of
#: saying what the node compares with is :data:`CONSTANTS`.
FAMILIES: Mapping[str, tuple[Operation, ...]] = MappingProxyType(
    {
        "fields": fields.OPERATIONS,
        "items": items.OPERATIONS,
        "frames": frames.OPERATIONS,
        "segments": segments.OPERATIONS,
        "steps": steps.OPERATIONS,
        "dialogues": dialogues.OPERATIONS,
        "envelopes": envelopes.OPERATIONS,
        "bytes": rawbytes.SEGMENT_OPERATIONS,
        "parts": rawbytes.PART_OPERATIONS,
    }
)
CROSS, CONSTANTS = "cross", "constants"
OPERATIONS = tuple(operation for family in FAMILIES.values() for operation in family)

#: The same where there are several edges.
CLUSTER_OPERATIONS = (*OPERATIONS, *edge_operations.OPERATIONS)

#: Odds, added up, of stacking one, two, three or four operations: mostly one, since a case
#: with one change tells which change coverage rewards.
_STACK = (0.5, 0.75, 0.9)
#: The share of cases in which a constant is said and nothing else is changed.
_SAYING = 0.6
#: The share of a search for cost that only repeats: what is there has to be found first.
_GROWING = 0.5
#: Operations drawn until one finds something to work on. Most of the table works on any
#: case that sends a frame, so this many misses mean a case with next to nothing in it.
MAX_DRAWS = 12
# To ask an enum for its member takes longer than to compare with it.
_SEND = StepKind.SEND
#: The first step of every case that starts from nothing.
_LOGIN = Step(StepKind.LOGIN, 0, USER_TOKENS[0])
#: The least that is asked of ``max_bytes``: room for one login.
MIN_BYTES = CASE_OVERHEAD + STEP_OVERHEAD + len(_LOGIN.data)
#: Bytes of the raw payload that an empty case may start from.
FIRST_PAYLOAD = 32


class Mutator:
    """Changes cases at random; all chance comes from ``rng`` and from ``byte_mutate``.

    ``byte_mutate(data, most)`` returns other bytes, of which at most ``most`` are taken. ``edges``
    is how many the target has: with several, clients connect to different ones. With ``families``,
    nothing is done but what those do: so that a benchmark can tell what a family is worth, or
    keeps the shape of its cases.
    """

    def __init__(
        self,
        rng: Random,
        byte_mutate: ByteMutate,
        dictionary: Dictionary | None = None,
        edges: int = 1,
        families: Sequence[str] = (),
    ) -> None:
        self._edges = edges
        self._operations = OPERATIONS if edges < 2 else CLUSTER_OPERATIONS
        if families:
            named = (FAMILIES[name] for name in families if name in FAMILIES)
            self._operations = tuple(operation for family in named for operation in family)
        self._crosses = not families or CROSS in families
        #: Whether cases are to be changed by :meth:`say`, too.
        self.says = not families or CONSTANTS in families
        self._cumulated = tuple(accumulate(operation.weight for operation in self._operations))
        self._rng = rng
        self._byte_mutate = byte_mutate
        self._dictionary = iris_dictionary() if dictionary is None else dictionary

    def mutate(self, case: Case, max_bytes: int) -> Case:
        """Return ``case`` changed by one to four operations.

        The file form of the result is at most ``max_bytes`` long (:data:`MIN_BYTES` if less
        is asked for) and within the limits of :mod:`fuzz.case`. Never raises.
        """
        draft = self._draft(case, max_bytes)
        if draft.steps:
            for _ in range(1 + bisect(_STACK, self._rng.random())):
                self._change(draft)
        else:
            _begin(draft)
        return _finished(draft)

    def grow(self, case: Case, max_bytes: int) -> Case:
        """Return ``case`` with more of the same in it, or else as :meth:`mutate` changes it.

        What makes a server work hard for each byte is mostly a loop within a loop: the more it
        has to go over, the more it works.
        """
        draft = self._draft(case, max_bytes)
        repeated = draft.chance(_GROWING) and fields.repeat_within(draft)
        if repeated and encoded_size(draft.steps) <= draft.max_bytes:
            return _finished(draft)
        return self.mutate(case, max_bytes)

    def say(self, case: Case, saying: Saying, max_bytes: int) -> Case:
        """Return ``case`` with a constant of the node said in it, as often as not changed besides.

        The bounds are those of :meth:`mutate`.
        """
        draft = self._draft(case, max_bytes)
        before = list(draft.steps)
        for _ in range(MAX_DRAWS):
            said = say(draft, saying)
            if said and encoded_size(draft.steps) <= draft.max_bytes:
                break
            draft.steps[:] = before
        if draft.steps == before or not draft.chance(_SAYING):
            self._change(draft)
        return _finished(draft)

    def cross(self, a: Case, b: Case, max_bytes: int) -> Case:
        """Return a case made of parts of ``a`` and ``b``, with the bounds of :meth:`mutate`."""
        draft = self._draft(a, max_bytes)
        other = self._draft(b, max_bytes).steps
        if not draft.steps or not other or not self._crosses:
            return self.mutate(a if draft.steps else b, max_bytes)
        before = list(draft.steps)
        draft.pick(cross.CROSSINGS)(draft, other)
        draft.steps = _fitted(draft.steps, draft.max_bytes)
        if draft.steps == before:
            self._change(draft)
        return _finished(draft)

    def dialogue(self, max_bytes: int) -> Case:
        """Return a made-up dialogue of users who behave, with the bounds of :meth:`mutate`."""
        draft = self._draft(Case(()), max_bytes)
        dialogues.make_up(draft)
        draft.steps = _fitted(draft.steps, draft.max_bytes)
        return _finished(draft)

    def _draft(self, case: Case, max_bytes: int) -> Draft:
        bound = min(max(max_bytes, MIN_BYTES), MAX_FILE_BYTES)
        return Draft(
            _fitted(case.steps, bound),
            self._rng,
            self._byte_mutate,
            self._dictionary,
            bound,
            self._edges,
        )

    def _change(self, draft: Draft) -> None:
        """Apply one operation that changes the draft and leaves it within its bounds."""
        before = list(draft.steps)
        for _ in range(MAX_DRAWS):
            drawn = self._rng.random() * self._cumulated[-1]
            operation = self._operations[bisect(self._cumulated, drawn)]
            if operation.apply(draft) and encoded_size(draft.steps) <= draft.max_bytes:
                return
            draft.steps[:] = before


def _begin(draft: Draft) -> None:
    """Fill an empty draft: a login, and mostly one fresh frame, else a few raw bytes."""
    if draft.chance(0.75):
        data = fresh_frame(draft)
    else:
        word = draft.pick(draft.dictionary.words).data
        data = draft.byte_mutate(word, FIRST_PAYLOAD)[:FIRST_PAYLOAD]
    draft.steps = _fitted([_LOGIN, Step(StepKind.SEND, 0, data)], draft.max_bytes)


def _fitted(source: Iterable[Step], bound: int) -> list[Step]:
    """Return as many steps as fit into ``bound`` bytes, the last one cut short if need be."""
    fitted: list[Step] = []
    left = bound - CASE_OVERHEAD
    for step in source:
        left -= STEP_OVERHEAD
        if left < 0 or len(fitted) == MAX_STEPS:
            break
        fitted.append(step if len(step.data) <= left else replace_data(step, step.data[:left]))
        left -= len(fitted[-1].data)
    return fitted


def _finished(draft: Draft) -> Case:
    """Return the draft without segments that send nothing, and with one step at least."""
    kept = tuple([step for step in draft.steps if step.data or step.kind is not _SEND])
    return Case(kept or (_LOGIN,))
