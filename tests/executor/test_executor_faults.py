"""A peer that refuses, cuts, or says nothing is an observation; so is a node that is gone."""

from __future__ import annotations

import errno
import gc
import os
import resource
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isinf

import pytest

from fuzz.case import Case, Step, Transport
from fuzz.clock import SystemClock
from fuzz.errors import HarnessFault
from fuzz.executor import Endpoint, Executor, Names
from fuzz.executor.connection import Connection
from fuzz.meanwhile import Meanwhile
from fuzz.observation import ConnectionTrace, Ending
from tests.executor.fake_server import LOGIN_OK, SECONDS, Peer, ScriptedServer, mute, polite
from tests.executor.support import (
    AMPLE,
    SCANT,
    WAIT,
    login,
    open_,
    play,
    reset,
    send,
    trace_of,
)


def unused_endpoint() -> Endpoint:
    """Return an endpoint that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        return Endpoint("127.0.0.1", port, port)


def descriptors() -> int:
    gc.collect()  # what other tests have left is not to go in between
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("transport", list(Transport))
def test_a_port_that_nobody_listens_on_refuses(transport: Transport) -> None:
    runner = Executor(unused_endpoint(), lambda _: True, Names(0), SystemClock())
    case = Case((open_(0, transport), login(), send(b"x"), WAIT))
    (observation,) = runner.play([case], AMPLE)
    assert observation.traces == (ConnectionTrace(0, Ending.REFUSED),)


def test_a_peer_that_cuts_the_connection_is_a_reset() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.reset()

    with ScriptedServer(script) as server:
        assert trace_of(server, login(), send(b"x"), WAIT) == ConnectionTrace(0, Ending.RESET)


def test_a_peer_that_closes_early_is_closed_and_later_steps_do_nothing() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.say(b"AUTH_FAILED")

    with ScriptedServer(script) as server:
        trace = trace_of(server, login(), WAIT, send(b"x"), send(b"y"), reset(), login())
    assert trace == ConnectionTrace(0, Ending.CLOSED, (b"AUTH_FAILED",))


def test_what_the_peer_said_before_a_write_to_it_failed_is_not_lost() -> None:
    """The peer speaks, leaves bytes unread and closes: the next write meets its reset."""

    def script(peer: Peer) -> None:
        peer.say(b"last words")
        select.select([peer.socket], [], [], SECONDS)

    with ScriptedServer(script) as server:
        link = Connection(0, server.endpoint)
        select.select([], [link.fileno()], [], SECONDS)
        select.select([link.fileno()], [], [], SECONDS)
        link.send(b"unread")
        server.ended(0)
        while link.ending is None:
            link.send(b"into the void")
        assert link.ending is Ending.RESET
        assert link.receive() == b"last words"
        assert link.receive() == b""


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ((login(),), "the reply to LOGIN"),
        ((send(b"x"),), "the end of the stream after half-close"),
        ((open_(0, Transport.WEBSOCKET),), "the WebSocket upgrade"),
    ],
)
def test_silence_names_what_was_waited_for(steps: tuple[Step, ...], named: str) -> None:
    with ScriptedServer(mute) as server:
        trace = trace_of(server, *steps, patience=SCANT)
    assert trace == ConnectionTrace(0, Ending.DEADLINE, (), named)


def test_a_backlog_that_is_full_is_silence_before_the_connection() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.create_connection(address):
            runner = Executor(Endpoint(*address), lambda _: True, Names(0), SystemClock())
            (observation,) = runner.play([Case((open_(),))], SCANT)
    (trace,) = observation.traces
    assert (trace.ending, trace.waited_for) == (Ending.DEADLINE, "an accepted connection")


def test_a_peer_that_talks_for_ever_is_not_listened_to_for_ever() -> None:
    def script(peer: Peer) -> None:
        with suppress(ConnectionResetError):
            while True:
                peer.say(b"\xfe\x00\x03bla" * 1000)

    with ScriptedServer(script) as server:
        runner = Executor(server.endpoint, lambda _: True, Names(0), SystemClock())
        (observation,) = runner.play([Case((open_(),))], SCANT)
    (trace,) = observation.traces
    assert trace.ending is Ending.DEADLINE
    assert trace.waited_for == "the end of the stream after half-close"


def test_a_peer_that_stops_reading_is_judged_by_how_it_ends() -> None:
    with ScriptedServer(Peer.hold) as server:
        trace = trace_of(server, send(bytes(1 << 26)), patience=SCANT)
    assert trace.ending is Ending.DEADLINE


def test_nobody_knows_what_was_handled_by_a_node_that_is_not_at_rest() -> None:
    case = Case((login(), send(b"1"), send(b"2"), send(b"3")))
    with ScriptedServer(polite) as server:
        answers = iter([None, True, True])
        runner = Executor(server.endpoint, lambda _: next(answers), Names(0), SystemClock())
        (seen,) = runner.play([case], AMPLE)
    assert not seen.cut_short
    (trace,) = seen.traces
    assert [isinf(sent.done) for sent in trace.sent] == [False, True, False, True]


def test_a_play_is_given_up_when_the_node_does_not_answer_the_barrier() -> None:
    with ScriptedServer(polite) as server:
        answers = iter([True, False])
        runner = Executor(server.endpoint, lambda _: next(answers), Names(0), SystemClock())
        # The other has nothing to play, and so has ended for certain when the node is gone.
        cases = [Case((login(), send(b"1"), send(b"2"), send(b"3"))), Case(())]
        held, ended = runner.play(cases, AMPLE)
    assert (held.cut_short, ended.cut_short) == (True, False)
    assert held.traces == (ConnectionTrace(0, Ending.DROPPED, (LOGIN_OK,)),)


def test_no_descriptor_is_left_behind_however_a_play_ends() -> None:
    def script(peer: Peer) -> None:
        if peer.number % 2:
            mute(peer)
        else:
            polite(peer)

    with ScriptedServer(script) as server:
        before = descriptors()
        play(server, login(0), login(1), open_(2), reset(2), patience=SCANT)
        gives_up = Executor(server.endpoint, lambda _: False, Names(0), SystemClock())
        gives_up.play([Case((open_(), send(b"x"), WAIT))], SCANT)
        failing = Executor(server.endpoint, fails, Names(0), SystemClock())
        with pytest.raises(HarnessFault):
            failing.play([Case((open_(), send(b"x"), WAIT))], SCANT)
        server.let_go.set()
        server.quiet()  # every connection is accepted
        for number in range(len(server.peers)):
            server.ended(number)
        assert descriptors() == before


def fails(_meanwhile: Meanwhile) -> bool:
    raise HarnessFault("the barrier itself is at fault")


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors(), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_lack_of_descriptors_is_a_fault_of_the_harness_and_no_observation() -> None:
    case = Case(tuple(open_(n) for n in range(16)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint(*listener.getsockname())
        runner = Executor(endpoint, lambda _: True, Names(0), SystemClock())
        with no_more_descriptors(), pytest.raises(HarnessFault, match="open files"):
            runner.play([case], AMPLE)


def test_a_lack_of_ports_is_a_fault_of_the_harness_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: errno.EADDRNOTAVAIL)
    runner = Executor(unused_endpoint(), lambda _: True, Names(0), SystemClock())
    with pytest.raises(HarnessFault, match="no free port"):
        runner.play([Case((open_(),))], AMPLE)
