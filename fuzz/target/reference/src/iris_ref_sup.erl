%%% The top supervisor: the store, then all that serves clients. Each of the two has spent
%%% its restarts when it ends, so this one allows none, and the application stops.
-module(iris_ref_sup).

-behaviour(supervisor).

-export([start_link/1]).
-export([init/1]).

-spec start_link(single | core | edge) -> supervisor:startlink_ret().
start_link(Role) ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, Role).

-spec init(single | core | edge) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(Role) ->
    {ok, {#{strategy => rest_for_one, intensity => 0, period => 1}, children(Role)}}.

children(single) -> [store() | iris_ref_aide_sup:specs()] ++ [net([tcp, ws])];
children(core) -> [store(), net([])];
children(edge) -> iris_ref_aide_sup:specs() ++ [net([tcp, ws])].

store() ->
    #{
        id => iris_ref_store_sup,
        start => {iris_ref_store_sup, start_link, []},
        type => supervisor,
        shutdown => infinity
    }.

net(Transports) ->
    #{
        id => iris_ref_net_sup,
        start => {iris_ref_net_sup, start_link, [Transports]},
        type => supervisor,
        shutdown => infinity
    }.
