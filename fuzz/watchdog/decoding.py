"""Asking a decoder in the node for what a case sends, and judging what it says.

This is another way to play a case: no connection is made, and each of its segments is handed to
the decoder by itself, as if it were the beginning of a stream. It harms nobody, unless the decoder
takes the node down: then that is the finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fuzz.beam.agent import DECODE_SECONDS
from fuzz.case import Case, StepKind
from fuzz.decoding import Batch, Decoder, Outcome, decoder_named
from fuzz.decoding.meaning import meaning_of
from fuzz.errors import AgentError, SettingsError
from fuzz.evidence import Decoding, Evidence
from fuzz.finding import Cause
from fuzz.oracles.decoder import MEANING
from fuzz.rig import Rig

#: What loops is told from what was slow once by a longer wait; on a busy machine a process may not
#: get to run for hundreds of milliseconds.
PATIENT_SECONDS = 2.0
#: An emulator that has said its last word is gone within this.
_EXIT_SECONDS = 10.0
#: The evidence of a finding, as far as there is any.
Known = Mapping[str, object]
NOTHING: Known = {}


class NodeDiedError(Exception):
    """The node has ended while its decoder worked; ``evidence`` is what there is to judge."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__("the node has ended")
        self.evidence = evidence


def find(rig: Rig, decoder: Decoder) -> None:
    """Return if the node has ``decoder``; raise :class:`SettingsError` saying what it has."""
    if rig.agent is None:
        raise SettingsError(
            f"{decoder} is called by an agent in the node, and {rig.target.name} has none: it is "
            "seen from outside only"
        )
    found = rig.agent.find_decoder(decoder)
    if 1 in found.arities:
        return
    others = f"; try {', '.join(found.others)}" if found.others else ""
    name = f"{decoder.module}:{decoder.function}"
    if not found.known:
        raise SettingsError(f"the node has no module {decoder.module}{others}")
    if found.arities:
        has = ", ".join(f"{name}/{arity}" for arity in found.arities)
        raise SettingsError(f"the node has {has}, and none that takes one argument{others}")
    raise SettingsError(f"{decoder.module} exports no function {decoder.function}{others}")


def decode(
    rig: Rig, decoder: Decoder, inputs: Sequence[bytes], seconds: float = DECODE_SECONDS
) -> Batch:
    """Return what the decoder does with ``inputs``; see :meth:`fuzz.beam.agent.Agent.decode`.

    Raises :class:`NodeDiedError` where the node ends of it.
    """
    if rig.agent is None:
        raise AgentError("there is no agent in the node to call a decoder")
    try:
        return rig.agent.decode(decoder, inputs, seconds)
    except AgentError:
        ended = rig.target.await_exit(_EXIT_SECONDS)
        if ended is None:
            raise
        raise NodeDiedError(Evidence(node_exit=ended)) from None


def outcome_of(rig: Rig, decoder: Decoder, data: bytes) -> Outcome:
    """Return what the decoder does with ``data``, in a process of its own and with patience."""
    batch = decode(rig, decoder, [data], PATIENT_SECONDS)
    return next(batch.outcomes())[0]


def evidence_of(rig: Rig, case: Case, cause: Cause, known: Known = NOTHING) -> Evidence:
    """Hand what ``case`` sends to the decoder that ``cause`` names; return all that was seen.

    ``known`` is the evidence of a finding, which tells what the answers mean.
    """
    decoder, meaning = decoder_named(cause.origin), meaning_of(known.get(MEANING, {}))
    find(rig, decoder)
    decodings = []
    for step in case.steps:
        if step.kind is StepKind.SEND and step.data:
            try:
                outcome = outcome_of(rig, decoder, step.data)
            except NodeDiedError as died:
                return died.evidence
            decodings.append(Decoding(decoder, meaning, step.data, outcome))
    return Evidence(decodings=tuple(decodings))
