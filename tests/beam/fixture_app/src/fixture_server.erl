%%% A gen_server that crashes, exits, and is busy on request.
-module(fixture_server).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2]).

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

init([]) ->
    {ok, #{count => 0}}.

handle_call(count, _, #{count := Count} = State) ->
    {reply, Count, State#{count := Count + 1}};
handle_call({ask, Server, Message}, _, State) ->
    {reply, gen_server:call(Server, Message, infinity), State}.

handle_cast({fail, Data}, #{count := Count}) ->
    error({cannot_handle, Data, Count});
handle_cast({exit, Reason}, State) ->
    exit({Reason, State});
handle_cast({stop, Reason}, State) ->
    {stop, Reason, State}.
