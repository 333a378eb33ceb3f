"""A core and two edges: what is said to one edge is heard at the other."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import cbor2
import pytest

from tests.beam.named import port_mapper
from tests.target.reference_support import (
    LOGIN_OK,
    Client,
    ReferenceNode,
    error,
    memory_folder,
    n16,
    n32,
)

_clusters = count(1)


#: By how much the clocks of the edges are off, in milliseconds: no two machines have the same time.
CLOCKS = (5_000, -5_000)


class Cluster:
    """A core and two edges of one folder, each a node with a name.

    The clock of the first edge is ahead of the core's, that of the second behind it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = f"iris{os.getpid()}x{next(_clusters)}"
        self.core = self.start("core", {"role": "core"})
        edge = {"role": "edge", "core": self.core.name}
        self.edges = [
            self.start(f"edge{number}", {**edge, "clock_offset_ms": offset})
            for number, offset in enumerate(CLOCKS, 1)
        ]

    def start(self, part: str, arguments: Mapping[str, object]) -> ReferenceNode:
        """Start one node; its name and its folder are those of its part."""
        folder = self.folder / part
        folder.mkdir(exist_ok=True)
        # The distribution listens on the loopback interface, as epmd does.
        flags = ("-sname", f"{self.tag}_{part}@localhost", "-setcookie", self.tag)
        loopback = ("-kernel", "inet_dist_use_interface", "{127,0,0,1}")
        return ReferenceNode(folder, arguments, (*flags, *loopback))

    def stop(self) -> None:
        """End all nodes."""
        for node in (*self.edges, self.core):
            node.stop()


@pytest.fixture(scope="module")
def epmd() -> Iterator[None]:
    with port_mapper() as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERL_EPMD_PORT", str(port))
        yield


@pytest.fixture(scope="module")
def cluster(epmd: None) -> Iterator[Cluster]:
    with memory_folder() as folder:
        cluster = Cluster(Path(folder))
        yield cluster
        cluster.stop()


def test_the_core_has_no_client_ports(cluster: Cluster) -> None:
    assert (cluster.core.tcp, cluster.core.ws) == (0, 0)
    assert cluster.core.name == f"{cluster.tag}_core@localhost"


def test_a_message_goes_from_one_edge_to_the_other(cluster: Cluster) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"ann") as ann, Client(two.tcp, b"bob") as bob:
        ann.send(b"\x04" + n16(b"bob") + n32(n16(b"1") + n16(b"2")) + b"\x70" + n16(b"bob"))
        assert [bob.frame()[2], bob.frame()[2]] == [b"1", b"2"]
        assert bob.frame() == (0x72, b"ann", 1)
        assert ann.ask(b"\x05" + n16(b"bob"))[2] == 1
        bob.send(b"\x02" + n16(b"ann") + n16(b"back"))
        assert ann.frame()[2] == b"back"


def test_a_connection_that_was_killed_on_one_edge_is_offline_on_the_other(
    cluster: Cluster,
) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"eve9"), Client(one.tcp, b"fay9"), Client(two.tcp) as other:
        one.eval('{ok, {_, _, P}} = iris_ref_presence:find(<<"eve9">>), put(eve, P), exit(P, kill)')
        one.until("not is_process_alive(get(eve))", "its end")
        # What is done every five seconds.
        one.eval("iris_ref_presence ! sweep, sys:get_state(iris_ref_presence)")
        assert other.ask(b"\x05" + n16(b"eve9"))[2] == 0
        assert other.ask(b"\x05" + n16(b"fay9"))[2] == 1


def test_an_offline_message_waits_at_the_core_and_is_delivered_once(cluster: Cluster) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"ann3") as ann:
        ann.send(b"\x02" + n16(b"cid3") + n16(b"hi"))
        assert ann.ask(b"\x05" + n16(b"cid3"))[2:] == (0, 0)
    with Client(two.tcp, b"cid3") as cid:
        frame = cid.frame()
        assert frame[2] == b"hi"
        assert isinstance(frame[1], bytes)
        cid.send(b"\x03" + frame[1])
        assert cid.finish() == ()
    with Client(one.tcp, b"cid3") as cid:
        assert cid.ask(b"\x05" + n16(b"cid3"))[2] == 1
        assert cid.finish() == ()


def test_what_waits_is_in_the_order_in_which_it_was_sent_over_all_edges(cluster: Cluster) -> None:
    """A store that is full lets the oldest go: that must not be what has just come."""
    one, two = cluster.edges
    for number, edge in enumerate((two, one, two)):  # the second edge was started last
        with Client(edge.tcp, b"ann4") as ann:
            ann.send(b"\x02" + n16(b"dot4") + n16(b"%d" % number))
            assert ann.ask(b"\x05" + n16(b"dot4"))[2:] == (0, 0)
    with Client(one.tcp, b"dot4") as dot:
        frames = [dot.frame() for _ in range(3)]
        assert [frame[2] for frame in frames] == [b"0", b"1", b"2"]
        for frame in frames:
            assert isinstance(frame[1], bytes)
            dot.send(b"\x03" + frame[1])
        assert dot.finish() == ()


def test_a_full_store_lets_go_of_what_came_first_whatever_the_clock_of_its_edge(
    cluster: Cluster,
) -> None:
    """1,000 messages are kept for a user. The last comes through the edge whose clock is behind."""
    one, two = cluster.edges
    for edge, user, texts in (
        (one, b"ann7", [b"%d" % number for number in range(500)]),
        (two, b"bob7", [b"%d" % number for number in range(500, 1000)]),
        (two, b"cid7", [b"last"]),
    ):
        with Client(edge.tcp, user) as client:
            client.send(b"\x04" + n16(b"dot7") + n32(b"".join(map(n16, texts))))
            assert client.ask(b"\x05" + n16(b"dot7"))[2:] == (0, 0)
    with Client(one.tcp, b"dot7") as dot:
        came = [frame[2] for frame in dot.finish()]
    assert came == [*(b"%d" % number for number in range(1, 1000)), b"last"]


def test_what_was_unacknowledged_comes_again_in_the_order_in_which_it_was_sent(
    cluster: Cluster,
) -> None:
    one, two = cluster.edges
    with Client(two.tcp, b"dan8") as dan:
        for edge in (one, two):
            with Client(edge.tcp, b"ann8") as ann:
                ann.send(b"\x02" + n16(b"dan8") + n16(b"%d" % edge.tcp))
                first = dan.frame()[2]
                assert first == b"%d" % edge.tcp
        assert dan.finish() == ()
    with Client(one.tcp, b"dan8") as dan:
        assert [frame[2] for frame in dan.finish()] == [b"%d" % edge.tcp for edge in (one, two)]


def test_the_newest_connection_receives_also_where_its_edge_is_behind(cluster: Cluster) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"eve9") as first, Client(two.tcp, b"eve9") as second:
        found = '{ok, {_, _, Pid}} = iris_ref_presence:find(<<"eve9">>), node(Pid)'
        assert cluster.core.eval(found) == two.name
        assert second.finish() == ()
        cluster.core.until(f"{found} =:= '{one.name}'", "the core to know that the newer has gone")
        assert first.finish() == ()


def test_when_a_user_was_last_seen_is_told_by_the_clock_of_the_core(cluster: Cluster) -> None:
    clock = "iris_ref_clock:now(second)"
    off = [edge.number(f"{clock} - erlang:system_time(second)") for edge in cluster.edges]
    assert off == [ms // 1000 for ms in CLOCKS]
    for number, edge in enumerate(cluster.edges):
        user = b"fay%d" % number
        seen = f'iris_ref_offline:last_seen(<<"{user.decode()}">>)'
        before = cluster.core.number(clock)
        with Client(edge.tcp, user) as fay:
            assert fay.finish() == ()
        cluster.core.until(f"{seen} > 0", "the core to know when the user left")
        assert before <= cluster.core.number(seen) <= cluster.core.number(clock)


def test_groups_and_keys_are_those_of_the_core(cluster: Cluster) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"ann4") as ann, Client(two.tcp, b"bob4") as bob:
        group = ann.ask(b"\x30" + n16(b"team"))[1]
        assert isinstance(group, bytes)
        assert bob.ask(b"\x30" + n16(group)) == (0x31, group, b"bob4")
        assert ann.frame() == (0x31, group, b"bob4")
        bob.send(b"\x36" + n16(group) + n32(b"key"))
        assert ann.frame()[2] == b"\x36" + n16(group) + n32(b"key")
        keys = {
            "identity_key": b"i" * 32,
            "signed_prekey": b"s" * 32,
            "signed_prekey_signature": b"g" * 64,
            "one_time_prekeys": [b"1" * 32],
        }
        assert ann.ask(b"\x20" + n32(cbor2.dumps(keys)))[1] == cbor2.dumps({"status": "ok"})
        assert bob.ask(b"\x21" + n16(b"ann4")) == (0x22, cbor2.dumps(keys))
        used = cbor2.dumps({**keys, "one_time_prekeys": []})
        assert bob.ask(b"\x21" + n16(b"ann4")) == (0x22, used)


def test_what_is_unacknowledged_at_a_killed_edge_was_stored_and_is_not_lost(
    cluster: Cluster,
) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"ann5") as ann:
        ann.send(b"\x02" + n16(b"dan5") + n16(b"kept"))
        ann.settle()
    third = cluster.start("edge3", {"role": "edge", "core": cluster.core.name})
    with Client(third.tcp, b"dan5") as dan:
        frame = dan.frame()
        assert frame[2] == b"kept"
        third.kill()
    with Client(one.tcp, b"ann5") as ann, Client(two.tcp, b"dan5") as dan:
        assert dan.frame() == frame
        ann.send(b"\x02" + n16(b"dan5") + n16(b"next"))
        assert dan.frame()[2] == b"next"


def test_an_edge_without_its_core_says_so_and_serves_again_when_it_is_back(epmd: None) -> None:
    with memory_folder() as folder:
        cluster = Cluster(Path(folder))
        one, two = cluster.edges
        try:
            with (
                Client(one.tcp, b"ann6") as ann,
                Client(two.tcp, b"bob6") as bob,
                Client(one.tcp, b"dan6") as dan,
            ):
                cluster.core.kill()
                missing = error("the core cannot be reached")
                assert ann.ask(b"\x30" + n16(b"team")) == missing
                assert ann.ask(b"\x21" + n16(b"bob6")) == (0x22, b"")
                assert ann.ask(b"\x02" + n16(b"cid6") + n16(b"hi")) == missing
                with Client(one.tcp) as stranger:
                    assert stranger.ask(b"\x01cid6") == missing
                # Who is on the same edge is reached, and numbers go on where the core was.
                ann.send(b"\x02" + n16(b"dan6") + n16(b"without"))
                without = dan.frame()
                cluster.core = cluster.start("core", {"role": "core"})
                listed = 'iris_ref_presence:find(<<"bob6">>) =/= offline'
                cluster.core.until(listed, "the edge to list its users again")
                ann.send(
                    b"\x02" + n16(b"bob6") + n16(b"hi") + b"\x02" + n16(b"dan6") + n16(b"with")
                )
                assert bob.frame()[2] == b"hi"
                unacknowledged = [without, dan.frame()]
                assert [frame[2] for frame in unacknowledged] == [b"without", b"with"]
                assert dan.finish() == ()
            with Client(two.tcp, b"dan6") as dan:
                assert [dan.frame(), dan.frame()] == unacknowledged
        finally:
            cluster.stop()


def test_an_edge_outlives_the_application_of_its_core(cluster: Cluster) -> None:
    one = cluster.edges[0]
    with Client(one.tcp, b"gil") as gil:
        assert cluster.core.eval("application:stop(iris_ref)") == "ok"
        missing = error("the core cannot be reached")
        assert gil.ask(b"\x30" + n16(b"team")) == missing
        assert gil.ask(b"\x02" + n16(b"cid") + n16(b"hi")) == missing
        assert gil.ask(b"\x05" + n16(b"cid")) == (0x06, b"cid", 0, 0)
        assert cluster.core.eval("application:start(iris_ref)") == "ok"
        assert gil.ask(b"\x30" + n16(b"team"))[0] == 0x31


def test_a_node_that_is_lost_is_told_from_one_that_is_slow(cluster: Cluster) -> None:
    one, two = cluster.edges
    with Client(one.tcp, b"eva") as eva:
        # A row that an edge left behind: its process is there no more.
        stale = 'iris_ref_presence:add([{<<"fay">>, 0, Pid}])'
        dead = f"rpc:call('{two.name}', erlang, spawn, [fun() -> ok end])"
        assert cluster.core.eval(f"Pid = {dead}, {stale}") == "ok"
        assert eva.ask(b"\x02" + n16(b"fay") + n16(b"hi") + b"\x05" + n16(b"fay"))[2] == 0
    with Client(two.tcp) as fay:
        fay.send(b"\x01fay")
        fay.socket.shutdown(socket.SHUT_WR)
        assert fay.rest().startswith(LOGIN_OK + b"\x10")
