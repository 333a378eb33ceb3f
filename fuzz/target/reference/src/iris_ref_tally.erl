%%% Counts who stopped typing to whom. A helper of the planted defect `app_intensity'.
%%%
%%% What is to be counted waits in a table, so that nothing is lost while this process is being
%%% restarted: the next one goes on where the last one ended, behind what it ended over.
-module(iris_ref_tally).

-behaviour(gen_server).

-export([start_link/0, count/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2]).

-define(TABLE, ?MODULE).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Count a target, some time later.
-spec count(binary()) -> ok.
count(Target) ->
    true = ets:insert(?TABLE, {erlang:unique_integer([monotonic]), Target}),
    gen_server:cast(?MODULE, look).

-spec init([]) -> {ok, non_neg_integer(), {continue, look}}.
init([]) ->
    {ok, 0, {continue, look}}.

-spec handle_continue(look, non_neg_integer()) -> {noreply, non_neg_integer()}.
handle_continue(look, Count) ->
    {noreply, look(ets:first(?TABLE), Count)}.

-spec handle_call(term(), gen_server:from(), non_neg_integer()) -> {noreply, non_neg_integer()}.
handle_call(_, _, Count) -> {noreply, Count}.

-spec handle_cast(look, non_neg_integer()) -> {noreply, non_neg_integer()}.
handle_cast(look, Count) ->
    {noreply, look(ets:first(?TABLE), Count)}.

look('$end_of_table', Count) ->
    Count;
look(Key, Count) ->
    [{_, Target}] = ets:take(?TABLE, Key),
    look(ets:first(?TABLE), counted(Target, Count)).

counted(Target, Count) when Target =/= <<>> -> Count + 1.
