"""What an alarm comes down to: a finding, and the case that shows it."""

from __future__ import annotations

from dataclasses import dataclass

from fuzz.case import Case
from fuzz.finding import Finding


@dataclass(frozen=True, slots=True)
class Attributed:
    """A finding and the case that shows it; ``reproduced`` of ``plays`` plays showed it.

    ``case`` is None for a known finding, which is only counted. ``confirms`` tells that the
    finding was told before, and that these plays were made on a fresh node; they took ``seconds``,
    recoveries included. ``dismissed`` is a suspicion that was not told, since no fresh node
    showed it.
    """

    finding: Finding
    case: Case | None
    reproduced: int = 0
    plays: int = 0
    confirms: bool = False
    seconds: float = 0.0
    dismissed: bool = False

    @property
    def rate(self) -> float:
        """Return the share of its plays in which the case showed the finding, 0 without any."""
        return self.reproduced / self.plays if self.plays else 0.0
