"""What is accepted is delivered: now or at the next login, in order, once unless not acked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzz.clock import SystemClock
from tests.target.reference_support import (
    Client,
    Frame,
    ReferenceNode,
    error,
    memory_folder,
    n16,
    n32,
)

Name = Callable[[], bytes]


def message(target: bytes, body: bytes) -> bytes:
    """Return a SEND_MESSAGE."""
    return b"\x02" + n16(target) + n16(body)


def body(frame: Frame) -> bytes:
    """Return the message of a RELIABLE_MSG."""
    assert frame[0] == 0x10
    assert isinstance(frame[2], bytes)
    return frame[2]


def msg_id(frame: Frame) -> bytes:
    """Return the msg_id of a RELIABLE_MSG."""
    assert isinstance(frame[1], bytes)
    return frame[1]


def stored(user: bytes) -> str:
    """Return an expression for the number of a user's stored messages."""
    return f'length(iris_ref_offline:fetch(<<"{user.decode()}">>))'


def store(node: ReferenceNode, sender: bytes, target: bytes, *bodies: bytes) -> None:
    """Send messages to a user who is away."""
    with Client(node.tcp, sender) as client:
        for each in bodies:
            client.send(message(target, each))
        client.settle()


def test_an_offline_user_gets_messages_in_order_at_login_and_once(
    reference: ReferenceNode, name: Name
) -> None:
    target, bodies = name(), [b"m%d" % number for number in range(12)]
    store(reference, name(), target, *bodies)
    with Client(reference.tcp, target) as client:
        frames = [client.frame() for _ in bodies]
        assert [body(frame) for frame in frames] == bodies
        for left, frame in zip(reversed(range(len(frames))), frames, strict=True):
            client.send(b"\x03" + msg_id(frame))
            # Nothing answers an ACK, and the next one must not join its segment.
            reference.until(f"{left} =:= {stored(target)}", "the message to be deleted")
        assert client.finish() == ()
    with Client(reference.tcp, target) as client:
        assert client.finish() == ()


def test_what_is_not_acknowledged_comes_again_with_the_same_id(
    reference: ReferenceNode, name: Name
) -> None:
    target = name()
    store(reference, name(), target, b"one", b"two", b"three")
    with Client(reference.tcp, target) as client:
        first = [client.frame() for _ in range(3)]
        client.send(b"\x03" + msg_id(first[1]))
        assert client.finish() == ()
    with Client(reference.tcp, target) as client:
        assert client.finish() == (first[0], first[2])


def test_a_live_message_without_ack_is_stored_when_its_connection_ends(
    reference: ReferenceNode, name: Name
) -> None:
    target = name()
    with Client(reference.tcp, target) as receiver:
        with Client(reference.tcp, name()) as sender:
            sender.send(message(target, b"one"))
            sender.send(message(target, b"two"))
            frames = [receiver.frame(), receiver.frame()]
        receiver.send(b"\x03" + msg_id(frames[0]))
        assert receiver.finish() == ()
    with Client(reference.tcp, target) as receiver:
        assert receiver.frame() == frames[1]
        receiver.send(b"\x03" + msg_id(frames[1]))
        assert receiver.finish() == ()
    with Client(reference.tcp, target) as receiver:
        assert receiver.finish() == ()


def test_a_message_without_ack_goes_back_to_the_store_in_time(
    reference: ReferenceNode, name: Name
) -> None:
    target = name()
    with Client(reference.tcp, target) as receiver, Client(reference.tcp, name()) as sender:
        sender.send(message(target, b"late"))
        frame = receiver.frame()
        assert reference.number(stored(target)) == 0
        patience = reference.eval("element(2, application:get_env(iris_ref, ack_ms))")
        assert reference.eval("application:set_env(iris_ref, ack_ms, 100)") == "ok"
        try:
            reference.until(f"{stored(target)} =:= 1", "the message to be stored")
        finally:
            reference.eval(f"application:set_env(iris_ref, ack_ms, {patience})")
        receiver.send(b"\x03" + msg_id(frame))
        assert receiver.finish() == ()
        with Client(reference.tcp, target) as newer:
            assert newer.frame() == frame


def halt(node: ReferenceNode, client: Client) -> None:
    """Keep the connection of a client, by the name of ``halted``, from taking its messages."""
    port = client.socket.getsockname()[1]
    halted = node.eval(
        f"""[begin ok = sys:suspend(P), erase(), put(halted, P), put(socket, S) end
        || S <- erlang:ports(), {{ok, {{_, {port}}}}} <- [inet:peername(S)],
        {{connected, P}} <- [erlang:port_info(S, connected)]]"""
    )
    assert halted == "[undefined]"


def resume_without_its_client(node: ReferenceNode, client: Client) -> None:
    """Let a halted connection take one message, when its client is gone, and end."""
    node.until("{message_queue_len, 1} =:= process_info(get(halted), message_queue_len)", "it")
    client.reset()
    node.until("element(1, inet:peername(get(socket))) =:= error", "the reset")
    assert node.eval("sys:resume(get(halted))") == "ok"
    node.until("not is_process_alive(get(halted))", "the end of the connection")


def test_a_message_is_kept_whose_receiver_goes_before_it_is_sent(
    reference: ReferenceNode, name: Name
) -> None:
    target = name()
    with Client(reference.tcp, name()) as sender:
        receiver = Client(reference.tcp, target)
        halt(reference, receiver)
        sender.send(message(target, b"accepted"))
        sender.settle()
        resume_without_its_client(reference, receiver)
    with Client(reference.tcp, target) as receiver:
        assert [body(frame) for frame in receiver.finish()] == [b"accepted"]


def test_a_login_is_undone_whose_client_goes_before_its_mail_is_sent(
    reference: ReferenceNode, name: Name
) -> None:
    target = name()
    store(reference, name(), target, b"x" * 40000, b"y" * 40000)
    client = Client(reference.tcp)
    client.settle()
    halt(reference, client)
    client.send(b"\x01" + target)
    resume_without_its_client(reference, client)
    listed = (
        f'[U || {{{{U, _, _}}}} <- ets:tab2list(iris_ref_presence), U =:= <<"{target.decode()}">>]'
    )
    assert reference.eval(listed) == "[]"
    with Client(reference.tcp) as other:
        status = other.ask(b"\x05" + n16(target))
        assert status[:3] == (0x06, target, 0)
        assert status[3] != 0  # when it was seen last


def test_an_ack_that_nobody_waits_for_changes_nothing(reference: ReferenceNode, name: Name) -> None:
    with Client(reference.tcp, name()) as client:
        client.send(b"\x03no such id")
        assert client.finish() == ()


def test_a_message_to_oneself_arrives(reference: ReferenceNode, name: Name) -> None:
    user = name()
    with Client(reference.tcp, user) as client:
        client.send(message(user, b"note"))
        assert body(client.frame()) == b"note"


def test_a_message_to_oneself_arrives_before_the_end_of_a_half_closed_connection(
    reference: ReferenceNode, name: Name
) -> None:
    user = name()
    with Client(reference.tcp, user) as client:
        client.send(message(user, b"note"))
        assert [body(frame) for frame in client.finish()] == [b"note"]


def test_the_newer_of_two_logins_receives_and_then_the_older(
    reference: ReferenceNode, name: Name
) -> None:
    user = name()
    with Client(reference.tcp, user) as older, Client(reference.tcp, name()) as sender:
        with Client(reference.tcp, user) as newer:
            sender.send(message(user, b"one"))
            one = newer.frame()
            assert body(one) == b"one"
            newer.send(b"\x03" + msg_id(one))
            assert newer.finish() == ()
        sender.send(message(user, b"two"))
        assert body(older.frame()) == b"two"


def test_what_a_lost_login_did_not_acknowledge_goes_to_the_other_one(
    reference: ReferenceNode, name: Name
) -> None:
    user = name()
    with Client(reference.tcp, user) as older, Client(reference.tcp, name()) as sender:
        with Client(reference.tcp, user) as newer:
            sender.send(message(user, b"one"))
            frame = newer.frame()
            assert newer.finish() == ()
        assert older.frame() == frame


def test_order_is_kept_when_a_user_comes_online_in_between(
    reference: ReferenceNode, name: Name
) -> None:
    for _ in range(20):
        target = name()
        with Client(reference.tcp, name()) as sender, Client(reference.tcp) as receiver:
            sender.send(message(target, b"1"))
            receiver.send(b"\x01" + target)
            sender.send(message(target, b"2"))
            sender.send(message(target, b"3"))
            sender.settle()
            assert receiver.frame() == (0x03, b"LOGIN_OK")
            assert [body(receiver.frame()) for _ in range(3)] == [b"1", b"2", b"3"]
            assert receiver.finish() == ()


def test_a_burst_is_500_messages_of_a_user_and_the_rest_is_refused_not_delivered(
    reference: ReferenceNode, name: Name
) -> None:
    user, target = name(), name()
    clock = SystemClock()
    with Client(reference.tcp, user) as first, Client(reference.tcp, user) as second:
        start = clock.now()
        first.send(b"".join(message(target, b"%d" % number) for number in range(300)))
        first.settle()
        second.send(b"".join(message(target, b"%d" % number) for number in range(300, 700)))
        refusals = second.finish()
        refilled = (clock.now() - start) * 100
    with Client(reference.tcp, target) as receiver:
        bodies = [body(frame) for frame in receiver.finish()]
    assert bodies[:500] == [b"%d" % number for number in range(500)]
    assert len(bodies) + len(refusals) == 700
    assert len(bodies) <= 500 + refilled
    assert refusals or refilled >= 200
    assert all(frame[0] == 0xFF and frame[1] in range(1, 11) for frame in refusals)


def test_a_batch_is_charged_for_each_of_its_messages(reference: ReferenceNode, name: Name) -> None:
    user, target = name(), name()
    blob = b"".join(n16(b"%d" % number) for number in range(600))
    with Client(reference.tcp, user) as sender:
        sender.send(b"\x04" + n16(target) + n32(blob))
        opcode, retry = sender.frame()
        assert opcode == 0xFF
        assert isinstance(retry, int)
        assert 1 <= retry <= 10
    with Client(reference.tcp, target) as receiver:
        frames = receiver.finish()
        assert [body(frame) for frame in frames] == [b"%d" % number for number in range(500)]


def test_who_has_no_token_left_may_not_log_in_and_others_may(
    reference: ReferenceNode, name: Name
) -> None:
    user = name()
    full_at = "erlang:monotonic_time(nanosecond) + 60_000_000_000"
    spend = f'ets:insert(iris_ref_limiter, {{<<"{user.decode()}">>, {full_at}}})'
    assert reference.eval(spend) == "true"
    with Client(reference.tcp) as client, Client(reference.tcp, name()) as other:
        client.send(b"\x01" + user)
        assert client.rest() == b"RATE_LIMITED"
        other.settle()


@pytest.fixture(scope="module")
def small() -> Iterator[ReferenceNode]:
    with memory_folder() as folder:
        node = ReferenceNode(Path(folder), {"incomplete_ms": 300})
        yield node
        node.stop()


def test_a_frame_that_is_never_completed_ends_its_connection(
    small: ReferenceNode, name: Name
) -> None:
    with Client(small.tcp, name()) as client, Client(small.tcp) as idle:
        client.send(b"\x05\x00")
        assert client.frame() == error("incomplete frame")
        assert client.rest() == b""
        idle.settle()


def test_only_so_many_messages_are_unacknowledged_and_the_rest_is_stored(
    small: ReferenceNode, name: Name
) -> None:
    target = name()
    with Client(small.tcp, target) as receiver:
        for _ in range(3):
            with Client(small.tcp, name()) as sender:
                sender.send(message(target, b"m") * 400)
                sender.settle()
        frames = [receiver.frame() for _ in range(1000)]
        assert len({msg_id(frame) for frame in frames}) == 1000
        small.until(f"{stored(target)} =:= 200", "the others to be stored")


def test_the_ceilings_of_the_store_drop_the_oldest(small: ReferenceNode) -> None:
    def fill(user: str, first: int, last: int, size: int = 0) -> None:
        batch = f"[{{N, <<0:({size} * 8)>>}} || N <- lists:seq({first}, {last})]"
        assert small.eval(f'iris_ref_offline:store([{{<<"{user}">>, {batch}}}])') == "ok"

    fill("full", 1, 1005)
    assert small.number(stored(b"full")) == 1000
    assert small.eval('hd(iris_ref_offline:fetch(<<"full">>))') == "{6,<<>>}"
    for number in range(21):
        fill(f"other{number}", 2000 + 1000 * number, 2999 + 1000 * number)
    assert small.number("mnesia:table_info(iris_ref_message, size)") == 20_000
    assert small.number(stored(b"other0")) == 0
    fill("large", 90_001, 90_018, 4_190_000)
    assert small.number(stored(b"large")) == 16
