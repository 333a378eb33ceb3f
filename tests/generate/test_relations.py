"""The variants of a dialogue by each relation: what is other about them, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from fuzz.case import MSGID_TOKEN, USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.errors import HarnessFault
from fuzz.generate.probes import probes
from fuzz.generate.relations import (
    ABSENT,
    RELATIONS,
    STRANGER,
    UNKNOWN,
    Experiment,
    Variant,
    experiment_of,
    relation_named,
)
from fuzz.generate.seeds import SEEDS
from fuzz.generate.settled import settled
from grammar import (
    Ack,
    Direction,
    Frame,
    ReadReceipt,
    SendMessage,
    SendSeq,
    Stream,
    TypingStart,
    TypingStop,
    UploadPrekeys,
    encode,
)
from tests.generate.support import login, send

A, B = USER_TOKENS[:2]
WAIT = Step(StepKind.WAIT)
TYPING = encode(TypingStart(B))
ACK = encode(Ack(MSGID_TOKEN))
BOTH = (login(), login(B, 1))


def made(relation: str, *steps: Step) -> Experiment:
    found = experiment_of(Case(steps), relation_named(relation))
    assert found is not None
    return found


def by_name(found: Experiment) -> Mapping[str, Variant]:
    return {variant.how: variant for variant in found.variants}


def segments(case: Case, connection: int = 0) -> list[bytes]:
    return [s.data for s in case.steps if s.kind is StepKind.SEND and s.connection == connection]


def said(case: Case, connection: int) -> list[Frame]:
    """Return what a server reads on a connection, as it is cut."""
    stream = Stream(Direction.CLIENT)
    frames = [frame for data in segments(case, connection) for frame in stream.feed(data)]
    assert (stream.pending, stream.fault) == (0, None)
    return frames


def experiments() -> Iterator[tuple[str, Case, Experiment]]:
    for name, case in SEEDS.items():
        for relation in RELATIONS:
            found = experiment_of(case, relation)
            if found is not None:
                yield f"{relation.name}: {name}", case, found


# Of all relations.


def test_an_experiment_is_the_same_each_time_and_ends_with_the_same_probes() -> None:
    count = 0
    for name, case, found in experiments():
        dialogue = settled(case)
        assert dialogue is not None
        behind = probes(dialogue)
        assert found.case == Case((*case.steps, *behind)), name
        for variant in found.variants:
            assert variant.case.steps[-len(behind) :] == behind, name
            assert variant.case.connections() != (), name
        assert experiment_of(case, relation_named(name.partition(":")[0])) == found
        count += 1
    assert count > 100


def test_who_hears_the_same_says_the_same() -> None:
    for name, _, found in experiments():
        for variant in found.variants:
            for connection in found.compared - variant.apart:
                before, now = said(found.case, connection), said(variant.case, connection)
                assert now == before, (name, variant.how)


@pytest.mark.parametrize("relation", [relation.name for relation in RELATIONS])
def test_nothing_is_asked_of_what_is_not_settled(relation: str) -> None:
    assert experiment_of(Case((login(), Step(StepKind.RESET))), relation_named(relation)) is None


def test_an_unknown_relation_is_a_fault_of_ours() -> None:
    with pytest.raises(HarnessFault, match="knows no relation 'mirror'"):
        relation_named("mirror")


# Recut.


def test_segments_that_follow_one_another_are_joined() -> None:
    found = by_name(made("recut", *BOTH, send(TYPING[:1]), send(TYPING[1:]), send(TYPING)))
    assert segments(found["joined"].case) == [TYPING * 2]
    assert segments(found["cut between frames"].case) == [TYPING, TYPING]


def test_frames_are_cut_at_places_of_each_kind() -> None:
    receipt = encode(ReadReceipt(b"mid", B))
    found = by_name(made("recut", *BOTH, send(receipt)))
    cut = {how: [len(part) for part in segments(one.case)] for how, one in found.items()}
    assert cut == {
        "cut behind each opcode": [1, 15],
        "cut within each length": [2, 5, 9],
        "cut behind each length": [3, 5, 8],
        "cut within each content": [4, 12],
        "cut byte by byte": [1, 1, 1, 1, 1, 1, 1, 1, 8],
    }
    assert {how: one.apart for how, one in found.items()} == dict.fromkeys(cut, frozenset())


def test_an_ack_is_neither_cut_nor_joined_to_what_follows() -> None:
    found = made("recut", *BOTH, WAIT, send(TYPING + ACK), send(TYPING))
    for variant in found.variants:
        parts = segments(variant.case)
        assert sum(part.endswith(ACK) for part in parts) == 1
        assert not any(ACK in part and not part.endswith(ACK) for part in parts)


def test_an_id_is_not_cut_from_its_length() -> None:
    counted = len(MSGID_TOKEN).to_bytes(2, "big") + MSGID_TOKEN
    receipt = encode(ReadReceipt(MSGID_TOKEN, B))
    for variant in made("recut", *BOTH, WAIT, send(receipt)).variants:
        assert sum(counted in part for part in segments(variant.case)) == 1


def test_what_goes_over_a_websocket_keeps_its_messages() -> None:
    opened = Step(StepKind.OPEN, value=int(Transport.WEBSOCKET))
    assert experiment_of(Case((opened, login(), send(TYPING))), relation_named("recut")) is None
    mixed = made("recut", opened, *BOTH, send(TYPING), send(TYPING, 1))
    assert {tuple(segments(variant.case)) for variant in mixed.variants} == {(TYPING,)}
    assert len({tuple(segments(variant.case, 1)) for variant in mixed.variants}) > 3


def test_what_is_sent_by_nobody_is_not_cut() -> None:
    assert experiment_of(Case((login(),)), relation_named("recut")) is None


# Unknown.


def test_each_client_and_a_stranger_writes_to_a_user_whom_nobody_knows() -> None:
    found = made("unknown", *BOTH, send(TYPING), send(encode(TypingStop(B))))
    assert [one.apart for one in found.variants] == [{0}, {1}, frozenset()]
    for variant, connection in zip(found.variants, (0, 1, 5), strict=True):
        writing = [part for part in segments(variant.case, connection) if UNKNOWN in part]
        assert len(writing) >= 3
        assert all(part == writing[0] for part in writing)
    assert not any(UNKNOWN in step.data for step in found.case.steps)


def test_only_a_stranger_says_what_a_sender_may_have_one_of() -> None:
    found = made("unknown", *BOTH, send(TYPING))
    mine, others, strangers = (
        {type(frame) for frame in said(variant.case, connection) if _names_unknown(frame)}
        for variant, connection in zip(found.variants, (0, 1, 5), strict=True)
    )
    assert mine == others
    assert strangers - mine == {SendSeq, TypingStart, TypingStop}


def _names_unknown(frame: Frame) -> bool:
    return UNKNOWN in (getattr(frame, name, b"") for name in ("target", "user", "sender"))


def test_nothing_is_put_into_a_frame_that_is_half_said() -> None:
    found = made("unknown", *BOTH, send(TYPING[:2]), send(TYPING[2:]))
    mine = segments(found.variants[0].case)
    assert mine.index(TYPING[2:]) == mine.index(TYPING[:2]) + 1


def test_over_a_websocket_each_frame_for_the_unknown_is_a_message() -> None:
    opened = Step(StepKind.OPEN, value=int(Transport.WEBSOCKET))
    found = made("unknown", opened, login(), send(TYPING))
    for part in segments(found.variants[0].case):
        assert len(Stream(Direction.CLIENT).feed(part)) == 1


# Stranger.


def test_a_stranger_talks_on_a_connection_of_its_own_to_users_of_its_own() -> None:
    found = by_name(made("stranger", *BOTH, send(TYPING)))
    assert set(found) == {
        "a stranger's frames are interleaved",
        "a stranger's frames are repeated",
        "a stranger's frames are delayed",
        "others lead the same dialogue",
    }
    once = said(found["a stranger's frames are interleaved"].case, 5)
    assert {type(frame) for frame in once} >= {UploadPrekeys, SendMessage, TypingStart}
    named = {getattr(frame, "target", ABSENT) for frame in once}
    assert named == {ABSENT}
    assert len(said(found["a stranger's frames are repeated"].case, 5)) == 2 * len(once)
    late = found["a stranger's frames are delayed"].case
    assert said(late, 5) == once
    assert any(step.kind is StepKind.PAUSE for step in late.steps)
    assert all(step.connection == 5 for step in late.steps if step.data == STRANGER)


def test_others_lead_the_same_dialogue_step_by_step() -> None:
    found = by_name(made("stranger", *BOTH, send(TYPING)))["others lead the same dialogue"]
    ours, theirs = found.case.steps[:6:2], found.case.steps[1:6:2]
    assert ours == (*BOTH, send(TYPING))
    mirrored = encode(TypingStart(b"<user:J>"))
    assert theirs == (login(b"<user:I>", 5), login(b"<user:J>", 6), send(mirrored, 5))


@pytest.mark.parametrize("seed", ["dialogue-group-chat", "op-03-ack"])
def test_where_an_id_is_named_no_other_comes_to_take_its_place(seed: str) -> None:
    found = experiment_of(SEEDS[seed], relation_named("stranger"))
    assert found is not None
    assert "others lead the same dialogue" not in by_name(found)


# Again.


def test_a_second_play_is_the_case_itself() -> None:
    found = made("again", *BOTH, send(TYPING))
    assert [one.case for one in found.variants] == [found.case]
