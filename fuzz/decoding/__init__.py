"""A decoder of the target, called directly: what it says of bytes, and what the grammar says.

``outcome`` is what came back, as the agent tells it; ``terms`` reads the shapes of Erlang terms and
matches patterns with them; ``meaning`` says which shape means what; ``verdict`` holds the grammar
against it. All of it is pure: the calls are made by :mod:`fuzz.beam`.
"""

from __future__ import annotations

from fuzz.decoding.meaning import DEFAULT, Decoder, Meaning, decoder_named, meaning_of
from fuzz.decoding.outcome import Batch, Candidates, Ended, Outcome, Shape
from fuzz.decoding.verdict import Disagreement, Said, Saying, disagreement, said

__all__ = [
    "DEFAULT",
    "Batch",
    "Candidates",
    "Decoder",
    "Disagreement",
    "Ended",
    "Meaning",
    "Outcome",
    "Said",
    "Saying",
    "Shape",
    "decoder_named",
    "disagreement",
    "meaning_of",
    "said",
]
