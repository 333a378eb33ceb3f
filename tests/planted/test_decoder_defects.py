"""Each planted defect of the decoder is found when it is called, and told by its reason."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.case import StepKind, encode_case
from fuzz.decoding import DEFAULT
from fuzz.engines.arbiter import Shown
from fuzz.engines.decoder import DecoderEngine
from fuzz.engines.libfuzzer import MAX_BYTES
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.payload import PayloadMutator
from fuzz.generate.seeds import SEEDS
from fuzz.rig import Rig
from fuzz.settings import TargetSettings
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.crashes import CrashStore
from fuzz.target.planted import REFERENCE_DECODER, planted_defects
from fuzz.triage.replay import Replayer, Verdict
from tests.planted.decoder_cases import DECODER_CASES, DECODER_EXPECTED
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.support import Bench, bench

#: Those that cost seconds each time an input comes across them.
_SLOW = frozenset({"decode_loops", "decode_heap"})
#: Inputs by which the others are found, several times over; and for a correct decoder to be silent.
_INPUTS, _SILENT = 120_000, 30_000
#: That which stands behind five checks of its own; inputs by which it is found, with room to spare,
#: and as many as that takes, where a million would not do without what the branches compare with.
_LATER, _STAGED, _BLIND = "decode_later", 400_000, 150_000


@pytest.fixture(scope="module")
def planted() -> Iterator[Bench]:
    """One node with all of them: no two are about the same frame."""
    with bench(*DECODER_CASES) as made:
        yield made


@pytest.fixture(scope="module")
def kinds() -> dict[str, Kind]:
    """The kind that the embedded target's own table states for each defect."""
    return {defect.name: Kind(defect.kind) for defect in planted_defects() if defect.decoder}


def test_each_has_a_case(kinds: dict[str, Kind]) -> None:
    assert set(kinds) == set(DECODER_CASES)


@pytest.mark.parametrize("name", sorted(DECODER_CASES))
def test_a_defect_of_the_decoder_is_one_finding_with_its_kind_and_reason(
    planted: Bench, kinds: dict[str, Kind], name: str
) -> None:
    reason, origin, says = DECODER_EXPECTED[name]
    (finding,) = planted.judge(DECODER_CASES[name][1], Cause("decoder", reason, origin))
    assert finding.kind is kinds[name]
    assert (finding.cause.reason, finding.cause.origin) == (reason, origin)
    assert says in finding.title
    assert finding.fingerprint == FINGERPRINTS[name], finding.cause
    assert planted.recoveries == []


def test_a_saved_case_is_judged_by_calling_the_decoder_again(
    planted: Bench, tmp_path: Path
) -> None:
    reason, origin, _ = DECODER_EXPECTED["decode_short"]
    case = DECODER_CASES["decode_short"][1]
    (finding,) = planted.judge(case, Cause("decoder", reason, origin))
    context = planted.rig.context(TargetSettings(port=0))
    saved = CrashStore(tmp_path).save(encode_case(case), finding, context)
    result = Replayer(planted.rig).replay(saved.path, plays=2)
    assert (result.verdict, result.shown) == (Verdict.FAILED, 2)
    # Without what is known of it, it is a client that closes in the middle of a frame.
    alone = tmp_path / "alone"
    alone.write_bytes(encode_case(case))
    assert Replayer(planted.rig).replay(alone, plays=1).verdict is Verdict.FIXED


def _flip(chance: random.Random) -> PayloadMutator:
    def mutate(data: bytes, _most: int) -> bytes:
        changed = bytearray(data)
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)

    return PayloadMutator(chance, mutate)


def _searched(
    rig: Rig, folder: Path, wanted: int, inputs: int, feedback: bool = True
) -> dict[str, Finding]:
    """Call the decoder until so many findings are told, or with all ``inputs``; return them."""
    chance = random.Random(7)
    mutator = _flip(chance)
    told: dict[str, Finding] = {}

    def found(shown: Shown) -> None:
        told.setdefault(shown.finding.fingerprint, shown.finding)

    pool = [
        step.data
        for case in SEEDS.values()
        for step in case.steps
        if step.kind is StepKind.SEND and step.data
    ]
    engine = DecoderEngine(
        rig, REFERENCE_DECODER, DEFAULT, mutator, EvolvedCorpus(folder), found,
        lambda _: pytest.fail("the node was restarted"), lambda: None, pool, feedback, chance,
    )  # fmt: skip
    for data in pool:
        engine.test_one(data)
    while engine.totals.inputs < inputs and len(told) < wanted:
        engine.test_one(engine.mutate(chance.choice(pool), MAX_BYTES))
    assert engine.totals.kept == len(list(folder.iterdir())) > 0
    assert engine.points_covered > 0
    return told


def test_the_search_finds_them(tmp_path: Path) -> None:
    names = sorted(set(DECODER_CASES) - _SLOW - {_LATER})
    with bench(*names) as made:
        told = _searched(made.rig, tmp_path / "kept", len(names), _INPUTS)
    assert set(told) == {FINGERPRINTS[name] for name in names}


def test_what_branches_compare_with_leads_behind_what_the_grammar_does_not_know(
    tmp_path: Path,
) -> None:
    with bench(_LATER) as made:
        assert _searched(made.rig, tmp_path / "blind", 1, _BLIND, feedback=False) == {}
        told = _searched(made.rig, tmp_path / "led", 1, _STAGED)
    assert set(told) == {FINGERPRINTS[_LATER]}


def test_of_a_correct_decoder_nothing_is_said(tmp_path: Path) -> None:
    with bench() as clean:
        assert _searched(clean.rig, tmp_path / "kept", 1, _SILENT) == {}
