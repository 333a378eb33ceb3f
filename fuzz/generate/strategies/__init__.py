"""Hypothesis strategies for the Iris protocol, read off its grammar.

    from hypothesis import given
    from fuzz.generate import strategies

    @given(strategies.frames())
    def test_my_decoder(frame): ...

Nothing about a layout is written here a second time: a frame that is added to the grammar has a
strategy from then on. All shrink: towards few, short and plain frames, clients and bytes.

- :func:`frames`, :func:`frames_of`: frames of the grammar, in both directions, with any content
  that the wire can say (or only such as the protocol means);
- :func:`near_frames`: bytes that are frames but for a few bends at their fields;
- :func:`cbor_items`, :func:`cbor_maps`, :func:`cbor_like`: RFC 8949, in all the forms that it
  allows, and bytes that only begin like it;
- :func:`dialogues`: cases of users who behave, with one connection or several;
- :func:`schedules`: cases of several clients that may do anything.
"""

from __future__ import annotations

from fuzz.generate.strategies.cases import dialogues, schedules
from fuzz.generate.strategies.cbor import cbor_items, cbor_like, cbor_maps
from fuzz.generate.strategies.frames import (
    Given,
    directions,
    frames,
    frames_of,
    near_frames,
    open_ended,
)

__all__ = [
    "Given",
    "cbor_items",
    "cbor_like",
    "cbor_maps",
    "dialogues",
    "directions",
    "frames",
    "frames_of",
    "near_frames",
    "open_ended",
    "schedules",
]
