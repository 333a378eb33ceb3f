%%% Passes on what all nodes should hear. A helper of the planted defect `mailbox_storm'.
%%%
%%% The nodes stand in a ring, and a rumour goes both ways round it: whoever hears it seals it
%%% with all that was heard before, and passes it on to both neighbours. A node that stands alone
%%% is its own neighbour on either side. Nothing ends a rumour, so its mailbox grows by one with
%%% each that it gets done; who had something to tell is answered when there are none left.
-module(iris_ref_gossip).

-behaviour(gen_server).

-export([start_link/0, spread/1]).
-export([init/1, handle_call/3, handle_cast/2]).

%% Bytes of what it has heard before. They make a rumour last for some tenths of a millisecond: its
%% mailbox grows by some thousands a second, and for a minute or two until it is full.
-define(HEARD, 32_768).
%% Rumours on their way, beyond which a rumour is passed on to one side only: some eighty megabytes.
%% Without that, the node would be out of memory sooner or later.
-define(MAX_RUMOURS, 500_000).

-type rumour() :: {rumour, binary()}.

-record(state, {
    heard :: binary(),
    %% Rumours on their way.
    count = 0 :: non_neg_integer()
}).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Tell all nodes of a user; `ok' when all have heard.
-spec spread(binary()) -> ok.
spread(User) ->
    gen_server:call(?MODULE, {rumour, binary:copy(User)}, infinity).

-spec init([]) -> {ok, #state{}}.
init([]) ->
    {ok, #state{heard = <<0:(?HEARD * 8)>>}}.

-spec handle_call(rumour(), gen_server:from(), #state{}) -> {noreply, #state{}}.
handle_call(Rumour, _, #state{count = Count} = State) ->
    ok = gen_server:cast(?MODULE, Rumour),
    {noreply, State#state{count = Count + 1}}.

-spec handle_cast(rumour(), #state{}) -> {noreply, #state{}}.
handle_cast({rumour, Text}, #state{heard = Heard, count = Count} = State) ->
    Sealed = {rumour, erlang:md5([Text, Heard])},
    Neighbours = [?MODULE | [?MODULE || Count < ?MAX_RUMOURS]],
    ok = lists:foreach(fun(Node) -> gen_server:cast(Node, Sealed) end, Neighbours),
    {noreply, State#state{count = Count + length(Neighbours) - 1}}.
