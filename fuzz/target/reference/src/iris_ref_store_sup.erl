%%% The supervisor of the processes that write to the disc. None of them is restarted: after a
%%% crash here it is not known what was written, and a server that goes on would promise what
%%% it cannot keep. So the application stops.
-module(iris_ref_store_sup).

-behaviour(supervisor).

-export([start_link/0]).
-export([init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Modules = [iris_ref_store, iris_ref_offline, iris_ref_groups, iris_ref_keys],
    Children = [#{id => Module, start => {Module, start_link, []}} || Module <- Modules],
    {ok, {#{strategy => one_for_one, intensity => 0, period => 1}, Children}}.
