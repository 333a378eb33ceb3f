"""SARIF 2.1.0 of a smoke run: what code scanning keeps, and tells apart from run to run.

A kind of finding is a rule, and a fingerprint is a result. It lies in the target's source where the
reports of the node name a line of a file that is here, else in the case that shows it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import metadata
from urllib.parse import quote

from fuzz.finding import Kind, Severity
from fuzz.report.finding import EFFECT
from fuzz.report.outcome import Item, Outcome

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: What viewers put the root of the repository in the place of.
_ROOT = "%SRCROOT%"

_LEVEL: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
}
#: What GitHub sorts results by: the middle of the span that CVSS 3 has for the severity.
_SCORE: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
}


def as_sarif(outcome: Outcome) -> bytes:
    """Return the log, in UTF-8."""
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "iris-fuzz",
                "version": _version(),
                "rules": [_rule(kind) for kind in Kind],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not outcome.errors(),
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": _text(sentence)}}
                    for sentence in outcome.errors()
                ],
            }
        ],
        "results": [_result(item) for item in outcome.ordered()],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return (json.dumps(log, indent=2) + "\n").encode("ascii")


def _version() -> str:
    try:
        return metadata.version("iris-fuzz")
    except metadata.PackageNotFoundError:
        return "unknown"  # it is run from its sources


def _rule(kind: Kind) -> dict[str, object]:
    return {
        "id": kind.value,
        "name": "".join(word.capitalize() for word in kind.value.split("_")),
        "shortDescription": {"text": kind.value.replace("_", " ")},
        "fullDescription": {"text": EFFECT[kind]},
        "defaultConfiguration": {"level": _LEVEL[kind.severity]},
        "properties": {
            "problem.severity": _LEVEL[kind.severity],
            "security-severity": _SCORE[kind.severity],
            "tags": ["security", "fuzzing"],
        },
    }


def _result(item: Item) -> dict[str, object]:
    finding = item.finding
    case = _location(item.file, 1)
    source = None if item.place is None else _location(item.place.file, item.place.line)
    related = {**case, "id": 1, "message": {"text": "what shows it"}}
    result: dict[str, object] = {
        "ruleId": finding.kind.value,
        "ruleIndex": finding.kind.rank,
        "level": _LEVEL[finding.kind.severity],
        "message": {"text": _text(finding.title)},
        "locations": [source or case],
        "relatedLocations": [related],
        # The first is ours; the second is the only one that GitHub looks at, and would compute from
        # the line of the source, which says less.
        "partialFingerprints": {
            "irisFuzz/v1": finding.fingerprint,
            "primaryLocationLineHash": finding.fingerprint,
        },
        "baselineState": "unchanged" if item.excused else "new",
        "properties": {
            "replay": _text(item.replay),
            "pattern": _text(item.pattern),
            "steps": [_text(step) for step in item.steps],
        },
    }
    if item.excused:
        result["suppressions"] = [{"kind": "external", "justification": _text(item.note)}]
    return result


def _location(file: str, line: int) -> dict[str, object]:
    """Return a line of a file; a path that does not begin at the root is told from there."""
    artifact: dict[str, str] = (
        {"uri": f"file://{quote(os.fsencode(file))}"}
        if file.startswith("/")
        else {"uri": quote(os.fsencode(file)), "uriBaseId": _ROOT}
    )
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}


def _text(text: str) -> str:
    """Return ``text`` without halves of characters, which are no Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
