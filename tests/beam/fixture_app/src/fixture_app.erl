%%% The application and its supervisor, which gives up at the second crash.
-module(fixture_app).
-behaviour(application).
-behaviour(supervisor).

-export([start/2, stop/1, init/1]).

start(_, _) ->
    supervisor:start_link({local, fixture_sup}, ?MODULE, []).

stop(_) ->
    ok.

init([]) ->
    Server = #{id => the_server, start => {fixture_server, start_link, []}},
    {ok, {#{intensity => 1, period => 3600}, [Server]}}.
