"""A decoder, called directly, that does not say what the grammar says of the same bytes.

What is granted to a decoder is told in :mod:`fuzz.decoding.verdict`. A finding is known by what
the grammar expects, what the decoder says, and the frame; by its stack where the decoder raises.

What raises is a ``process_crash``: whichever process decodes for a client ends of it. Where a
decoder is meant to crash (see :mod:`fuzz.decoding.meaning`), this is an error like any other. What
loops is a ``hang``; all else is a ``conformance``.
"""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.decoding import DEFAULT, Disagreement, Ended, Said, Shape, disagreement, said
from fuzz.evidence import Decoding, Evidence
from fuzz.finding import Cause, Finding, Kind

#: ``what`` of a cause that a decoder shows when it is called directly; its origin is the decoder.
DECODER = "decoder"
#: The key of the evidence that tells what the answers mean, where that is not the default: with it,
#: the decoder can be judged again.
MEANING = "meaning"
#: Bytes that are written out for a shell of Erlang: a line or two.
_SHOWN = 64

_KINDS = {Said.RAISED: Kind.PROCESS_CRASH, Said.KILLED: Kind.PROCESS_CRASH, Said.LOOPED: Kind.HANG}


def decoder(evidence: Evidence) -> Iterable[Finding]:
    """Judge what a decoder was asked."""
    for decoding in evidence.decodings:
        outcome = decoding.outcome
        saying = said(outcome.shape, decoding.meaning)
        consumed = saying.consumed(len(decoding.data), outcome.values)
        found = disagreement(decoding.data, saying, consumed)
        if found is not None:
            yield _finding(decoding, found, _KINDS.get(saying.said, Kind.CONFORMANCE))


def _finding(decoding: Decoding, found: Disagreement, kind: Kind) -> Finding:
    shape, name = decoding.outcome.shape, str(decoding.decoder)
    raised = shape.ended is Ended.RAISED
    reason = f"raised {shape.text}" if raised else _reason(found)
    return Finding(
        kind,
        _title(name, shape, found),
        Cause(DECODER, reason, name, shape.frames),
        {
            "decoder": name,
            "frame": found.where,
            "grammar": f"{found.expected}: {found.detail}",
            "said": found.said,
            "returned" if shape.ended is Ended.RETURNED else shape.ended.value: shape.text,
            "stack": list(shape.frames),
            "call": _call(decoding),
            **({} if decoding.meaning == DEFAULT else {MEANING: decoding.meaning.told()}),
        },
    )


def _reason(found: Disagreement) -> str:
    return f"{found.said} in the place of {found.expected}: {found.where}"


def _title(name: str, shape: Shape, found: Disagreement) -> str:
    if shape.ended is Ended.RAISED:
        place = f" in {shape.frames[0]}" if shape.frames else ""
        return f"the decoder {name} crashes with {shape.text}{place} on {found.where}"
    if shape.ended is Ended.KILLED:
        return f"the decoder {name} ends its process on {found.where}: {shape.text}"
    if shape.ended is Ended.LOOPED:
        return f"the decoder {name} does not return from {found.where}"
    return (
        f"the decoder {name} says of {found.where}: {found.said}; the grammar says: "
        f"{found.expected}"
    )


def _call(decoding: Decoding) -> str:
    """Return the call as one types it in a shell of the node."""
    data, name = decoding.data, decoding.decoder
    if len(data) > _SHOWN:
        return f"{name.module}:{name.function}(Bytes), with the {len(data)} bytes that are sent"
    listed = ",".join(f"16#{byte:02X}" for byte in data)
    return f"{name.module}:{name.function}(<<{listed}>>)."


__all__ = ["DECODER", "MEANING", "decoder"]
