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
#: Bytes of a seed. Bytes and no number: of numbers, Hypothesis draws the small ones over and over.
_SEED = 8
#: Steps that may be left out: more than a dialogue has, as a rule. Those behind them are kept.
_SIFTED = 64
#: A step whose byte is below this is left out: few at first, and all that can be spared in the
#: end, since 0 is the value that shrinking leads to.
_SPARED = 8
#: All that is drawn for one case, at once. Of several draws that are alike, Hypothesis puts one in
#: the place of another, and of two, it keeps the first and draws the second again: most of what
#: that gives is a case which it has drawn before.
_CHANCE = st.binary(min_size=_SEED + _SIFTED, max_size=_SEED + _SIFTED)


@st.composite
def dialogues(draw: st.DrawFn) -> Case:
    """Draw a case of two or three users who behave: they come, talk about one thing, and go."""
    chance = draw(_CHANCE)
    return _sifted(_mutator(Random(chance[:_SEED])).dialogue(_MAX_BYTES), chance[_SEED:])


@st.composite
def schedules(draw: st.DrawFn) -> Case:
    """Draw a case of several clients that may do anything: a dialogue, bent a few times."""
    chance = draw(_CHANCE)
    rng = Random(chance[:_SEED])
    mutator = _mutator(rng)
    case = mutator.dialogue(_MAX_BYTES)
    for _ in range(rng.randrange(_BENDS + 1)):
        case = mutator.mutate(case, _MAX_BYTES)
    return _sifted(case, chance[_SEED:])


def _sifted(case: Case, chance: bytes) -> Case:
    """Leave out what shrinking can spare; a LOGIN goes with all that is done on its connection."""
    gone: set[int] = set()
    kept: list[Step] = []
    for step, number in zip(case.steps, chance.ljust(len(case.steps), b"\xff"), strict=False):
        spared = number < _SPARED
        if spared and step.kind is StepKind.LOGIN:
            gone.add(step.connection)
        if not spared and (step.kind is StepKind.WAIT or step.connection not in gone):
            kept.append(step)
    return Case(tuple(kept) or case.steps[:1])


def _mutator(rng: Random) -> Mutator:
    def other_bytes(data: bytes, most: int) -> bytes:
        at = rng.randrange(len(data) + 1)
        return (data[:at] + rng.randbytes(rng.randrange(9)) + data[at + 1 :])[:most]

    return Mutator(rng, other_bytes)
