"""A process of the target ended abnormally."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.evidence import Evidence
from fuzz.finding import Finding, Kind
from fuzz.oracles.causes import crash_causes, told


def process_crash(evidence: Evidence) -> Iterable[Finding]:
    """Judge crash reports. ``normal`` and ``shutdown`` ends are no crashes: not reported."""
    for cause, reports in crash_causes(evidence.events):
        where = f" in {cause.frames[0]}" if cause.frames else ""
        yield Finding(
            Kind.PROCESS_CRASH,
            f"{cause.origin or 'a process'} crashed with {cause.reason}{where}",
            cause,
            {"reports": told(reports)},
        )
