%%% Makes a structured event of a log event. Pure, but for looking up whose a module is.
%%%
%%% One crash is reported up to three times: by the behaviour (gen_statem, gen_server), by
%%% proc_lib and by the supervisor. All are kept, in order; the pid joins them.
%%%
%%% Anybody may log anything under any label, and the events are out of the table by now. So each
%%% is read by itself, and one that cannot be read is told as it came: it costs no other, nor the
%%% session.
-module(iris_fuzz_report).

-export([events/1, cut/2]).
-export_type([event/0]).

%% Kind, class, reason, stack, process, behaviour, supervisor, application, text, pid, time in
%% milliseconds, node. What is not known is empty, and so is the node if it is this one: what a
%% process does for another node is logged there as well (its group leader is there).
-type event() :: {
    binary(), binary(), binary(), [{binary(), binary(), non_neg_integer()}], binary(), binary(),
    binary(), binary(), binary(), binary(), integer(), binary()
}.

-record(fact, {
    kind = error :: crash | supervisor | application | error | agent,
    class = '' :: error | exit | throw | '',
    %% Whether the class was told, and not inferred from there being a stack.
    exact = false :: boolean(),
    reason = '' :: term(),
    stack = [] :: [tuple()],
    process = '' :: term(),
    behaviour = '' :: atom(),
    supervisor = '' :: term(),
    application = '' :: atom(),
    pid :: term(),
    %% A module that tells whose the process is, where nothing else does.
    module = '' :: atom()
}).

%% Long enough for a report with its state; what matters comes first.
-define(MAX_TEXT, 4096).

%% The events that tell of something that broke, in the order of the log.
-spec events([logger:log_event()]) -> [event()].
events(Logged) ->
    Facts = [{Fact, Event} || Event <- Logged, Fact <- fact(Event)],
    Exact = [Fact || {#fact{exact = true} = Fact, _} <- Facts],
    Classes = maps:from_list([{Fact#fact.pid, Fact#fact.class} || Fact <- Exact]),
    [told(with_class(Fact, Classes), Event) || {Fact, Event} <- Facts].

told(Fact, Event) ->
    try
        finish(Fact, Event)
    catch
        _:_ -> finish(unread(Event), Event)
    end.

%% What is left of an event that is not as its label says: nothing in it that can fail.
unread(#{msg := Message, meta := Meta}) ->
    Kind =
        case is_crash(Message) of
            true -> crash;
            false -> error
        end,
    #fact{kind = Kind, reason = {unreadable, Message}, pid = maps:get(pid, Meta, '')}.

is_crash({report, #{label := {proc_lib, crash}}}) -> true;
is_crash({report, #{label := {_, terminate}}}) -> true;
is_crash(_) -> false.

%% The report of a gen_server does not say whether it was an error or an exit; that of proc_lib,
%% which follows from the same process, does.
with_class(#fact{behaviour = gen_server, pid = Pid} = Fact, Classes) when
    is_map_key(Pid, Classes)
->
    Fact#fact{class = maps:get(Pid, Classes)};
with_class(Fact, _) ->
    Fact.

fact(#{msg := Message, meta := Meta} = Event) ->
    try facts(Message, Meta) of
        ignore -> [];
        Fact -> [Fact]
    catch
        _:_ -> [unread(Event)]
    end.

facts({report, #{label := {gen_statem, terminate}, reason := {Class, Reason, Stack}} = R}, Meta) ->
    crash(Class, {Reason, Stack}, gen_statem, process_name(R, Meta), Meta);
facts({report, #{label := {Behaviour, terminate}, reason := Reason} = R}, Meta) when
    Behaviour =:= gen_server; Behaviour =:= gen_event
->
    crash(class_of(Reason), Reason, Behaviour, process_name(R, Meta), Meta);
facts({report, #{label := {proc_lib, crash}, report := [Own, _]}}, _) ->
    proc_lib_crash(Own);
facts({report, #{label := {supervisor, progress}}}, _) ->
    ignore;
facts({report, #{label := {supervisor, Context}, report := Report}}, _) when is_list(Report) ->
    supervisor(Context, Report);
facts({report, #{label := {application_controller, exit}, report := Report}}, _) ->
    [Name, Reason] = [proplists:get_value(Key, Report) || Key <- [application, exited]],
    {Cause, Stack} = iris_fuzz_shape:split(Reason),
    #fact{
        kind = application, class = exit, reason = Cause, stack = Stack,
        process = Name, application = Name
    };
facts({Format, Arguments}, #{error_logger := #{emulator := true}}) when is_list(Arguments) ->
    emulator(Format, Arguments);
facts({report, #{label := {error_logger, _}, format := Format, args := Arguments}}, Meta) ->
    facts({Format, Arguments}, Meta);
facts({report, Report}, Meta) ->
    #fact{reason = Report, pid = maps:get(pid, Meta, '')};
facts({string, Text}, Meta) ->
    #fact{reason = {string, Text}, pid = maps:get(pid, Meta, '')};
facts({Format, Arguments}, Meta) ->
    #fact{reason = {format, Format, Arguments}, pid = maps:get(pid, Meta, '')}.

crash(Class, Reason, Behaviour, Process, #{pid := Pid}) ->
    {Cause, Stack} = iris_fuzz_shape:split(Reason),
    case is_orderly(Class, Cause) of
        true ->
            ignore;
        false ->
            #fact{
                kind = crash, class = Class, reason = Cause, stack = Stack,
                process = Process, behaviour = Behaviour, pid = Pid
            }
    end.

class_of(Reason) ->
    case iris_fuzz_shape:split(Reason) of
        {_, []} -> exit;
        {_, _} -> error
    end.

is_orderly(exit, normal) -> true;
is_orderly(exit, shutdown) -> true;
is_orderly(exit, {shutdown, _}) -> true;
is_orderly(_, _) -> false.

process_name(#{name := Name} = Report, _) when is_pid(Name) ->
    case Report of
        #{modules := [Module | _]} -> {Module, init, 1};
        _ -> ''
    end;
process_name(#{name := Name}, _) ->
    Name;
process_name(_, #{pid := Pid}) ->
    Pid.

proc_lib_crash(Own) ->
    [Pid, Registered, Initial, {Class, Reason, Stack0}] =
        [proplists:get_value(K, Own) || K <- [pid, registered_name, initial_call, error_info]],
    {Cause, Stack} =
        case iris_fuzz_shape:split(Reason) of
            {Inner, [_ | _] = Deeper} when Class =:= exit -> {Inner, Deeper};
            {_, _} -> {Reason, Stack0}
        end,
    Process =
        case Registered of
            [] -> initial_call(Initial);
            _ -> Registered
        end,
    case crash(Class, {Cause, Stack}, behaviour(Stack0, Initial), Process, #{pid => Pid}) of
        #fact{} = Fact -> Fact#fact{exact = true};
        ignore -> ignore
    end.

initial_call({Module, Function, Arguments}) when is_list(Arguments) ->
    {Module, Function, length(Arguments)};
initial_call(Other) ->
    Other.

%% Which loop the process was in, told by the frames that stay at the bottom of its stack.
behaviour(_, {supervisor, _, _}) ->
    supervisor;
behaviour(Stack, _) ->
    Known = [gen_server, gen_statem, gen_event],
    case [Module || {Module, _, _, _} <- Stack, lists:member(Module, Known)] of
        [Loop | _] -> Loop;
        [] -> proc_lib
    end.

supervisor(Context, Report) ->
    [Name, Reason, Offender] =
        [proplists:get_value(Key, Report) || Key <- [supervisor, reason, offender]],
    {Cause, Stack} = iris_fuzz_shape:split(Reason),
    #fact{
        kind = supervisor, class = exit, reason = {Context, Cause}, stack = Stack,
        process = proplists:get_value(id, Offender, proplists:get_value(mod, Offender, '')),
        behaviour = supervisor, supervisor = supervisor_name(Name),
        pid = proplists:get_value(pid, Offender),
        module = started_by(proplists:get_value(mfargs, Offender))
    }.

started_by({Module, _, _}) when is_atom(Module) -> Module;
started_by(_) -> ''.

supervisor_name({local, Name}) -> Name;
supervisor_name({global, Name}) -> Name;
supervisor_name({via, _, Name}) -> Name;
supervisor_name({Pid, Module}) when is_pid(Pid) -> Module;
supervisor_name(Other) -> Other.

%% Two messages of the emulator tell of a process: it ended with an error, or it grew over
%% the limit of its heap. Neither names it, so the oldest frame stands for what it ran.
emulator(Format, [Pid | _] = Arguments) when is_pid(Pid) ->
    IsHeap = string:find(Format, "maximum heap size reached") =/= nomatch,
    case {IsHeap, lists:last(Arguments)} of
        {true, _} ->
            Kind =
                case lists:nth(4, Arguments) of
                    true -> crash;
                    _ -> error
                end,
            #fact{kind = Kind, class = exit, reason = max_heap_size, behaviour = plain, pid = Pid};
        {false, {{nocatch, Reason}, [_ | _] = Stack}} ->
            plain_crash(throw, Reason, Stack, Pid);
        {false, {Reason, [_ | _] = Stack}} ->
            plain_crash(error, Reason, Stack, Pid);
        {false, _} ->
            #fact{reason = {format, Format, Arguments}, pid = Pid}
    end;
emulator(Format, Arguments) ->
    #fact{reason = {format, Format, Arguments}}.

plain_crash(Class, Reason, Stack, Pid) ->
    Process =
        case lists:last(Stack) of
            {Module, Function, Arity, _} when is_integer(Arity) -> {Module, Function, Arity};
            {Module, Function, Arguments, _} -> {Module, Function, length(Arguments)}
        end,
    crash(Class, {Reason, Stack}, plain, Process, #{pid => Pid}).

finish(Fact, #{meta := Meta} = Event) ->
    Stack = iris_fuzz_shape:frames(Fact#fact.stack),
    Own = [Fact#fact.process, Fact#fact.supervisor, owner_module(Fact)],
    Kind =
        case lists:any(fun is_own/1, Own) of
            true -> agent;
            false -> Fact#fact.kind
        end,
    {
        atom_to_binary(Kind),
        atom_to_binary(Fact#fact.class),
        reason_text(Fact#fact.reason),
        Stack,
        name_text(Fact#fact.process),
        atom_to_binary(Fact#fact.behaviour),
        name_text(Fact#fact.supervisor),
        atom_to_binary(owner(Fact)),
        message_text(Event),
        pid_text(Fact#fact.pid),
        milliseconds(Meta),
        other_node(Fact#fact.pid)
    }.

%% Whoever logs may say when.
milliseconds(#{time := Time}) when is_integer(Time) -> Time div 1000;
milliseconds(_) -> 0.

other_node(Pid) when is_pid(Pid), node(Pid) =/= node() -> atom_to_binary(node(Pid));
other_node(_) -> <<>>.

is_own({Module, _, _}) -> iris_fuzz_agent:is_own_name(Module);
is_own(Name) -> iris_fuzz_agent:is_own_name(Name).

%% For messages that are no report of a crash, the format is the shape.
reason_text({string, Text}) -> without_digits(text(Text));
reason_text({format, Format, _}) -> cut(text(Format), 200);
reason_text(Reason) -> iris_fuzz_shape:text(Reason).

without_digits(Text) ->
    cut(iolist_to_binary(re:replace(Text, <<"[0-9]+">>, <<"#">>, [global])), 200).

name_text('') -> <<>>;
name_text(undefined) -> <<>>;
name_text(Name) when is_atom(Name) -> atom_to_binary(Name);
name_text({M, F, A}) when is_atom(M), is_atom(F), is_integer(A) ->
    iolist_to_binary(io_lib:format("~ts:~ts/~w", [M, F, A]));
name_text(Other) ->
    iris_fuzz_shape:text(Other).

pid_text(Pid) when is_pid(Pid) -> list_to_binary(pid_to_list(Pid));
pid_text(_) -> <<>>.

owner(#fact{application = Application}) when Application =/= '' ->
    Application;
owner(Fact) ->
    case application:get_application(owner_module(Fact)) of
        {ok, Application} -> Application;
        undefined -> ''
    end.

%% The module that a process runs; failing that, the newest frame that is not OTP's.
owner_module(#fact{module = Module}) when Module =/= '' ->
    Module;
owner_module(#fact{process = {Module, _, _}}) when is_atom(Module) ->
    Module;
owner_module(#fact{stack = Stack}) ->
    Foreign = [M || {M, _, _, _} <- Stack, is_atom(M), not iris_fuzz_otp:is_module(M)],
    case Foreign of
        [Module | _] -> Module;
        [] -> ''
    end.

%% The callback of a report is the target's.
message_text(#{msg := Message, meta := Meta}) ->
    try
        cut(text(format(Message, Meta)), ?MAX_TEXT)
    catch
        _:_ -> <<"(the message cannot be formatted)">>
    end.

format({string, Text}, _) ->
    Text;
format({report, Report}, #{report_cb := Callback}) when is_function(Callback, 2) ->
    Callback(Report, #{depth => 30, chars_limit => ?MAX_TEXT, single_line => false});
format({report, Report}, #{report_cb := Callback}) when is_function(Callback, 1) ->
    {Format, Arguments} = Callback(Report),
    format({Format, Arguments}, #{});
format({report, Report}, _) ->
    format({"~0tp", [Report]}, #{});
format({Format, Arguments}, _) ->
    io_lib:format(Format, Arguments, [{chars_limit, ?MAX_TEXT}]).

text(Chars) ->
    case unicode:characters_to_binary(Chars) of
        Text when is_binary(Text) -> Text;
        {_, Text, _} -> Text
    end.

%% Cut at a character, not in the middle of one.
-spec cut(binary(), pos_integer()) -> binary().
cut(Text, Max) when byte_size(Text) =< Max ->
    Text;
cut(Text, Max) ->
    text(binary:part(Text, 0, Max)).
