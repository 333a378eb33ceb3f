"""A dialogue that was recorded of an older client still gets the replies that it expects.

The other laws speak of what no server may do, and leave it what the protocol leaves open. A
client that was written years ago leaves less: it was tried against what servers said then. So
a golden case says what its clients are to hear (see :mod:`fuzz.store.golden`), and this law
speaks of nothing but such cases, where none of the others has anything to say. What a golden
case may expect is bounded by the published protocol all the same: fields that it leaves open
are left out there, and a frame that is best effort may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.differing import first_unexpected
from fuzz.finding import Cause, Finding, Kind
from fuzz.heard import normalised
from fuzz.observation import Ending, Observation


def golden(observation: Observation) -> Iterator[Finding]:
    """Judge what the clients of a golden case heard by what they expect."""
    expected = observation.expects
    if expected is None or Ending.UNUSED in observation.endings():
        return  # a target without a WebSocket port owes nothing there
    found = first_unexpected(expected.heard, normalised(observation))
    if found is None:
        return
    yield Finding(
        Kind.CONFORMANCE,
        f"a recorded dialogue, {expected.name}, is not answered as it was: {found.what}",
        Cause("golden", found.what),
        {
            "connection": found.connection,
            "reply": found.places[1],
            "expected": found.left,
            "came": found.right,
            "golden": expected.told(),
        },
    )
