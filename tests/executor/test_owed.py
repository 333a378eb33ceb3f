"""Answers that must come are counted, and waited for where a barrier is a guess."""

from __future__ import annotations

import select
import threading
from contextlib import suppress

import pytest

from fuzz.case import GROUP_TOKEN, Case
from fuzz.clock import FakeClock, SystemClock
from fuzz.executor import Executor, Names, player
from fuzz.executor.endpoint import CONFIRMING
from fuzz.executor.owed import owed
from fuzz.executor.player import Play, Player, Wait
from fuzz.observation import Ending, Sent
from grammar import (
    Error,
    FetchPrekeys,
    Frame,
    GetStatus,
    GroupCreate,
    GroupJoin,
    GroupLeave,
    Login,
    LoginOk,
    PrekeyResponse,
    ReliableMsg,
    SendMessage,
    StatusResponse,
    encode,
)
from tests.executor.certificates import server_context, trusting
from tests.executor.fake_server import LOGIN_OK, SECONDS, Peer, ScriptedServer
from tests.executor.support import WAIT, login, send

LOGIN = encode(Login(b"a"))
STATUS = encode(GetStatus(b"a"))


def _owed(segments: list[bytes], *received: Frame) -> int:
    sent = [Sent(order, data, login=False) for order, data in enumerate(segments)]
    return owed(sent, b"".join(map(encode, received)))


@pytest.mark.parametrize(
    ("segments", "received", "left"),
    [
        ([], (), 0),
        ([LOGIN], (), 1),
        ([LOGIN], (LoginOk(),), 0),
        ([LOGIN, LOGIN], (LoginOk(),), 1),
        ([LOGIN, encode(SendMessage(b"b", b"x"))], (LoginOk(),), 0),
        ([LOGIN, STATUS + STATUS], (LoginOk(), StatusResponse(b"a", 1, 0)), 1),
        ([LOGIN, STATUS[:2], STATUS[2:]], (LoginOk(),), 1),
        ([LOGIN, STATUS[:2]], (LoginOk(),), 0),
        ([LOGIN, STATUS], (LoginOk(), ReliableMsg(b"1", b"from b")), 1),
        ([LOGIN, encode(GroupCreate(b"g"))], (LoginOk(), Error(b"no")), 0),
        ([encode(FetchPrekeys(b"a"))], (), 0),
        ([LOGIN, encode(FetchPrekeys(b"a"))], (LoginOk(), PrekeyResponse(b"")), 0),
        ([STATUS], (StatusResponse(b"a", 0, 0), StatusResponse(b"a", 0, 0)), 0),
        ([LOGIN, STATUS + b"\x99"], (LoginOk(),), 0),
    ],
)
def test_what_must_be_answered_is_owed_until_it_is(
    segments: list[bytes], received: tuple[Frame, ...], left: int
) -> None:
    assert _owed(segments, *received) == left


def _late_group(waited_for: threading.Event, peer: Peer) -> None:
    """Answer a GROUP_CREATE only when its client waits for that."""
    peer.read()
    peer.say(LOGIN_OK)
    peer.read()
    assert waited_for.wait(SECONDS)
    peer.say(encode(GroupJoin(b"the group", b"a")))
    while peer.read():
        pass


def _drive(player: Player, waits: threading.Event) -> None:
    """Play to the end; tell ``waits`` when the player waits for bytes behind a barrier."""
    run = player.run()
    wanted, behind = next(run), False
    with suppress(StopIteration):
        while True:
            if not isinstance(wanted, Wait):
                behind, answer = True, True
            else:
                assert wanted.connection is not None
                if behind:
                    waits.set()
                answer = bool(select.select([wanted.connection], [], [], wanted.seconds)[0])
            wanted = run.send(answer)


@pytest.mark.parametrize(("exact", "group"), [(False, b"the group"), (True, GROUP_TOKEN)])
def test_a_player_waits_for_the_answer_where_a_barrier_is_not_exact(
    exact: bool, group: bytes
) -> None:
    create, leave = send(encode(GroupCreate(b"g"))), send(encode(GroupLeave(GROUP_TOKEN)))
    case, waits, names = Case((login(), create, WAIT, leave)), threading.Event(), Names(0)
    with ScriptedServer(lambda peer: _late_group(waits, peer)) as server:
        player = Player(
            case, server.endpoint, CONFIRMING, names.fresh(), SystemClock(), names.tokens, exact
        )
        _drive(player, waits)
        player.close()
    (trace,) = player.traces()
    assert trace.sent[2].data == encode(GroupLeave(group))


def test_an_answer_that_never_comes_ends_no_connection() -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.say(LOGIN_OK)
        while peer.read():
            pass

    with ScriptedServer(script) as server:
        runner = Executor(server.endpoint, lambda _: True, Names(0), SystemClock(), exact=False)
        (observed,) = runner.play([Case((login(), send(STATUS), WAIT))], CONFIRMING)
    (trace,) = observed.traces
    assert (trace.ending, trace.waited_for) == (Ending.CLOSED, "")


def _talk(peer: Peer) -> None:
    """Say what answers nothing; who listens to all of it sees the end."""
    peer.read()
    peer.say(LOGIN_OK)
    peer.socket.settimeout(60.0)  # it is not to fall silent by itself
    for _ in range(400):
        peer.say(encode(ReliableMsg(b"1", b"x" * 40_000)))


def _drive_by_the_second(run: Play, clock: FakeClock) -> None:
    """Play to the end against one who always talks: each wait and each barrier takes a second."""
    wanted = next(run)
    with suppress(StopIteration):
        while True:
            if isinstance(wanted, Wait):
                assert wanted.connection is not None
                assert select.select([wanted.connection], [], [], SECONDS)[0]
            clock.advance(1.0)
            wanted = run.send(True)


@pytest.mark.parametrize("secure", [False, True])
def test_who_talks_without_end_and_never_answers_is_not_listened_to_without_end(
    monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    """Over TLS all that is owed is taken before the end; here however little comes at once."""
    monkeypatch.setattr(player, "_HELD_BACK", 0)
    case, names, clock = Case((login(), send(STATUS), WAIT)), Names(0), FakeClock()
    tls = (server_context(), trusting()) if secure else (None, None)
    with ScriptedServer(_talk, *tls) as server:
        played = Player(
            case, server.endpoint, CONFIRMING, names.fresh(), clock, names.tokens, secure
        )
        _drive_by_the_second(played.run(), clock)
        (trace,) = played.traces()
        played.close()
    assert trace.ending is Ending.DEADLINE
