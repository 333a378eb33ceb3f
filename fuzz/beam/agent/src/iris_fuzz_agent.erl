%%% The agent's entry point, its supervisor, and its way out.
%%%
%%% Theory of operation. The agent gets into a node by flags in the environment of its start
%%% command (start/0), or is brought over distribution into a node that runs (start/3). It has to
%%% be a guest that nobody notices: it links to nothing of the target, starts no OTP application,
%%% and whatever fails in it is told to who started it and does not reach init. Its processes are
%%%
%%%     iris_fuzz_agent (supervisor; owns the two tables)
%%%       iris_fuzz_cover      instruments modules and puts them back
%%%       iris_fuzz_sessions   (supervisor) one iris_fuzz_session per control connection
%%%       iris_fuzz_warden     sees to it that it leaves a node that is not the harness's own
%%%       iris_fuzz_listener   accepts control connections, announces the port
%%%     iris_fuzz_heir         takes a guest out if the supervisor ends
%%%
%%% The tables belong to the supervisor so that what is instrumented and what has crashed
%%% outlives a fault in a worker. Log events take no process at all: the logger's handler
%%% inserts them in the table from whichever process logs (see iris_fuzz_events).
-module(iris_fuzz_agent).
-behaviour(supervisor).

-export([start/0, start/3, detach/2, depart/1, version/0, born/0, is_tended/0, is_own_name/1]).
-export([init/1]).
-export_type([settings/0]).

%% What the agent was started with. An agent of the environment announces itself in a folder, and may
%% have another one for what it compiles. One
%% that was brought in is a guest: it leaves when nobody has been connected for so long, and must
%% be able to put back all that it changes. `compiler' is a folder with the compiler of the same
%% release, should the node have none.
-type settings() :: #{
    token := binary(),
    folder => file:filename(),
    compiled => file:filename(),
    linger_ms => pos_integer(),
    compiler => file:filename()
}.

%% Version of the control protocol; the client refuses any other.
-define(VERSION, 5).

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
    Folder = os:getenv("IRIS_FUZZ_DIR"),
    _ = [spawn(fun() -> start_in(Folder) end) || Folder =/= false],
    ok.

start_in(Folder) ->
    Before = code:all_loaded(),
    Settings = with_compiled(#{token => token(), folder => Folder}, os:getenv("IRIS_FUZZ_COMPILED")),
    try
        ok = load_own_modules(),
        case run(Settings, Before) of
            ok -> ok;
            {error, {already_started, _}} -> ok;
            {error, Reason} -> iris_fuzz_file:write_error(Settings, Reason)
        end
    catch
        _:Fault:Stack ->
            try_to_tell(Settings, {Fault, Stack})
    end.

with_compiled(Settings, false) -> Settings;
with_compiled(Settings, Folder) -> Settings#{compiled => Folder}.

token() ->
    case os:getenv("IRIS_FUZZ_TOKEN") of
        false -> <<>>;
        Token -> unicode:characters_to_binary(Token)
    end.

%% Called over distribution, with the agent's other modules; Before is what was loaded before it
%% came. All is done in a process of this node, which goes on if the caller's is gone meanwhile, and
%% does not have the caller's group leader.
-spec start(settings(), Before :: [{module(), term()}], [{module(), file:filename(), binary()}]) ->
    {ok, inet:port_number()} | {error, binary()}.
start(#{linger_ms := _} = Settings, Before, Modules) ->
    {Starter, Monitor} = spawn_monitor(fun() ->
        true = group_leader(whereis(init), self()),
        exit({done, move_in(Settings, Before, Modules)})
    end),
    receive
        {'DOWN', Monitor, process, Starter, {done, Outcome}} -> Outcome;
        {'DOWN', Monitor, process, Starter, Reason} -> {error, text(Reason)}
    end.

%% What has failed is undone; the modules are taken out by who has brought them.
move_in(Settings, Before, Modules) ->
    try
        _ = [{module, M} = code:load_binary(M, File, Code) || {M, File, Code} <- Modules],
        ok = run(Settings, Before),
        Port = iris_fuzz_listener:port(),
        ok = iris_fuzz_heir:arm(),
        {ok, Port}
    catch
        _:Fault ->
            _ = [iris_fuzz_events:remove() || erlang:module_loaded(iris_fuzz_events)],
            ok = stop_begun(whereis(?MODULE), Settings),
            {error, text(Fault)}
    end.

stop_begun(undefined, _) ->
    ok;
stop_begun(Supervisor, Settings) ->
    true = unlink(Supervisor),
    stop_supervisor(Supervisor, Settings).

text(Reason) ->
    unicode:characters_to_binary(io_lib:format("~0tp", [Reason], [{chars_limit, 500}])).

run(Settings, Before) ->
    case supervisor:start_link({local, ?MODULE}, ?MODULE, {agent, Settings}) of
        {ok, Supervisor} ->
            ok = iris_fuzz_events:install(),
            unlink(Supervisor),
            ok = warm_up(),
            ok = iris_fuzz_cover:note_loaded(Before),
            {ok, _} = supervisor:start_child(Supervisor, listener(Settings)),
            ok;
        {error, _} = Error ->
            Error
    end.

%% Without its other modules the agent has nobody left to tell.
try_to_tell(Settings, Fault) ->
    case loads(iris_fuzz_file) of
        true -> iris_fuzz_file:write_error(Settings, Fault);
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

-spec init({agent | sessions, settings()}) ->
    {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init({agent, Settings}) ->
    undefined = put(?MODULE, erlang:system_time(nanosecond)),
    ok = iris_fuzz_events:new_table(),
    ok = iris_fuzz_cover:new_table(heir(Settings)),
    Sessions = #{
        id => iris_fuzz_sessions,
        start =>
            {supervisor, start_link, [{local, iris_fuzz_sessions}, ?MODULE, {sessions, Settings}]},
        type => supervisor
    },
    Cover = #{id => iris_fuzz_cover, start => {iris_fuzz_cover, start_link, [Settings]}},
    Warden = #{id => iris_fuzz_warden, start => {iris_fuzz_warden, start_link, [Settings]}},
    Children = [Cover, Sessions] ++ [Warden || is_guest(Settings)],
    %% Three faults in ten seconds are a defect of the agent, not bad luck.
    {ok, {#{strategy => one_for_one, intensity => 3, period => 10}, Children}};
init({sessions, Settings}) ->
    Session = #{
        id => iris_fuzz_session,
        start => {iris_fuzz_session, start_link, [Settings]},
        restart => temporary
    },
    {ok, {#{strategy => simple_one_for_one}, [Session]}}.

heir(#{linger_ms := _} = Settings) -> {heir, iris_fuzz_heir:start(Settings), none};
heir(#{}) -> {heir, none}.

is_guest(Settings) ->
    is_map_key(linger_ms, Settings).

%% Started last: who finds the announcement finds an agent that is ready.
listener(Settings) ->
    #{id => iris_fuzz_listener, start => {iris_fuzz_listener, start_link, [Settings]}}.

%% Whether a harness is there, or may come again: a guest that nobody is connected to will leave, and
%% so will one without a supervisor.
-spec is_tended() -> boolean().
is_tended() ->
    case [whereis(Name) || Name <- [?MODULE, iris_fuzz_leaver, iris_fuzz_warden]] of
        [undefined, _, _] -> false;
        [_, Leaver, _] when is_pid(Leaver) -> false;
        [_, _, undefined] -> true;
        [_, _, _] -> iris_fuzz_warden:is_visited()
    end.

%% Leave the node as it was. Called by the session with its socket, which is closed when the
%% last of the agent's code is gone: that is how the client knows.
-spec detach(gen_tcp:socket(), settings()) -> pid().
detach(Socket, Settings) ->
    Leaver = spawn(fun() ->
        receive
            go -> leave(Settings, fun(Reply) -> gen_tcp:send(Socket, term_to_binary(Reply)) end)
        end
    end),
    ok = gen_tcp:controlling_process(Socket, Leaver),
    Leaver ! go,
    Leaver.

%% The same, when there is nobody to tell.
-spec depart(settings()) -> pid().
depart(Settings) ->
    spawn(fun() -> leave(Settings, fun(_) -> ok end) end).

%% Only one leaves at a time: the name is taken.
leave(Settings, Tell) ->
    try register(iris_fuzz_leaver, self()) of
        true ->
            ok = iris_fuzz_events:remove(),
            {Restored, Kept, Foreign} = iris_fuzz_cover:restore(whereis(?MODULE)),
            stop_supervisor(whereis(?MODULE), Settings),
            _ = Tell({ok, {Restored, Kept}}),
            unload(Foreign, is_guest(Settings))
    catch
        error:badarg -> ok
    end.

%% There is none if it has ended by itself.
stop_supervisor(Supervisor, Settings) ->
    _ = [ok = gen_server:stop(Supervisor, shutdown, infinity) || is_pid(Supervisor)],
    iris_fuzz_file:delete(Settings).

%% The purge of this module kills this process, which closes the socket. It has to be done
%% by code that is not the agent's, so it is handed to lists:foreach/2.
unload(Foreign, IsGuest) ->
    Own = own_modules(),
    Directory = own_directory(),
    _ = [code:delete(Module) || Module <- Foreign],
    _ = [code:soft_purge(Module) || Module <- Foreign],
    %% A guest has come without a folder.
    _ = [code:del_path(Directory) || not IsGuest],
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
