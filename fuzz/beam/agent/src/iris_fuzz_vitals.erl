%%% How the node is: what it is made of, what it holds, and who is busy. Reads only.
-module(iris_fuzz_vitals).

-export([node_facts/0, full/0, resources/0, suspects/0, suspected/0]).

%% The processes shown of each ranking.
-define(TOP, 5).

%% Suspects and their stacks that are worth reading.
-define(MAX_SUSPECTS, 20).
-define(MAX_FRAMES, 12).

-spec node_facts() -> tuple().
node_facts() ->
    {
        atom_to_binary(node()),
        list_to_binary(erlang:system_info(otp_release)),
        list_to_binary(erlang:system_info(version)),
        list_to_integer(os:getpid()),
        erlang:system_info(schedulers_online),
        atom_to_binary(iris_fuzz_events:log_level()),
        iris_fuzz_apps:running(),
        iris_fuzz_agent:born()
    }.

-spec full() -> tuple().
full() ->
    Processes = [Seen || Pid <- target_processes(), Seen <- look(Pid)],
    Tables = tables(),
    {
        erlang:system_info(process_count),
        erlang:system_info(port_count),
        erlang:system_info(atom_count),
        Tables,
        [{atom_to_binary(Kind), Bytes} || {Kind, Bytes} <- erlang:memory()],
        erlang:statistics(run_queue),
        element(1, erlang:statistics(reductions)),
        element(1, erlang:statistics(wall_clock)),
        top(2, Processes),
        top(3, Processes)
    }.

%% What the target holds on to when nothing is left to collect: processes and ports by what
%% they are, the tables of its own with their rows and bytes, and of its processes the messages
%% that wait, the binaries, and what is alive on the heap; what has one name is one sum. What
%% Mnesia holds is data that is meant to stay: its rows are counted apart, all together.
-spec resources() -> [{What :: binary(), Name :: binary(), Amount :: non_neg_integer()}].
resources() ->
    %% The agent's own too: what it has just sent would be counted as the target's.
    _ = [erlang:garbage_collect(Pid) || Pid <- processes()],
    Held = [Holding || Pid <- target_processes(), Holding <- held(Pid)],
    Ports = [{{<<"ports">>, Kind}, 1} || Port <- erlang:ports(), Kind <- port_kind(Port)],
    Owned = [{owner(Table), table(Table)} || Table <- ets:all()],
    Targets = iris_fuzz_apps:targets(),
    Own = [Facts || {App, Facts} <- Owned, lists:member(App, Targets)],
    Tables = maps:to_list(lists:foldl(fun add_table/2, #{}, Own)),
    Durable = lists:sum([Rows || {mnesia, {_, Rows, _}} <- Owned, is_integer(Rows)]),
    Sums = maps:to_list(lists:foldl(fun add_holding/2, #{}, Held ++ Ports)),
    [{<<"durable rows">>, <<>>, Durable}, {<<"binaries">>, <<>>, erlang:memory(binary)}] ++
        [{What, Name, Amount} || {{What, Name}, Amount} <- Sums, Amount > 0] ++
        [{<<"ETS tables">>, atom_to_binary(Name), Count} || {Name, {Count, _, _}} <- Tables] ++
        [{<<"ETS rows">>, atom_to_binary(Name), Rows} || {Name, {_, Rows, _}} <- Tables] ++
        [{<<"ETS bytes">>, atom_to_binary(Name), Bytes} || {Name, {_, _, Bytes}} <- Tables].

add_holding({Key, Amount}, Sums) ->
    maps:update_with(Key, fun(Sum) -> Sum + Amount end, Amount, Sums).

%% What has survived the collection of garbage just now is what is alive.
held(Pid) ->
    case {process_info(Pid, [message_queue_len, binary, garbage_collection_info]), describe(Pid)} of
        {[{_, Mail}, {_, Binaries}, {_, Heap}], [Facts]} ->
            Name = process_name(Facts),
            %% A heap may refer to one binary many times.
            Bytes = lists:sum([Size || {_, Size, _} <- lists:ukeysort(1, Binaries)]),
            Words = proplists:get_value(recent_size, Heap, 0),
            [
                {{<<"processes">>, Name}, 1},
                {{<<"mailbox">>, Name}, Mail},
                {{<<"binaries">>, Name}, Bytes},
                {{<<"heap">>, Name}, Words * erlang:system_info(wordsize)}
            ];
        _ ->
            []
    end.

port_kind(Port) ->
    case erlang:port_info(Port, name) of
        {name, Name} -> [unicode:characters_to_binary(Name)];
        undefined -> []
    end.

process_name(Facts) ->
    case element(2, Facts) of
        <<>> -> element(3, Facts);
        Name -> Name
    end.

%% The application whose process owns a table.
owner(Table) ->
    case ets:info(Table, owner) of
        undefined -> undefined;
        Owner -> application_of(application:get_application(Owner))
    end.

application_of({ok, Name}) -> Name;
application_of(undefined) -> undefined.

%% Pid, reductions, mailbox.
look(Pid) ->
    case process_info(Pid, [reductions, message_queue_len]) of
        [{_, Reductions}, {_, Mailbox}] -> [{Pid, Reductions, Mailbox}];
        undefined -> []
    end.

top(Column, Processes) ->
    Ranked = lists:reverse(lists:keysort(Column, Processes)),
    [Described || {Pid, _, _} <- lists:sublist(Ranked, ?TOP), Described <- describe(Pid)].

%% By name, for a name may stand for a table to each connection. The agent's are not counted.
tables() ->
    Seen = [table(Table) || Table <- ets:all()],
    Foreign = [Facts || {Name, _, _} = Facts <- Seen, not iris_fuzz_agent:is_own_name(Name)],
    Sums = lists:sort(maps:to_list(lists:foldl(fun add_table/2, #{}, Foreign))),
    [{atom_to_binary(Name), Count, Rows, Bytes} || {Name, {Count, Rows, Bytes}} <- Sums].

table(Table) ->
    {ets:info(Table, name), ets:info(Table, size), ets:info(Table, memory)}.

%% A table that went away meanwhile has no facts.
add_table({Name, Rows, Words}, Sums) when is_integer(Rows), is_integer(Words) ->
    Bytes = Words * erlang:system_info(wordsize),
    {N0, Rows0, Bytes0} = maps:get(Name, Sums, {0, 0, 0}),
    Sums#{Name => {N0 + 1, Rows0 + Rows, Bytes0 + Bytes}};
add_table(_, Sums) ->
    Sums.

%% Processes that do not wait for their next message: they run, or they wait for an answer.
-spec suspects() -> [tuple()].
suspects() ->
    Described = [Facts || Pid <- suspected(), Facts <- describe(Pid)],
    ByReductions = lists:reverse(lists:keysort(4, Described)),
    lists:sublist(ByReductions, ?MAX_SUSPECTS).

-spec suspected() -> [pid()].
suspected() ->
    [Pid || Pid <- target_processes(), is_suspect(Pid)].

is_suspect(Pid) ->
    case process_info(Pid, [status, current_function]) of
        [{status, waiting}, {current_function, Function}] -> is_call(Function);
        [{status, _}, _] -> true;
        undefined -> false
    end.

is_call({gen, do_call, _}) -> true;
is_call({gen_server, _, _}) -> false;
is_call({erpc, call, _}) -> true;
%% Suspended, and not resumed.
is_call({sys, suspend_loop, _}) -> true;
is_call({sys, suspend_loop_hib, _}) -> true;
is_call({gen_tcp, send, _}) -> true;
is_call({prim_inet, send, _}) -> true;
is_call(_) -> false.

%% Pid, name, initial call, reductions, mailbox, status, stack.
describe(Pid) ->
    Items = [registered_name, reductions, message_queue_len, status, current_stacktrace],
    case process_info(Pid, Items) of
        [{_, Name}, {_, Reductions}, {_, Mailbox}, {_, Status}, {_, Stack}] ->
            [
                {
                    list_to_binary(pid_to_list(Pid)),
                    name(Name),
                    initial_call(Pid, Stack),
                    Reductions,
                    Mailbox,
                    atom_to_binary(Status),
                    frames(Stack)
                }
            ];
        undefined ->
            []
    end.

name([]) -> <<>>;
name(Name) -> atom_to_binary(Name).

%% What proc_lib was asked to run; for other processes what was spawned; for a fun, which
%% the emulator does not name, the oldest frame of the stack.
initial_call(Pid, Stack) ->
    case {proc_lib:translate_initial_call(Pid), process_info(Pid, initial_call), Stack} of
        {{proc_lib, init_p, _}, {_, {erlang, apply, 2}}, [_ | _]} ->
            {Module, Function, Arity, _} = lists:last(Stack),
            call_text({Module, Function, Arity});
        {{proc_lib, init_p, _}, {_, Spawned}, _} ->
            call_text(Spawned);
        {Translated, _, _} ->
            call_text(Translated)
    end.

call_text({Module, Function, Arity}) ->
    iolist_to_binary(io_lib:format("~ts:~ts/~w", [Module, Function, Arity])).

frames(Stack) ->
    [
        {atom_to_binary(Module), atom_to_binary(Function), Arity}
     || {Module, Function, Arity, _} <- lists:sublist(Stack, ?MAX_FRAMES)
    ].

target_processes() ->
    processes() -- own_processes().

own_processes() ->
    Supervisors = [whereis(iris_fuzz_agent), whereis(iris_fuzz_sessions)],
    Children = [
        Child
     || Supervisor <- Supervisors,
        is_pid(Supervisor),
        {_, Child, _, _} <- supervisor:which_children(Supervisor),
        is_pid(Child)
    ],
    [self() | Supervisors ++ Children].
