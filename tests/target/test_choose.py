"""Which target is meant, whether it may be fuzzed, and what a crash dump says."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from fuzz.clock import SystemClock
from fuzz.errors import SettingsError, TargetError
from fuzz.observation import NodeExit
from fuzz.rig import rig_of
from fuzz.settings import AttachSettings, FuzzSettings, StartSettings, TargetSettings
from fuzz.target import AttachedTarget, EmbeddedTarget, loopback_only
from fuzz.target.base import Address
from fuzz.target.choose import choose_target
from fuzz.target.cluster import ClusterTarget, edge_clock
from fuzz.target.dump import read_dump
from tests.target.layout import free_edge_ports
from tests.target.started_support import listens, serves, soon

#: An address of the block that is reserved for documentation (RFC 5737): it is nobody's.
ELSEWHERE = "192.0.2.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.0.1"])
def test_the_loopback_interface_may_be_fuzzed(host: str) -> None:
    assert loopback_only(host, ()).startswith("127.")


def test_another_host_has_to_be_allowed_by_name() -> None:
    with pytest.raises(SettingsError, match=r"--allow-host 192\.0\.2\.1"):
        loopback_only(ELSEWHERE, ("192.0.2.2",))
    assert loopback_only(ELSEWHERE, (ELSEWHERE,)) == ELSEWHERE


@pytest.mark.parametrize("host", ["a..b", "x" * 300])
def test_a_name_that_is_none_is_an_error_with_a_sentence(host: str) -> None:
    with pytest.raises(SettingsError, match="cannot be resolved"):
        loopback_only(host, ())


def test_a_name_that_does_not_resolve_is_an_error_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(SettingsError, match="nowhere cannot be resolved: Name or service"):
        loopback_only("nowhere", ())


@pytest.mark.parametrize(
    "target",
    [
        "", "here", ":8085", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a:b", "h:-1",
        "127.0.0.1:" + "9" * 5_000,
    ],
)  # fmt: skip
def test_a_target_that_is_neither_is_refused(target: str) -> None:
    with pytest.raises(SettingsError, match="HOST:PORT"):
        TargetSettings(target)
    if ":" in target:
        with pytest.raises(SettingsError, match="--edge is PORT or HOST:PORT"):
            TargetSettings("127.0.0.1:8085", further=(target,))


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("a b", "NAME or NAME@HOST"),
        ("\udcff", "NAME or NAME@HOST"),
        ("a@\udcff", "NAME or NAME@HOST"),
        ("x" * 70_000, "a name of at most 255 characters"),
    ],
)
def test_what_is_no_name_of_a_node_is_refused(node: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"--node is {told}"):
        AttachSettings((node,))


def test_defects_are_planted_in_the_embedded_target_only() -> None:
    with pytest.raises(SettingsError, match="embedded target only"):
        TargetSettings("127.0.0.1:8085", plants=("hang",))


def test_a_cluster_is_embedded_and_has_so_many_edges() -> None:
    with pytest.raises(SettingsError, match="--edges is for the embedded target only"):
        TargetSettings("127.0.0.1:8085", edges=1)
    with pytest.raises(SettingsError, match="from 0 to 16"):
        TargetSettings(edges=17)
    settings = TargetSettings(edges=2, auth=True)
    assert settings.switches() == ("--auth", "--edges", "2")
    assert choose_target(settings).name == "embedded, 2 edges"


def test_the_clocks_of_edges_can_be_off() -> None:
    settings = TargetSettings(edges=2, auth=True, clock_skew=2.5)
    assert settings.switches() == ("--auth", "--edges", "2", "--clock-skew", "2.5")
    assert [edge_clock(number, 2.5)["clock_offset_ms"] for number in range(3)] == [
        "2500", "-2500", "2500",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"clock_skew": 5.0}, "--clock-skew sets the clocks of edges: add --edges N"),
        ({"clock_skew": -1.0, "edges": 2}, "--clock-skew wants a number of seconds from 0 to 3600"),
        ({"clock_skew": 3600.5, "edges": 2}, "from 0 to 3600"),
        ({"clock_skew": float("nan"), "edges": 2}, "from 0 to 3600"),
        (
            {"target": "127.0.0.1:8085", "clock_skew": 5.0},
            "--clock-skew is for the embedded target only",
        ),
        (
            {"start": StartSettings(("make start",)), "clock_skew": 5.0},
            "--clock-skew is for the embedded target only",
        ),
    ],
)
def test_clocks_that_cannot_be_off_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        TargetSettings(**settings)


def test_a_defect_that_shows_only_where_clocks_differ_wants_that() -> None:
    with pytest.raises(SettingsError, match="only in a cluster: add --edges 2"):
        choose_target(TargetSettings(plants=("iat_ahead",)))
    with pytest.raises(SettingsError, match="only where clocks differ: add --clock-skew 5"):
        choose_target(TargetSettings(plants=("iat_ahead",), edges=2, clock_skew=4.5))
    settings = TargetSettings(plants=("iat_ahead",), edges=2, clock_skew=5)
    assert isinstance(choose_target(settings), ClusterTarget)


def test_a_defect_that_only_a_cluster_shows_wants_one() -> None:
    for edges in (0, 1):
        with pytest.raises(SettingsError, match="only in a cluster: add --edges 2"):
            choose_target(TargetSettings(plants=("edge_drops_empty",), edges=edges))
    assert isinstance(
        choose_target(TargetSettings(plants=("edge_drops_empty",), edges=2)), ClusterTarget
    )


def test_settings_choose_the_target() -> None:
    assert isinstance(choose_target(TargetSettings()), EmbeddedTarget)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        attached = choose_target(TargetSettings(f"localhost:{port}"))
        assert isinstance(attached, AttachedTarget)
        guess = Address("127.0.0.1", port, port + 1, websocket_certain=False)
        assert attached.start({}) == guess
    with pytest.raises(TargetError, match="is it running"):
        attached.start({})
    with pytest.raises(SettingsError):
        choose_target(TargetSettings(f"{ELSEWHERE}:8085"))


def test_the_nodes_of_a_running_target_are_in_the_words_that_choose_it_again() -> None:
    attach = AttachSettings(("edge", "core@here"), Path("a b"))
    settings = TargetSettings("127.0.0.1:8085", attach=attach)
    words = ("--node", "edge", "--node", "core@here", "--cookie-file", "a b")
    assert settings.switches() == ("--target", "127.0.0.1:8085", *words)
    assert AttachSettings(("edge",)).switches() == ("--node", "edge")


def test_no_agent_can_be_brought_into_a_node_elsewhere() -> None:
    attach = AttachSettings(("edge",))
    settings = TargetSettings(f"{ELSEWHERE}:8085", allowed=(ELSEWHERE,), attach=attach)
    with pytest.raises(SettingsError, match="is not on this machine"):
        rig_of(settings)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_time_that_ends_nothing_is_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="--time"):
        FuzzSettings(TargetSettings(), Path("corpus"), (), seconds=seconds)


def test_a_count_of_cases_is_above_zero() -> None:
    with pytest.raises(SettingsError, match="--cases"):
        FuzzSettings(TargetSettings(), Path("corpus"), (), cases=0)


@pytest.mark.parametrize(
    ("families", "said"),
    [
        (("fields", "felds"), "no family of mutations felds"),
        (("cross",), "another family"),
        (("cross", "constants"), "cross and constants alone"),
    ],
)
def test_families_that_change_nothing_are_refused(families: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        FuzzSettings(TargetSettings(), Path("corpus"), (), families=families)


def test_the_end_of_an_attached_node_is_not_seen_but_waited_for() -> None:
    """Else whoever waits for its port to come back would try without a pause."""
    target, clock = AttachedTarget("127.0.0.1", 8085), SystemClock()
    start = clock.now()
    assert target.await_exit(0.05) is None
    assert clock.now() - start >= 0.05
    assert target.poll() is None


def test_stopping_an_attached_target_ends_a_wait_for_it() -> None:
    target = AttachedTarget("127.0.0.1", 8085)
    waiting = threading.Thread(target=target.await_exit, args=(30.0,))
    waiting.start()
    target.stop()
    waiting.join(5.0)
    assert not waiting.is_alive()


def test_the_end_of_a_process_that_is_followed_is_seen_until_another_takes_its_place() -> None:
    target = AttachedTarget("127.0.0.1", 8085)
    (port,) = free_edge_ports(1)
    with subprocess.Popen(["sh", "-c", f"exec {serves(port)}"]) as child:
        deadline = soon("the process to listen")
        while not listens(port):
            assert not deadline.expired(), f"waited in vain for {deadline.what}"
        target.follow("iris", child.pid, port)
        assert target.await_exit(0.01) is None
        child.kill()
        assert target.await_exit(10.0) == NodeExit(None, None, node="iris")
        assert target.poll() == NodeExit(None, None, node="iris")
    with socket.create_server(("127.0.0.1", 0)) as server:
        target.follow("iris", os.getpid(), server.getsockname()[1])
        assert target.poll() is None
    target.stop()
    target.follow("iris", child.pid, port)  # nobody's number any more
    assert target.poll() is None


def test_a_process_that_cannot_be_the_node_is_not_followed() -> None:
    """The number that a node in a container gives as its own may be a stranger's here."""
    target = AttachedTarget("127.0.0.1", 8085)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        target.follow("iris", stranger.pid, 8086)
        stranger.kill()
        stranger.wait(10)
        assert target.poll() is None


DUMP = """=erl_crash_dump:0.5
Mon Nov 23 05:00:00 2026
Slogan: eheap_alloc: Cannot allocate 1234 bytes of memory (of type "heap").
System version: Erlang/OTP 25 [erts-13.1.5] [source] [64-bit]
Taints: crypto,asn1rt_nif
Atoms: 14000
Calling Thread: scheduler:1
=memory
total: 99
Slogan: a second one, which is not the head's
"""


def test_a_dump_gives_its_head(tmp_path: Path) -> None:
    path = tmp_path / "erl_crash.dump"
    path.write_text(DUMP)
    dump = read_dump(path)
    assert dump["slogan"] == 'eheap_alloc: Cannot allocate 1234 bytes of memory (of type "heap").'
    assert dump["atoms"] == "14000"
    assert set(dump) == {"slogan", "system_version", "taints", "memory", "atoms", "calling_thread"}


def test_a_dump_that_is_huge_or_no_text_is_read_at_its_head(tmp_path: Path) -> None:
    path = tmp_path / "erl_crash.dump"
    path.write_bytes(b"\xff\xfe\n" + DUMP.encode() + b"\0" * 1_000_000 + b"\nAtoms: 1\n")
    assert read_dump(path)["atoms"] == "14000"


def test_no_dump_is_empty_and_one_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert read_dump(tmp_path / "erl_crash.dump") == {}
    assert read_dump(tmp_path) == {"unreadable": "Is a directory"}
