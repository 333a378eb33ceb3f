%%% The supervisor of all that serves clients, in the order in which it depends on one another:
%%% presence, limiter, connections, listeners. Who comes later is restarted with who came
%%% before, so a connection never outlives what it relies on.
%%%
%%% It makes the two ETS tables (and those of planted defects), so that they are there until the last connection has stopped.
-module(iris_ref_net_sup).

-behaviour(supervisor).

-export([start_link/1]).
-export([init/1]).

%% Ten restarts in ten seconds are a fault that restarting does not mend.
-define(INTENSITY, 10).
-define(PERIOD_SECONDS, 10).

-spec start_link([tcp | ws]) -> supervisor:startlink_ret().
start_link(Transports) ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, Transports).

-spec init([tcp | ws]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(Transports) ->
    ok = iris_ref_presence:create_table(),
    ok = iris_ref_limiter:create_table(),
    ok = iris_ref_mishap:create_tables(),
    ok = iris_ref_crowd:create_table(),
    Flags = #{strategy => rest_for_one, intensity => ?INTENSITY, period => ?PERIOD_SECONDS},
    Workers = [worker(iris_ref_presence), worker(iris_ref_limiter)],
    Connections = #{
        id => iris_ref_conn_sup,
        start => {iris_ref_conn_sup, start_link, []},
        type => supervisor,
        shutdown => infinity
    },
    Listeners = [
        #{id => {iris_ref_listener, T}, start => {iris_ref_listener, start_link, [T]}}
     || T <- Transports
    ],
    {ok, {Flags, Workers ++ [Connections | Listeners]}}.

worker(Module) -> #{id => Module, start => {Module, start_link, []}}.
