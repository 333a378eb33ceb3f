"""Tokens in a case stand for what is only known while it is played."""

from __future__ import annotations

from fuzz.case import USER_TOKENS, Case
from fuzz.executor import Names
from grammar import (
    CLIENT_OPCODES,
    RESERVED_OPCODE,
    SERVER_OPCODES,
    GroupJoin,
    GroupRoster,
    ReliableMsg,
    encode,
)
from tests.executor.fake_server import Peer, ScriptedServer, polite
from tests.executor.support import AMPLE, WAIT, executor, login, play, send

GROUP_ID = b"0123456789abcdef"
ASK = encode(GroupRoster(b"<group:1>"))


def test_user_tokens_become_names_of_the_same_length() -> None:
    with ScriptedServer(polite) as server:
        play(server, login(), send(b"to <user:B>, <user:A>"))
        first, second = server.ended(0).segments
    name = first[1:]
    assert len(name) == len(b"<user:A>")
    assert name.startswith(b"a")
    assert second == b"to b" + name[1:] + b", " + name


def test_each_play_has_names_of_its_own() -> None:
    case = Case((login(), login(1, b"<user:B>")))
    with ScriptedServer(polite) as server:
        runner = executor(server)
        for _ in range(2):
            runner.play([case, case], AMPLE)
        names = {peer.segments[0] for peer in server.peers}
    assert len(names) == 8


def test_names_start_over_only_after_the_whole_space() -> None:
    names = Names(start=(1 << 28) - 2)
    assert names.fresh()[b"<user:A>"] == b"avvvvvvv"
    assert names.fresh()[b"<user:A>"] == b"aaaaaaaa"
    assert {len(name) for name in names.fresh().values()} == {8}


def group_server(cut: int) -> tuple[list[bytes], ScriptedServer]:
    """Return a server that answers 30 with a group id, its reply cut after ``cut`` bytes."""
    asked: list[bytes] = []
    reply = encode(GroupJoin(GROUP_ID, b"someone"))

    def script(peer: Peer) -> None:
        rest = reply
        while data := peer.read():
            asked.append(data)
            peer.say(rest[:cut])
            rest = rest[cut:]

    return asked, ScriptedServer(script)


def test_a_group_id_is_learnt_from_the_reply_and_its_length_put_right() -> None:
    asked, server = group_server(cut=1000)
    with server:
        play(server, send(b"\x30"), WAIT, send(ASK))
    assert asked[-1] == encode(GroupRoster(GROUP_ID))


def test_a_group_id_is_learnt_from_a_reply_that_came_in_two_pieces() -> None:
    asked, server = group_server(cut=14)
    with server:
        play(server, send(b"\x30"), WAIT, send(b"\x30"), WAIT, send(ASK), WAIT, send(ASK))
    assert asked[-1] == encode(GroupRoster(GROUP_ID))


def test_what_is_not_learnt_stays_a_token() -> None:
    with ScriptedServer(polite) as server:
        play(server, send(ASK), send(b"\x03<msgid:1>"))
        assert server.ended(0).segments == [ASK, b"\x03<msgid:1>"]


def test_a_message_id_is_that_of_the_message_delivered_last() -> None:
    def script(peer: Peer) -> None:
        while data := peer.read():
            if data[:1] == b"\x01":
                peer.say(b"\x03LOGIN_OK")
                peer.say(encode(ReliableMsg(b"id-one", b"hello")))
                peer.say(encode(ReliableMsg(b"id-two", b"again")))

    with ScriptedServer(script) as server:
        play(server, login(), WAIT, send(b"\x03<msgid:1>"))
        assert server.ended(0).segments[-1] == b"\x03id-two"


def test_an_id_learnt_on_one_connection_is_used_on_another() -> None:
    asked, server = group_server(cut=1000)
    with server:
        play(server, send(b"\x30", 0), WAIT, send(ASK, 1))
    assert asked[-1] == encode(GroupRoster(GROUP_ID))


def test_bytes_that_are_no_frame_teach_nothing_and_do_no_harm() -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        replies = iter([b"\x06\x00\x01a\x09" + b"\0" * 8, encode(GroupJoin(GROUP_ID, b"x"))])
        while data := peer.read():
            heard.append(data)
            peer.say(next(replies, b""))

    with ScriptedServer(script) as server:
        play(server, send(b"1"), WAIT, send(b"2"), WAIT, send(ASK))
    assert heard[-1] == encode(GroupRoster(GROUP_ID))


def test_no_letter_of_a_generated_name_is_an_opcode() -> None:
    """A name read as frames, by a server that lost its place, means the same each time."""
    names = Names(0)
    letters = {byte for _ in range(500) for token in USER_TOKENS for byte in names.fresh()[token]}
    assert not letters & (set(CLIENT_OPCODES) | set(SERVER_OPCODES) | {RESERVED_OPCODE})
