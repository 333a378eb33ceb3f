%%% Knows what other nodes have. A helper of the planted defect `served_late'.
%%%
%%% It asks them for one group at a time, and nobody gets an answer from it until that is over:
%%% a node that stands alone is answered by nobody. What is to be sought meanwhile is not sought,
%%% so that however many groups are asked for, everybody is served in the end.
-module(iris_ref_directory).

-behaviour(gen_statem).

-export([start_link/0, seek/1, wait_for/1]).
-export([init/1, callback_mode/0, ready/3, seeking/3]).

%% How long the other nodes are waited for.
-define(SEEK_MS, 3000).

-spec start_link() -> gen_statem:start_ret().
start_link() ->
    gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Ask the other nodes for a group.
-spec seek(binary()) -> ok.
seek(Group) ->
    gen_statem:cast(?MODULE, {seek, Group}).

%% Return when other nodes have been asked for a user; at once where there is no directory.
-spec wait_for(binary()) -> ok.
wait_for(User) ->
    case iris_ref_plant:on(served_late) of
        true -> gen_statem:call(?MODULE, {wait_for, User}, infinity);
        false -> ok
    end.

-spec callback_mode() -> gen_statem:callback_mode_result().
callback_mode() ->
    state_functions.

-spec init([]) -> gen_statem:init_result(ready).
init([]) ->
    {ok, ready, []}.

-spec ready(gen_statem:event_type(), term(), []) -> gen_statem:event_handler_result(atom()).
ready(cast, {seek, _}, Data) ->
    {next_state, seeking, Data, [{state_timeout, ?SEEK_MS, nobody_answers}]};
ready({call, From}, {wait_for, _}, _) ->
    {keep_state_and_data, [{reply, From, ok}]}.

-spec seeking(gen_statem:event_type(), term(), []) -> gen_statem:event_handler_result(atom()).
seeking(cast, {seek, _}, _) ->
    keep_state_and_data;
seeking({call, _}, {wait_for, _}, _) ->
    {keep_state_and_data, [postpone]};
seeking(state_timeout, nobody_answers, Data) ->
    {next_state, ready, Data}.
