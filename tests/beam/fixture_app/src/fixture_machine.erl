%%% A gen_statem that crashes in a state function.
-module(fixture_machine).
-behaviour(gen_statem).

-export([start/0]).
-export([init/1, callback_mode/0, idle/3]).

start() ->
    gen_statem:start(?MODULE, [], []).

init([]) ->
    {ok, idle, none}.

callback_mode() ->
    state_functions.

idle(cast, {match, Value}, _) ->
    {expected, _} = Value,
    keep_state_and_data;
idle(cast, {throw, Value}, _) ->
    throw({thrown, Value});
idle(cast, {stop, Reason}, _) ->
    {stop, Reason}.
