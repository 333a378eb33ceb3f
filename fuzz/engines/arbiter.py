"""Holds what a decoder says of many inputs against the grammar, and tells each finding once.

What is told is what is new, and then each time that shorter bytes show it; all else is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuzz.decoding import (
    Batch,
    Decoder,
    Disagreement,
    Ended,
    Meaning,
    Outcome,
    Saying,
    Shape,
    disagreement,
    said,
)
from fuzz.evidence import Decoding, Evidence
from fuzz.finding import Finding
from fuzz.oracles import judge

#: Calls that tell how surely an input shows its finding: of a function without a state, all do.
_CONFIRMATIONS = 3
#: One that loops takes seconds for each.
_COSTLY_CONFIRMATIONS = 1
#: Which share of the bytes is worth these seconds again.
_MUCH_SHORTER = 0.5

#: What tells disagreements apart before they are findings: those that share it share a finding.
_Key = Shape | tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding, and the bytes that show it: one input, or all of a batch where none does alone.

    ``reproduced`` of ``plays`` calls by themselves showed it. ``remark`` is what else there is to
    say, empty as a rule.
    """

    finding: Finding
    inputs: tuple[bytes, ...]
    reproduced: int = 0
    plays: int = 0
    remark: str = ""


@dataclass(slots=True)
class _Known:
    finding: Finding
    shortest: int


class Arbiter:
    """Judges batches of ``decoder``, whose answers mean what ``meaning`` says.

    ``alone`` calls it once more, with one input, in a process of its own and with patience;
    ``found`` is handed what is to be told. ``hits`` counts by fingerprint how often a finding came.
    """

    def __init__(
        self,
        decoder: Decoder,
        meaning: Meaning,
        alone: Callable[[bytes], Outcome],
        found: Callable[[Shown], None],
    ) -> None:
        self.hits: Counter[str] = Counter()
        #: Whether the decoder was seen to loop.
        self.loops = False
        #: Calls of one input by itself.
        self.repeated = 0
        self._decoder = decoder
        self._meaning = meaning
        self._alone = alone
        self._found = found
        self._sayings: dict[Shape, Saying] = {}
        self._known: dict[_Key, _Known] = {}

    def judge(self, inputs: Sequence[bytes], batch: Batch) -> None:
        """Judge what came of the first of ``inputs``; this is a hot loop."""
        sayings = [self._saying(shape) for shape in batch.shapes]
        rows, values, at = batch.rows, batch.values, 0
        for number in range(len(batch)):
            data, index = inputs[number], rows[2 * number]
            saying, shape = sayings[index], batch.shapes[index]
            start, at = at, at + shape.slots
            consumed = saying.consumed(len(data), values[start:at])
            found = disagreement(data, saying, consumed)
            if found is not None:
                self._disagrees(data, Outcome(shape, values[start:at]), found)

    def _saying(self, shape: Shape) -> Saying:
        known = self._sayings.get(shape)
        if known is None:
            known = self._sayings[shape] = said(shape, self._meaning)
        return known

    def _disagrees(self, data: bytes, outcome: Outcome, found: Disagreement) -> None:
        key = _key(outcome, found)
        known = self._known.get(key)
        if known is None:
            self._new(key, data, outcome)
            return
        self.hits[known.finding.fingerprint] += 1
        most = known.shortest
        if outcome.shape.ended is Ended.LOOPED:
            most = int(most * _MUCH_SHORTER)
        if len(data) < most and self._shows(key, data, 1):
            known.shortest = len(data)
            self._found(Shown(self._finding(data, outcome), (data,), 1, 1))

    def _new(self, key: _Key, data: bytes, outcome: Outcome) -> None:
        loops = outcome.shape.ended is Ended.LOOPED
        plays = _COSTLY_CONFIRMATIONS if loops else _CONFIRMATIONS
        reproduced = self._shows(key, data, plays)
        if loops:
            if not reproduced:
                return  # it was slow once, and is not when it has time
            self.loops = True
        finding = self._finding(data, outcome)
        self._known[key] = _Known(finding, len(data))
        self.hits[finding.fingerprint] += 1
        self._found(Shown(finding, (data,), reproduced, plays))

    def _shows(self, key: _Key, data: bytes, plays: int) -> int:
        """Return in how many of ``plays`` calls by itself ``data`` shows the same."""
        shown = 0
        for _ in range(plays):
            outcome = self._alone(data)
            self.repeated += 1
            saying = self._saying(outcome.shape)
            found = disagreement(data, saying, saying.consumed(len(data), outcome.values))
            shown += found is not None and _key(outcome, found) == key
        return shown

    def _finding(self, data: bytes, outcome: Outcome) -> Finding:
        decoding = Decoding(self._decoder, self._meaning, data, outcome)
        (finding,) = judge(Evidence(decodings=(decoding,)))
        return finding


def _key(outcome: Outcome, found: Disagreement) -> _Key:
    if outcome.shape.ended is Ended.RAISED:
        return outcome.shape
    return found.expected, found.said, found.where
