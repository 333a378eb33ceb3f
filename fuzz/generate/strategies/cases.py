"""Strategies for whole cases: the harness's own generators, with Hypothesis for their seed.

What makes up a dialogue, or bends a case, is written once, for campaigns
(:mod:`fuzz.generate.dialogues`, :mod:`fuzz.generate.mutate`), and takes all that is left to chance
from one source. That gets its seed from Hypothesis, which so makes the same case again. Were each
of its dice Hypothesis's own, most cases would be alike: it looks for the simplest values first.
What is shrunk are the steps of the case, of which one after the other is left out.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from fuzz.case import Case, Step, StepKind
from fuzz.generate.mutate import Mutator

#: Bytes of a case at most: room for what is near every limit but the three largest.
_MAX_BYTES = 16_384
#: Mutations of one dialogue: after more, little of it is left.
_BENDS = 4
#: Bytes and no number: of numbers, Hypothesis draws the small ones over and over.
_SEEDS = st.binary(min_size=8, max_size=8)
#: A step for which the lowest of these is drawn is left out: few at first, and all that can be
#: spared in the end, since that is the value that shrinking leads to.
_SPARED = st.integers(0, 31).map(lambda number: number == 0)


@st.composite
def dialogues(draw: st.DrawFn) -> Case:
    """Draw a case of two or three users who behave: they come, talk about one thing, and go."""
    return _sifted(draw, _mutator(draw).dialogue(_MAX_BYTES))


@st.composite
def schedules(draw: st.DrawFn) -> Case:
    """Draw a case of several clients that may do anything: a dialogue, bent a few times."""
    mutator = _mutator(draw)
    case = mutator.dialogue(_MAX_BYTES)
    for _ in range(draw(st.integers(0, _BENDS))):
        case = mutator.mutate(case, _MAX_BYTES)
    return _sifted(draw, case)


def _sifted(draw: st.DrawFn, case: Case) -> Case:
    """Leave out what shrinking can spare; a LOGIN goes with all that is done on its connection."""
    gone: set[int] = set()
    kept: list[Step] = []
    for step in case.steps:
        spared = draw(_SPARED)
        if spared and step.kind is StepKind.LOGIN:
            gone.add(step.connection)
        if not spared and (step.kind is StepKind.WAIT or step.connection not in gone):
            kept.append(step)
    return Case(tuple(kept) or case.steps[:1])


def _mutator(draw: st.DrawFn) -> Mutator:
    rng = Random(draw(_SEEDS))

    def other_bytes(data: bytes, most: int) -> bytes:
        at = rng.randrange(len(data) + 1)
        return (data[:at] + rng.randbytes(rng.randrange(9)) + data[at + 1 :])[:most]

    return Mutator(rng, other_bytes)
