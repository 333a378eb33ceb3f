"""What broke, and why: the reports of a live node as events."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest

from fuzz.beam import Event, EventKind, decode
from fuzz.beam.inject import PROTOCOL_VERSION
from tests.beam.nodes import AgentNode

CRASH, SUPERVISOR = EventKind.CRASH, EventKind.SUPERVISOR


def _cast_to_machine(message: str) -> str:
    return f"{{ok, P}} = fixture_machine:start(), gen_statem:cast(P, {message})"


def _brief(event: Event) -> tuple[str, str, str, str]:
    return event.class_name, event.reason, event.process, event.behaviour


def test_a_plain_process_that_fails(node: AgentNode) -> None:
    (event,) = node.events_of("fixture_crashes:plain(<<255, 1>>)")
    assert event.kind is CRASH
    assert event.class_name == "error"
    assert event.reason == "{bad_thing,<binary>,#{key},[<binary>|...],<pid>}"
    assert event.stack == ("fixture_crashes:-plain/1-fun-0-/1",)
    assert event.process == "fixture_crashes:-plain/1-fun-0-/1"
    assert event.behaviour == "plain"
    assert event.application == "fixture"
    assert event.pid.startswith("<0.")
    assert "bad_thing" in event.text
    assert event.time_ms > 1_600_000_000_000


def test_a_plain_process_that_throws(node: AgentNode) -> None:
    (event,) = node.events_of("fixture_crashes:thrown(12)")
    assert (event.class_name, event.reason) == ("throw", "{thrown,<number>}")


@pytest.mark.parametrize("reason", ["normal", "shutdown", "{shutdown,why}", "other", "kill"])
def test_a_plain_process_that_exits_is_no_crash(node: AgentNode, reason: str) -> None:
    assert node.events_of(f"fixture_crashes:exited({reason})") == ()


def test_a_heap_that_grew_over_its_limit(node: AgentNode) -> None:
    (event,) = node.events_of("fixture_crashes:swollen()")
    assert (event.kind, *_brief(event)) == (CRASH, "exit", "max_heap_size", "", "plain")
    assert "maximum heap size reached" in event.text


def test_a_process_under_proc_lib(node: AgentNode) -> None:
    (event,) = node.events_of("fixture_crashes:under_proc_lib(#{a => 1})")
    name = "fixture_crashes:-under_proc_lib/1-fun-0-/0"
    assert _brief(event) == ("error", "{badmatch,#{a}}", name, "proc_lib")
    assert event.stack[0] == "fixture_crashes:-under_proc_lib/1-fun-0-/1"


def test_a_state_machine_reports_twice_under_one_pid(node: AgentNode) -> None:
    first, second = node.events_of(_cast_to_machine("{match, {other, <<1>>}}"))
    expected = ("error", "{badmatch,{other,<binary>}}", "fixture_machine:init/1", "gen_statem")
    assert _brief(first) == _brief(second) == expected
    assert first.pid == second.pid
    assert first.stack[:2] == ("fixture_machine:idle/3", "gen_statem:loop_state_callback/11")
    assert "State machine" in first.text


@pytest.mark.parametrize("reason", ["normal", "shutdown", "{shutdown, now}"])
def test_a_state_machine_that_stops_is_no_crash(node: AgentNode, reason: str) -> None:
    assert node.events_of(_cast_to_machine(f"{{stop, {reason}}}")) == ()


def test_a_state_machine_that_stops_with_a_reason_of_its_own(node: AgentNode) -> None:
    events = node.events_of(_cast_to_machine("{stop, {bad, 1.5}}"))
    assert [(e.class_name, e.reason) for e in events] == [("exit", "{bad,<number>}")] * 2


def test_a_server_under_a_supervisor_reports_three_times(own_node: AgentNode) -> None:
    first, second, third = own_node.events_of("gen_server:cast(fixture_server, {fail, <<1>>})")
    reason = "{cannot_handle,<binary>,<number>}"
    assert _brief(first) == ("error", reason, "fixture_server", "gen_server")
    assert _brief(second) == ("error", reason, "fixture_server", "gen_server")
    assert (first.kind, second.kind, third.kind) == (CRASH, CRASH, SUPERVISOR)
    assert _brief(third) == ("exit", f"{{child_terminated,{reason}}}", "the_server", "supervisor")
    assert third.supervisor == "fixture_sup"
    assert {e.pid for e in (first, second, third)} == {first.pid}
    assert {e.application for e in (first, second, third)} == {"fixture"}
    assert first.stack[0] == "fixture_server:handle_cast/2"


def test_the_report_of_a_server_tells_an_exit_from_an_error(own_node: AgentNode) -> None:
    first, second, _ = own_node.events_of("gen_server:cast(fixture_server, {exit, gone})")
    assert first.class_name == second.class_name == "exit"
    assert first.reason == second.reason == "{gone,#{count}}"


def test_a_supervisor_that_gives_up_takes_its_application_along(own_node: AgentNode) -> None:
    own_node.events_of("gen_server:cast(fixture_server, {fail, 1})")
    events = own_node.events_of("gen_server:cast(fixture_server, {fail, 2})")
    assert [e.kind for e in events] == [CRASH, CRASH, SUPERVISOR, SUPERVISOR, EventKind.APPLICATION]
    assert events[3].reason == "{shutdown,reached_max_restart_intensity}"
    assert (events[4].application, events[4].reason) == ("fixture", "shutdown")
    assert "fixture" not in own_node.agent.applications()
    own_node.agent.restart_app("fixture", 5)
    assert own_node.eval("gen_server:call(fixture_server, count)") == "0"


def test_a_call_that_fails_names_the_call_and_not_its_data(node: AgentNode) -> None:
    (event,) = node.events_of("proc_lib:spawn(gen_server, call, [nobody, {secret, <<1>>}])")
    assert event.class_name == "exit"
    assert event.reason == "{noproc,{gen_server,call,[nobody|...]}}"


def test_other_errors_have_their_format_as_their_shape(node: AgentNode) -> None:
    (event,) = node.events_of('fixture_crashes:old_style("lost ~p of ~p~n", [3, <<4>>])')
    assert (event.kind, event.reason) == (EventKind.ERROR, "lost ~p of ~p~n")
    assert event.text == "lost 3 of <<4>>\n"
    (event,) = node.events_of('logger:error("attempt 17 of 20 failed")')
    assert event.reason == "attempt # of # failed"
    assert node.events_of('logger:warning("nothing broke")') == ()
    (event,) = node.events_of("logger:error(#{what => broken, which => 7})")
    assert event.reason == "#{what,which}"


def test_a_report_that_cannot_be_formatted_is_kept(node: AgentNode) -> None:
    (event,) = node.events_of('fixture_crashes:old_style("~p ~p", [one])')
    assert event.reason == "~p ~p"
    assert event.kind is EventKind.ERROR


@pytest.mark.parametrize("fault", ["throw(x)", "exit(x)", "error(x)", "not_a_format"])
def test_a_report_that_its_callback_cannot_format_is_kept(node: AgentNode, fault: str) -> None:
    said = f"logger:error(#{{what => broken}}, #{{report_cb => fun(_) -> {fault} end}})"
    (event,) = node.events_of(said)
    assert (event.kind, event.reason) == (EventKind.ERROR, "#{what}")
    assert event.text == "(the message cannot be formatted)"


@pytest.mark.parametrize(
    ("reason", "shape", "stack"),
    [
        ("{bad, [{a, b, 1, []}, {1, 2, 3, 4}, {c, d, [x], []}]}", "bad", ("a:b/1", "c:d/1")),
        ("{bad, [{a, b, 1, []} | x]}", "bad", ("a:b/1",)),
        ("{bad, [{a, b, [1 | 2], []}]}", "{bad,[{a,b,<list>,[]}]}", ()),
    ],
)
def test_what_is_no_stack_in_a_reason_harms_nobody(
    node: AgentNode, reason: str, shape: str, stack: tuple[str, ...]
) -> None:
    (event,) = node.events_of(f"proc_lib:spawn(fun() -> exit({reason}) end)")
    assert (event.kind, event.class_name, event.reason) == (CRASH, "exit", shape)
    assert event.stack[: len(stack)] == stack


@pytest.mark.parametrize(
    ("logged", "kind", "reason"),
    [
        ('"odd", #{time => yesterday}', EventKind.ERROR, "odd"),
        (
            "#{label => {supervisor, child_terminated}, report => [{supervisor, s}, {reason, r}, "
            '{offender, [{id, c}, {mfargs, {"m", f, []}}]}]}',
            SUPERVISOR,
            "{child_terminated,r}",
        ),
        (
            "#{label => {supervisor, child_terminated}, report => [{supervisor, s}]}",
            EventKind.ERROR,
            "{unreadable,{report,#{label,report}}}",
        ),
        (
            "#{label => {proc_lib, crash}, report => [[{error_info, {<<1>>, r, []}}], []]}",
            CRASH,
            "{unreadable,{report,#{label,report}}}",
        ),
        (
            "#{label => {application_controller, exit}, report => [{application, <<1>>}]}",
            EventKind.ERROR,
            "{unreadable,{report,#{label,report}}}",
        ),
    ],
)
def test_what_is_logged_in_an_odd_way_is_told_and_costs_nothing_else(
    node: AgentNode, logged: str, kind: EventKind, reason: str
) -> None:
    events = node.events_of(
        f'logger:error("before"), logger:error({logged}), logger:error("behind")'
    )
    assert [event.reason for event in events] == ["before", reason, "behind"]
    assert events[1].kind is kind


def test_long_reports_are_cut(node: AgentNode) -> None:
    (event,) = node.events_of("fixture_crashes:plain(lists:duplicate(100000, {a, <<1>>}))")
    assert event.reason == "{bad_thing,[{a,<binary>}|...],#{key},[[{a,<binary>}|...]|...],<pid>}"
    assert 100 < len(event.text.encode()) <= 4096


def test_a_fault_of_the_agent_is_marked_as_its_own(own_node: AgentNode) -> None:
    before = own_node.eval("whereis(iris_fuzz_cover)")
    events = own_node.events_of("catch gen_server:call(iris_fuzz_cover, nonsense)")
    assert [e.kind for e in events] == [EventKind.AGENT] * 3
    assert events[0].process == "iris_fuzz_cover"
    assert own_node.eval("whereis(iris_fuzz_cover)") != before


_STRANGERS = (
    "[S || {_, S, _, _} <- supervisor:which_children(iris_fuzz_sessions), "
    "iris_fuzz_session:stranger(S) =/= false]"
)


@pytest.mark.parametrize(
    "crash",
    [
        "[S] = %s, gen_server:stop(S, broken, infinity)",
        "[S] = %s, sys:replace_state(S, fun(T) -> setelement(2, T, fun() -> error(x) end) end), ok",
    ],
    ids=["its state", "its last message"],
)
def test_the_report_of_a_session_does_not_have_the_token(own_node: AgentNode, crash: str) -> None:
    token = own_node.files.token
    with socket.create_connection(("127.0.0.1", own_node.where.port), 30) as stranger:
        own_node.until(f"length({_STRANGERS}) =:= 1", "the session")
        assert own_node.eval(crash % _STRANGERS) == "ok"
        hello = decode.encode((decode.atom("hello"), PROTOCOL_VERSION, decode.text(token)))
        with suppress(OSError):
            stranger.sendall(struct.pack(">I", len(hello)) + hello)
            assert stranger.recv(1) == b""
        own_node.until(f"{_STRANGERS} =:= []", "the end of the session")
    events = own_node.agent.settle(5).events
    assert len(events) == 3
    for event in events:
        assert token not in event.text
        assert ",".join(map(str, token.encode())) not in event.text


def test_the_primary_log_level_is_told_and_left_alone(own_node: AgentNode) -> None:
    assert own_node.agent.info.log_level == "notice"
    own_node.eval("logger:set_primary_config(level, critical)")
    assert own_node.events_of("fixture_crashes:under_proc_lib(1)") == ()
    assert "level => critical" in own_node.eval("logger:get_primary_config()")


def test_a_named_node_words_its_message_differently(node: AgentNode) -> None:
    said = node.eval(
        "iris_fuzz_report:events([#{level => error, "
        'msg => {"Error in process ~p on node ~p with exit value:~n~p~n", '
        "[self(), 'a@b', {badarg, [{fixture_plain, hello, [1, 2], []}]}]}, "
        "meta => #{time => 5000, pid => self(), error_logger => #{emulator => true}}}])"
    )
    assert said.startswith('[{<<"crash">>,<<"error">>,<<"badarg">>,')
    assert '<<"fixture_plain:hello/2">>,<<"plain">>' in said


def test_a_target_that_sets_up_its_log_anew_is_still_heard(own_node: AgentNode) -> None:
    own_node.eval("logger:set_primary_config(#{level => notice, filters => []})")
    assert len(own_node.events_of("fixture_crashes:plain(1)")) == 1


def test_a_target_that_filters_its_log_is_quiet_all_the_same(own_node: AgentNode) -> None:
    own_node.eval("logger:add_primary_filter(stop_all, {fun(_, _) -> stop end, none})")
    assert own_node.events_of("fixture_crashes:plain(1)") == ()
    assert own_node.agent.settle(5).quiet


def test_the_barrier_leaves_nothing_in_the_targets_log(own_node: AgentNode) -> None:
    own_node.eval(
        "logger:add_handler(seen, logger_std_h, "
        f'#{{config => #{{file => "{own_node.files.directory}/log"}}}})'
    )
    assert own_node.agent.quiet(5)
    own_node.eval('logger:error("the target has spoken"), logger_std_h:filesync(seen)')
    assert own_node.agent.quiet(5)
    own_node.eval("logger_std_h:filesync(seen)")
    log = (own_node.files.directory / "log").read_text()
    assert "the target has spoken" in log
    assert "iris_fuzz" not in log
