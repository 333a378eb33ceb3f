%%% The agent's entry point, its supervisor, and its way out.
%%%
%%% Theory of operation. The agent is carried into a node by flags in the environment and
%%% has to be a guest that nobody notices: it links to nothing of the target, starts no OTP
%%% application, and whatever fails in it is written to the announcement file and does
%%% not reach init. Its processes are
%%%
%%%     iris_fuzz_agent (supervisor; owns the two tables)
%%%       iris_fuzz_cover      instruments modules and puts them back
%%%       iris_fuzz_sessions   (supervisor) one iris_fuzz_session per control connection
%%%       iris_fuzz_listener   accepts control connections, announces the port
%%%
%%% The tables belong to the supervisor so that what is instrumented and what has crashed
%%% outlives a fault in a worker. Log events take no process at all: the logger's handler
%%% inserts them in the table from whichever process logs (see iris_fuzz_events).
-module(iris_fuzz_agent).
-behaviour(supervisor).

-export([start/0, detach/1, version/0, born/0, is_own_name/1]).
-export([init/1]).

%% Version of the control protocol; the client refuses any other.
-define(VERSION, 3).

%% Modules of OTP that only a session, a report or the end needs.
-define(USED_LATER, [gen_tcp, inet_tcp, string, unicode_util, sys]).

-spec version() -> pos_integer().
version() ->
    ?VERSION.

%% When the agent was started, in nanoseconds: a node that tells another time than before has
%% been started anew, be it by heart, by init or by a person.
-spec born() -> integer().
born() ->
    {dictionary, Dictionary} = process_info(whereis(?MODULE), dictionary),
    proplists:get_value(?MODULE, Dictionary).

%% Called from the command line of the node. Never fails and never blocks: the work is done
%% in a process of its own that lets go of the supervisor once it runs.
%% A node that has the flags but no folder to announce itself in was not started by a harness.
-spec start() -> ok.
start() ->
    _ = [spawn(fun start_detached/0) || os:getenv("IRIS_FUZZ_DIR") =/= false],
    ok.

start_detached() ->
    try
        Before = code:all_loaded(),
        ok = load_own_modules(),
        case supervisor:start_link({local, ?MODULE}, ?MODULE, agent) of
            {ok, Supervisor} ->
                ok = iris_fuzz_events:install(),
                unlink(Supervisor),
                ok = warm_up(),
                ok = iris_fuzz_cover:note_loaded(Before),
                {ok, _} = supervisor:start_child(Supervisor, listener());
            {error, {already_started, _}} ->
                ok;
            {error, Reason} ->
                iris_fuzz_file:write_error(Reason)
        end
    catch
        _:Fault:Stack ->
            try_to_tell({Fault, Stack})
    end.

%% Without its other modules the agent has nobody left to tell.
try_to_tell(Fault) ->
    case loads(iris_fuzz_file) of
        true -> iris_fuzz_file:write_error(Fault);
        false -> {error, Fault}
    end.

%% Do once what sessions do, so that the modules of OTP which that needs are known as loaded
%% for the agent, and make no atoms when they are being counted.
warm_up() ->
    _ = [code:ensure_loaded(Module) || Module <- ?USED_LATER],
    {ok, Echoes} = iris_fuzz_quiet:open(),
    ok = iris_fuzz_quiet:close(Echoes),
    _ = iris_fuzz_vitals:node_facts(),
    _ = iris_fuzz_vitals:full(),
    _ = iris_fuzz_vitals:suspects(),
    _ = iris_fuzz_vitals:resources(),
    ok.

%% A node in embedded mode loads nothing by itself; and what is loaded now does not make
%% atoms later, when they are being counted.
load_own_modules() ->
    Files = filelib:wildcard(filename:join(own_directory(), "iris_fuzz_*.beam")),
    Modules = [list_to_atom(filename:basename(File, ".beam")) || File <- Files],
    Missing = [Module || Module <- Modules, not loads(Module)],
    case Missing of
        [] -> ok;
        _ -> exit({cannot_load, Missing})
    end.

loads(Module) ->
    erlang:module_loaded(Module) orelse {module, Module} =:= code:load_file(Module).

own_directory() ->
    filename:dirname(code:which(?MODULE)).

-spec init(agent | sessions) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(agent) ->
    undefined = put(?MODULE, erlang:system_time(nanosecond)),
    ok = iris_fuzz_events:new_table(),
    ok = iris_fuzz_cover:new_table(),
    Sessions = #{
        id => iris_fuzz_sessions,
        start => {supervisor, start_link, [{local, iris_fuzz_sessions}, ?MODULE, sessions]},
        type => supervisor
    },
    Cover = #{id => iris_fuzz_cover, start => {iris_fuzz_cover, start_link, []}},
    %% Three faults in ten seconds are a defect of the agent, not bad luck.
    {ok, {#{strategy => one_for_one, intensity => 3, period => 10}, [Cover, Sessions]}};
init(sessions) ->
    Session = #{
        id => iris_fuzz_session,
        start => {iris_fuzz_session, start_link, []},
        restart => temporary
    },
    {ok, {#{strategy => simple_one_for_one}, [Session]}}.

%% Started last: who finds the announcement finds an agent that is ready.
listener() ->
    #{id => iris_fuzz_listener, start => {iris_fuzz_listener, start_link, []}}.

%% Leave the node as it was. Called by the session with its socket, which is closed when the
%% last of the agent's code is gone: that is how the client knows.
-spec detach(gen_tcp:socket()) -> pid().
detach(Socket) ->
    Leaver = spawn(fun() -> leave(Socket) end),
    ok = gen_tcp:controlling_process(Socket, Leaver),
    Leaver ! go,
    Leaver.

leave(Socket) ->
    receive
        go -> ok
    end,
    ok = iris_fuzz_events:remove(),
    {Restored, Kept, Foreign} = iris_fuzz_cover:restore(),
    stop_supervisor(),
    Reply = {ok, {Restored, Kept}},
    _ = gen_tcp:send(Socket, term_to_binary(Reply)),
    unload(Foreign).

stop_supervisor() ->
    ok = gen_server:stop(?MODULE, shutdown, infinity),
    iris_fuzz_file:delete().

%% The purge of this module kills this process, which closes the socket. It has to be done
%% by code that is not the agent's, so it is handed to lists:foreach/2.
unload(Foreign) ->
    Own = own_modules(),
    Directory = own_directory(),
    _ = [code:delete(Module) || Module <- Foreign],
    _ = [code:soft_purge(Module) || Module <- Foreign],
    _ = code:del_path(Directory),
    _ = [code:delete(Module) || Module <- Own],
    _ = spawn(lists, foreach, [fun code:purge/1, lists:delete(?MODULE, Own) ++ [?MODULE]]),
    receive
        never -> ok
    end.

own_modules() ->
    [Module || {Module, _} <- code:all_loaded(), is_own_name(Module)].

%% Everything of the agent's has a name with its prefix: modules, processes, tables.
-spec is_own_name(term()) -> boolean().
is_own_name(Name) when is_atom(Name) ->
    lists:prefix("iris_fuzz_", atom_to_list(Name));
is_own_name(_) ->
    false.
