"""On the clean target no law speaks: not of the seeds, nor of what becomes of them."""

from __future__ import annotations

import random

from fuzz.engines.libfuzzer import MAX_BYTES
from fuzz.generate.mutate import Mutator
from fuzz.generate.seeds import SEEDS
from fuzz.oracles.laws import judge_laws
from tests.planted.support import bench

#: Plays: enough to meet what made a law speak wrongly while it was written, within seconds.
BATCHES = 100


def _flip(chance: random.Random) -> Mutator:
    def mutate(data: bytes, _most: int) -> bytes:
        changed = bytearray(data)
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)

    return Mutator(chance, mutate)


def test_no_law_speaks_of_a_correct_server() -> None:
    chance = random.Random(20)
    mutator, pool = _flip(chance), list(SEEDS.values())
    with bench() as clean:
        for name, case in SEEDS.items():
            (observation,) = clean.rig.play([case])
            assert (name, judge_laws(observation)) == (name, ())
        for _ in range(BATCHES):
            cases = [mutator.mutate(chance.choice(pool), MAX_BYTES) for _ in range(16)]
            for case, observation in zip(cases, clean.rig.play(cases), strict=True):
                assert judge_laws(observation) == (), case
            pool += [case for case in cases[:2] if len(case.steps) < 24]
