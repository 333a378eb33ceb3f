"""The engine that calls a decoder, over fakes: what is asked, kept, credited and held back."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from fuzz.case import StepKind, read_case
from fuzz.decoding import DEFAULT, Decoder, Ended, Outcome, Shape
from fuzz.engines.arbiter import Shown
from fuzz.engines.decoder import BATCH, DecoderEngine
from fuzz.engines.frontier import CALM
from fuzz.errors import AgentError
from fuzz.finding import Kind
from fuzz.generate.payload import PayloadMutator
from fuzz.node import Gate, Point
from fuzz.observation import NodeExit
from fuzz.rig import Recovery
from fuzz.store.corpus import EvolvedCorpus
from grammar import GetStatus, TypingStart, encode
from tests.watchdog.fake_rig import FakeRig

DECODER = Decoder("iris", "decode")
POINTS = tuple(Point("iris", "decode", 1, line, "function") for line in range(8))
STATUS, TYPING = encode(GetStatus(b"bob")), encode(TypingStart(b"bob"))
MOST = 1_000
#: All inputs here are whole frames, and this is the right answer to them.
WHOLE = Outcome(Shape(Ended.RETURNED, "{ok,frame,<binary>}", 1), (0,))
LOOPED = Outcome(Shape(Ended.LOOPED, ""))

Decode = Callable[[bytes], tuple[Outcome, bytes]]


def covers(index: int, count: int = 1) -> bytes:
    """Return the coverage of one point."""
    return ((index << 8) | count).to_bytes(4, "big")


def well(_: bytes) -> tuple[Outcome, bytes]:
    return WHOLE, b""


class Alone(PayloadMutator):
    """Asks for what it is given, and for nothing beside it."""

    def relatives(self, data: bytes, other: bytes) -> list[bytes]:
        return [data]


class Decoding(FakeRig):
    """A rig whose fresh nodes have the decoder as well."""

    def __init__(self, decode: Decode, gates: tuple[Gate, ...] = ()) -> None:
        super().__init__({}, POINTS, gates=gates)
        self._decode = decode
        self._teach()

    def recover(self, fresh_node: bool = False) -> Recovery:
        recovery = super().recover(fresh_node)
        self._teach()
        return recovery

    def _teach(self) -> None:
        assert self.agent is not None
        self.agent.decoders[DECODER] = self._decode


class Bench:
    """An engine, and what it has called back."""

    def __init__(
        self,
        folder: Path,
        decode: Decode,
        *seeds: bytes,
        gates: tuple[Gate, ...] = (),
        feedback: bool = True,
    ) -> None:
        self.rig = Decoding(decode, gates)
        self.told: list[Shown] = []
        self.recoveries: list[Recovery] = []
        self.batches = 0
        self.folder = folder
        self.engine = DecoderEngine(
            self.rig.as_rig(), DECODER, DEFAULT, Alone(random.Random(1), lambda data, _: data),
            EvolvedCorpus(folder), self.told.append, self.recoveries.append, self._after, seeds,
            feedback, random.Random(1),
        )  # fmt: skip

    def _after(self) -> None:
        self.batches += 1

    def ask(self, *inputs: bytes) -> None:
        """Hand inputs to the engine, and let it ask for them."""
        for data in inputs:
            self.engine.test_one(data)
        self.engine.flush()

    def kept(self) -> set[bytes]:
        """Return what the cases send that were kept."""
        cases = map(read_case, self.folder.iterdir())
        return {step.data for case in cases for step in case.steps if step.kind is StepKind.SEND}


def test_inputs_are_asked_for_in_batches(tmp_path: Path) -> None:
    bench = Bench(tmp_path, well)
    for _ in range(BATCH - 1):
        bench.engine.test_one(STATUS)
    assert (bench.batches, bench.engine.totals.inputs) == (0, 0)
    bench.engine.test_one(STATUS)
    assert (bench.batches, bench.engine.totals.inputs) == (1, BATCH)
    assert bench.told == []


def test_large_inputs_fill_a_batch_sooner(tmp_path: Path) -> None:
    bench = Bench(tmp_path, well)
    for _ in range(8):
        bench.engine.test_one(encode(TypingStart(bytes(65_535))) * 2)
    assert bench.batches == 1


def test_what_covers_something_new_is_kept_and_credited(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda data: (WHOLE, covers(data[0] & 7)))
    bench.ask(STATUS, TYPING, STATUS)
    assert bench.kept() == {STATUS, TYPING}
    assert (bench.engine.points_covered, bench.engine.covered()) == (2, [0, 5])
    credited = [bench.engine.mutate(b"x", MOST), bench.engine.cross(b"x", b"y", MOST)]
    assert credited == [STATUS, TYPING]
    # What was credited is steered by what it covered, and is not asked for again.
    asked = bench.engine.totals.inputs
    bench.engine.test_one(STATUS)
    assert bench.engine.totals.inputs == asked
    bench.ask(STATUS, TYPING)
    assert len(bench.kept()) == 2


def test_what_other_processes_cover_is_not_credited(tmp_path: Path) -> None:
    calls = iter(range(100))
    # A timer fires while the first call runs, and not while it is repeated.
    bench = Bench(tmp_path, lambda _: (WHOLE, covers(1) if next(calls) == 0 else b""))
    bench.ask(STATUS)
    assert (bench.kept(), bench.engine.points_covered) == (set(), 0)


def test_behind_what_loops_the_rest_is_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda data: (LOOPED if data == TYPING else WHOLE, b""))
    bench.ask(STATUS, TYPING, STATUS, STATUS)
    assert bench.engine.totals.inputs == 4
    (shown,) = bench.told
    assert (shown.inputs, shown.finding.kind) == ((TYPING,), Kind.HANG)


def test_what_ends_the_node_is_found_by_halves_and_held_back(tmp_path: Path) -> None:
    def decode(data: bytes) -> tuple[Outcome, bytes]:
        if data == TYPING:
            bench.rig.target.end = NodeExit(3, None)
            raise AgentError("the agent hung up")
        return WHOLE, b""

    bench = Bench(tmp_path, decode)
    inputs = [STATUS] * 5 + [TYPING] + [STATUS] * 2
    bench.ask(*inputs)
    first, found = bench.told
    assert first.finding.kind is found.finding.kind is Kind.NODE_DOWN
    assert first.inputs == tuple(inputs)  # nothing is lost, should the rest not work
    assert (found.inputs, found.reproduced, found.plays) == ((TYPING,), 1, 1)
    assert "begins with 70" in found.remark
    assert {recovery.how for recovery in bench.recoveries} == {"node"}
    asked = bench.engine.totals.inputs
    bench.ask(TYPING, STATUS)
    assert bench.engine.totals.inputs == asked + 1
    assert len(bench.told) == 2


def test_what_ends_the_node_only_once_is_told_as_all_of_the_batch(tmp_path: Path) -> None:
    ends = iter([True])

    def decode(data: bytes) -> tuple[Outcome, bytes]:
        if data == TYPING and next(ends, False):
            bench.rig.target.end = NodeExit(None, "SIGABRT")
            raise AgentError("the agent hung up")
        return WHOLE, b""

    bench = Bench(tmp_path, decode)
    bench.ask(STATUS, TYPING)
    (shown,) = bench.told
    assert (shown.inputs, shown.plays) == ((STATUS, TYPING), 0)
    bench.ask(TYPING)  # it is asked for again
    assert len(bench.told) == 1


def test_seeds_have_a_counter_of_their_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path, well, STATUS, TYPING)
    assert bench.engine.counters.size == len(POINTS) + 2


def _said(bench: Bench) -> bool:
    """Let a campaign get calm behind one input; tell whether the word of the gate is said then."""
    bench.ask(STATUS)
    assert bench.engine.mutate(b"x", MOST) == STATUS  # the credit
    bench.engine.test_one(STATUS)
    for _ in range(CALM):
        assert b"magic" not in bench.engine.mutate(b"x", MOST)
        bench.ask(TYPING)
    return any(b"magic" in bench.engine.mutate(b"x", MOST) for _ in range(100))


def test_what_came_close_to_a_branch_is_told_what_that_compares_with(tmp_path: Path) -> None:
    gates = (Gate(1, 0, (b"magic",)),)

    def decode(data: bytes) -> tuple[Outcome, bytes]:
        return WHOLE, covers(0) if data == STATUS else b""

    assert _said(Bench(tmp_path / "led", decode, gates=gates))
    assert not _said(Bench(tmp_path / "other", decode))
    blind = Bench(tmp_path / "blind", decode, gates=gates, feedback=False)
    assert not _said(blind)
