"""Who connects, logs in, waits and leaves, and when."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.case import MAX_PAUSE_MS, Step, StepKind, Transport
from fuzz.generate import rawbytes, steps
from fuzz.generate.draft import MAX_CONNECTIONS, MAX_STEPS, Draft
from grammar import Direction, SendMessage, decode, encode
from tests.generate.support import A, B, Truthful, draft_of, drafts, login, send, sent

HELLO = encode(SendMessage(B, b"hello"))
BASE = (login(), send(HELLO), Step(StepKind.WAIT), send(HELLO))


def done(
    operation: Callable[[Draft], bool], *base: Step, kind: type[Draft] = Draft
) -> list[list[Step]]:
    outs = [draft.steps for draft in drafts(*(base or BASE), kind=kind) if operation(draft)]
    assert outs
    return outs


def kinds(made: list[Step]) -> list[StepKind]:
    return [step.kind for step in made]


def test_a_login_is_dropped() -> None:
    assert all(made == list(BASE[1:]) for made in done(steps.drop_login))


def test_a_segment_goes_before_its_login() -> None:
    for made in done(steps.send_before_login):
        assert made[0].kind is StepKind.SEND
        assert made[1] == BASE[0]
    assert {len(made) for made in done(steps.send_before_login)} == {4, 5}


def test_another_login_comes_as_a_step_or_as_a_segment() -> None:
    forms = set()
    for made in done(steps.login_again):
        (new,) = [step for step in made if step not in BASE] or [BASE[0]]
        assert new.data.lstrip(b"\x01").startswith(b"<user:")
        forms.add(new.kind)
    assert forms == {StepKind.LOGIN, StepKind.SEND}


def test_login_texts_are_odd_tokens_and_mutations() -> None:
    texts = {made[0].data for made in done(steps.login_text)}
    assert b"" in texts
    assert any(len(text) > 256 for text in texts)
    assert any(text.startswith(b"<user:") and b"eyJ" in text for text in texts)
    assert len(texts) > 40


def test_a_login_takes_another_user() -> None:
    users = {made[0].data for made in done(steps.swap_users)}
    assert users == {b"<user:B>", b"<user:C>", b"<user:D>"}


def test_a_second_client_logs_in_as_somebody_else() -> None:
    addressed = 0
    for made in done(steps.add_client):
        (new,) = [step for step in made if step.kind is StepKind.LOGIN and step.connection == 1]
        assert new.data == B
        extra = [step for step in made if step not in BASE and step is not new]
        addressed += any(B in step.data for step in extra if step.connection == 0)
        for step in extra:
            assert decode(step.data, Direction.CLIENT)
    assert addressed > 30


def test_clients_come_to_an_end() -> None:
    base = [login(A, number) for number in range(MAX_CONNECTIONS)]
    assert not steps.add_client(draft_of(*base))
    assert not steps.reconnect(draft_of(*base))


def test_a_step_moves_to_another_connection() -> None:
    base = (login(), login(B, 1), send(HELLO))
    for made in done(steps.move_to_connection, *base):
        moved = [n for n, step in enumerate(made) if step != base[n]]
        assert len(moved) == 1
        assert made[moved[0]].connection == 1 - base[moved[0]].connection


def test_steps_swap_drop_and_repeat() -> None:
    for made in done(steps.swap_steps):
        assert sorted(kinds(made)) == sorted(kinds(list(BASE)))
    assert {len(made) for made in done(steps.drop_step)} == {3}
    lengths = {len(made) for made in done(steps.repeat_step)}
    assert min(lengths) == 5
    assert 10 < max(lengths) <= MAX_STEPS


def test_a_pause_is_not_repeated() -> None:
    base = (Step(StepKind.PAUSE, value=5),)
    assert not any(steps.repeat_step(draft) for draft in drafts(*base))


def test_a_reset_cuts_a_segment_and_ends_its_connection() -> None:
    cuts = set()
    for made in done(steps.reset_halfway):
        at = kinds(made).index(StepKind.RESET)
        assert HELLO.startswith(made[at - 1].data)
        assert not any(step.connection == 0 for step in made[at + 1 :])
        cuts.add(len(made[at - 1].data))
    assert {0, len(HELLO)} < cuts


def test_a_half_close_ends_one_connection_while_others_go_on() -> None:
    base = (login(), login(B, 1), send(HELLO), send(HELLO, 1))
    for made in done(steps.half_close, *base):
        at = kinds(made).index(StepKind.HALF_CLOSE)
        gone = made[at].connection
        assert all(step.connection != gone for step in made[at + 1 :])
        assert sent(made)[1 - gone] == HELLO


def test_a_client_comes_back_as_the_same_user_and_goes_on() -> None:
    left = set()
    for made in done(steps.reconnect):
        at = next(n for n, s in enumerate(made) if s.kind in (StepKind.HALF_CLOSE, StepKind.RESET))
        left.add(made[at].kind)
        assert made[at + 1] == Step(StepKind.LOGIN, 1, A)
        assert all(step.connection == 1 for step in made[at + 1 :])
        assert sum(len(data) for data in sent(made).values()) == 2 * len(HELLO)
    assert left == {StepKind.HALF_CLOSE, StepKind.RESET}


def test_a_wait_goes_in() -> None:
    for made in done(steps.insert_wait):
        assert kinds(made).count(StepKind.WAIT) == 2


def test_pauses_are_short_and_few() -> None:
    values = []
    for made in done(steps.pause):
        values += [step.value for step in made if step.kind is StepKind.PAUSE]
    assert all(1 <= value <= steps.LONG_PAUSE_MS < MAX_PAUSE_MS for value in values)
    assert sum(value > steps.PAUSE_MS for value in values) < len(values) / 10
    full = [Step(StepKind.PAUSE, value=1)] * steps.MAX_PAUSES
    assert not steps.pause(draft_of(*full))


def test_a_connection_comes_over_websocket_and_back() -> None:
    draft = draft_of(*BASE)
    assert steps.other_transport(draft)
    opening = Step(StepKind.OPEN, 0, value=int(Transport.WEBSOCKET))
    assert draft.steps == [opening, *BASE]
    assert steps.other_transport(draft)
    assert draft.steps == [Step(StepKind.OPEN, 0, value=int(Transport.TCP)), *BASE]


def test_no_operation_grows_a_full_case() -> None:
    base = [login(), *[send(HELLO)] * (MAX_STEPS - 1)]
    for operation in steps.OPERATIONS:
        for seed in range(20):
            draft = draft_of(*base, seed=seed)
            if operation.apply(draft):
                assert len(draft.steps) <= MAX_STEPS, operation.name


def test_the_engine_mutates_a_segment_a_frame_and_a_field() -> None:
    for made in done(rawbytes.mutate_segment):
        assert sum(step not in BASE for step in made) == 1
    for made in done(rawbytes.mutate_field, send(HELLO), kind=Truthful):
        (frame,) = decode(made[0].data, Direction.CLIENT)
        assert isinstance(frame, SendMessage)
    assert all(len(made) == 4 for made in done(rawbytes.mutate_frame))


def test_a_case_that_sends_nothing_gets_a_segment() -> None:
    made = done(rawbytes.mutate_segment, login())
    assert all(kinds(out) == [StepKind.LOGIN, StepKind.SEND] for out in made)
