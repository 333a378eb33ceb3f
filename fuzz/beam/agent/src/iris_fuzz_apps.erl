%%% Starts and stops applications of the target, each within a time that the client gives.
-module(iris_fuzz_apps).

-export([bounded/2, running/0, targets/0, stop/2, start/2, restart/3]).

%% What ends in an orderly way has ended by then; all that is still busy is looked at.
-define(ORDERLY_MS, 100).

-type result() :: {ok, term()} | {error, binary()}.

%% Do something that may take for ever in a process of its own, and give it up in time.
-spec bounded(fun(() -> term()), non_neg_integer()) -> result().
bounded(Fun, Limit) ->
    {Worker, Monitor} = spawn_monitor(fun() -> exit({done, Fun()}) end),
    receive
        {'DOWN', Monitor, process, Worker, {done, Value}} ->
            {ok, Value};
        {'DOWN', Monitor, process, Worker, Reason} ->
            {error, iris_fuzz_shape:text(Reason)}
    after Limit ->
        exit(Worker, kill),
        receive
            {'DOWN', Monitor, process, Worker, _} -> ok
        end,
        {error, iolist_to_binary(io_lib:format("it was not done within ~w ms", [Limit]))}
    end.

%% In the order in which they were started: name, version, whether it is part of OTP, modules.
-spec running() -> [{binary(), binary(), 0 | 1, [binary()]}].
running() ->
    [
        {
            atom_to_binary(Name),
            unicode:characters_to_binary(Version),
            flag(iris_fuzz_otp:is_application(Name)),
            modules(Name)
        }
     || {Name, _, Version} <- lists:reverse(application:which_applications())
    ].

%% The applications that run and do not come with Erlang.
-spec targets() -> [atom()].
targets() ->
    Running = [Name || {Name, _, _} <- application:which_applications()],
    [Name || Name <- Running, not iris_fuzz_otp:is_application(Name)].

flag(true) -> 1;
flag(false) -> 0.

modules(Name) ->
    case application:get_key(Name, modules) of
        {ok, Modules} -> [atom_to_binary(Module) || Module <- lists:sort(Modules)];
        undefined -> []
    end.

-spec stop(binary(), non_neg_integer()) -> result().
stop(Name, Limit) ->
    carried_out(Name, Limit, fun application:stop/1).

-spec start(binary(), non_neg_integer()) -> result().
start(Name, Limit) ->
    carried_out(Name, Limit, fun(App) -> start_as(App, temporary) end).

%% An application that runs keeps its restart type. One that has died cannot have been
%% permanent, or the node had died with it. Its supervisors wait for a child that is stuck as long
%% as its specification says, which may be for ever; hard kills such a child before that.
-spec restart(binary(), non_neg_integer(), orderly | hard) -> result().
restart(Name, Limit, How) ->
    carried_out(Name, Limit, fun(App) ->
        Started = proplists:get_value(started, application:info()),
        Type = proplists:get_value(App, Started, temporary),
        _ = stop_as(App, How),
        start_as(App, Type)
    end).

stop_as(App, orderly) ->
    application:stop(App);
stop_as(App, hard) ->
    %% Linked, so that it is given up together with who waits for it.
    {_, Monitor} = spawn_opt(fun() -> application:stop(App) end, [link, monitor]),
    kill_until_down(App, Monitor).

kill_until_down(App, Monitor) ->
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    after ?ORDERLY_MS ->
        Stuck = iris_fuzz_vitals:suspected(),
        _ = [exit(Pid, kill) || Pid <- Stuck, application:get_application(Pid) =:= {ok, App}],
        kill_until_down(App, Monitor)
    end.

start_as(Name, Type) ->
    case application:ensure_all_started(Name, Type) of
        {ok, _} -> ok;
        {error, _} = Error -> Error
    end.

carried_out(Name, Limit, Action) ->
    try binary_to_existing_atom(Name) of
        Application ->
            case bounded(fun() -> Action(Application) end, Limit) of
                {ok, ok} -> {ok, 1};
                {ok, {error, Reason}} -> {error, iris_fuzz_shape:text(Reason)};
                {error, _} = Error -> Error
            end
    catch
        error:badarg -> {error, <<"the node knows no application of that name">>}
    end.
