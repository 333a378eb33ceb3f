%%% Who is where: the connections of each user, in an ETS table.
%%%
%%% Theory of operation. A row is `{{User, -Time, Pid}}' in an ordered set, so the first row
%%% of a user is the newest connection: by the clock of the core, whatever edge it is on. A user who is logged in twice has two rows: the newer
%%% connection receives, the older stays open, and receives again when the newer has gone.
%%%
%%% A connection lists and unlists itself, without asking this process. What it leaves when
%%% it is killed is seen by whoever looks the user up (the process is not alive) and is
%%% swept here. An edge lists its connections at its core too, and repeats that with each
%%% sweep, so that a core which was restarted learns of them again. A core cannot see which of an
%%% edge's connections are alive; so the edge, in its sweep, takes out there what it does not list
%%% itself. A connection is listed at its edge first and unlisted there first: what is at the core
%%% only has ended.
-module(iris_ref_presence).

-behaviour(gen_server).

-export([create_table/0, start_link/0]).
-export([list/1, unlist/1, add/1, remove/1, listed_of/1, find/1, is_listed/1, locate/1, status/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([key/0]).

-type key() :: {User :: binary(), NegativeTime :: integer(), pid()}.

-define(TABLE, ?MODULE).
-define(SWEEP_MS, 5000).
%% Sorts before every time of the clock.
-define(FIRST, -(1 bsl 62)).

%% Make the table; its owner is the caller, a supervisor, so that it outlives this process.
-spec create_table() -> ok.
create_table() ->
    Options = [named_table, public, ordered_set, {write_concurrency, true}],
    ?TABLE = ets:new(?TABLE, Options),
    ok.

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% List the calling process as a connection of a user.
-spec list(binary()) -> {ok, key()} | unavailable.
list(User) ->
    case iris_ref_core:call(iris_ref_clock, now, [nanosecond]) of
        {ok, Time} -> list_as({User, -Time, self()});
        unavailable -> unavailable
    end.

%% Here first: who finds it at the core looks for it here.
list_as(Key) ->
    ok = add([Key]),
    case iris_ref_core:is_local() orelse iris_ref_core:call(?MODULE, add, [[Key]]) of
        unavailable ->
            ok = remove(Key),
            unavailable;
        _ ->
            {ok, Key}
    end.

%% Unlist a connection, and remember when its user was last seen.
-spec unlist(key()) -> ok.
unlist({User, _, _} = Key) ->
    ok = remove(Key),
    case iris_ref_core:is_local() of
        true ->
            iris_ref_offline:seen(User);
        false ->
            Core = iris_ref_core:node_name(),
            ok = erpc:cast(Core, ?MODULE, remove, [Key]),
            ok = erpc:cast(Core, iris_ref_offline, seen, [User])
    end.

-spec add([key()]) -> ok.
add(Keys) ->
    true = ets:insert(?TABLE, [{Key} || Key <- Keys]),
    ok.

-spec remove(key()) -> ok.
remove(Key) ->
    true = ets:delete(?TABLE, Key),
    ok.

%% The connections of a node that are listed here.
-spec listed_of(node()) -> [key()].
listed_of(Node) ->
    [Key || {{_, _, Pid} = Key} <- ets:tab2list(?TABLE), node(Pid) =:= Node].

-spec is_listed(key()) -> boolean().
is_listed(Key) ->
    ets:member(?TABLE, Key).

%% The newest living connection of a user among those listed on this node.
-spec find(binary()) -> {ok, key()} | offline.
find(User) ->
    find(User, ets:next(?TABLE, {User, ?FIRST, self()})).

find(User, {User, _, Pid} = Key) ->
    case may_be_alive(Pid) of
        true ->
            {ok, Key};
        false ->
            ok = remove(Key),
            find(User, ets:next(?TABLE, Key))
    end;
find(_, _) ->
    offline.

%% The newest living connection of a user on any node; a connection of this node is preferred,
%% which spares an edge the question.
-spec locate(binary()) -> {ok, key()} | offline.
locate(User) ->
    case find(User) of
        offline ->
            case iris_ref_core:is_local() orelse iris_ref_core:call(?MODULE, find, [User]) of
                {ok, Found} -> Found;
                _ -> offline
            end;
        Found ->
            Found
    end.

%% Whether a user is online, and when last seen (seconds; 0 if that is not known).
-spec status(binary()) -> {0 | 1, non_neg_integer()}.
status(User) ->
    case locate(User) of
        {ok, _} ->
            {1, iris_ref_clock:now(second)};
        offline ->
            case iris_ref_core:call(iris_ref_offline, last_seen, [User]) of
                %% Of the planted defect status_stale.
                {ok, still} -> {1, iris_ref_clock:now(second)};
                {ok, Time} -> {0, Time};
                unavailable -> {0, 0}
            end
    end.

may_be_alive(Pid) when node(Pid) =:= node() -> is_process_alive(Pid);
may_be_alive(Pid) -> lists:member(node(Pid), nodes()).

-spec init([]) -> {ok, []}.
init([]) ->
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {ok, []}.

-spec handle_call(term(), gen_server:from(), []) -> {noreply, []}.
handle_call(_, _, State) -> {noreply, State}.

-spec handle_cast({typing, binary()}, []) -> {noreply, []}.
%% Nothing is cast to this process but by the planted defect crash_cascades, with a target that
%% is empty.
handle_cast({typing, Target}, State) when Target =/= <<>> -> {noreply, State}.

-spec handle_info(term(), []) -> {noreply, []}.
handle_info(sweep, State) ->
    Living = lists:filter(fun keep/1, [Key || {Key} <- ets:tab2list(?TABLE)]),
    ok = tell_core(iris_ref_core:is_local(), Living),
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

tell_core(true, _) ->
    ok;
tell_core(false, Living) ->
    _ = iris_ref_core:call(?MODULE, add, [Living]),
    case iris_ref_core:call(?MODULE, listed_of, [node()]) of
        {ok, Listed} ->
            Ended = [Key || Key <- Listed, not is_listed(Key)],
            lists:foreach(fun(Key) -> iris_ref_core:call(?MODULE, remove, [Key]) end, Ended);
        unavailable ->
            ok
    end.

keep({_, _, Pid} = Key) ->
    may_be_alive(Pid) orelse
        begin
            ok = remove(Key),
            false
        end.
