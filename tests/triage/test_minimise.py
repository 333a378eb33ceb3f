"""Minimising, against judges that are predicates: what is left is what they look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.case import Case, Step, StepKind, Transport, encode_case, opening
from fuzz.clock import FakeClock
from fuzz.generate.seeds import SEEDS
from fuzz.triage.minimise import Minimised, minimise
from fuzz.triage.pattern_frames import frames_of
from fuzz.triage.reduce import Budget, Reduction, Size, Trials, size_of, units, weight
from fuzz.triage.reduce_bytes import drop_frames
from fuzz.watchdog.merge import merge
from grammar import (
    BatchSend,
    CborMsg,
    ClientFrame,
    Direction,
    E2eeMsg,
    SendMessage,
    SendSeq,
    TypingStart,
    UploadPrekeys,
    cbor,
    decode,
    encode,
)
from grammar.errors import GrammarError
from tests.triage.judges import A, B, FakeJudge, by_frame, login, opened, pause, send

PLENTY = Budget(plays=20_000, seconds=1e9)

quick = settings(max_examples=60)

#: Around what is wrong, what a campaign leaves: other users, other frames, waits, cuts.
BLOAT = merge([SEEDS["dialogue-offline-message"], SEEDS["op-20-upload-prekeys"]]).steps


def run(case: Case, judge: FakeJudge, plays: int = 1) -> Minimised:
    return minimise(case, judge, PLENTY, judge.clock, plays)


def long_target(case: Case) -> bool:
    return any(
        frame.opcode == 0x70 and int.from_bytes(frame.data[1:3], "big") >= 257
        for frame in frames_of(case)
    )


def test_what_has_no_part_in_it_is_left_out() -> None:
    frames = encode(SendMessage(B, b"hello")) + encode(TypingStart(b"u" * 300))
    bloated = Case((*BLOAT, login(A, 40), send(frames, 40), Step(StepKind.WAIT, 40)))
    result = run(bloated, FakeJudge(long_target))
    assert result.case == Case((send(b"\x70\x01\x01"),))
    assert result.before == size_of(bloated)
    assert result.after == Size(connections=1, steps=1, frames=1, bytes=3)
    assert result.complete


def test_lengths_around_a_shortened_field_are_repaired() -> None:
    case = Case((send(encode(CborMsg(B, cbor.dumps({"type": "text", "body": "x" * 90})))),))

    def whole_and_long(case: Case) -> bool:
        return any(
            frame.opcode == 0x10
            and len(frame.data) >= 3 + 1 + 4 + 20
            and int.from_bytes(frame.data[1:3], "big") >= 1
            and frame.data[-20:-19] != b""
            and _adds_up(frame.data)
            for frame in frames_of(case)
        )

    result = run(case, FakeJudge(whole_and_long))
    (step,) = result.case.steps
    assert step.data[:8] == b"\x10\x00\x01a\x00\x00\x00\x14"
    assert len(step.data) == 8 + 20


def _adds_up(frame: bytes) -> bool:
    name = int.from_bytes(frame[1:3], "big")
    return int.from_bytes(frame[3 + name : 7 + name], "big") == len(frame) - 7 - name


def test_a_map_that_must_be_one_becomes_the_empty_one() -> None:
    case = Case((send(encode(CborMsg(B, cbor.dumps({"type": "text", "body": "x" * 90})))),))

    def has_a_map(case: Case) -> bool:
        try:
            frames = decode(b"".join(step.data for step in case.steps), Direction.CLIENT)
            maps = [cbor.loads(f.payload) for f in frames if isinstance(f, CborMsg)]
        except (GrammarError, ValueError):
            return False
        return bool(maps) and all(isinstance(item, dict) for item in maps)

    assert run(case, FakeJudge(has_a_map)).case == Case((send(encode(CborMsg(b"", b"\xa0"))),))


def test_items_that_have_no_part_in_it_are_left_out_whatever_their_size() -> None:
    """Two keys and four fetches, where one key and three do: no single byte of it can go."""
    keys = {"id": b"i" * 32, "keys": [b"k" * 32, b"k" * 32], "more": {"n": [1, 2, 3]}}

    def has_an_id_and_a_key(case: Case) -> bool:
        try:
            (frame,) = decode(b"".join(step.data for step in case.steps), Direction.CLIENT)
            held = cbor.loads(getattr(frame, "bundle", b""))
        except (GrammarError, ValueError):
            return False
        listed = held.get("keys") if isinstance(held, dict) else None
        return isinstance(listed, list) and len(listed) > 0 and listed[0] == b"k" * 32

    case = Case((send(encode(UploadPrekeys(cbor.dumps(keys)))),))
    smallest = Case((send(encode(UploadPrekeys(cbor.dumps({"keys": [b"k" * 32]})))),))
    assert run(case, FakeJudge(has_an_id_and_a_key)).case == smallest


def test_an_item_that_refers_to_itself_is_left_to_the_bytes() -> None:
    case = Case((send(encode(CborMsg(B, bytes.fromhex("d81c81d81d00")))),))
    judge = FakeJudge(lambda asked: bytes.fromhex("d81c81d81d00") in asked.steps[0].data)
    assert run(case, judge).case.steps[0].data.endswith(bytes.fromhex("d81c81d81d00"))


def test_a_length_that_lies_is_kept_and_is_the_smallest_lie() -> None:
    def lies(case: Case) -> bool:
        batches = [frame.data for frame in frames_of(case) if frame.opcode == 0x04]
        inner = [data[7 + data[2] :][:2] for data in batches if len(data) > 2]
        return any(len(length) == 2 and length > b"\x00\x40" for length in inner)

    broken = encode(BatchSend(B, (b"one",)))[:-5] + b"\xff\xff" + b"one"
    result = run(Case((login(), send(broken))), FakeJudge(lies))
    (step,) = result.case.steps
    assert step.data.endswith(b"\x00\x41")


def test_two_connections_become_one_where_one_is_enough() -> None:
    def both(case: Case) -> bool:
        sent = b"".join(step.data for step in case.steps if step.kind is StepKind.SEND)
        return b"\x70" in sent and b"\x71" in sent

    case = Case((login(), login(B, 1), send(b"\x70\x00\x00"), send(b"\x71\x00\x00", 1)))
    assert run(case, FakeJudge(both)).after == Size(1, 1, 1, 2)


def test_two_connections_stay_where_two_are_needed() -> None:
    def apart(case: Case) -> bool:
        where = {s.data[0]: s.connection for s in case.steps if s.kind is StepKind.SEND}
        return {0x70, 0x71} <= where.keys() and where[0x70] != where[0x71]

    case = Case((login(A, 5), login(B, 3), send(b"\x70\x00\x00", 5), send(b"\x71\x00\x00", 3)))
    result = run(case, FakeJudge(apart))
    assert result.case == Case((send(b"\x70", 0), send(b"\x71", 1)))


def test_cuts_are_joined_unless_they_are_needed() -> None:
    case = Case((send(b"\x70\x00"), send(b"\x02zz"), send(b"\x71\x00\x00")))
    anywhere = FakeJudge(lambda case: b"\x70\x00\x02" in b"".join(s.data for s in case.steps))
    assert run(case, anywhere).case == Case((send(b"\x70\x00\x02"),))
    needed = FakeJudge(lambda case: any(frame.cut for frame in frames_of(case)))
    assert size_of(run(case, needed).case).steps == 2


def test_users_are_as_few_as_can_be_and_named_in_order() -> None:
    three = b"<user:C>", b"<user:D>", b"<user:E>"
    case = Case(tuple(login(user, number) for number, user in enumerate(three)))

    def two_apart(case: Case) -> bool:
        return len({step.data for step in case.steps if step.kind is StepKind.LOGIN}) == 2

    assert not run(case, FakeJudge(two_apart)).shown
    more = FakeJudge(lambda case: len({s.data for s in case.steps if len(s.data) == 8}) >= 2)
    assert [step.data for step in run(case, more).case.steps] == [A, B]


def test_a_plain_transport_and_a_short_pause_are_enough() -> None:
    case = Case((opened(), login(), pause(1_900), send(b"\x05\x00\x00")))

    def slow(case: Case) -> bool:
        waits = sum(step.value for step in case.steps if step.kind is StepKind.PAUSE)
        return waits >= 120 and any(step.data[:1] == b"\x05" for step in case.steps)

    assert run(case, FakeJudge(slow)).case == Case((pause(120), send(b"\x05")))


def test_a_transport_that_is_needed_stays() -> None:
    def raw(case: Case) -> bool:
        return any(step.kind is StepKind.OPEN and step.value for step in case.steps)

    case = Case((opened(transport=Transport.WEBSOCKET_RAW), login(), send(b"\x05")))
    assert run(case, FakeJudge(raw)).case == Case((opened(),))


def test_the_first_edge_is_tried_and_an_edge_that_is_needed_stays() -> None:
    def opens(edge: int, transport: int) -> FakeJudge:
        return FakeJudge(
            lambda case: any(
                step.kind is StepKind.OPEN and step.edge >= edge and step.transport >= transport
                for step in case.steps
            )
        )

    case = Case((opening(0, Transport.WEBSOCKET, 3), login(), send(b"\x05")))
    assert run(case, opens(0, 1)).case == Case((opening(0, Transport.WEBSOCKET),))
    assert run(case, opens(1, 0)).case == Case((opening(0, Transport.TCP, 1),))
    assert run(case, opens(1, 1)).case == Case((opening(0, Transport.WEBSOCKET, 1),))


def test_a_segment_that_logs_in_becomes_a_step_and_its_user_keeps_a_fresh_name() -> None:
    def logged_in(case: Case) -> bool:
        return any(frame.opcode == 0x70 and frame.user for frame in frames_of(case))

    case = Case((send(b"\x01" + B + b":token"), send(encode(TypingStart(b"bob")))))
    assert run(case, FakeJudge(logged_in)).case == Case((login(A), send(b"\x70")))


def test_numbers_and_bytes_become_the_plainest_that_still_show_it() -> None:
    def large(case: Case) -> bool:
        return any(
            frame.opcode == 0x07
            and len(frame.data) >= 13
            and frame.data[3:11] >= b"\0" * 6 + b"\1\0"
            for frame in frames_of(case)
        )

    case = Case((send(encode(SendSeq(b"", 77_777, b"Zz"))),))
    (step,) = run(case, FakeJudge(large)).case.steps
    assert step.data[3:11] == (256).to_bytes(8, "big")


def test_a_case_that_does_not_show_its_finding_stays_as_it_is() -> None:
    case = SEEDS["dialogue-offline-message"]
    result = run(case, FakeJudge(lambda _: False), plays=3)
    assert result.case is case
    assert (result.shown, result.plays) == (False, 3)
    assert result.sentence() == "not minimised: the case did not show its finding in 3 plays"


def test_it_says_by_how_much_the_case_shrank() -> None:
    case = Case((login(), send(encode(TypingStart(b"u" * 300))), login(B, 1)))
    result = run(case, FakeJudge(long_target))
    assert result.sentence() == (
        "minimised to 1 connection (from 2), 1 step (from 3), 1 frame, 3 bytes (from 319), "
        f"in {result.plays} plays"
    )


@pytest.mark.parametrize("budget", [Budget(plays=7, seconds=1e9), Budget(plays=99, seconds=0.2)])
def test_the_budget_ends_it_with_a_case_that_shows(budget: Budget) -> None:
    judge = FakeJudge(long_target, seconds=0.03)
    case = Case((*BLOAT, send(encode(TypingStart(b"u" * 300)), 40)))
    result = minimise(case, judge, budget, judge.clock)
    assert not result.complete
    assert long_target(result.case)
    # One more is to confirm on a fresh target what is told.
    assert result.plays == len(judge.plays) == 8
    assert result.sentence().endswith("stopped at the budget, so it may shrink further")


def test_a_finding_that_shows_in_one_of_three_plays_is_minimised_too() -> None:
    asked: dict[bytes, int] = {}

    def sometimes(case: Case) -> bool:
        key = encode_case(case)
        asked[key] = asked.get(key, 0) + 1
        return asked[key] % 3 == 0 and long_target(case)

    case = Case((login(), send(encode(TypingStart(b"u" * 300)))))
    assert run(case, FakeJudge(sometimes), plays=3).case == Case((send(b"\x70\x01\x01"),))


def test_nothing_is_asked_twice() -> None:
    judge = FakeJudge(long_target)
    trials = Trials(judge, PLENTY, FakeClock())
    case = Case((send(b"\x70\x01\x01"),))
    assert trials.shows(case)
    assert trials.shows(Case((send(b"\x70\x01\x01"),)))
    assert trials.spent == len(judge.plays) == 1


def test_what_was_not_asked_for_want_of_budget_is_not_remembered_as_a_no() -> None:
    trials = Trials(FakeJudge(long_target), Budget(plays=0), FakeClock())
    assert not trials.shows(Case((send(b"\x70\x01\x01"),)))
    assert trials.exhausted


def test_tokens_are_not_cut() -> None:
    assert units(b"a<user:B>b<group:1>") == [b"a", b"<user:B>", b"b", b"<group:1>"]
    assert b"".join(units(b"<user:AA>")) == b"<user:AA>"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return one to three seeds in one case, some bytes of it changed."""
    names = draw(st.lists(st.sampled_from(sorted(SMALL)), min_size=1, max_size=3))
    steps = list(merge([SMALL[name] for name in names]).steps)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(steps) - 1))
        step = steps[at]
        if step.kind is StepKind.SEND and step.data:
            place = draw(st.integers(0, len(step.data) - 1))
            byte = draw(st.binary(min_size=0, max_size=2))
            data = step.data[:place] + byte + step.data[place + 1 :]
            steps[at] = Step(step.kind, step.connection, data or b"\x05", step.value)
    return Case(tuple(steps))


SMALL = {name: seed for name, seed in SEEDS.items() if size_of(seed).bytes < 400}


@st.composite
def predicates(draw: st.DrawFn, case: Case) -> Callable[[Case], bool]:
    """Return a predicate that holds of ``case``: bytes, kinds and connections that it has."""
    sent = [step.data for step in case.steps if step.data]
    needles = []
    for _ in range(draw(st.integers(0, 2)) if sent else 0):
        data = draw(st.sampled_from(sent))
        start = draw(st.integers(0, len(data) - 1))
        needles.append(data[start : start + draw(st.integers(1, 12))])
    kinds = draw(st.sets(st.sampled_from([step.kind for step in case.steps]), max_size=2))
    least = draw(st.integers(1, len(case.connections())))
    size = draw(st.integers(0, size_of(case).bytes))

    def holds(other: Case) -> bool:
        return (
            len(other.connections()) >= least
            and kinds <= {step.kind for step in other.steps}
            and all(any(needle in step.data for step in other.steps) for needle in needles)
            and size_of(other).bytes >= size
        )

    return holds


@quick
@given(st.data())
def test_the_result_shows_it_is_never_larger_and_is_the_same_each_time(data: st.DataObject) -> None:
    case = data.draw(cases())
    holds = data.draw(predicates(case))
    result = run(case, FakeJudge(holds))
    assert holds(result.case)
    assert result.after == size_of(result.case)
    before, after = weight(case.steps), weight(result.case.steps)
    assert all(new <= old for new, old in zip(after[:3], before[:3], strict=True))
    assert after <= before
    again = run(case, FakeJudge(holds))
    assert (again.case, again.plays) == (result.case, result.plays)


@quick
@given(st.data())
def test_what_is_minimal_stays_as_it_is(data: st.DataObject) -> None:
    case = data.draw(cases())
    holds = data.draw(predicates(case))
    smallest = run(case, FakeJudge(holds)).case
    assert run(smallest, FakeJudge(holds)).case == smallest


@quick
@given(st.data())
def test_no_step_that_is_left_can_be_left_out(data: st.DataObject) -> None:
    case = data.draw(cases())
    holds = data.draw(predicates(case))
    steps = run(case, FakeJudge(holds)).case.steps
    for number in range(len(steps)):
        rest = steps[:number] + steps[number + 1 :]
        assert not rest or not holds(Case(rest))


def test_a_frame_is_left_out_wherever_it_is() -> None:
    def both(case: Case) -> bool:
        return {0x70, 0x71} <= {frame.opcode for frame in frames_of(case)}

    first = encode(TypingStart(b"x")) + encode(SendMessage(B, b"hello"))
    case = Case((login(), send(first), Step(StepKind.WAIT), send(b"\x05\x00\x01x\x71\x00\x01x")))
    assert run(case, FakeJudge(both)).after.frames == 2


def test_a_judge_by_frame_sees_frames_across_cuts() -> None:
    judge = by_frame(lambda frame: frame.opcode == 0x70 and len(frame.data) == 5)
    assert judge.shows(Case((send(b"\x70\x00"), send(b"\x02ab"))))


@pytest.mark.parametrize(
    "frame",
    [
        SendSeq(B, 1, b"hello"),
        BatchSend(B, (b"hello", b"again")),
        CborMsg(B, cbor.dumps({"n": 1})),
        E2eeMsg(B, cbor.dumps({"n": 1}), b"sealed"),
    ],
)
def test_a_message_is_sent_in_the_shortest_frame_that_will_do(frame: ClientFrame) -> None:
    def brings_something(case: Case) -> bool:
        try:
            (said,) = decode(b"".join(step.data for step in case.steps), Direction.CLIENT)
        except (GrammarError, ValueError):
            return False
        return B in (getattr(said, "target", b""), getattr(said, "recipient", b"")) and not (
            isinstance(said, TypingStart)
        )

    result = run(Case((send(encode(frame)),)), FakeJudge(brings_something))
    assert result.case.steps[0].data == encode(SendMessage(B, b""))


def test_what_two_clients_send_is_sent_by_one_where_that_will_do() -> None:
    def two_messages_and_another_user(case: Case) -> bool:
        logins = [step.connection for step in case.steps if step.kind is StepKind.LOGIN]
        messages = [frame for frame in frames_of(case) if frame.opcode == 0x02]
        another = any(step.data == B for step in case.steps if step.kind is StepKind.LOGIN)
        return len(messages) >= 2 and another and len(logins) == len(set(logins))

    hello = encode(SendMessage(B, b"hello"))
    case = Case((login(A), send(hello), login(B, 1), send(hello, 1)))
    result = run(case, FakeJudge(two_messages_and_another_user))
    assert (result.after.steps, result.after.frames) == (2, 2)


def test_a_restart_stays_when_the_connection_of_its_number_goes() -> None:
    steps = (login(A, 0), send(b"\x05", 0), login(B, 3), Step(StepKind.RESTART), login(B, 4))

    def comes_back(case: Case) -> bool:
        kinds = [step.kind for step in case.steps]
        return (
            StepKind.RESTART in kinds and StepKind.LOGIN in kinds[kinds.index(StepKind.RESTART) :]
        )

    small = run(Case(steps), FakeJudge(comes_back)).case
    assert small.steps == (Step(StepKind.RESTART), login(A, 0))


def test_a_budget_that_is_over_is_spent() -> None:
    asked: list[bool] = []
    judge = FakeJudge(lambda _: bool(asked.append(True)) or True)
    trials = Trials(judge, replace(PLENTY, over=lambda: len(asked) > 1), FakeClock())
    cases = [Case((Step(StepKind.SEND, 0, bytes([number])),)) for number in range(4)]
    assert [trials.shows(case) for case in cases] == [True, True, False, False]
    assert (trials.exhausted, trials.spent, len(asked)) == (True, 2, 2)


def _brought(case: Case) -> list[bytes]:
    """Return what the frames of ``case`` bring to B, in order; nothing of frames that are bent."""
    try:
        frames = decode(
            b"".join(s.data for s in case.steps if s.kind is StepKind.SEND), Direction.CLIENT
        )
    except GrammarError:
        return []
    brought: list[bytes] = []
    for frame in frames:
        if getattr(frame, "target", b"") == B:
            brought += getattr(frame, "messages", [getattr(frame, "message", b"item")])
    return brought


def test_hundreds_of_messages_become_one_batch_of_as_many_as_it_takes() -> None:
    def beyond_a_limit(case: Case) -> bool:
        return len(_brought(case)) > 500

    frames = [SendMessage(B, b"hello"), CborMsg(B, cbor.dumps({})), SendSeq(B, 7, b"hello")]
    case = Case((login(), *(send(b"".join(map(encode, frames)) * 117) for _ in range(2))))
    result = run(case, FakeJudge(beyond_a_limit))
    assert result.case.steps == (send(encode(BatchSend(B, (b"",) * 501))),)
    assert result.plays < 501


def test_a_message_that_a_batch_cannot_carry_stays_beside_the_batch() -> None:
    item = encode(CborMsg(B, cbor.dumps({})))

    def beyond_a_limit_behind_an_item(case: Case) -> bool:
        brought = _brought(case)
        return b"item" in brought and len(brought[brought.index(b"item") :]) > 100

    frames = encode(SendMessage(B, b"")) * 50 + item + encode(SendMessage(B, b"hello")) * 150
    result = run(Case((login(), send(frames))), FakeJudge(beyond_a_limit_behind_an_item))
    plain = encode(CborMsg(B, b""))
    assert result.case.steps == (send(plain + encode(BatchSend(B, (b"",) * 100))),)


def test_of_a_row_of_equal_frames_as_many_are_left_as_it_takes() -> None:
    def beyond_a_limit(case: Case) -> bool:
        return sum(seen.data == b"\x70\x00\x01x" for seen in frames_of(case)) > 300

    frame = encode(TypingStart(b"x"))
    judge = FakeJudge(beyond_a_limit)
    case = Case((login(), send(frame * 700 + encode(SendMessage(B, b"")) + frame)))
    reduction = Reduction(case, Trials(judge, PLENTY, judge.clock))
    drop_frames(reduction)
    assert reduction.steps[-1].data == frame * 301
    assert len(judge.plays) < 30, "one for each frame would be 1,400"
