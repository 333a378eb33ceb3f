"""The law of the rate limit: what must have passed and what cannot have, from times. No node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from fuzz.finding import Finding
from fuzz.observation import ConnectionTrace, Ending, Observation, Sent
from fuzz.oracles.laws.dialogue import Dialogue
from fuzz.oracles.laws.rate import RETRY_MOST_MS, rate
from grammar import (
    BatchSend,
    ClientFrame,
    Error,
    GetStatus,
    GroupMsg,
    Login,
    LoginOk,
    RateLimited,
    ReliableMsg,
    SendMessage,
    ServerFrame,
    cbor,
    encode,
)

A, B, C, D = (b"%c0000001" % letter for letter in b"abcd")
#: A play of this many seconds, all of whose segments were handled in a millisecond.
SECONDS = 20.0
HANDLED = 0.001
WAIT = RateLimited(10)


@dataclass(frozen=True, slots=True)
class Talk:
    """What a client sends at a time in seconds: segments in their order over all clients."""

    order: int
    at: float
    frames: Sequence[ClientFrame]
    handled: float = HANDLED


def client(
    number: int, user: bytes, *talks: Talk, heard: Sequence[ServerFrame] = (), logins: int = 1
) -> ConnectionTrace:
    """Return a connection of ``user``, who has logged in before anything else happened."""
    sent = [Sent(number, encode(Login(user)), True, 0.0, 0.0)]
    sent += [
        Sent(10 + t.order, b"".join(map(encode, t.frames)), False, t.at, t.at + t.handled)
        for t in talks
    ]
    replies = b"".join(map(encode, (*[LoginOk()] * logins, *heard)))
    return ConnectionTrace(number, Ending.CLOSED, (replies,), "", tuple(sent), 90 + number)


def receiver(number: int, user: bytes, count: int, body: bytes = b"") -> ConnectionTrace:
    """Return a connection of ``user``, to whom so many messages came."""
    came = [ReliableMsg(b"%d-%d" % (number, n), body) for n in range(count)]
    return client(number, user, heard=came)


def batch(target: bytes, count: int) -> BatchSend:
    return BatchSend(target, (b"",) * count)


def found(*traces: ConnectionTrace) -> list[Finding]:
    return list(rate(Dialogue(Observation(traces, SECONDS, users=frozenset({A, B, C, D})))))


def reasons(*traces: ConnectionTrace) -> list[str]:
    findings = found(*traces)
    assert {finding.cause.what for finding in findings} <= {"rate"}
    return [finding.cause.reason for finding in findings]


#: A full bucket for B at once, and later more for C.
BURST = Talk(0, 0.0, [batch(B, 500)])


def after(seconds: float, count: int, handled: float = HANDLED) -> Talk:
    """Return so many single messages to C, ``seconds`` after the burst was handled."""
    return Talk(1, HANDLED + seconds, [SendMessage(C, b"")] * count, handled)


@pytest.mark.parametrize("wait", [1, 10, RETRY_MOST_MS])
def test_a_wait_until_the_bucket_is_full_at_most_is_right(wait: int) -> None:
    sends = Talk(0, 0.0, [batch(B, 501)])
    assert reasons(client(0, A, sends, heard=[RateLimited(wait)])) == []


@pytest.mark.parametrize(
    ("wait", "reason"), [(0, "no wait"), (RETRY_MOST_MS + 1, "too long a wait")]
)
def test_no_wait_and_one_without_an_end_are_wrong(wait: int, reason: str) -> None:
    sends = Talk(0, 0.0, [batch(B, 501)])
    assert reasons(client(0, A, sends, heard=[RateLimited(10), RateLimited(wait)])) == [reason]


def test_who_sends_little_is_refused_for_another() -> None:
    much = client(0, A, BURST)
    other = Talk(1, 0.1, [batch(C, 250)])
    assert reasons(much, client(1, D, other, heard=[WAIT])) == ["shared"]
    assert reasons(client(1, D, other, heard=[WAIT])) == ["too early"]
    # Who sends more is near a limit of their own.
    more = Talk(1, 0.1, [batch(C, 251)])
    assert reasons(much, client(1, D, more, heard=[WAIT])) == ["too early"]


@pytest.mark.parametrize(
    ("seconds", "came", "refusals", "reason"),
    [
        # After two seconds 200 are there, give or take 20 and a lot of 10.
        (2.0, 200, 100, []),
        (2.0, 170, 130, []),
        (2.0, 169, 131, ["refill too slow"]),
        (2.0, 220, 80, []),
        (2.0, 222, 78, ["refill too fast"]),
        # The lot is still to come.
        (0.1, 0, 300, []),
        # A bucket is full after five, and gets no fuller.
        (6.0, 300, 0, []),
    ],
)
def test_the_bucket_is_refilled_within_a_tolerance(
    seconds: float, came: int, refusals: int, reason: list[str]
) -> None:
    sends = client(0, A, BURST, after(seconds, 300), heard=[WAIT] * refusals)
    assert reasons(sends, receiver(1, B, 500), receiver(2, C, came)) == reason


def test_a_segment_that_took_long_may_have_found_more_tokens() -> None:
    slow = client(0, A, BURST, after(2.0, 400, handled=1.0), heard=[WAIT] * 100)
    assert reasons(slow, receiver(1, B, 500), receiver(2, C, 300)) == []
    quick = client(0, A, BURST, after(2.0, 400), heard=[WAIT] * 100)
    assert reasons(quick, receiver(1, B, 500), receiver(2, C, 300)) == ["refill too fast"]


def test_a_segment_of_which_nobody_knows_when_it_was_handled_is_given_the_whole_play() -> None:
    sent = (
        Sent(0, encode(Login(A)), True),
        Sent(10, encode(batch(B, 500)) + encode(batch(C, 500)), False),
    )
    replies = encode(LoginOk())
    unclear = ConnectionTrace(0, Ending.CLOSED, (replies,), "", sent, 90)
    assert reasons(unclear, receiver(1, B, 500), receiver(2, C, 500)) == []


def test_what_is_refused_is_not_counted() -> None:
    refused = Talk(1, 0.1, [SendMessage(C, b"")] * 400)
    few = Talk(2, 2.2, [SendMessage(D, b"")] * 10)

    def after_a_rest(came: int) -> list[str]:
        told = [WAIT] * (410 - came)
        sends = client(0, A, BURST, refused, few, heard=told)
        return reasons(sends, receiver(1, B, 500), receiver(2, C, 0), receiver(3, D, came))

    assert after_a_rest(9) == ["refused ones counted"]
    assert after_a_rest(10) == []


def test_the_first_burst_passes_whatever_is_refused_behind_it() -> None:
    sends = client(0, A, BURST, after(0.0, 100), heard=[WAIT] * 101)
    assert reasons(sends, receiver(1, B, 499), receiver(2, C, 0)) == ["too early"]


def test_of_a_batch_that_finds_too_few_tokens_a_part_may_pass_or_nothing() -> None:
    for came in (0, 100, 200):
        sends = client(0, A, BURST, Talk(1, 2.0, [batch(C, 300)]), heard=[WAIT])
        assert reasons(sends, receiver(1, B, 500), receiver(2, C, came)) == []


def test_a_refused_message_is_not_delivered() -> None:
    beyond = Talk(0, 0.0, [batch(B, 501)])
    refused = client(0, A, beyond, heard=[WAIT])
    assert reasons(refused, receiver(1, B, 501)) == ["refused and delivered"]
    assert reasons(refused, receiver(1, B, 500)) == []


def test_who_comes_back_gets_again_what_was_not_acknowledged() -> None:
    refused = client(0, A, Talk(0, 0.0, [batch(B, 501)]), heard=[WAIT])
    again = receiver(4, B, 1)
    assert reasons(refused, receiver(1, B, 500), again) == []


def test_the_sender_is_told_of_what_is_dropped() -> None:
    burst, dropped = receiver(1, B, 500), receiver(2, C, 0)
    silent = client(0, A, BURST, after(0.0, 100))
    assert reasons(silent, burst, dropped) == ["not told"]
    assert reasons(client(0, A, BURST, after(0.0, 100), heard=[WAIT] * 100), burst, dropped) == []
    # Where a receiver was not there, nobody can tell.
    assert reasons(silent, burst) == []


def test_two_connections_of_one_user_share_a_bucket() -> None:
    second = Talk(1, 0.1, [batch(C, 500)])
    both = client(0, A, BURST), client(3, A, second)
    assert reasons(*both, receiver(1, B, 500), receiver(2, C, 500)) == ["per connection"]
    assert reasons(*both, receiver(1, B, 500), receiver(2, C, 5)) == ["not told"]


def test_a_second_login_does_not_fill_the_bucket() -> None:
    again = Talk(1, 0.1, [Login(A)])
    more = Talk(2, 0.2, [batch(C, 500)])
    sends = client(0, A, BURST, again, more, logins=2)
    assert reasons(sends, receiver(1, B, 500), receiver(2, C, 500)) == ["per login"]


def test_a_rest_does_not_fill_the_bucket_at_once() -> None:
    sends = client(0, A, BURST, Talk(1, 1.1, [batch(C, 200)]))
    assert reasons(sends, receiver(1, B, 500), receiver(2, C, 200)) == ["refill too fast"]
    assert reasons(client(0, A, BURST, Talk(1, 0.9, [batch(C, 200)])),
                   receiver(1, B, 500), receiver(2, C, 200)) == ["not limited"]  # fmt: skip


SLOW = receiver(1, B, 500), receiver(2, C, 0)


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        (GetStatus(B), []),  # a server may count that as well
        (GroupMsg(b"g", cbor.dumps({}), b""), []),
        (SendMessage(C, b""), [Error(b"no")]),
    ],
)
def test_where_something_else_may_have_been_refused_the_law_is_silent(
    frame: ClientFrame, heard: list[ServerFrame]
) -> None:
    refusals = [WAIT] * 300
    assert reasons(client(0, A, BURST, after(2.0, 300), heard=refusals), *SLOW) != []
    odd = Talk(2, 2.1, [frame])
    sends = client(0, A, BURST, after(2.0, 300), odd, heard=[*refusals, *heard])
    assert reasons(sends, *SLOW) == []


def test_what_a_receiver_need_not_hold_is_not_missed() -> None:
    """A thousand messages may await an ACK; which of more are kept is the server's affair."""
    crowd = client(3, D, Talk(2, 2.1, [batch(C, 400)]))
    sends = client(0, A, BURST, after(2.0, 300), heard=[WAIT] * 300)
    assert reasons(sends, crowd, *SLOW) == []


@pytest.mark.parametrize(
    ("sends", "traces"),
    [
        (Talk(0, 0.0, [batch(B, 501)]), [receiver(1, B, 501)]),
        (after(2.0, 300), [receiver(1, B, 500), receiver(2, C, 0)]),
    ],
)
def test_what_can_be_looked_for_again_is_told(sends: Talk, traces: list[ConnectionTrace]) -> None:
    talks = [sends] if sends.order == 0 else [BURST, sends]
    (finding,) = found(client(0, A, *talks, heard=[WAIT]), *traces)
    assert finding.evidence["wire"] in (
        {"check": "metered", "sent": 501, "others": 0},
        {"check": "passed", "connection": 2, "least": 170},
    )
