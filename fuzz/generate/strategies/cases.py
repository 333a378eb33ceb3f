"""Strategies for whole cases: the harness's own generators, with Hypothesis for their dice.

What makes up a dialogue, or bends a case, is written once, for campaigns
(:mod:`fuzz.generate.dialogues`, :mod:`fuzz.generate.mutate`), and takes all that is left to chance
from one source. Here that source is Hypothesis's, so what comes out is replayed and shrunk.
"""

from __future__ import annotations

from hypothesis import strategies as st

from fuzz.case import Case
from fuzz.generate.mutate import Mutator

#: Bytes of a case at most: room for what is near every limit but the three largest.
_MAX_BYTES = 16_384
#: Mutations of one dialogue: after more, little of it is left.
_BENDS = 4


@st.composite
def dialogues(draw: st.DrawFn) -> Case:
    """Draw a case of two or three users who behave: they come, talk about one thing, and go."""
    return _mutator(draw).dialogue(_MAX_BYTES)


@st.composite
def schedules(draw: st.DrawFn) -> Case:
    """Draw a case of several clients that may do anything: a dialogue, bent a few times."""
    mutator = _mutator(draw)
    case = mutator.dialogue(_MAX_BYTES)
    for _ in range(draw(st.integers(0, _BENDS))):
        case = mutator.mutate(case, _MAX_BYTES)
    return case


def _mutator(draw: st.DrawFn) -> Mutator:
    def other_bytes(data: bytes, most: int) -> bytes:
        at = draw(st.integers(0, len(data)))
        return (data[:at] + draw(st.binary(max_size=8)) + data[at + 1 :])[:most]

    return Mutator(draw(st.randoms(use_true_random=False)), other_bytes)
