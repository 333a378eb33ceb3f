"""The mutator as a whole: always a playable case, by chance alone, from any beginning."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.case import MAX_PAUSE_MS, Case, Step, StepKind, decode_case, encode_case
from fuzz.generate import mutate as module
from fuzz.generate.constants import Saying
from fuzz.generate.draft import MAX_STEPS, Draft, Operation, encoded_size
from fuzz.generate.mutate import CONSTANTS, CROSS, FAMILIES, MIN_BYTES, OPERATIONS, Mutator
from fuzz.generate.seeds import SEEDS
from fuzz.generate.values import fresh_frame
from fuzz.settings import FAMILIES as NAMED
from grammar import ClientOpcode, Direction, decode
from tests.generate.support import RICH, byte_mutator, on

ROOT = Path(__file__).resolve().parents[2]

steps = st.one_of(
    st.builds(
        Step,
        st.sampled_from([StepKind.LOGIN, StepKind.SEND, StepKind.WAIT, StepKind.RESET]),
        st.integers(0, 63),
        st.binary(max_size=80),
    ),
    st.builds(Step, st.just(StepKind.PAUSE), value=st.integers(0, MAX_PAUSE_MS)),
    st.builds(Step, st.just(StepKind.OPEN), st.integers(0, 3), value=st.integers(0, 1)),
)
cases = st.one_of(
    st.builds(Case, st.lists(steps, max_size=8).map(tuple)),
    st.binary(min_size=1, max_size=200).map(lambda data: decode_case(b"\x02" + data)),
    st.sampled_from(list(SEEDS.values())),
)


#: Bytes and numbers that fit somewhere, and some that fit nowhere.
WORDS = (b"GP", b"\xff\xfe", b"w" * 64, b"\x1a", 0, 3, -7, 65_535, 2**32, 2**64 - 1, -(2**63))


def check(case: Case, max_bytes: int) -> None:
    data = encode_case(case)
    assert decode_case(data) == case
    assert len(data) == encoded_size(case.steps) <= max(max_bytes, MIN_BYTES)
    assert len(case.steps) <= MAX_STEPS
    assert not case.raw


def mutator(seed: int) -> Mutator:
    return Mutator(Random(seed), byte_mutator(seed))


@settings(max_examples=150)
@given(cases, cases, st.integers(0, 2**32), st.sampled_from([0, 27, 40, 120, 4_000, 200_000]))
def test_any_case_gives_a_case_within_the_limits(a: Case, b: Case, seed: int, most: int) -> None:
    chance = mutator(seed)
    for _ in range(10):
        a = chance.mutate(a, most)
        check(a, most)
        check(chance.cross(a, b, most), most)
        check(chance.say(a, Saying(WORDS, (b"ik",), (b"k", b"n")), most), most)


def test_a_long_walk_stays_within_the_limits_and_does_not_dwindle() -> None:
    chance = mutator(1)
    case = Case(())
    sizes = set()
    for number in range(4_000):
        case = chance.mutate(case, 3_000)
        if number % 20 == 0:
            check(case, 3_000)
        sizes.add(len(case.steps))
    assert len(sizes) > 10


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_mutation_is_another_case(name: str) -> None:
    chance = mutator(5)
    same = sum(chance.mutate(SEEDS[name], 50_000) == SEEDS[name] for _ in range(200))
    # Two stacked operations may undo one another, which is rare.
    assert same <= 6


def test_the_same_seed_gives_the_same_cases() -> None:
    def walk(seed: int) -> list[Case]:
        chance = mutator(seed)
        case, out = RICH, []
        for number in range(300):
            case = (
                chance.cross(case, RICH, 9_000) if number % 5 == 0 else chance.mutate(case, 9_000)
            )
            out.append(case)
        return out

    assert walk(3) == walk(3)
    assert walk(3) != walk(4)


_MADE = """
from hashlib import sha1
from random import Random
from fuzz.case import encode_case
from fuzz.generate.mutate import Mutator
from tests.generate.support import RICH, byte_mutator
mutator = Mutator(Random(3), byte_mutator(3))
made = [mutator.dialogue(9_000) for _ in range(40)]
made += [mutator.mutate(RICH, 9_000) for _ in range(400)]
print(sha1(b"".join(map(encode_case, made))).hexdigest())
"""


def test_the_same_seed_gives_the_same_cases_in_another_process() -> None:
    """A set of strings has another order in each process; chance may not go by it."""

    def run(hashes: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        command = [sys.executable, "-c", _MADE]
        return subprocess.check_output(command, env=environment, cwd=ROOT, text=True, timeout=60)

    assert run("0") == run("1")


def test_an_empty_case_begins_with_a_login_and_one_segment() -> None:
    chance = mutator(0)
    opcodes = set()
    for _ in range(400):
        case = chance.mutate(Case(()), 5_000)
        login, *rest = case.steps
        assert login == Step(StepKind.LOGIN, 0, b"<user:A>")
        assert all(step.kind is StepKind.SEND for step in rest)
        assert len(rest) <= 1
        assert encoded_size(case.steps) < 9_000
        opcodes |= {step.data[0] for step in rest}
    assert len(opcodes) > 18


def test_crossing_keeps_parts_of_both() -> None:
    chance = mutator(2)
    a = Case((Step(StepKind.LOGIN, 0, b"<user:A>"), Step(StepKind.SEND, 0, b"\x05\0\x03aaa")))
    b = Case((Step(StepKind.LOGIN, 0, b"<user:A>"), Step(StepKind.SEND, 0, b"\x05\0\x03bbb")))
    both = 0
    for _ in range(200):
        data = encode_case(chance.cross(a, b, 5_000))
        both += b"aaa" in data and b"bbb" in data
    assert both > 80


def test_growing_repeats_what_is_there_or_else_mutates() -> None:
    case = SEEDS["op-05-get-status"]
    mutator = Mutator(Random(1), byte_mutator(1))
    sizes = [len(encode_case(mutator.grow(case, 100_000))) for _ in range(200)]
    before = len(encode_case(case))
    assert sum(size > before + 100 for size in sizes) > 30
    assert any(size < before for size in sizes)


def test_a_byte_mutator_that_returns_too_much_is_cut_short() -> None:
    chance = Mutator(Random(0), lambda data, most: b"Z" * (most + 1_000))
    for case in (Case(()), RICH):
        for _ in range(500):
            check(chance.mutate(case, 700), 700)


def test_names_are_unique_and_weights_count() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(operation.weight > 0 for operation in OPERATIONS)


def test_every_operation_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[str] = set()

    def spy(operation: Operation) -> Operation:
        def apply(draft: Draft) -> bool:
            drawn.add(operation.name)
            return operation.apply(draft)

        return replace(operation, apply=apply)

    monkeypatch.setattr(module, "OPERATIONS", tuple(spy(operation) for operation in OPERATIONS))
    chance = mutator(8)
    for _ in range(6_000):
        chance.mutate(RICH, 20_000)
    assert drawn == {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_changes_a_suitable_case_and_says_so(operation: Operation) -> None:
    changed = 0
    for seed in range(150):
        draft = on(RICH, seed)
        if operation.apply(draft):
            assert tuple(draft.steps) != RICH.steps
            changed += 1
    assert changed > 10


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_bears_a_case_that_has_nothing_for_it(operation: Operation) -> None:
    for base in ((Step(StepKind.WAIT),), (Step(StepKind.SEND, 0, b"\x99"),), ()):
        for seed in range(20):
            draft = on(Case(base), seed)
            operation.apply(draft)
            assert len(draft.steps) <= MAX_STEPS


def test_fresh_frames_stay_in_the_grammar() -> None:
    kinds, sizes = set(), set()
    for seed in range(2_000):
        data = fresh_frame(on(RICH, seed))
        (frame,) = decode(data, Direction.CLIENT)
        kinds.add(type(frame).__name__)
        sizes.add(len(data))
    assert len(kinds) == len(ClientOpcode)
    assert min(sizes) < 10
    assert max(sizes) > 1_024, "some fields are as long as a limit"


def test_large_fields_are_rare() -> None:
    chance = mutator(6)
    large = sum(encoded_size(chance.mutate(RICH, 160_000).steps) > 16_384 for _ in range(8_000))
    assert 0 < large < 160


def test_the_families_are_those_that_the_settings_name_and_together_all_there_is() -> None:
    assert (*FAMILIES, CROSS, CONSTANTS) == NAMED
    assert [o for family in FAMILIES.values() for o in family] == list(OPERATIONS)
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def test_with_families_of_fields_a_case_keeps_its_shape() -> None:
    chance = Mutator(Random(1), byte_mutator(1), families=("fields", "items"))
    shape = [(step.kind, step.connection) for step in RICH.steps]
    made = [chance.mutate(RICH, 4_000) for _ in range(200)]
    made += [chance.cross(RICH, case, 4_000) for case in made]
    assert all([(s.kind, s.connection) for s in case.steps] == shape for case in made)
    assert len(set(made)) > 100


def test_a_word_of_the_node_is_said_somewhere_and_in_many_ways() -> None:
    chance = mutator(3)
    said = [chance.say(RICH, Saying((b"\x03GP!",)), 4_000) for _ in range(400)]
    assert sum(b"\x03GP!" in encode_case(case) for case in said) > 320
    assert len(set(said)) > 200
    # Now and then in a segment of its own, behind what was said before.
    assert 50 < sum(len(case.steps) > len(RICH.steps) for case in said) < 200


def test_constants_are_said_unless_other_families_are_named() -> None:
    assert mutator(1).says
    assert Mutator(Random(1), byte_mutator(1), families=("fields", "constants")).says
    assert not Mutator(Random(1), byte_mutator(1), families=("fields", "items")).says


def test_with_bytes_alone_one_segment_changes_and_nothing_else() -> None:
    chance = Mutator(Random(1), byte_mutator(1), families=("bytes",))
    for _ in range(100):
        made = chance.mutate(RICH, 4_000)
        others = [step for step in RICH.steps if step.kind is not StepKind.SEND]
        assert [step for step in made.steps if step.kind is not StepKind.SEND] == others
