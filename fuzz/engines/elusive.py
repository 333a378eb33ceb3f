"""Findings that their saved case brings back only by chance, or not at all.

What a server draws by chance (an id, an order) decides about some findings, and what earlier
cases left behind about others. They are saved like all others, but stay *wanted*: the next
case that shows one is looked for, and takes the place of the one before if it shows the
finding more surely on a fresh node. After :data:`TRIES` of them that is given up, since
a search costs a batch of plays.
"""

from __future__ import annotations

from dataclasses import dataclass

from fuzz.finding import Finding, Kind

#: A finding that shows in one of two plays is caught by eight searches in all but 1 of 256.
TRIES = 8


@dataclass(slots=True)
class _Record:
    best: float = -1.0
    tries: int = 0


class Elusive:
    """What is known so far about how surely each finding comes back."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, Kind], _Record] = {}

    def note(self, finding: Finding, rate: float, confirms: bool) -> bool:
        """Take in that a case shows ``finding`` in ``rate`` (0 to 1) of its plays.

        ``confirms`` tells that these were plays on a fresh node: only they count, but what showed
        it in none is a try that failed. Return whether the case is to take the place of the one
        before. A worse effect of the same defect is another matter, with a case of its own.
        """
        record = self._records.setdefault(_key(finding), _Record())
        if not confirms:
            record.tries += rate == 0
            return False
        record.tries += 1
        if rate <= record.best:
            return False
        record.best = rate
        return True

    def give_up(self, finding: Finding) -> None:
        """Look for no better case of ``finding``: another worker does."""
        self._records[_key(finding)] = _Record(tries=TRIES)

    def wanted(self, finding: Finding) -> bool:
        """Tell whether a case that shows ``finding`` more surely is still looked for."""
        record = self._records.get(_key(finding))
        return record is not None and record.best < 1.0 and record.tries < TRIES


def _key(finding: Finding) -> tuple[str, Kind]:
    return finding.fingerprint, finding.kind
