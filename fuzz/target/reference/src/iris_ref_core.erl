%%% The core as seen from a connection: where users, stored messages, groups and keys are.
%%%
%%% A `single' node and a `core' hold them; an `edge' asks its core by Erlang distribution.
%%% All who need the core say `iris_ref_core:call(Module, Function, Arguments)', which is an
%%% ordinary function call where the core is local.
-module(iris_ref_core).

-export([configure/1, is_local/0, call/3, node_name/0]).

%% A core answers in microseconds; a core that is silent for this long is gone.
-define(CALL_MS, 5000).

%% Set where the core is, once at the start of the application.
-spec configure(local | node()) -> ok.
configure(Where) ->
    persistent_term:put(?MODULE, Where).

-spec is_local() -> boolean().
is_local() ->
    persistent_term:get(?MODULE) =:= local.

%% The node that is the core.
-spec node_name() -> node().
node_name() ->
    case persistent_term:get(?MODULE) of
        local -> node();
        Node -> Node
    end.

%% Call a function where the core is. `unavailable' when that node cannot be asked.
-spec call(module(), atom(), [term()]) -> {ok, term()} | unavailable.
call(Module, Function, Arguments) ->
    case persistent_term:get(?MODULE) of
        local -> local(Module, Function, Arguments);
        Node -> remote(Node, Module, Function, Arguments)
    end.

local(Module, Function, Arguments) ->
    try
        {ok, apply(Module, Function, Arguments)}
    catch
        %% The process asked is stopped, as it is while the application stops.
        exit:{Reason, {gen_server, call, _}} when Reason =:= noproc; Reason =:= shutdown ->
            unavailable
    end.

remote(Node, Module, Function, Arguments) ->
    try
        {ok, erpc:call(Node, Module, Function, Arguments, ?CALL_MS)}
    catch
        %% The node is gone or silent.
        error:{erpc, _} ->
            unavailable;
        %% It is there, but its application is stopped: its tables or its processes are gone.
        error:{exception, badarg, _} ->
            unavailable;
        exit:{exception, {Reason, {gen_server, call, _}}} when
            Reason =:= noproc; Reason =:= shutdown
        ->
            unavailable
    end.
