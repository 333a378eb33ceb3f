"""Each planted defect does what the catalogue says, for the stated reason, and only when on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.target.reference_support import (
    REPLY_SECONDS,
    Client,
    ReferenceNode,
    error,
    memory_folder,
    n16,
    n32,
    u64,
)

KINDS = {
    "crash_alone": "process_crash",
    "crash_cascades": "listener_restart",
    "app_gives_up": "app_down",
    "node_abort": "node_down",
    "node_dump": "node_down",
    "hang": "hang",
    "atom_leak": "leak",
}

TRIGGERS = {
    "crash_alone": b"\x34",
    "crash_cascades": b"\x70" + n16(b""),
    "app_gives_up": b"\x05" + n16(b"u" * 257),
    "node_abort": b"\x04" + n16(b"bob") + n32(n16(b"one") + b"\x00\x04two"),
    "node_dump": b"\x07" + n16(b"bob") + u64(2**64 - 1) + n16(b"hi"),
    "hang": b"\x10" + n16(b"bob") + n32(b"\xbf\x01\x02"),
    "atom_leak": b"\x35" + n16(b"no such group"),
}


@contextmanager
def planted(name: str) -> Iterator[ReferenceNode]:
    """A node with one defect."""
    with memory_folder() as folder, ReferenceNode(Path(folder), {"plants": name}) as node:
        yield node


def test_the_catalogue_is_complete(reference: ReferenceNode) -> None:
    rows = reference.eval("[{N, K} || #{name := N, kind := K} <- iris_ref_plant:catalogue()]")
    assert KINDS.items() <= dict(re.findall(r"\{(\w+),(\w+)\}", rows)).items()
    sources = Path(__file__).parents[2] / "fuzz" / "target" / "reference" / "src"
    text = "".join(path.read_text() for path in sorted(sources.glob("*.erl")))
    names = reference.eval("[Name || #{name := Name} <- iris_ref_plant:catalogue()]")
    assert sorted(re.findall(r"%% PLANTED: (\w+) - ", text)) == sorted(re.findall(r"\w+", names))


@pytest.mark.parametrize("name", KINDS)
def test_without_its_defect_a_trigger_is_answered(reference: ReferenceNode, name: str) -> None:
    with Client(reference.tcp, b"trigger") as client:
        client.send(TRIGGERS[name])
        frames = client.finish()
        assert len(frames) == (0 if name == "node_dump" else 1)
        assert [frame[0] for frame in frames] == [0xFE] * len(frames)


def test_crash_alone_ends_one_connection() -> None:
    with planted("crash_alone") as node, Client(node.tcp, b"bystander") as bystander:
        with Client(node.tcp, b"ann") as client:
            client.send(TRIGGERS["crash_alone"])
            assert client.rest() == b""
        bystander.settle()
        node.logged("function_clause", "iris_ref_session,handle")


def test_crash_cascades_cuts_off_everybody_and_the_listener_comes_back() -> None:
    with planted("crash_cascades") as node, Client(node.tcp, b"bystander") as bystander:
        listener = node.eval("whereis(iris_ref_tcp_listener)")
        with Client(node.tcp, b"ann") as client:
            client.send(TRIGGERS["crash_cascades"])
            assert client.rest() == b""
            assert bystander.rest() == b""
        node.until("undefined =/= whereis(iris_ref_ws_listener)", "the listeners to be back")
        assert node.eval("whereis(iris_ref_tcp_listener)") != listener
        with Client(node.tcp, b"ann") as client:
            client.settle()
        text = node.logged("function_clause", "iris_ref_presence,handle_cast", "initial call:")
        # Nothing else has crashed on the way.
        assert set(re.findall(r"initial call: (\w+)", text)) == {"iris_ref_presence"}


def test_app_gives_up_leaves_a_node_without_a_port() -> None:
    with planted("app_gives_up") as node, Client(node.tcp, b"ann") as client:
        client.send(TRIGGERS["app_gives_up"])
        assert client.rest() == b""
        running = "lists:keymember(iris_ref, 1, application:which_applications())"
        node.until(f"not {running}", "the application to stop")
        with pytest.raises(ConnectionRefusedError):
            Client(node.tcp)
        node.logged("function_clause", "iris_ref_offline,handle_call")
        assert node.eval("application:start(iris_ref)") == "ok"
        with Client(node.tcp, b"ann") as again:
            again.settle()


def test_node_abort_ends_the_node_by_a_signal() -> None:
    with planted("node_abort") as node, Client(node.tcp, b"ann") as client:
        client.send(TRIGGERS["node_abort"])
        assert node.process.wait(REPLY_SECONDS) == -6


def test_node_dump_ends_the_node_with_a_slogan() -> None:
    with planted("node_dump") as node, Client(node.tcp, b"ann") as client:
        client.send(TRIGGERS["node_dump"])
        assert node.process.wait(REPLY_SECONDS) == 1
        dump = (node.folder / "dump").read_text(errors="replace")
        assert "Slogan: iris_ref: sequence number overflow" in dump


@pytest.mark.parametrize(
    "trigger",
    [
        TRIGGERS["hang"],
        b"\x23" + n16(b"bob") + n16(b"\xbf") + n32(b"c"),
    ],
)
def test_hang_keeps_one_process_running(trigger: bytes) -> None:
    with (
        planted("hang") as node,
        Client(node.tcp, b"bystander") as bystander,
        Client(node.tcp, b"ann") as client,
    ):
        client.send(trigger)
        find = 'begin {ok, {_, _, P}} = iris_ref_presence:find(<<"ann">>), P end'
        where = f"erlang:process_info({find}, current_function)"
        stuck = "{current_function,{iris_ref_cbor,look_for_break,1}}"
        node.until(f"{where} =:= {stuck}", "the process to be stuck")
        client.send(b"\x05" + n16(b"nobody"))
        bystander.settle()
        reductions = f"element(2, erlang:process_info({find}, reductions))"
        before = node.number(reductions)
        node.until(f"{reductions} > {before + 10_000_000}", "the process to run on")
        assert node.eval(where) == stuck
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)


def test_atom_leak_keeps_an_atom_for_each_new_id() -> None:
    with planted("atom_leak") as node, Client(node.tcp, b"ann") as client:
        count = "erlang:system_info(atom_count)"
        node.eval(count)
        before = node.number(count)
        for number in [*range(100), 7]:
            assert client.ask(b"\x35" + n16(b"made up %d" % number)) == error("no such group")
        group = client.ask(b"\x30" + n16(b"team"))[1]
        assert isinstance(group, bytes)
        assert client.ask(b"\x35" + n16(group))[0] == 0x35
        assert node.number(count) == before + 100


def test_a_stop_ends_a_hanging_connection_too() -> None:
    with planted("hang") as node, Client(node.tcp, b"ann") as client:
        client.send(TRIGGERS["hang"])
        answer = node.eval("{application:stop(iris_ref), application:start(iris_ref)}")
        assert answer == "{ok,ok}"
        with Client(node.tcp, b"bob") as again:
            again.settle()
