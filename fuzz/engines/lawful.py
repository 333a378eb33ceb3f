"""Which plays of a campaign are held to the laws of the protocol, and what is done of it.

A law needs all frames of a play, which takes longer than the rest of the judgement: a tenth of
what it takes to play most cases, but for a flood of frames as long as fifty of the others. So
there is a share of the time for it, small plays come first, and what was not judged by then is
let go. A batch is as long as its longest case, and waits for the node again and again: about half
of the others are judged while it does, and that counts as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from fuzz.clock import Clock
from fuzz.engines.allowance import Allowance
from fuzz.finding import Finding
from fuzz.meanwhile import Meanwhile
from fuzz.observation import Observation
from fuzz.oracles.laws import judge_laws
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed

#: The share of the time in which plays are held to the laws.
_SHARE = 0.2
#: Bytes of a play that is judged while the node is waited for, and not behind the batch. Most have
#: a tenth of it, and take a tenth of a millisecond; one full of small frames takes two.
_SMALL = 1_024


class Hearing:
    """The plays of one batch, each judged once, when there is time for it.

    ``otherwise`` is done meanwhile where there is none to be judged.
    """

    def __init__(self, allowance: Allowance, otherwise: Meanwhile) -> None:
        self._allowance = allowance
        self._otherwise = otherwise
        self._waiting: deque[Observation] = deque()
        #: What was judged, by the identity of the play, which is kept so that no other has it.
        self._judged: dict[int, tuple[Observation, tuple[Finding, ...]]] = {}

    def hear(self, observation: Observation) -> None:
        """Take in a play that is over, when others of its batch may not be."""
        if observation.size() <= _SMALL:
            self._waiting.append(observation)

    def work(self) -> bool:
        """Judge one play that was heard, or do something else; tell whether there was anything."""
        if not self._waiting:
            return self._otherwise()
        self.findings(self._waiting.popleft())
        return True

    def findings(self, observation: Observation) -> tuple[Finding, ...]:
        """Return what laws say of a play; nothing where there is no time to ask them."""
        judged = self._judged.get(id(observation))
        if judged is not None:
            return judged[1]
        if not self._allowance.left():
            return ()
        findings = self._allowance.spend(partial(judge_laws, observation))
        self._judged[id(observation)] = observation, findings
        return findings


class Lawful:
    """Looks for plays that break a law in a way that is not known yet.

    ``found`` is told of those that are known, which are only counted.
    """

    def __init__(
        self,
        investigator: Investigator,
        found: Callable[[Attributed], None],
        clock: Clock,
        chance: Random,
    ) -> None:
        self._investigator = investigator
        self._found = found
        self._random = chance
        self._allowance = Allowance(clock, _SHARE)

    def begin(self, otherwise: Meanwhile) -> Hearing:
        """Return the hearing of the batch that is to be played next; see :class:`Hearing`."""
        return Hearing(self._allowance, otherwise)

    def broken(self, observations: Sequence[Observation], hearing: Hearing | None = None) -> bool:
        """Tell whether a play breaks a law: of a batch with a ``hearing``, as far as there is time.

        There, a large one comes rarely before a small one.
        """
        if hearing is None:
            return any(self._unknown(judge_laws(observation)) for observation in observations)
        by_size = sorted(observations, key=lambda o: o.size() * self._random.random())
        broken = (findings for findings in map(hearing.findings, by_size) if findings)
        # To count what is known takes its time too.
        return any(self._allowance.spend(partial(self._unknown, one)) for one in broken)

    def _unknown(self, findings: Sequence[Finding]) -> bool:
        """Tell whether something of ``findings`` is not known yet; the rest is counted."""
        for finding in findings:
            known = self._investigator.knows(finding)
            if known is None:
                return True
            self._found(Attributed(known, None))
        return False
