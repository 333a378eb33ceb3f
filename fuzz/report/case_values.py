"""``iris-fuzz show --json``: a case as JSON values, for programs that look at many."""

from __future__ import annotations

import json

from fuzz.case import Case, Step, StepKind
from fuzz.describe import describe_place, describe_step, explain, explain_tokens, own_framing
from fuzz.store.sidecar import Sidecar, encode_sidecar


def case_values(case: Case, name: str, sidecar: Sidecar | None = None) -> dict[str, object]:
    """Return the case in the file ``name``, and what is known of it: all fields of all segments."""
    framed = own_framing(case)
    finding = None if sidecar is None else json.loads(encode_sidecar(sidecar, name))
    return {
        "case": name,
        "raw": case.raw,
        "connections": list(case.connections()),
        "tokens": list(explain_tokens(case)),
        "steps": [_step(step, step.connection in framed) for step in case.steps],
        "finding": finding,
    }


def _step(step: Step, framed: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "kind": step.kind.name.lower(),
        "connection": step.connection,
        "text": describe_place(step) + describe_step(step, framed),
    }
    if step.kind is StepKind.SEND:
        told["bytes"] = step.data.hex()
        told["fields"] = [
            {
                "offset": field.span.offset,
                "length": field.span.length,
                "path": field.span.path,
                "role": field.span.role.value,
                "value": field.value,
                "note": field.note,
                "lies": field.lies,
            }
            for field in explain(step.data, framed)
        ]
    return told
