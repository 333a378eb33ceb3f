%%% The wall clock of a node. All that depends on the time of day asks it here.
%%%
%%% The environment's clock_offset_ms says by how much it is off: the clocks of two machines are
%%% never the same. So what is put in order over all edges, messages and logins, goes by the clock
%%% of the core alone. What an edge judges by itself, the times of a token, goes by its own.
-module(iris_ref_clock).

-export([now/1]).

%% The time since 1970, as this node has it.
-spec now(erlang:time_unit()) -> integer().
now(Unit) ->
    {ok, OffsetMs} = application:get_env(iris_ref, clock_offset_ms),
    Offset = erlang:convert_time_unit(OffsetMs, millisecond, nanosecond),
    erlang:convert_time_unit(erlang:system_time(nanosecond) + Offset, nanosecond, Unit).
