"""Each step of a case does on the wire what it says."""

from __future__ import annotations

import hashlib
import os
import socket

import pytest

from fuzz.case import Case, Step
from fuzz.clock import SystemClock
from fuzz.executor import Executor, Names
from fuzz.executor.connection import Connection
from fuzz.meanwhile import Meanwhile
from fuzz.observation import ConnectionTrace, Ending
from tests.executor.fake_server import LOGIN_OK, Peer, ScriptedServer, echo, polite
from tests.executor.support import (
    AMPLE,
    WAIT,
    half_close,
    login,
    open_,
    pause,
    play,
    reset,
    send,
    trace_of,
)


def test_login_sends_the_opcode_and_the_name_and_takes_the_reply() -> None:
    with ScriptedServer(polite) as server:
        trace = trace_of(server, login(user=b"alice:token"))
        assert server.ended(0).segments == [b"\x01alice:token"]
    assert trace == ConnectionTrace(0, Ending.CLOSED, (LOGIN_OK,))


def test_a_connection_is_opened_by_its_first_use_and_only_once() -> None:
    with ScriptedServer(polite) as server:
        trace = trace_of(server, open_(), open_(), send(b"\x05"))
        server.ended(0)
        assert len(server.peers) == 1
    assert trace == ConnectionTrace(0, Ending.CLOSED)


def test_segments_arrive_one_by_one_as_they_were_cut() -> None:
    cuts = [b"\x01", b"ali", b"ce", b"\x05\x00", b"\x01a"] * 4
    with ScriptedServer(echo) as server:
        trace = trace_of(server, *(send(cut) for cut in cuts))
        assert server.ended(0).segments == cuts
    assert trace.replies() == b"".join(cuts)


def test_wait_cuts_the_replies_into_the_pieces_that_were_waited_for() -> None:
    with ScriptedServer(echo) as server:
        trace = trace_of(server, send(b"one"), WAIT, send(b"two"), send(b"three"), WAIT)
    assert trace.received == (b"one", b"twothree")
    assert trace.replies() == b"onetwothree"


def test_wait_takes_what_came_on_every_connection() -> None:
    with ScriptedServer(echo) as server:
        observation = play(server, send(b"a", 1), send(b"b", 2), WAIT, half_close(1))
    assert [(t.number, t.received) for t in observation.traces] == [(1, (b"a",)), (2, (b"b",))]


def test_half_close_ends_one_connection_and_leaves_the_other() -> None:
    def script(peer: Peer) -> None:
        polite(peer)
        peer.say(b"farewell")

    with ScriptedServer(script) as server:
        observation = play(server, login(0), login(1), half_close(0), send(b"late", 1))
        assert server.ended(1).segments[-1] == b"late"
    assert [trace.received for trace in observation.traces] == [(LOGIN_OK, b"farewell")] * 2
    assert observation.endings() == {Ending.CLOSED}


def in_order(*steps: Step) -> list[object]:
    """Return what a server met, as (connection, segment), and the barriers between."""
    met: list[object] = []

    def script(peer: Peer) -> None:
        while data := peer.read():
            met.append((peer.number, data))
        met.append((peer.number, b""))

    with ScriptedServer(script) as server:

        def barrier(_meanwhile: Meanwhile) -> bool:
            server.quiet()
            met.append("barrier")
            return True

        Executor(server.endpoint, barrier, Names(0), SystemClock()).play([Case(steps)], AMPLE)
    return met


def test_what_one_connection_sent_is_handled_before_another_is_half_closed() -> None:
    met = in_order(open_(0), open_(1), send(b"x", 0), half_close(1), half_close(0))
    assert met == [(0, b"x"), "barrier", (1, b""), "barrier", (0, b"")]


def test_a_connection_that_sent_last_is_half_closed_without_a_barrier() -> None:
    assert in_order(open_(0), send(b"x", 0), half_close(0)) == [(0, b"x"), (0, b"")]


def test_what_is_sent_to_one_another_arrives_before_connections_are_closed() -> None:
    met = in_order(open_(0), open_(1), send(b"x", 0), send(b"y", 1))
    assert met == [(0, b"x"), "barrier", (1, b"y"), "barrier", (0, b""), "barrier", (1, b"")]


def test_what_the_end_of_a_connection_does_is_handled_before_the_next_step() -> None:
    met = in_order(open_(0), open_(1), reset(0), send(b"y", 1))
    assert met == [(0, b""), "barrier", (1, b"y"), (1, b"")]


def test_a_wait_crosses_one_barrier_and_not_two() -> None:
    met = in_order(send(b"x"), WAIT, send(b"y"))
    assert met == [(0, b"x"), "barrier", (0, b"y"), (0, b"")]


def test_connections_still_open_are_closed_in_order_each_after_the_other() -> None:
    ended: list[int] = []

    def script(peer: Peer) -> None:
        polite(peer)
        ended.append(peer.number)

    with ScriptedServer(script) as server:
        play(server, login(3), login(1), login(2), send(b"last", 2))
    assert ended == [0, 1, 2]


def test_a_reset_is_a_reset_and_nothing_is_sent_after_it() -> None:
    with ScriptedServer(polite) as server:
        trace = trace_of(server, login(), send(b"\x23cut"), reset(), send(b"after"))
        peer = server.ended(0)
    assert peer.was_reset
    assert peer.segments == [b"\x01aaaaaaab", b"\x23cut"]
    assert trace == ConnectionTrace(0, Ending.DROPPED, (LOGIN_OK,))


def test_what_was_said_before_a_reset_is_kept() -> None:
    with ScriptedServer(echo) as server:
        assert trace_of(server, send(b"word"), reset()).replies() == b"word"


def test_a_pause_takes_its_time_and_is_no_silence() -> None:
    with ScriptedServer(polite) as server:
        observation = play(server, login(), pause(60), send(b"x"))
    assert observation.seconds >= 0.06
    assert observation.endings() == {Ending.CLOSED}


def test_a_large_segment_goes_out_whole_though_the_socket_takes_it_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = 1 << 20
    data = bytes(range(251)) * (size // 251 + 1)
    parts: list[int] = []
    whole_send = Connection.send

    def counted_send(link: Connection, rest: bytes) -> int:
        with socket.socket(fileno=os.dup(link.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        parts.append(whole_send(link, rest))
        return parts[-1]

    def digest(peer: Peer) -> None:
        hashed, count = hashlib.sha1(), 0
        while part := peer.read():
            hashed.update(part)
            count += len(part)
        peer.say(b"%d %s" % (count, hashed.hexdigest().encode()))

    monkeypatch.setattr(Connection, "send", counted_send)
    with ScriptedServer(digest) as server:
        trace = trace_of(server, send(data[:size]))
    assert len(parts) > 1
    assert sum(parts) == size
    assert trace.ending is Ending.CLOSED
    assert trace.replies() == b"%d %s" % (size, hashlib.sha1(data[:size]).hexdigest().encode())


def test_a_case_without_steps_shows_nothing() -> None:
    with ScriptedServer(polite) as server:
        observation = play(server)
    assert (observation.traces, observation.cut_short) == ((), False)
