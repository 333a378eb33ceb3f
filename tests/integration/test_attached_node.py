"""A node that somebody else runs, with an agent in it for as long as we look."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from fuzz.agents import UNWATCHED
from fuzz.finding import Kind
from fuzz.rig import rig_of
from fuzz.settings import AttachSettings, CoverageSettings, FuzzSettings, TargetSettings
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog
from tests.beam.named import COOKIE, named_node, port_mapper
from tests.integration.support import SEEDS, program, run_campaign
from tests.planted.triggers import CASES as TRIGGERS
from tests.target.reference_support import ReferenceNode, memory_folder

#: What must be the same afterwards; the first connection of any node loads dist_util. The logger
#: remembers each module that has logged.
STATE = """{lists:sort([{M, M:module_info(md5)} || {M, _} <- code:all_loaded()]), code:get_path(),
    lists:sort(os:env()), logger:get_handler_ids(), logger:get_primary_config(),
    lists:sort([K || {K, _} <- persistent_term:get(), not (is_tuple(K) andalso
        element(1, K) =:= logger_config andalso is_atom(element(2, K)))]), lists:sort(registered()),
    lists:sort([ets:info(T, name) || T <- ets:all()]), nodes(hidden)}"""
PLANT = "crash_alone"
_numbers = count(1)


@pytest.fixture(scope="module")
def epmd() -> Iterator[None]:
    with port_mapper() as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERL_EPMD_PORT", str(port))
        yield


class Somebodys:
    """A reference Iris in a node with a name, its cookie in a file; it is not ours."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.cookie = folder / "cookie"
        self.cookie.write_text(COOKIE)
        name = f"iris{os.getpid()}y{next(_numbers)}@localhost"
        loopback = ("-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-start_epmd", "false")
        flags = ("-sname", name, "-setcookie", COOKIE, *loopback)
        self.node = stack.enter_context(ReferenceNode(folder, {"plants": PLANT}, flags))
        self.node.eval("code:ensure_loaded(dist_util)")

    @property
    def settings(self) -> TargetSettings:
        attach = AttachSettings((self.node.name,), self.cookie)
        return TargetSettings(f"127.0.0.1:{self.node.tcp}", attach=attach)

    def is_left(self) -> None:
        """Wait until the agent is gone."""
        gone = "not erlang:module_loaded(iris_fuzz_agent) andalso whereis(iris_fuzz_leaver) =:= "
        self.node.until(f"{gone} undefined andalso nodes(hidden) =:= []", "the agent to be gone")


@pytest.fixture(scope="module")
def somebodys(epmd: None) -> Iterator[Somebodys]:
    with memory_folder() as folder, ExitStack() as stack:
        yield Somebodys(Path(folder), stack)


def test_a_crash_in_it_is_told_with_its_report_and_nothing_is_restarted(
    somebodys: Somebodys,
) -> None:
    node = somebodys.node
    before, supervisor = node.eval(STATE), node.eval("whereis(iris_ref_sup)")
    rig = rig_of(somebodys.settings)
    rig.start()
    try:
        assert rig.covered == ("iris_ref",)
        assert any("iris_ref_listener" in note for note in rig.notes)
        investigator = Investigator(rig, Watchdog(rig))
        findings = investigator.judge_alone(TRIGGERS[PLANT][1])
        assert [finding.kind for finding in findings] == [Kind.PROCESS_CRASH]
        assert "function_clause" in findings[0].cause.reason
        again = investigator.confirm(TRIGGERS[PLANT][1], findings[0])
        assert again.reproduced == again.plays > 1
        assert rig.recover().how == "itself"
        assert rig.agent is not None
        assert rig.agent.quiet(5)
    finally:
        rig.stop()
    assert rig.left == ()
    somebodys.is_left()
    assert node.eval(STATE) == before
    assert node.eval("whereis(iris_ref_sup)") == supervisor


def test_a_campaign_on_it_is_guided_by_its_coverage(somebodys: Somebodys, tmp_path: Path) -> None:
    settings = FuzzSettings(somebodys.settings, tmp_path, (SEEDS,), cases=150)
    summary = run_campaign(settings)
    assert summary.started is not None
    assert summary.started.guided_by == "BEAM coverage"
    assert (summary.started.unseen, summary.started.covered) == ((), ("iris_ref",))
    assert summary.modules["iris_ref_proto"][0] > 0
    assert (summary.reason, summary.left) == ("all cases are played", ())
    somebodys.is_left()


def test_an_interrupt_takes_the_agent_out_again(somebodys: Somebodys, tmp_path: Path) -> None:
    words = somebodys.settings.switches()
    with program(tmp_path, "fuzz", *words, "--time", 300, "--corpus", "corpus") as running:
        running.journal_grows(tmp_path / "corpus", 1)
        running.process.send_signal(signal.SIGINT)
        assert running.end() in (0, 1), running.text()
    somebodys.is_left()


def test_modules_can_be_left_out(somebodys: Somebodys) -> None:
    coverage = CoverageSettings(("iris_ref_p*",), exclude=("iris_ref_plant*",))
    rig = rig_of(replace(somebodys.settings, coverage=coverage))
    rig.start()
    modules = {point.module for point in rig.points}
    rig.stop()
    assert modules == {"iris_ref_pages", "iris_ref_presence", "iris_ref_proto"}
    somebodys.is_left()


def test_its_end_is_seen_though_it_is_not_ours(epmd: None) -> None:
    with memory_folder() as folder, ExitStack() as stack:
        other = Somebodys(Path(folder), stack)
        rig = rig_of(other.settings)
        rig.start()
        try:
            assert rig.target.poll() is None
            other.node.kill()
            evidence = Watchdog(rig).settle(())
            assert evidence.node_exit is not None
            assert not evidence.node_silent
        finally:
            rig.stop()
        assert rig.left == ()


def test_of_an_edge_whose_core_is_not_watched_only_what_holds_in_any_order_is_judged(
    somebodys: Somebodys,
) -> None:
    """What the core is asked for is handled there, and a barrier of the edge does not wait."""
    rig = rig_of(somebodys.settings)
    rig.start()
    (alone,) = rig.play([TRIGGERS[PLANT][1]])
    rig.stop()
    assert alone.exact
    assert UNWATCHED not in rig.notes
    with named_node(somebodys.cookie.parent) as core:
        assert core.eval(f"net_adm:ping('{somebodys.node.name}')") == "pong"
        rig = rig_of(somebodys.settings)
        rig.start()
        (seen,) = rig.play([TRIGGERS[PLANT][1]])
        rig.stop()
    assert UNWATCHED in rig.notes
    assert not seen.exact
    somebodys.is_left()


def test_a_node_that_takes_no_agent_ends_the_start(somebodys: Somebodys, tmp_path: Path) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_text("wrong")
    attach = AttachSettings((somebodys.node.name,), cookie)
    settings = TargetSettings(f"127.0.0.1:{somebodys.node.tcp}", attach=attach)
    with program(tmp_path, "fuzz", *settings.switches(), "--cases", 1) as running:
        assert running.end() == 2
        assert "takes no agent: it does not accept the cookie" in running.text()
        assert "Traceback" not in running.text()
