"""The engine that calls a decoder: libFuzzer proposes bytes, the node's own coverage steers.

libFuzzer calls :meth:`DecoderEngine.test_one` with one input after the other. Each is put into a
queue together with its *relatives*, which are cheap to make: cut short, and with more behind. A
full queue is one request to the agent, which calls the decoder with all of them and tells of each
what it returned and what it covered. The grammar is asked for the same bytes, and where the two
disagree, that is a finding.

An input with coverage that no other had is asked for once more, since other processes of the node
cover something too; if it still reaches what is new, it is kept, and libFuzzer is handed it as a
*credit*: see :mod:`fuzz.engines.coverage`. A part of the mutations are errands to branches that
were never taken: see :mod:`fuzz.engines.frontier`.

An input that takes the node down is looked for by halves, on one fresh node after the other. What
has the same opcode is not asked any more behind that: each costs a restart.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuzz.beam.agent import DECODE_SECONDS
from fuzz.case import USER_TOKENS, Case, Step, StepKind, encode_case
from fuzz.decoding import Batch, Decoder, Meaning, Outcome
from fuzz.engines.arbiter import Arbiter, Shown
from fuzz.engines.counters import Counters
from fuzz.engines.feedback import BatchMemory, Features, Memory, features_of
from fuzz.engines.frontier import Frontier
from fuzz.generate.payload import PayloadMutator
from fuzz.oracles import judge
from fuzz.rig import Recovery, Rig
from fuzz.store.corpus import EvolvedCorpus
from fuzz.watchdog.decoding import NodeDiedError, decode, outcome_of

#: Inputs of one request: by then what a request costs besides them is a hundredth.
BATCH = 512
#: Bytes of one request: what is larger keeps both sides waiting for each other.
MAX_BATCH_BYTES = 1024 * 1024
#: Seconds of a request once a decoder was seen to loop: sixteen times what a batch takes. Each
#: input that loops costs as much again, and most of them are of the kind that is known.
_HASTY_SECONDS = 0.08


@dataclass(slots=True)
class Totals:
    """What the engine has done so far."""

    inputs: int = 0
    kept: int = 0


def case_of(inputs: Sequence[bytes]) -> Case:
    """Return the case of a logged-in client that sends ``inputs``, each in a segment."""
    sends = (Step(StepKind.SEND, 0, data) for data in inputs)
    return Case((Step(StepKind.LOGIN, 0, USER_TOKENS[0]), *sends))


class DecoderEngine:
    """Queues, asks, judges and credits; see the top of this module.

    ``found`` is handed what is to be told, ``recovered`` that the node was started anew;
    ``after_batch`` is called when a batch has been judged.
    """

    def __init__(
        self,
        rig: Rig,
        decoder: Decoder,
        meaning: Meaning,
        mutator: PayloadMutator,
        kept: EvolvedCorpus,
        found: Callable[[Shown], None],
        recovered: Callable[[Recovery], None],
        after_batch: Callable[[], None],
        seeds: Sequence[bytes],
        feedback: bool = True,
        chance: random.Random | None = None,
    ) -> None:
        self.totals = Totals()
        self.arbiter = Arbiter(decoder, meaning, self._alone, found)
        self._rig = rig
        self._decoder = decoder
        self._mutator = mutator
        self._kept = kept
        self._found = found
        self._recovered = recovered
        self._after_batch = after_batch
        self._feedback = feedback
        points = len(rig.points)
        self._seeds = {data: points + number for number, data in enumerate(seeds)}
        self.counters = Counters(points + len(self._seeds))
        self._hit = BatchMemory(points)
        self._memory = Memory(points)
        gates = rig.gates if feedback else ()
        self._frontier = Frontier(rig.points, gates, chance or random.Random())
        self._coverages: set[bytes] = set()
        self._queue: list[bytes] = []
        self._size = 0
        self._last = b""
        self._credits: deque[tuple[bytes, Features]] = deque()
        self._due: dict[bytes, Features] = {}
        self._fatal: set[int] = set()

    # What libFuzzer calls.

    def test_one(self, data: bytes) -> None:
        """Take one input from libFuzzer."""
        earned = self._due.pop(data, None)
        if earned is not None:
            self._steer(earned)
            return
        seed = self._seeds.get(data)
        self._steer(() if seed is None else ((seed, 1),))
        if not data:
            return
        for one in self._mutator.relatives(data, self._last):
            if one[0] not in self._fatal:
                self._queue.append(one)
                self._size += len(one)
        self._last = data
        if len(self._queue) >= BATCH or self._size >= MAX_BATCH_BYTES:
            self.flush()

    def mutate(self, data: bytes, max_bytes: int) -> bytes:
        """Return a credited input if one is due, else a mutation of ``data``."""
        credited = self._credited(max_bytes)
        if credited:
            return credited
        errand = self._frontier.errand()
        if errand is not None:
            return self._mutator.say(errand.case, errand.saying, max_bytes)
        return self._mutator.mutate(data, max_bytes)

    def cross(self, a: bytes, b: bytes, max_bytes: int) -> bytes:
        """Return a credited input if one is due, else one made of two."""
        return self._credited(max_bytes) or self._mutator.cross(a, b, max_bytes)

    # What they rest on.

    @property
    def points_covered(self) -> int:
        """Return how many coverage points the decoder has ever hit."""
        return self._hit.count()

    def covered(self) -> list[int]:
        """Return the indices of the coverage points that the decoder has ever hit."""
        return self._hit.covered()

    def flush(self) -> None:
        """Ask for what is in the queue, judge it, and credit what is new."""
        queue, self._queue, self._size = self._queue, [], 0
        news = False
        try:
            while queue:
                batch = self._ask(queue)
                self.totals.inputs += len(batch)
                self.arbiter.judge(queue, batch)
                news |= self._learn(queue, batch)
                queue = queue[len(batch) :]
        except NodeDiedError as died:
            self._look_for_the_killer(queue, died)
        self._frontier.note(news)
        self._after_batch()

    def _ask(self, inputs: Sequence[bytes]) -> Batch:
        seconds = _HASTY_SECONDS if self.arbiter.loops else DECODE_SECONDS
        return decode(self._rig, self._decoder, inputs, seconds)

    def _alone(self, data: bytes) -> Outcome:
        return outcome_of(self._rig, self._decoder, data)

    def _credited(self, max_bytes: int) -> bytes:
        """Return the next input on the list of credits; empty when there is none."""
        while self._credits:
            credited, features = self._credits.popleft()
            if len(credited) <= max_bytes:
                self._due[credited] = features
                return credited
        return b""

    def _steer(self, features: Features) -> None:
        points = len(self._rig.points)
        self.counters.write(
            features if self._feedback else [one for one in features if one[0] >= points]
        )

    # What is covered.

    def _learn(self, inputs: Sequence[bytes], batch: Batch) -> bool:
        """Credit the inputs that reach something new, and do so again; tell whether any does."""
        new = {
            number
            for number, coverage in enumerate(batch.coverages)
            if coverage not in self._coverages
        }
        if not new:
            return False
        self._coverages.update(batch.coverages)
        candidates: list[tuple[bytes, bytes]] = []
        for data, number in zip(inputs, batch.rows[1::2], strict=False):
            if number in new:
                new.discard(number)
                candidates.append((data, batch.coverages[number]))
        again = self._ask([data for data, _ in candidates])
        news = False
        for (data, first), (_, second) in zip(candidates, again.outcomes(), strict=False):
            news |= self._credit(data, _common(first, second))
        return news

    def _credit(self, data: bytes, features: Features) -> bool:
        """Credit an input if it is the first to reach something; tell whether it is."""
        self._hit.learn(features, 1)
        if not self._memory.learn(features):
            return False
        self._credits.append((data, features))
        self._frontier.learn(data, features, seed=data in self._seeds)
        if self._kept.add(encode_case(case_of([data]))) is not None:
            self.totals.kept += 1
        return True

    # What takes the node down.

    def _look_for_the_killer(self, inputs: Sequence[bytes], died: NodeDiedError) -> None:
        """Find the one of ``inputs`` that ends the node, and hold back its like."""
        (finding, *_) = judge(died.evidence)
        self._found(Shown(finding, tuple(inputs)))
        self._recovered(self._rig.recover(fresh_node=True))
        left = list(inputs)
        while len(left) > 1:
            half = left[: len(left) // 2]
            left = half if self._kills(half) else left[len(half) :]
        if self._kills(left):
            self._fatal.add(left[0][0])
            remark = f"what begins with {left[0][:1].hex().upper()} was not asked any more"
            self._found(Shown(finding, tuple(left), 1, 1, remark))

    def _kills(self, inputs: Sequence[bytes]) -> bool:
        """Tell whether the node ends of ``inputs``; there is one that runs afterwards."""
        try:
            while inputs:
                inputs = inputs[len(self._ask(inputs)) :]
        except NodeDiedError:
            self._recovered(self._rig.recover(fresh_node=True))
            return True
        return False


def _common(first: bytes, second: bytes) -> Features:
    """Return what two readings of coverage have in common, with the lower counts."""
    counts = dict(features_of(second))
    return tuple(
        (index, min(count, counts[index])) for index, count in features_of(first) if index in counts
    )
