"""Operations on where clients connect; with one edge there are none."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from fuzz.case import Case, Step, StepKind, Transport, decode_case, encode_case, opening
from fuzz.generate import edges
from fuzz.generate.dialogues import make_up
from fuzz.generate.draft import MAX_STEPS, Draft
from fuzz.generate.mutate import CLUSTER_OPERATIONS, OPERATIONS, Mutator
from fuzz.generate.seeds import SEEDS
from tests.generate.support import A, B, byte_mutator, draft_of

HERE, THERE = Step(StepKind.LOGIN, 0, A), Step(StepKind.LOGIN, 1, B)


def draft(*steps: Step, number: int = 2) -> Draft:
    return replace(draft_of(*steps), edges=number)


def test_connections_take_turns_with_the_edges() -> None:
    third = Step(StepKind.SEND, 5, b"x")
    made = edges.spread(Case((HERE, THERE, third)), 2)
    assert made.steps == (HERE, opening(1, edge=1), THERE, third)
    assert edges.spread(made, 2) == made
    assert edges.spread(made, 3).steps == (
        HERE, opening(1, edge=1), THERE, opening(5, edge=2), third,
    )  # fmt: skip
    assert edges.spread(Case((opening(1, Transport.WEBSOCKET), THERE, HERE)), 2).steps == (
        opening(1, Transport.WEBSOCKET), THERE, opening(0, edge=1), HERE,
    )  # fmt: skip


def test_one_connection_goes_to_another_edge_and_back() -> None:
    changed = draft(opening(0, Transport.WEBSOCKET), HERE)
    assert _until(changed, edges.other_edge)
    assert changed.steps == [opening(0, Transport.WEBSOCKET, 1), HERE]
    assert _until(changed, edges.other_edge)
    assert changed.steps == [opening(0, Transport.WEBSOCKET), HERE]
    bare = draft(HERE)
    assert _until(bare, edges.other_edge)
    assert bare.steps == [opening(0, edge=1), HERE]


def test_a_case_that_is_full_stays_as_it_is() -> None:
    full = draft(*[HERE] * (MAX_STEPS - 1), THERE)
    assert not edges.spread_out(full)
    assert full.steps[-1] == THERE
    assert not edges.spread_out(draft(HERE))


def test_with_one_edge_nothing_changes() -> None:
    cases = list(SEEDS.values())
    plain, with_edges = (Mutator(Random(3), byte_mutator(3), edges=n) for n in (1, 2))
    default = Mutator(Random(3), byte_mutator(3))
    for case in cases:
        assert plain.mutate(case, 4_096) == default.mutate(case, 4_096)
        assert plain.dialogue(4_096) == default.dialogue(4_096)
    assert set(CLUSTER_OPERATIONS) - set(OPERATIONS) == set(edges.OPERATIONS)
    made = [with_edges.dialogue(4_096) for _ in range(100)]
    over_two = [case for case in made if case.edges() == 2]
    assert len(over_two) > 50
    assert all(decode_case(encode_case(case)) == case for case in over_two)


def test_users_of_a_dialogue_are_on_different_edges() -> None:
    made = draft()
    made.rng = Random(1)
    assert make_up(made)
    opened = {step.connection: step.edge for step in made.steps if step.kind is StepKind.OPEN}
    assert set(opened.values()) == {1}


def test_seeds_of_several_clients_are_there_once_more() -> None:
    single, pair = encode_case(Case((HERE,))), encode_case(Case((HERE, THERE)))
    seeds = [single, pair, b"IRISCASE damaged"]
    assert list(edges.spread_seeds(seeds, 1)) == []
    (more,) = edges.spread_seeds(seeds, 2)
    assert decode_case(more).steps == (HERE, opening(1, edge=1), THERE)


def _until(made: Draft, operation: object) -> bool:
    return any(edges.other_edge(made) for _ in range(64))
