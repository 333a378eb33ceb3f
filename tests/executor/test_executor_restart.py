"""A case that has the server restarted: what is read, how connections end, who is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.case import Case, Step, StepKind
from fuzz.clock import SystemClock
from fuzz.errors import HarnessFault
from fuzz.executor import Executor, Names, Patience
from fuzz.executor.endpoint import SEARCHING
from fuzz.observation import Ending, Observation
from tests.executor.fake_server import LOGIN_OK, Peer, ScriptedServer, polite
from tests.executor.support import AMPLE, WAIT, half_close, login, send

RESTART = Step(StepKind.RESTART)


class Restarting:
    """A server whose connections are ended by a restart, if they are not ``kept``."""

    def __init__(self, server: ScriptedServer, comes_back: bool = True, kept: int = -1) -> None:
        self.restarts = 0
        self._server = server
        self._comes_back = comes_back
        self._kept = kept

    def restart(self) -> bool:
        self._server.quiet()
        self.restarts += 1
        for peer in self._server.peers:
            if not peer.done and peer.number != self._kept:
                peer.say(b"bye")
                peer.socket.shutdown(2)
        return self._comes_back

    def play(self, *cases: tuple[Step, ...], patience: Patience = AMPLE) -> list[Observation]:
        server, names = self._server, Names(0)
        runner = Executor(server.endpoint, server.quiet, names, SystemClock(), restart=self.restart)
        return runner.play([Case(steps) for steps in cases], patience)


def told(observation: Observation) -> list[tuple[Ending, int | None]]:
    return [(trace.ending, trace.left) for trace in observation.traces]


def test_all_connections_end_there_read_to_their_last_byte() -> None:
    with ScriptedServer(polite) as server:
        asked = Restarting(server)
        (seen,) = asked.play(
            (login(0), login(1), RESTART, send(b"into the void", 0), WAIT, login(2))
        )
    assert asked.restarts == 1
    assert seen.restarts == (3,)
    assert told(seen) == [(Ending.CLOSED, 3), (Ending.CLOSED, 3), (Ending.CLOSED, 5)]
    assert [trace.replies() for trace in seen.traces] == [LOGIN_OK + b"bye"] * 2 + [LOGIN_OK]
    assert not seen.cut_short


def test_a_connection_that_had_ended_before_was_not_ended_by_the_restart() -> None:
    def hasty(peer: Peer) -> None:
        peer.read()
        peer.say(LOGIN_OK)
        if peer.number == 0:
            return  # the server is first
        while peer.read():
            pass

    with ScriptedServer(hasty) as server:
        (seen,) = Restarting(server).play((login(0), login(1), half_close(1), RESTART))
    assert told(seen) == [(Ending.CLOSED, None), (Ending.CLOSED, 3)]
    assert seen.restarts == (4,)


def test_what_the_server_keeps_open_is_cut() -> None:
    with ScriptedServer(polite) as server:
        brief = replace(AMPLE, close=0.1)  # this silence is to be sat out
        (seen,) = Restarting(server, kept=0).play((login(0), RESTART), patience=brief)
    assert told(seen) == [(Ending.DROPPED, 2)]


def test_a_server_that_does_not_come_back_gives_the_play_up() -> None:
    with ScriptedServer(polite) as server:
        (seen,) = Restarting(server, comes_back=False).play((login(0), RESTART, login(1)))
    assert seen.cut_short
    assert [trace.number for trace in seen.traces] == [0]


def test_it_is_played_alone() -> None:
    """Of cases side by side, one that restarts the server would end the others."""
    with ScriptedServer(polite) as server:
        asked = Restarting(server)
        plain = (login(0), send(b"x", 0), WAIT, half_close(0))
        seen = asked.play(plain, (login(0), RESTART), plain)
    assert [one.restarts for one in seen] == [(), (2,), ()]
    assert [told(one) for one in seen] == [
        [(Ending.CLOSED, 3)],
        [(Ending.CLOSED, 2)],
        [(Ending.CLOSED, 3)],
    ]


def test_nobody_is_asked_who_cannot_do_it() -> None:
    with ScriptedServer(polite) as server:
        runner = Executor(server.endpoint, server.quiet, Names(0), SystemClock())
        with pytest.raises(HarnessFault, match="restarts the server where that cannot be done"):
            runner.play([Case((RESTART,))], SEARCHING)
