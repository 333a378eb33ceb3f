%%% Sees to it that an agent which was brought into somebody's node leaves it again.
%%%
%%% A harness takes its agent out at the end. One that was killed cannot: then nobody is
%%% connected any more. A connection may also be lost by chance and come back at once, so two looks
%%% in a row, a time apart that the harness has chosen, must find nobody.
-module(iris_fuzz_warden).
-behaviour(gen_server).

-export([start_link/1, is_visited/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-record(warden, {
    settings :: iris_fuzz_agent:settings(),
    was_alone = false :: boolean()
}).

-spec start_link(iris_fuzz_agent:settings()) -> {ok, pid()}.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

-spec is_visited() -> boolean().
is_visited() ->
    proplists:get_value(active, supervisor:count_children(iris_fuzz_sessions)) > 0.

init(Settings) ->
    {ok, look_later(#warden{settings = Settings})}.

handle_call(_, _, Warden) ->
    {reply, {error, unexpected}, Warden}.

handle_cast(_, Warden) ->
    {noreply, Warden}.

handle_info(look, #warden{was_alone = WasAlone} = Warden) ->
    case {is_visited(), WasAlone} of
        {true, _} ->
            {noreply, look_later(Warden#warden{was_alone = false})};
        {false, false} ->
            {noreply, look_later(Warden#warden{was_alone = true})};
        {false, true} ->
            _ = iris_fuzz_agent:depart(Warden#warden.settings),
            %% Should that fail, it is tried again.
            {noreply, look_later(Warden)}
    end;
handle_info(_, Warden) ->
    {noreply, Warden}.

look_later(#warden{settings = #{linger_ms := LingerMs}} = Warden) ->
    _ = erlang:send_after(LingerMs, self(), look),
    Warden.
