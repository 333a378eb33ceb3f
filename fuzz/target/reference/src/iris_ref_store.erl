%%% The disc: Mnesia's tables, and the promise that what was written is on the disc.
%%%
%%% Theory of operation. Each table has one process that writes it (iris_ref_offline,
%%% iris_ref_groups, iris_ref_keys, iris_ref_auth's caller), so dirty operations lose no
%%% update; anyone may read. A dirty write reaches Mnesia's log some time later, which is too
%%% late for a server that says `accepted' and is killed. So who has written calls commit/0
%%% before it answers: that returns when the log is on the disc. Those who wait at the same
%%% time share one sync: this process collects callers until its mailbox is empty.
%%%
%%% Mnesia keeps running when this application stops, and holds the data in memory.
-module(iris_ref_store).

-behaviour(gen_server).

-export([set_up/0, start_link/0, commit/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% Loading some 64 MiB of tables takes a second or two; a minute means that it does not work.
-define(LOAD_MS, 60_000).

%% Make the schema and the tables that this node does not have, and load the others.
-spec set_up() -> ok | {error, term()}.
set_up() ->
    case mnesia:change_table_copy_type(schema, node(), disc_copies) of
        {atomic, ok} -> create_tables();
        {aborted, {already_exists, schema, _, disc_copies}} -> create_tables();
        {aborted, Reason} -> {error, Reason}
    end.

create_tables() ->
    Results = [create(Table, Type, Fields) || {Table, Type, Fields} <- tables()],
    case [Reason || {aborted, Reason} <- Results, element(1, Reason) =/= already_exists] of
        [] -> load([Table || {Table, _, _} <- tables()]);
        [Reason | _] -> {error, Reason}
    end.

create(Table, Type, Fields) ->
    Options = [{type, Type}, {attributes, Fields}, {disc_copies, [node()]}],
    mnesia:create_table(Table, Options).

load(Tables) ->
    case mnesia:wait_for_tables(Tables, ?LOAD_MS) of
        ok -> ok;
        {timeout, Missing} -> {error, {not_loaded, Missing}};
        {error, Reason} -> {error, Reason}
    end.

tables() ->
    [
        {iris_ref_message, ordered_set, [key, body]},
        {iris_ref_group, set, [id, name, members, seq]},
        {iris_ref_bundle, set, [user, keys, one_time, seq]},
        {iris_ref_revoked, set, [jti, time]}
    ].

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Return when all that was written before is on the disc.
-spec commit() -> ok.
commit() ->
    gen_server:call(?MODULE, commit, infinity).

-spec init([]) -> {ok, [gen_server:from()]}.
init([]) ->
    {ok, []}.

%% The state is those who wait. The timeout of 0 comes when no message is left in the mailbox.
-spec handle_call(commit, gen_server:from(), [gen_server:from()]) ->
    {noreply, [gen_server:from()], 0}.
handle_call(commit, From, Waiting) ->
    {noreply, [From | Waiting], 0}.

-spec handle_cast(term(), [gen_server:from()]) -> {noreply, [gen_server:from()], 0}.
handle_cast(_, Waiting) ->
    {noreply, Waiting, 0}.

-spec handle_info(term(), [gen_server:from()]) -> {noreply, []} | {noreply, list(), 0}.
handle_info(timeout, Waiting) ->
    ok = sync(Waiting),
    _ = [gen_server:reply(From, ok) || From <- Waiting],
    {noreply, []};
handle_info(_, Waiting) ->
    {noreply, Waiting, 0}.

sync([]) -> ok;
sync(_) -> mnesia:sync_log().
