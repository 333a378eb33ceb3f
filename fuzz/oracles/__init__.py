"""The oracles, one module each. To add one: write its module, and add it to ORACLES.

An oracle is a function from evidence to findings. It looks at one rung of the ladder and
knows nothing of the others; where two speak of the same cause, the watchdog keeps the
worse. Only an oracle makes a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fuzz.evidence import Evidence
from fuzz.finding import Finding
from fuzz.oracles.app_down import app_down
from fuzz.oracles.cost import cost
from fuzz.oracles.decoder import decoder
from fuzz.oracles.hang import hang
from fuzz.oracles.laws import laws
from fuzz.oracles.leak import leak
from fuzz.oracles.listener_restart import listener_restart
from fuzz.oracles.node_down import node_down
from fuzz.oracles.process_crash import process_crash
from fuzz.oracles.relation import relation
from fuzz.oracles.storm import storm

Oracle = Callable[[Evidence], Iterable[Finding]]

#: Worst first, as the ladder of :class:`fuzz.finding.Kind`. What a storm shows is on several of
#: its rungs; laws, relations and what a decoder says when it is called directly are the last.
ORACLES: tuple[Oracle, ...] = (
    node_down,
    app_down,
    listener_restart,
    process_crash,
    hang,
    leak,
    cost,
    storm,
    laws,
    relation,
    decoder,
)


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Return what the oracles find, one for each cause: the worst kind, in ladder order."""
    findings: dict[str, Finding] = {}
    for oracle in ORACLES:
        for finding in oracle(evidence):
            known = findings.setdefault(finding.fingerprint, finding)
            if finding.kind.rank < known.kind.rank:
                findings[finding.fingerprint] = finding
    return tuple(sorted(findings.values(), key=lambda finding: finding.kind.rank))


__all__ = ["ORACLES", "Oracle", "judge"]
