"""A process of the target ended abnormally."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fuzz.evidence import Evidence
from fuzz.finding import Finding, Kind
from fuzz.node import Event, on_node
from fuzz.oracles.causes import crash_causes, told

#: A process of a behaviour that crashed over what its own socket had brought it is that of the
#: connection, and its end is that of the connection: it is to be seen from outside, unless it was
#: the client who had ended it. Its state may hold a socket as well, so the message is asked for.
_SOCKET = re.compile(r"(Last event = \{info,|Last message in was)\s*\{(tcp|ssl)(_error)?,")


def process_crash(evidence: Evidence) -> Iterable[Finding]:
    """Judge crash reports. ``normal`` and ``shutdown`` ends are no crashes: not reported."""
    for cause, reports in crash_causes(evidence.events):
        who = cause.origin or "a process"
        where = f" in {cause.frames[0]}" if cause.frames else ""
        yield Finding(
            Kind.PROCESS_CRASH,
            on_node(f"{who} crashed with {cause.reason}{where}", reports[0].node),
            cause,
            {"reports": told(reports), **_wire(reports)},
        )


def _wire(reports: Sequence[Event]) -> dict[str, object]:
    """Return what a reproducer can look for: the end of the connection, if it is that."""
    own = any(_SOCKET.search(report.text) for report in reports)
    return {"wire": {"check": "closed"}} if own else {}
