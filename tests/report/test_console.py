"""The console, on a terminal and where there is none."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from fuzz.clock import FakeClock
from fuzz.events import Dismissed, Ended, Event, Faulted, Found, Progress, Recovered, Started
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import NodeSeen
from fuzz.report.console import ConsoleReport, status_block, status_line, summary_lines
from fuzz.report.summary import Summary
from fuzz.report.text import say
from fuzz.store.timeline import Sample

CRASH = Finding(Kind.PROCESS_CRASH, "a process crashed with [/reason]", Cause("crash", "one"))
DOWN = Finding(Kind.NODE_DOWN, "the node ended by SIGABRT", Cause("node ended"))
STARTED = Started("embedded", "BEAM coverage", 120, 9, ("something [worth] a note",))
PROGRESS = Progress(1000, 4.0, 30, 120, 7, 2, 5, 0.75)


def shown(*events: Event, terminal: bool = False, seconds: float = 0.0) -> str:
    """Return what a report prints for ``events``, the clock moving between them."""
    out, clock = StringIO(), FakeClock()
    console = Console(file=out, force_terminal=terminal, width=200)
    summary = Summary()
    with ConsoleReport(summary, console, clock) as report:
        for event in events:
            summary.take(event)
            report.take(event)
            clock.advance(seconds)
    return out.getvalue()


def summary_of(*events: Event) -> Summary:
    summary = Summary()
    for event in events:
        summary.take(event)
    return summary


def summed_up(*events: Event, width: int | None = None) -> str:
    out = StringIO()
    say(Console(file=out, width=200), summary_lines(summary_of(*events), width))
    return out.getvalue()


def test_the_start_names_target_guide_and_notes_as_they_are() -> None:
    text = shown(STARTED)
    assert "target embedded: guided by BEAM coverage, 120 coverage points, 9 seeds" in text
    assert "note: something [worth] a note" in text


EDGE = NodeSeen("iris_edge1@h", "25", 9, ("iris",), 8085)
CORE = NodeSeen("iris_core@h", "25", 8, ("iris",))


def test_the_start_names_the_nodes_and_their_parts() -> None:
    """A node on whose port no client goes is probably an edge that was not named."""
    unused = replace(CORE, name="iris_edge2@h", others=(8087, 8088))
    text = shown(replace(STARTED, nodes=(EDGE, CORE, unused)))
    assert text.splitlines()[1] == (
        "nodes iris_edge1@h (edge, port 8085), iris_core@h (core), "
        "iris_edge2@h (no client goes there; --edge 8087 sends some, if it is an edge)"
    )
    nameless = replace(EDGE, name="nonode@nohost")
    assert "nodes" not in shown(replace(STARTED, nodes=(nameless,)))


def test_of_a_cluster_all_nodes_are_restarted_or_one() -> None:
    cluster = replace(STARTED, nodes=(EDGE, CORE))
    events = (cluster, Recovered("node", 2.0), Recovered("one node", 1.0))
    text = shown(*events)
    assert "all nodes were restarted in 2.0 s\n" in text
    assert "one node was restarted in 1.0 s\n" in text
    assert "(1 of all nodes, 1 of one node)" in summed_up(*events, PROGRESS)


def test_without_a_terminal_nothing_but_plain_lines_come_out() -> None:
    text = shown(STARTED, Found(CRASH, "crash-1", new=True), PROGRESS, Recovered("node", 0.5))
    assert "\x1b" not in text
    assert "the node was restarted in 0.5 s" in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_without_a_terminal_progress_is_a_line_every_five_seconds() -> None:
    assert shown(*[PROGRESS] * 21, seconds=0.25).count("1000 cases") == 2
    assert shown(*[PROGRESS] * 3, seconds=5.0).count("1000 cases") == 3


def test_on_a_terminal_the_status_is_live_and_gone_at_the_end() -> None:
    text = shown(STARTED, PROGRESS, Recovered("node", 0.5), terminal=True)
    assert "\x1b[" in text
    assert "30 of 120 BEAM points (25%)" in text
    assert "restarted" not in text
    assert text.endswith("\x1b[2K")


def test_on_a_terminal_a_finding_is_a_line_of_its_own() -> None:
    text = shown(Found(CRASH, "crash-1", new=True), PROGRESS, terminal=True)
    assert "a process crashed with [/reason]" in text


def test_a_finding_is_shown_once_with_its_file_and_severity() -> None:
    text = shown(*(Found(CRASH, "crash-1", new=hits == 1, hits=hits) for hits in (1, 2, 3)))
    assert text.count("a process crashed with [/reason]") == 1
    assert text.splitlines() == [
        "medium    process_crash     a process crashed with [/reason]",
        f"          {CRASH.fingerprint}  crash-1",
    ]


def test_a_known_finding_is_shown_once_as_known() -> None:
    found = Found(CRASH, "crash-1", new=False)
    text = shown(found, found)
    assert text.count("known: a process crashed") == 1
    assert text.count("a process crashed") == 1


def test_a_finding_that_gets_worse_is_shown_again() -> None:
    worse = Finding(Kind.APP_DOWN, "the port is dead", CRASH.cause)
    text = shown(*(Found(finding, "crash-1", new=False) for finding in (CRASH, worse, CRASH)))
    assert text.splitlines()[2] == (
        "critical  app_down          worse than before: the port is dead"
    )
    assert len(text.splitlines()) == 4


def test_a_long_title_hangs_under_its_own_column_on_a_terminal_only() -> None:
    long = Finding(Kind.HANG, " ".join(["one two three four"] * 6), Cause("long"))
    on, off = (
        summed_up(Found(long, "crash-1", new=True), width=width).partition("medium    hang  ")[2]
        for width in (70, None)
    )
    assert [line.strip() for line in on.splitlines()[:3]] == [
        "one two three four one two three four one",
        "two three four one two three four one two",
        "three four one two three four (seen once)",
    ]
    assert on.splitlines()[1].startswith(" " * 28 + "two")
    assert off.splitlines()[0].endswith("four (seen once)")


def test_a_fault_is_told_with_its_sentence() -> None:
    assert "fault: the worker died: [Errno 12]" in shown(Faulted("the worker died: [Errno 12]"))


def test_the_live_display_ends_when_the_run_breaks_off() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    try:
        with ConsoleReport(Summary(), console) as report:
            report.take(PROGRESS)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        console.print("after")
    assert out.getvalue().endswith("after\n")


def test_the_line_of_progress_says_what_is_known() -> None:
    assert status_line(Summary(progress=PROGRESS)) == (
        "     4 s  1000 cases  250/s now, 250/s on average  30 of 120 BEAM points (25%)  "
        "corpus 7  findings none  restarts 2  replays 5"
    )


def test_the_rate_of_now_is_that_of_the_last_seconds() -> None:
    fast = [Progress(100 * n, float(n), 1, 9, 0, 0, 0, 0.0) for n in range(21)]
    stalled = [Progress(2000, float(n), 1, 9, 0, 0, 0, 0.0) for n in range(21, 27)]
    assert "100/s now, 100/s on average" in status_line(summary_of(*fast))
    assert "0/s now, 77/s on average" in status_line(summary_of(*fast, *stalled))


def test_after_a_long_silence_the_rate_of_now_is_that_of_the_silence() -> None:
    events = [Progress(cases, at, 1, 9, 0, 0, 0, 0.0) for cases, at in ((0, 0.0), (90, 30.0))]
    assert "3/s now" in status_line(summary_of(*events))


def test_a_target_without_an_agent_has_no_points_to_count_at_the_start() -> None:
    text = shown(Started("127.0.0.1:8085", "replies", 0, 9))
    assert text == "target 127.0.0.1:8085: guided by replies, 9 seeds\n"


def test_of_several_workers_it_is_told_how_many_and_whose_time_was_lost() -> None:
    several = replace(STARTED, workers=4)
    assert "target embedded, one for each of 4 workers: guided by" in shown(several)
    text = summed_up(several, Recovered("node", 0.5), PROGRESS)
    assert "0.8 s of 4 workers' time lost" in text


def test_the_first_line_of_progress_waits_until_there_is_some() -> None:
    assert "cases" not in shown(STARTED, PROGRESS)
    assert shown(STARTED, *[PROGRESS] * 2, seconds=5.0).count("1000 cases") == 2


def test_a_target_that_comes_back_by_itself_is_told_as_that() -> None:
    recovered = Recovered("itself", 0.1)
    assert "the target came back by itself in 0.1 s" in shown(recovered)
    assert "restarts  2 (1 by itself), 0.8 s lost" in summed_up(recovered, PROGRESS)


def test_a_suspicion_that_was_dismissed_is_told_as_no_finding() -> None:
    text = shown(Dismissed(CRASH))
    assert text == f"not seen on a fresh node, and no finding: {CRASH.title}\n"
    dismissed = "dismissed {} checked on a fresh node, which did not share it"
    assert dismissed.format("1 suspicion") in summed_up(Dismissed(CRASH))
    assert dismissed.format("2 suspicions") in summed_up(Dismissed(CRASH), Dismissed(CRASH))
    assert "dismissed" not in summed_up(PROGRESS)


def test_a_restart_is_told_with_its_reason() -> None:
    """Else a person wonders what ails a target without a finding."""
    check = Recovered("node", 0.5, "to check a suspicion")
    late = Recovered("one node", 0.25, "for it had ended")
    assert shown(check) == "the node was restarted in 0.5 s, to check a suspicion\n"
    # One was told after the last progress.
    assert (
        "restarts  3 (2 of the node to check a suspicion, 1 of one node for it had ended), 1.2 s"
        in summed_up(check, check, late, PROGRESS)
    )


def test_the_status_names_all_that_a_person_watches() -> None:
    summary = summary_of(
        Found(CRASH, "crash-1", new=True),
        Found(Finding(Kind.HANG, "a hang", Cause("hang")), "crash-2", new=True),
        Found(DOWN, "crash-3", new=True),
        Recovered("node", 0.5),
        Recovered("application", 0.25),
        PROGRESS,
    )
    assert status_block(summary).plain.splitlines() == [
        "",
        "running   4 s",
        "cases     1000, 250/s now, 250/s on average",
        "coverage  30 of 120 BEAM points (25%)",
        "corpus    7 cases that reached something new",
        "replays   5 cases played alone, to see what each one does",
        "restarts  2 (1 of the node, 1 of the application), 0.8 s lost",
        "findings  1 critical, 2 medium",
    ]


@pytest.mark.parametrize(
    ("event", "seconds", "ending", "first"),
    [
        (None, 0.0, False, "waiting for the target"),
        (None, 0.0, True, "ending"),
        (STARTED, 0.0, False, "running   4 s"),
        (STARTED, 1.0, False, "running   5 s"),
        (STARTED, 9.0, False, "running   13 s, looking into an alarm"),
        (STARTED, 9.0, True, "running   13 s, ending when the cases in flight are judged"),
    ],
)
def test_the_live_status_goes_on_while_nothing_comes(
    event: Event | None, seconds: float, ending: bool, first: str
) -> None:
    out, clock, summary = StringIO(), FakeClock(), Summary()
    console = Console(file=out, force_terminal=True, width=80)
    with ConsoleReport(summary, console, clock) as report:
        for one in (event, PROGRESS) if event else ():
            summary.take(one)
            report.take(one)
        clock.advance(seconds)
        if ending:
            report.ending()
    # The last thing painted is what is known when it ends; colours stand between the words.
    assert first in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def test_the_totals_of_a_long_campaign_are_told_beside_those_of_the_run() -> None:
    summary = summary_of(STARTED, PROGRESS)
    summary.campaign = Sample(3, 0.0, 7_320.0, 123_456, 40, 120, 9, 1, 2, 5, 0.75)
    said = "run 3, 123456 cases in 2 h 2 m, 40 points, 1 finding"
    assert f"campaign {said}" in status_line(summary)
    for lines in ([status_block(summary)], summary_lines(summary)):
        assert f"campaign  {said}" in "\n".join(line.plain for line in lines)


def test_without_an_agent_shapes_are_counted() -> None:
    progress = Progress(10, 1.0, 12, 0, 7, 0, 0, 0.0)
    assert "12 dialogue shapes" in status_line(Summary(progress=progress))


def test_the_summary_lists_findings_worst_first_with_their_files() -> None:
    text = summed_up(
        Found(CRASH, "crash-1", new=True, hits=4),
        Found(DOWN, "crash-2", new=True),
        Ended(PROGRESS, "time is up", {"iris_ref_conn": (30, 40)}),
    )
    assert "1 critical, 1 medium" in text
    assert text.index("critical  node_down") < text.index("medium    process_crash")
    assert "a process crashed with [/reason] (seen 4 times)" in text
    assert "crash-2" in text
    assert text.split().index("iris_ref_conn") > 0
    assert "75" in text.partition("iris_ref_conn")[2].splitlines()[0].split()


def test_the_hint_to_show_a_case_is_for_cases_only() -> None:
    hint = "`iris-fuzz show FILE`"
    assert hint in summed_up(Found(CRASH, "crash-1", new=True), Ended(PROGRESS, "time is up"))
    caseless = Found(CRASH, "crashes/assertion-1.json", new=True)
    assert hint not in summed_up(caseless, Ended(PROGRESS, "time is up"))


def test_the_summary_of_a_run_that_broke_off_says_so() -> None:
    text = summed_up(PROGRESS)
    assert "an error" in text
    assert "none" in text


def test_a_wide_terminal_shows_the_modules_side_by_side() -> None:
    modules = {f"module_{letter}": (1, 2) for letter in "abc"}
    wide, narrow = (
        summed_up(Ended(PROGRESS, "time is up", modules), width=width).splitlines()
        for width in (100, 40)
    )
    assert wide[3].split() == ["module_a", "1", "2", "50", "module_c", "1", "2", "50"]
    assert wide[4].split() == ["module_b", "1", "2", "50"]
    assert [line.split()[0] for line in narrow[3:6]] == list(modules)


def test_the_summary_has_a_row_for_cost_where_cost_was_sought() -> None:
    sought = replace(PROGRESS, reductions_per_byte=1234)
    assert "1,234 reductions a byte in the costliest case (a step counts as 64 bytes)" in summed_up(
        STARTED, sought
    )
    assert "costliest" not in summed_up(STARTED, PROGRESS)


def test_the_summary_tells_whose_coverage_it_is_and_what_was_not_seen() -> None:
    covered = replace(STARTED, covered=("iris_edge", "iris_core"))
    assert "(25%) of iris_edge, iris_core\n" in summed_up(covered, PROGRESS)
    blind = replace(STARTED, unseen=("coverage", "leaks"))
    text = summed_up(blind, Ended(PROGRESS, "time is up", left=("a module stays",)))
    assert "not seen  coverage, leaks: there was no agent\n" in text
    assert "left      a module stays\n" in text
    assert "not seen" not in summed_up(covered, PROGRESS)
