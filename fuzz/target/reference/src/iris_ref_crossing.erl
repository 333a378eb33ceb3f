%%% What crosses from an edge to another node, with the planted defects that only a cluster shows.
%%%
%%% A node that is its own core does none of this.
-module(iris_ref_crossing).

-export([handed_over/1, own_keys/0, group_named/1]).
%% What runs on the core.
-export([halt_core/0, announce/1, announced/1]).

%% PLANTED: edge_drops_empty - what is handed over to another node is put together anew, and a
%% message without text is taken for none.
-spec handed_over(iris_ref_router:event()) -> iris_ref_router:event().
handed_over({messages, Messages} = Event) ->
    case iris_ref_plant:on(edge_drops_empty) of
        true -> {messages, [Message || {_, Body} = Message <- Messages, Body =/= <<>>]};
        false -> Event
    end;
handed_over(Event) ->
    Event.

%% PLANTED: core_halts - FETCH_PREKEYS for oneself lets the core believe that its key store is
%% corrupt, and it gives up.
-spec own_keys() -> ok.
own_keys() ->
    at_core(core_halts, halt_core, []).

%% PLANTED: core_crashes - the name of a new group is told to the core's log by a process of its
%% own, which has no clause for a name that is not UTF-8.
-spec group_named(binary()) -> ok.
group_named(Name) ->
    at_core(core_crashes, announce, [Name]).

at_core(Plant, Function, Arguments) ->
    _ =
        iris_ref_plant:on(Plant) andalso not iris_ref_core:is_local() andalso
            iris_ref_core:call(?MODULE, Function, Arguments),
    ok.

-spec halt_core() -> no_return().
halt_core() ->
    erlang:halt("iris_ref: key store is corrupt").

-spec announce(binary()) -> ok.
announce(Name) ->
    _ = proc_lib:spawn(?MODULE, announced, [Name]),
    ok.

-spec announced(binary()) -> ok.
announced(Name) ->
    true = is_list(unicode:characters_to_list(Name)),
    ok.
