"""A resource that grows with each play of a case and does not come back."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence, Growth
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import off_node


def leak(evidence: Evidence) -> Iterable[Finding]:
    """Judge growth that was confirmed by playing the case many times (rule 8)."""
    for growth in evidence.growth:
        if growth.steady():
            yield leak_of(growth.what, growth)


def leak_of(what: str, growth: Growth | None = None) -> Finding:
    """Return the finding that says that ``what`` leaks, with the measured growth if known."""
    cause = Cause("leak", off_node(what)[0])
    if growth is None:
        return Finding(Kind.LEAK, f"{what} grow", cause)
    return Finding(
        Kind.LEAK,
        f"{what} grow by {growth.amount / growth.plays:,.1f} with each play",
        cause,
        {
            "what": what,
            "plays": growth.plays,
            "grew_in": growth.grew,
            "amount": growth.amount,
            "confidence": round(growth.confidence, 2),
        },
    )
