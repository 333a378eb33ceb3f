"""Cases played side by side do not disturb one another."""

from __future__ import annotations

import threading

from fuzz.case import Case
from fuzz.clock import SystemClock
from fuzz.executor import Executor, Names
from fuzz.meanwhile import Meanwhile
from fuzz.observation import ConnectionTrace, Ending, Observation
from tests.clocks import LeapingClock
from tests.executor.fake_server import LOGIN_OK, SECONDS, Peer, ScriptedServer, echo, polite
from tests.executor.support import AMPLE, WAIT, executor, login, open_, pause, send

BATCH = 16
#: Milliseconds: longer than any of these plays takes.
LONG = 30_000


def test_observations_come_in_the_order_of_the_cases() -> None:
    cases = [Case((open_(n), send(b"case %d" % n, n))) for n in range(BATCH)]
    with ScriptedServer(echo) as server:
        observations = executor(server).play(cases, AMPLE)
    assert [o.traces for o in observations] == [
        (ConnectionTrace(n, Ending.CLOSED, (b"case %d" % n,)),) for n in range(BATCH)
    ]


def test_one_silent_case_among_sixteen_spoils_no_observation_of_another() -> None:
    def script(peer: Peer) -> None:
        if peer.read() == b"\x01silent":
            peer.hold()
        peer.say(LOGIN_OK)
        echo(peer)

    cases = [Case((login(user=b"user%d" % n), send(b"x"), WAIT, send(b"y"))) for n in range(15)]
    cases.insert(7, Case((login(user=b"silent"),)))
    finished: list[Observation] = []
    clock = LeapingClock(lambda: len(finished) == len(cases) - 1)
    with ScriptedServer(script) as server:
        runner = executor(server, clock=clock)
        observations = runner.play(cases, AMPLE, finished=finished.append)
    silent = observations.pop(7)
    assert silent.traces == (ConnectionTrace(0, Ending.DEADLINE, (), "the reply to LOGIN"),)
    assert finished[-1] == silent
    well = (ConnectionTrace(0, Ending.CLOSED, (LOGIN_OK, b"x", b"y")),)
    assert [o.traces for o in observations] == [well] * 15
    assert not any(o.cut_short for o in (silent, *observations))


def test_cases_are_in_flight_together() -> None:
    """No connection is answered before all sixteen have asked: one by one would be silence."""
    all_here = threading.Barrier(BATCH, timeout=SECONDS)

    def script(peer: Peer) -> None:
        peer.read()
        all_here.wait()
        peer.say(LOGIN_OK)

    cases = [Case((login(),))] * BATCH
    with ScriptedServer(script) as server:
        observations = executor(server).play(cases, AMPLE)
    assert {o.endings() for o in observations} == {frozenset({Ending.CLOSED})}


def test_barriers_are_shared() -> None:
    crossed = 0

    with ScriptedServer(polite) as server:

        def barrier(_meanwhile: Meanwhile) -> bool:
            nonlocal crossed
            crossed += 1
            return server.quiet()

        cases = [Case((open_(), send(b"1"), send(b"2"), send(b"3")))] * BATCH
        Executor(server.endpoint, barrier, Names(0), SystemClock()).play(cases, AMPLE)
        for number in range(BATCH):
            assert server.ended(number).segments == [b"1", b"2", b"3"]
    # Two for each case; how many of them fall together is up to the kernel.
    assert 2 <= crossed < 2 * BATCH


def test_a_pause_in_one_case_does_not_hold_up_the_others() -> None:
    """The pause is over when the other has been played: before that nothing makes it end."""
    finished: list[Observation] = []
    clock = LeapingClock(lambda: bool(finished))
    cases = [Case((login(), pause(LONG))), Case((login(), send(b"x"), send(b"y")))]
    with ScriptedServer(polite) as server:
        runner = executor(server, clock=clock)
        pausing, other = runner.play(cases, AMPLE, finished=finished.append)
    assert finished == [other, pausing]
    assert pausing.endings() == other.endings() == {Ending.CLOSED}


def test_something_else_is_done_while_all_wait_until_there_is_nothing_left() -> None:
    """The peer answers only when the last of it is done: it cannot be done after the play."""
    done, left = threading.Event(), iter((True, True, True))

    def meanwhile() -> bool:
        more = next(left, False)
        if not more:
            done.set()
        return more

    def script(peer: Peer) -> None:
        peer.read()
        assert done.wait(SECONDS)
        peer.say(LOGIN_OK)

    with ScriptedServer(script) as server:
        (seen,) = executor(server).play([Case((login(),))], AMPLE, meanwhile)
    assert seen.endings() == {Ending.CLOSED}


def test_who_waits_for_the_node_may_do_something_else_as_well() -> None:
    asked: list[Meanwhile] = []

    def meanwhile() -> bool:
        return False

    with ScriptedServer(polite) as server:

        def barrier(doing: Meanwhile) -> bool:
            asked.append(doing)
            return server.quiet()

        runner = Executor(server.endpoint, barrier, Names(0), SystemClock())
        runner.play([Case((open_(), send(b"1"), send(b"2")))], AMPLE, meanwhile)
    assert asked == [meanwhile]


def test_what_was_played_to_its_end_is_told_while_others_play() -> None:
    """The slow one is answered only when the other has been told."""
    told, heard = threading.Event(), []

    def script(peer: Peer) -> None:
        if peer.read() == b"\x01slow":
            assert told.wait(SECONDS)
        peer.say(LOGIN_OK)

    def finished(seen: Observation) -> None:
        heard.append(seen)
        told.set()

    cases = [Case((login(user=b"slow"),)), Case((login(user=b"quick"),))]
    with ScriptedServer(script) as server:
        slow, quick = executor(server).play(cases, AMPLE, finished=finished)
    assert [id(seen) for seen in heard] == [id(quick), id(slow)]
    assert slow.traces[0].replies() == quick.traces[0].replies() == LOGIN_OK


def test_what_was_given_up_is_told_to_nobody() -> None:
    heard: list[Observation] = []
    with ScriptedServer(polite) as server:
        runner = Executor(server.endpoint, lambda _: False, Names(0), SystemClock())
        cases = [Case((login(), send(b"1"), send(b"2"))), Case(())]
        given_up, ended = runner.play(cases, AMPLE, finished=heard.append)
    assert given_up.cut_short
    assert [id(seen) for seen in heard] == [id(ended)]
