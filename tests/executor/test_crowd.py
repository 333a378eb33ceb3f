"""The crowd: many clients at once, each of whom is served, waits in vain, or comes again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from fuzz.clock import Clock, SystemClock
from fuzz.evidence import STORED_MESSAGE, Rush
from fuzz.executor.crowd import ANSWERED, CONNECTED, LOGGED_IN, Crowd
from fuzz.executor.endpoint import Endpoint
from fuzz.executor.tokens import Tokens
from grammar import Ack, GetStatus, ReliableMsg, StatusResponse, encode
from tests.clocks import LeapingClock, Lull
from tests.executor.fake_server import LOGIN_OK, SECONDS, Peer, ScriptedServer, mute

USERS = [b"user%02d" % number for number in range(20)]


def mail(user: bytes) -> bytes:
    return b"a letter to " + user


def status(user: bytes) -> bytes:
    return encode(StatusResponse(user, 1, 7))


def serve(peer: Peer) -> None:
    """Answer LOGIN and GET_STATUS."""
    user = peer.read()[1:]
    peer.say(LOGIN_OK)
    while peer.read() == encode(GetStatus(user)):
        peer.say(status(user))


def deliver(peer: Peer) -> None:
    """Send a stored message with LOGIN_OK."""
    user = peer.read()[1:]
    peer.say(LOGIN_OK + encode(ReliableMsg(b"id-" + user, mail(user))))
    data = b""
    while not data.startswith(encode(GetStatus(user))):
        data += peer.read()
    peer.say(status(user))
    while peer.read():
        pass


@contextmanager
def crowd_of(server: ScriptedServer, clock: Clock | None = None) -> Iterator[Crowd]:
    crowd = Crowd(server.endpoint, USERS, Tokens(), clock or SystemClock())
    try:
        yield crowd
    finally:
        crowd.close()


def rush(script: Callable[[Peer], None]) -> Rush:
    """Let a crowd come to a server of one script, and return how it was served."""
    with ScriptedServer(script) as server, crowd_of(server) as crowd:
        return crowd.come("came", SECONDS, {})


def rush_in_vain(
    script: Callable[[Peer], None],
    owed: dict[bytes, bytes] | None = None,
    over: Callable[[ScriptedServer], bool] | None = None,
) -> Rush:
    """Let a crowd come in which somebody waits in vain.

    Its time is over when ``over`` says so; else when nothing goes on any more.
    """
    with ScriptedServer(script) as server:
        lull = Lull(server.rests, lambda: sum(len(peer.segments) for peer in server.peers))
        clock = LeapingClock(lull if over is None else partial(over, server))
        with crowd_of(server, clock=clock) as crowd:
            return crowd.come("came", SECONDS, owed or {})


def test_all_are_served_and_drop_half_by_a_reset_and_half_by_a_close() -> None:
    with ScriptedServer(serve) as server, crowd_of(server) as crowd:
        came = crowd.come("came", SECONDS, {})
        assert (came.what, came.clients, came.waits, came.again, came.cut) == ("came", 20, {}, 0, 0)
        assert 0 < came.seconds < came.limit == SECONDS
        crowd.leave()
        peers = [server.ended(number) for number in range(len(USERS))]
        assert {peer.segments[0] for peer in peers} == {b"\x01" + user for user in USERS}
        assert sum(peer.was_reset for peer in peers) == len(USERS) // 2
        # They come back as the same users.
        assert crowd.come("came back", SECONDS, {}).waits == {}
        assert {peer.segments[0][1:] for peer in server.peers[len(USERS) :]} == set(USERS)


def test_what_is_stored_is_acknowledged_in_a_last_segment_of_its_own() -> None:
    with ScriptedServer(deliver) as server, crowd_of(server) as crowd:
        came = crowd.come("came", SECONDS, {user: mail(user) for user in USERS[::2]})
        assert (came.waits, came.misled) == ({}, 0)
        assert server.quiet()
        for peer in server.peers:
            user = peer.segments[0][1:]
            asked = encode(GetStatus(user)) + encode(Ack(b"id-" + user))
            assert b"".join(peer.segments[1:]) == asked


def test_a_message_that_does_not_come_is_waited_for() -> None:
    owed = {user: mail(user) for user in USERS[:3]}
    came = rush_in_vain(serve, owed)
    assert came.waits == {STORED_MESSAGE: 3}
    assert came.seconds >= came.limit


def test_a_message_for_another_user_is_told() -> None:
    def mislead(peer: Peer) -> None:
        user = peer.read()[1:]
        peer.say(LOGIN_OK + encode(ReliableMsg(b"id", mail(b"nobody"))) + status(user))
        while peer.read():
            pass

    assert rush(mislead).misled == len(USERS)


def no_login(peer: Peer) -> None:
    peer.read()
    mute(peer)


def no_answer(peer: Peer) -> None:
    peer.read()
    peer.say(LOGIN_OK)
    mute(peer)


@pytest.mark.parametrize(("script", "wait"), [(no_login, LOGGED_IN), (no_answer, ANSWERED)])
def test_who_is_not_served_is_counted_by_what_did_not_come(
    script: Callable[[Peer], None], wait: str
) -> None:
    came = rush_in_vain(script)
    assert came.waits == {wait: len(USERS)}
    assert (came.again, came.cut) == (0, 0)


def test_who_is_turned_away_comes_again() -> None:
    def busy_at_first(peer: Peer) -> None:
        if peer.number >= 5:
            serve(peer)

    came = rush(busy_at_first)
    assert (came.waits, came.again, came.cut) == ({}, 5, 0)


def test_who_answers_with_no_frame_is_left_and_tried_again() -> None:
    def babble(peer: Peer) -> None:
        with suppress(ConnectionError):  # whose time is over is gone without having heard it
            peer.read()
            peer.say(b"\x03SO WHAT?")
            while peer.read():
                pass

    came = rush_in_vain(babble, over=lambda server: len(server.peers) > 2 * len(USERS))
    assert came.waits == {LOGGED_IN: len(USERS)}
    assert came.again >= len(USERS)


def test_a_port_that_refuses_everybody_is_tried_until_the_time_is_over() -> None:
    with ScriptedServer(serve) as server:
        gone = server.endpoint
    crowd = Crowd(Endpoint(gone.host, gone.port), USERS, Tokens(), SystemClock())
    try:
        came = crowd.come("came", 0.3, {})  # seconds; it connects to nobody, and comes again
    finally:
        crowd.close()
    assert came.waits == {CONNECTED: len(USERS)}
    assert came.again >= len(USERS)


def test_who_is_cut_off_after_being_served_is_counted_apart() -> None:
    def cut_off(peer: Peer) -> None:
        user = peer.read()[1:]
        if user == USERS[0]:
            mute(peer)  # the crowd is not through before this one is
        peer.say(LOGIN_OK)
        peer.read()
        peer.say(status(user))
        if user == USERS[1]:
            return
        while peer.read():
            pass

    came = rush_in_vain(cut_off)
    assert (came.cut, came.again, came.waits) == (1, 0, {LOGGED_IN: 1})


def test_who_is_cut_off_when_all_have_been_served_is_counted_too() -> None:
    def serve_until_told(peer: Peer) -> None:
        user = peer.read()[1:]
        peer.say(LOGIN_OK)
        peer.read()
        peer.say(status(user))
        assert over.wait(SECONDS)

    over = threading.Event()
    with ScriptedServer(serve_until_told) as server, crowd_of(server) as crowd:
        assert crowd.come("came", SECONDS, {}).cut == 0
        assert crowd.cut_off() == 0
        over.set()
        for number in range(len(USERS)):
            server.ended(number)
        assert crowd.cut_off() == len(USERS)


def test_the_bystanders_are_asked_for_once_when_half_is_served() -> None:
    asked = []

    def halfway() -> tuple[str, ...]:
        asked.append(True)
        return ("somebody",)

    with ScriptedServer(serve) as server, crowd_of(server) as crowd:
        assert crowd.come("came", SECONDS, {}, halfway).bystanders == ("somebody",)
    assert asked == [True]


def test_each_rush_comes_from_addresses_of_its_own() -> None:
    def tell(peer: Peer) -> None:
        seen.append(peer.socket.getpeername()[0])
        serve(peer)

    seen: list[str] = []
    with ScriptedServer(tell) as server, crowd_of(server) as crowd:
        for what in ("came", "came back"):
            crowd.come(what, SECONDS, {})
            crowd.leave()
    assert {seen.count(address) for address in seen} == {len(USERS)}
    assert len(set(seen)) == 2
